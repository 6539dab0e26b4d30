"""What comes of a configuration that is right."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from app.configuration import load, read_folder
from app.model import (
    EXCHANGE,
    ClaimMap,
    Client,
    Effect,
    GroupMap,
    MfaTrust,
    OidcProvider,
    RoleArn,
    SamlProvider,
    SourceId,
)
from app.policy import Kind, evaluate, intersect, parse
from tests.configuration.builders import ENVIRON, FILES, edited, files, loaded, revision, said

SHIPPED = Path(__file__).parents[2] / "config"
SECRETS = {
    "PARTNER_CLIENT_SECRET": "s3cr3t",
    "SANDBOX_EXTERNAL_ID": "ext-4711",
    "SOCIAL_CLIENT_SECRET": "s0cial",
}


def test_the_shipped_configuration_is_right_and_has_no_warning() -> None:
    found = load(read_folder(SHIPPED), SECRETS, SHIPPED)
    assert found.problems == ()
    assert found.revision is not None


def test_the_shipped_company_is_the_one_that_is_promised() -> None:
    found = load(read_folder(SHIPPED), SECRETS, SHIPPED).revision
    assert found is not None
    assert found.number == 0
    corp, partner = found.providers[SourceId("corp")], found.providers[SourceId("partner")]
    assert isinstance(corp, SamlProvider)
    assert isinstance(partner, OidcProvider)
    assert corp.claims == ClaimMap("NameID", "uid", "mail", "displayName", "memberOf")
    assert corp.groups.names["CN=Engineering,OU=Groups,DC=acme,DC=test"] == "engineering"
    assert corp.groups.names["CN=Finance,OU=Groups,DC=acme,DC=test"] == "finance"
    assert corp.session_tags == {"CostCenter": "costCenter"}
    assert partner.client_secret == "s3cr3t"
    assert partner.scopes == ("openid", "profile", "email", "groups")
    assert partner.mfa == MfaTrust(methods=frozenset({"mfa", "hwk"}))
    assert partner.boundary == "ec2-only"
    who = {arn.partition(":role/")[2]: set(role.allow) for arn, role in found.roles.items()}
    assert who == {
        "Admin": {"sre"},
        "ReadOnly": {"engineering", "finance", "contractors", "auditors"},
        "Billing": {"finance"},
        "Developer": {"engineering"},
        "Release": set(),
        "AppUploads": {"app/photo-app", "app/photo-app/guests"},
    }
    uploads = RoleArn("arn:aws:iam::444455556666:role/AppUploads")
    assert found.roles[uploads].session_policy == "own-folder"
    assert found.clients["photo-app"] == Client(
        id="photo-app",
        name="Shoebox",
        grants=frozenset({EXCHANGE, "refresh_token"}),
        accepts={SourceId("social"): ("acme-app",)},
        pool="photo",
        origins=("http://127.0.0.1:8004",),
        guests=True,
        roles=(uploads,),
    )
    developer = found.roles[RoleArn("arn:aws:iam::444455556666:role/Developer")]
    assert (developer.via, developer.external_id) == ("arn:aws:iam::111122223333:role/Hub", "ext-4711")
    assert (developer.level, developer.account_name, developer.tags) == ("power", "sandbox", {"team": "web"})
    assert found.groups["sre"].policies == ("aws:PowerUserAccess",)
    assert found.settings.alerts == ({"log": ""},)
    assert (found.settings.database, found.settings.keys) == ("sqlite:///var/daypass.db", "var/keys")


def test_no_group_of_the_demo_is_locked_out_at_night() -> None:
    found = load(read_folder(SHIPPED), SECRETS, SHIPPED).revision
    assert found is not None
    bearers = {name for name, group in found.groups.items() if "office-hours" in group.policies}
    assert bearers == {"auditors"}, "nobody in the demo's directory is an auditor"


@pytest.mark.parametrize(
    ("hour", "effect"),
    [(3, Effect.EXPLICIT_DENY), (7, Effect.ALLOW), (17, Effect.ALLOW), (18, Effect.EXPLICIT_DENY)],
)
def test_the_shipped_office_hours_are_what_their_description_says(hour: int, effect: Effect) -> None:
    found = load(read_folder(SHIPPED), SECRETS, SHIPPED).revision
    assert found is not None
    attached = [parse(found.policies[name], Kind.IDENTITY) for name in ("office-hours", "no-secrets")]
    context = {"aws:CurrentTime": f"2026-11-24T{hour:02}:30:00.5Z"}
    role = "arn:aws:iam::111122223333:role/ReadOnly"
    assert evaluate("sts:AssumeRole", role, context, policies=attached).effect is effect


def test_what_a_contractor_carries_fits_into_one_session_policy() -> None:
    found = load(read_folder(SHIPPED), SECRETS, SHIPPED).revision
    assert found is not None
    role, source = (parse(found.policies[name], Kind.SESSION) for name in ("no-secrets", "ec2-only"))
    assert len(intersect(role, source)) <= 2048


def test_each_shipped_yaml_file_names_its_schema() -> None:
    for path in SHIPPED.rglob("*.yaml"):
        first = path.read_text("utf-8").splitlines()[0]
        prefix, _, target = first.partition("$schema=")
        assert prefix == "# yaml-language-server: ", path
        assert (path.parent / target).is_file(), f"{path}: {target}"


def test_defaults_are_as_written_in_the_reference() -> None:
    found = revision(FILES)
    settings = found.settings
    assert settings.aws.partition == "aws"
    assert settings.aws.sts_endpoint is None
    assert (settings.session_lifetime, settings.session_idle) == (timedelta(hours=12), timedelta(hours=2))
    assert (settings.access_token, settings.refresh_token) == (timedelta(hours=1), timedelta(hours=12))
    assert settings.trusted_proxies == ()
    assert settings.alerts == ()
    admin = found.roles[RoleArn("arn:aws:iam::111122223333:role/Admin")]
    assert (admin.level, admin.max_duration, admin.session_policy, admin.via) == (
        "admin",
        timedelta(hours=1),
        None,
        None,
    )
    partner = found.providers[SourceId("partner")]
    assert isinstance(partner, OidcProvider)
    assert (partner.scopes, partner.algorithms, partner.userinfo) == (("openid",), ("RS256",), False)


@pytest.mark.parametrize(
    ("written", "seconds"), [("15m", 900), ("1h", 3600), ("900", 900), ("1800s", 1800), ("'3600'", 3600)]
)
def test_durations_are_minutes_hours_or_seconds(written: str, seconds: int) -> None:
    made = edited("accounts.yaml", ("{allow: [sre]}", f"{{max_duration: {written}, allow: [sre]}}"))
    admin = revision(made).roles[RoleArn("arn:aws:iam::111122223333:role/Admin")]
    assert admin.max_duration == timedelta(seconds=seconds)


def test_each_allow_has_its_place() -> None:
    made = edited(
        "accounts.yaml",
        ("Admin: {allow: [sre]}", "Admin:\n      level: admin\n      allow: [sre]\n    None_: {}"),
    )
    assert revision(made).short_form_places == {
        "arn:aws:iam::111122223333:role/Admin": ("accounts.yaml", 6),
        "arn:aws:iam::111122223333:role/ReadOnly": ("accounts.yaml", 8),
    }


def test_roles_are_named_in_their_partition() -> None:
    made = edited(
        "daypass.yaml", ("{regions: [eu-west-1]}", "{partition: aws-us-gov, regions: [us-gov-west-1]}")
    )
    assert set(revision(made).roles) == {
        "arn:aws-us-gov:iam::111122223333:role/Admin",
        "arn:aws-us-gov:iam::111122223333:role/ReadOnly",
    }


def test_the_rest_of_a_directorys_groups_is_kept_under_its_name() -> None:
    made = edited("providers/corp.yaml", ("Ops: sre", "Ops: sre, '*': keep"))
    made["accounts.yaml"] = made["accounts.yaml"].replace("[sre]", "[sre, 'corp/CN=Staff,DC=acme']")
    made["groups.yaml"] += "corp/Auditors: {policies: [no-secrets]}\n"
    found = revision(made)
    assert found.providers[SourceId("corp")].groups == GroupMap(
        {"Engineering": "engineering", "Ops": "sre"}, keep=True
    )
    assert found.groups["corp/Auditors"].policies == ("no-secrets",)


def test_every_group_that_can_be_had_is_in_the_revision() -> None:
    assert set(revision(FILES).groups) == {"sre", "engineering", "contractors"}


def test_groups_yaml_may_be_left_out() -> None:
    assert set(revision(files(groups=None)).groups) == {"sre", "engineering", "contractors"}
    assert set(revision(files(groups="# nobody yet\n")).groups) == {"sre", "engineering", "contractors"}


METADATA = """\
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.acme.test/x">
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>
CERTIFICATE
    </X509Certificate></X509Data></KeyInfo></KeyDescriptor>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
                         Location="https://idp.acme.test/sso"/>
  </IDPSSODescriptor>
</EntityDescriptor>
"""


@pytest.fixture(scope="module")
def metadata() -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    from app.clock import SystemClock

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    now = SystemClock().now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    body = made.public_bytes(serialization.Encoding.PEM).decode().splitlines()[1:-1]
    return METADATA.replace("CERTIFICATE", "".join(body))


def from_file(path: str = "corp-metadata.xml") -> dict[str, str]:
    return edited("providers/corp.yaml", ("{url: http://127.0.0.1:8001/metadata}", f"{{file: {path}}}"))


@pytest.mark.parametrize("path", ["corp-metadata.xml", "metadata/corp.xml", "./corp.xml"])
def test_metadata_from_a_file_is_part_of_the_configuration(metadata: str, path: str) -> None:
    stored = path.removeprefix("./")
    found = revision(from_file(path) | {stored: metadata})
    corp = found.providers[SourceId("corp")]
    assert isinstance(corp, SamlProvider)
    assert (corp.metadata_url, corp.metadata_xml) == (None, metadata.encode())
    assert found.files[stored] == metadata
    assert found.digest != revision(from_file(path) | {stored: metadata + "\n"}).digest


def test_metadata_that_is_none_is_refused(metadata: str) -> None:
    assert said(from_file() | {"corp-metadata.xml": "<html/>"}) == [
        "config/corp-metadata.xml  this is no SAML metadata: the document is a `html`"
    ]
    bomb = '<!DOCTYPE x [<!ENTITY a "aa">]>' + metadata
    assert len(said(from_file() | {"corp-metadata.xml": bomb})) == 1
    latin = metadata.replace("idp.acme", "id\udce9.acme")
    assert said(from_file() | {"corp-metadata.xml": latin})[0].startswith("config/corp-metadata.xml:1:")


def test_the_nearest_file_is_named(metadata: str) -> None:
    lines = said(from_file("corp-metdata.xml") | {"corp-metadata.xml": metadata})
    assert any(
        "there is no such file in the configuration folder; did you mean `corp-metadata.xml`?" in x
        for x in lines
    )


def test_the_digest_follows_paths_and_bytes_and_nothing_else() -> None:
    one = revision(FILES)
    assert revision(dict(reversed(list(FILES.items())))).digest == one.digest, "not the order"
    assert revision({**FILES, "notes.txt": "hello"}).digest == one.digest, "not what is not read"
    assert revision(edited("accounts.yaml", ("production", "production "))).digest != one.digest
    moved = dict(FILES)
    moved["policies/other.json"] = moved["policies/ec2-only.json"]
    assert revision(moved).digest != one.digest
    assert len(one.digest) == len(hashlib.sha256().hexdigest())


def test_the_stores_copy_makes_the_same_revision_again() -> None:
    one = revision({**FILES, "notes.txt": "hello"})
    again = revision(one.files)
    assert again == one


def test_guardrails_stand_in_levels() -> None:
    allow = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    found = revision(
        {
            **FILES,
            "guardrails/company/all.json": allow,
            "guardrails/company/more.json": allow,
            "guardrails/unit/all.json": allow,
        }
    )
    assert [(level, [text.name for text in texts]) for level, texts in found.guardrails] == [
        ("company", ["company/all", "company/more"]),
        ("unit", ["unit/all"]),
    ]


@pytest.mark.parametrize("path", ["guardrails/all.json", "guardrails/a/b/all.json", "guardrails/a/all.yaml"])
def test_a_guardrail_in_the_wrong_place_is_not_passed_over(path: str) -> None:
    assert said({**FILES, path: "{}"}) == [
        f"config/{path}  is not read as a guardrail; expected `guardrails/LEVEL/NAME.json`"
    ]


POLICIES = {
    "no JSON": ("{'Version': 1}", "config/policies/ec2-only.json:1  "),
    "a list": ("[]", "config/policies/ec2-only.json:1  "),
    "a key twice": (
        '{"Version": "2012-10-17",\n "Statement": {"Effect": "Deny",\n  "Effect": "Allow", "Action": "*", "Resource": "*"}}',
        "config/policies/ec2-only.json:3  ",
    ),
    "an element that is none": (
        '{"Version": "2012-10-17",\n "Statement": {"Efect": "Allow", "Action": "*", "Resource": "*"}}',
        "config/policies/ec2-only.json:2  ",
    ),
    "deep nesting": ("[" * 100_000, "config/policies/ec2-only.json:1  "),
    "bytes that are no UTF-8": ("\udcff", "config/policies/ec2-only.json:1:1  not UTF-8"),
    "more than a session takes": (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ['
        + ", ".join(f'"s3:Get{number}"' for number in range(300))
        + '], "Resource": "*"}}',
        "config/policies/ec2-only.json:1  ",
    ),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_iam_would_refuse_is_refused_with_its_line(name: str) -> None:
    text, expected = POLICIES[name]
    found = loaded({**FILES, "policies/ec2-only.json": text})
    assert found.revision is None
    assert any(str(problem).startswith(expected) for problem in found.problems), found.problems


def test_a_policy_too_long_for_a_session_is_right_where_none_carries_it() -> None:
    made = {**FILES, "policies/long.json": POLICIES["more than a session takes"][0]}
    assert revision(made).policies["long"].file == "policies/long.json"


def test_session_tags_of_role_and_source_must_agree_in_case() -> None:
    made = edited("providers/corp.yaml", ("groups: {Eng", "session_tags: {CostCenter: cost}\ngroups: {Eng"))
    role = "{allow: [sre], tags: {TAG: x}}"
    for tag, right in (("CostCenter", True), ("Team", True), ("costcenter", False)):
        made["accounts.yaml"] = FILES["accounts.yaml"].replace("{allow: [sre]}", role.replace("TAG", tag))
        assert (loaded(made).revision is not None) is right, tag


def test_session_tags_of_role_and_source_together_are_at_most_fifty() -> None:
    def with_tags(ours: int, theirs: int) -> dict[str, str]:
        claims = ", ".join(f"c{number}: x" for number in range(theirs))
        tags = ", ".join(f"r{number}: x" for number in range(ours))
        made = edited("providers/corp.yaml", ("groups: {Eng", f"session_tags: {{{claims}}}\ngroups: {{Eng"))
        made["accounts.yaml"] = edited("accounts.yaml", ("[sre]", f"[sre], tags: {{{tags}}}"))[
            "accounts.yaml"
        ]
        return made

    assert said(with_tags(25, 25)) == []
    assert "are more than 50 together" in said(with_tags(26, 25))[0]
    assert "has 51 tags; STS takes at most 50" in said(with_tags(51, 0))[0]


def test_environ_is_only_asked_for_what_is_referred_to() -> None:
    assert revision(FILES, environ={**ENVIRON, "name": "Evil", "base_url": "https://evil.test"}) == revision(
        FILES
    )
