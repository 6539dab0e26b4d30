"""A small valid configuration, and what `load` says of a changed one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.configuration import Loaded, Problem, load
from app.model import Revision

ENVIRON: Mapping[str, str] = {"PARTNER_CLIENT_SECRET": "s3cr3t-partner", "EXTERNAL_ID": "ext-4711"}

FILES: Mapping[str, str] = {
    "daypass.yaml": """\
version: 1
name: Acme
base_url: http://localhost:8000
database: sqlite:///var/daypass.db
keys: {file: var/keys}
aws: {regions: [eu-west-1]}
""",
    "providers/corp.yaml": """\
type: saml
label: Acme staff
metadata: {url: http://127.0.0.1:8001/metadata}
claims: {subject: NameID, username: uid, groups: memberOf}
groups: {Engineering: engineering, Ops: sre}
""",
    "providers/partner.yaml": """\
type: oidc
label: Partners
issuer: http://127.0.0.1:8002
client_id: daypass
client_secret: {env: PARTNER_CLIENT_SECRET}
claims: {subject: sub, username: preferred_username, groups: groups}
groups: {contractors: contractors}
boundary: ec2-only
""",
    "accounts.yaml": """\
"111122223333":
  name: production
  roles:
    Admin: {allow: [sre]}
    ReadOnly: {level: read, allow: [engineering, contractors], session_policy: no-secrets}
""",
    "groups.yaml": """\
sre: {policies: [aws:PowerUserAccess, no-secrets]}
""",
    "policies/no-secrets.json": """\
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "*", "Resource": "*"},
  {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
]}
""",
    "policies/ec2-only.json": """\
{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}
""",
}


def files(**changed: str | None) -> dict[str, str]:
    """The configuration with other files: `daypass=…`, `corp=…`, `partner=…`, `accounts=…`, `groups=…`."""
    made = dict(FILES)
    for name, text in changed.items():
        path = f"providers/{name}.yaml" if name in {"corp", "partner"} else f"{name}.yaml"
        if text is None:
            del made[path]
        else:
            made[path] = text
    return made


def edited(path: str, *edits: tuple[str, str]) -> dict[str, str]:
    """The configuration with parts of one file replaced."""
    text = FILES[path]
    for old, new in edits:
        assert text.count(old) >= 1, f"{old!r} is not in {path}"
        text = text.replace(old, new, 1)
    return {**FILES, path: text}


def loaded(made: Mapping[str, str], *, secrets: bool = True, environ: Mapping[str, str] = ENVIRON) -> Loaded:
    return load(made, environ, Path("config"), secrets=secrets)


def said(made: Mapping[str, str], *, secrets: bool = True, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """Every problem as a line."""
    return [str(problem) for problem in loaded(made, secrets=secrets, environ=environ).problems]


def errors(made: Mapping[str, str]) -> list[Problem]:
    return [problem for problem in loaded(made).problems if problem.level == "error"]


def revision(made: Mapping[str, str], *, environ: Mapping[str, str] = ENVIRON) -> Revision:
    """The revision of a configuration that is right."""
    found = loaded(made, environ=environ)
    assert found.revision is not None, found.problems
    return found.revision
