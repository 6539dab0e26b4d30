"""A configuration folder's texts, as an operator might write them."""

MAIN = """\
# yaml-language-server: $schema=x
version: 1
name: Acme                           # on pages
base_url: http://localhost:8000      # the one address
database: sqlite:///var/daypass.db
keys: {file: var/keys}               # made at first start
trusted_proxies: []
aws:
  partition: aws
  regions: [eu-west-1, eu-central-1]
  sts_endpoint: http://127.0.0.1:8090      # a double
  console_endpoint: "http://127.0.0.1:8090"
"""
CORP = """\
type: saml
label: Acme staff
metadata: {url: http://127.0.0.1:8001/metadata}   # or a file
claims: {subject: NameID, username: uid, email: mail, name: displayName, groups: memberOf}
groups: {"CN=Engineering,OU=Groups,DC=acme,DC=test": engineering, "CN=Finance,OU=Groups,DC=acme,DC=test": finance, sre: sre}
"""
PARTNER = """\
type: oidc
label: Partners
issuer: http://127.0.0.1:8002
client_id: daypass
client_secret: {env: PARTNER_CLIENT_SECRET}
groups: {contractors: contractors}
"""
ACCOUNTS = """\
"111122223333":
  name: production
  roles:
    Admin:    {level: admin, allow: [sre]}
    ReadOnly: {level: read, allow: [engineering, finance, contractors]}
"444455556666":
  name: sandbox
  roles:
    Developer: {allow: [engineering], via: "arn:aws:iam::111122223333:role/Hub", external_id: {env: SANDBOX_EXTERNAL_ID}}
"""


def texts(**changed: str) -> dict[str, str]:
    """The files by path; `main`, `corp`, `partner` and `accounts` may be given."""
    return {
        "daypass.yaml": changed.get("main", MAIN),
        "providers/corp.yaml": changed.get("corp", CORP),
        "providers/partner.yaml": changed.get("partner", PARTNER),
        "accounts.yaml": changed.get("accounts", ACCOUNTS),
    }
