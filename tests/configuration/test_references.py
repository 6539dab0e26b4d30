"""`{env: NAME}` and `{file: PATH}`: taken wherever a string is, and for secrets nothing else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from app.model import Mail, OidcProvider, SourceId
from tests.configuration.builders import ENVIRON, FILES, edited, loaded, revision, said

PARTNER = "providers/partner.yaml"


def secret(reference: str) -> dict[str, str]:
    return edited(PARTNER, ("{env: PARTNER_CLIENT_SECRET}", reference))


def test_a_secret_comes_from_the_environment() -> None:
    partner = revision(FILES).providers[SourceId("partner")]
    assert isinstance(partner, OidcProvider)
    assert partner.client_secret == ENVIRON["PARTNER_CLIENT_SECRET"]
    assert ENVIRON["PARTNER_CLIENT_SECRET"] not in repr(partner)


@pytest.mark.parametrize("content", ["s3cr3t", "s3cr3t\n", "s3cr3t\r\n"])
def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    partner = revision(secret(f"{{file: {tmp_path}/secret}}")).providers[SourceId("partner")]
    assert isinstance(partner, OidcProvider)
    assert partner.client_secret == "s3cr3t"


def test_a_relative_path_starts_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("s3cr3t")
    monkeypatch.chdir(tmp_path)
    assert said(secret("{file: secret}")) == []


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("{env: NOT_SET}", "the environment variable `NOT_SET` is not set; set it, or name another"),
        ("{env: EMPTY}", "the environment variable `EMPTY` is not set; set it, or name another"),
        ("{env: a-b}", "expected the name of an environment variable: letters, digits, `_`"),
        ("{env: [A]}", "expected the name of a variable: `{env: NAME}`"),
        ("{env: 12}", "expected the name of a variable: `{env: NAME}`"),
        (
            "{file: no/such/file}",
            "there is no file `no/such/file`; a relative path starts at the working folder",
        ),
        ("{file: /}", "there is no file `/`; a relative path starts at the working folder"),
        ("{file: /dev/zero}", "there is no file `/dev/zero`; a relative path starts at the working folder"),
        ('{file: "a\\0b"}', "expected the name of a file: `{file: NAME}`"),
        ("{vault: x}", "a secret is never text here; write `{env: NAME}` or `{file: PATH}`"),
        ("{env: A, file: b}", "a secret is never text here; write `{env: NAME}` or `{file: PATH}`"),
        ("{}", "a secret is never text here; write `{env: NAME}` or `{file: PATH}`"),
        ("[{env: A}]", "a secret is never text here; write `{env: NAME}` or `{file: PATH}`"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(reference: str, expected: str) -> None:
    assert said(secret(reference), environ={"EMPTY": ""}) == [
        f"config/{PARTNER}:5:16  client_secret  {expected}"
    ]


def test_a_file_that_is_too_large_or_not_text_is_refused_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "bytes").write_bytes(b"caf\xe9")
    (tmp_path / "empty").write_text("\n")
    assert said(secret(f"{{file: {tmp_path}/large}}"))[0].endswith("is larger than 64 kB")
    assert said(secret(f"{{file: {tmp_path}/bytes}}"))[0].endswith("is not UTF-8 text")
    assert said(secret(f"{{file: {tmp_path}/empty}}"))[0].endswith("is empty")


def test_a_pipe_does_not_hold_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "there is no file" in said(secret(f"{{file: {tmp_path}/pipe}}"))[0]


def test_without_secrets_a_reference_that_leads_nowhere_is_a_warning() -> None:
    found = loaded(FILES, secrets=False, environ={})
    assert [problem.level for problem in found.problems] == ["warning"]
    assert "PARTNER_CLIENT_SECRET" in found.problems[0].message
    assert found.revision is not None, "everything else was checked"


def test_without_secrets_other_mistakes_stay_errors() -> None:
    made = edited("accounts.yaml", ("[sre]", "[sree]"))
    made[PARTNER] = secret("{env: NOT_SET}")[PARTNER]
    made[PARTNER] = made[PARTNER].replace("http://127.0.0.1:8002", "{env: NOT_SET_EITHER}")
    found = loaded(made, secrets=False)
    assert [(problem.level, problem.key) for problem in found.problems] == [
        ("error", "allow"),
        ("warning", "issuer"),
        ("warning", "client_secret"),
    ]
    assert found.revision is None


def test_without_secrets_a_secret_as_text_stays_an_error() -> None:
    assert loaded(secret("hunter2"), secrets=False).revision is None


def test_a_reference_stands_wherever_a_string_does() -> None:
    made = {
        **FILES,
        "daypass.yaml": """\
version: 1
name: {env: NAME}
base_url: {env: BASE}
database: {env: DATABASE}
keys: {file: {env: KEYS}}
trusted_proxies: [{env: PROXY}]
session: {lifetime: {env: LIFETIME}, idle: 300}
alerts: [log, {webhook: {env: HOOK}}, {email: {env: MAIL}}, {sns: {env: TOPIC}}]
mail: {host: {env: MAIL_HOST}, from: {env: MAIL}, port: {env: PORT}, security: {env: SECURITY}}
local: {label: {env: NAME}}
aws: {partition: {env: PARTITION}, regions: [{env: REGION}]}
""",
        "accounts.yaml": """\
"111122223333":
  name: {env: NAME}
  roles:
    Admin:
      description: {env: NAME}
      level: {env: LEVEL}
      max_duration: {env: LIFETIME}
      allow: [{env: GROUP}]
      session_policy: {env: POLICY}
      tags: {env: {env: NAME}}
      via: {env: VIA}
      external_id: {env: EXTERNAL_ID}
    ReadOnly: {allow: [engineering, contractors]}
""",
    }
    environ = {
        **ENVIRON,
        "NAME": "Acme",
        "BASE": "http://localhost:8000",
        "DATABASE": "postgresql+psycopg://me:hunter2@db/daypass",
        "KEYS": "var/keys",
        "PROXY": "10.0.0.0/8",
        "LIFETIME": "3600",
        "HOOK": "http://127.0.0.1:9/T0/hook",
        "MAIL": "ops@acme.test",
        "TOPIC": "arn:aws:sns:eu-west-1:111122223333:alarms",
        "PARTITION": "aws",
        "REGION": "eu-west-1",
        "MAIL_HOST": "mail.acme.test",
        "PORT": "465",
        "SECURITY": "tls",
        "LEVEL": "power",
        "GROUP": "sre",
        "POLICY": "no-secrets",
        "VIA": "arn:aws:iam::111122223333:role/hubs/Hub",
    }
    made_of_them = revision(made, environ=environ)
    settings = made_of_them.settings
    assert settings.name == "Acme"
    assert settings.keys == "var/keys"
    assert settings.session_lifetime == timedelta(hours=1)
    assert settings.alerts == (
        {"log": ""},
        {"webhook": environ["HOOK"]},
        {"email": environ["MAIL"]},
        {"sns": environ["TOPIC"]},
    )
    assert settings.mail == Mail("mail.acme.test", 465, environ["MAIL"], "tls")
    assert settings.local == "Acme"
    assert "hunter2" not in repr(made_of_them)
    assert "T0" not in repr(made_of_them)
    role = next(role for role in made_of_them.roles.values() if role.name == "Admin")
    assert (role.level, role.allow, role.session_policy) == ("power", ("sre",), "no-secrets")
    assert role.tags == {"env": "Acme"}, "a tag called env is no reference"
    assert role.external_id == ENVIRON["EXTERNAL_ID"]


def test_what_a_reference_leads_to_is_checked_and_not_shown() -> None:
    made = edited("daypass.yaml", ("http://localhost:8000", "{env: BASE}"))
    assert said(made, environ={**ENVIRON, "BASE": "http://h-u-n-t-e-r/"}) == [
        "config/daypass.yaml:3:11  base_url  expected scheme, host and port only, without a path or a slash at the end"
    ]


def test_a_secret_is_not_in_the_digest_nor_in_the_files() -> None:
    one = revision(FILES)
    other = revision(FILES, environ={**ENVIRON, "PARTNER_CLIENT_SECRET": "another"})
    assert one.digest == other.digest
    assert ENVIRON["PARTNER_CLIENT_SECRET"] not in "".join(one.files.values())
