"""`check_folder`: policy tests beside policies, and lint with the keys that the configured sources supply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.configuration import check_folder
from tests.configuration.builders import ENVIRON, FILES
from tests.policy.builders import statement

ROLE = "arn:aws:iam::111122223333:role/Admin"
DENY_HOME = {
    "Version": "2012-10-17",
    "Statement": {
        "Sid": "Home",
        "Effect": "Deny",
        "Action": "sts:AssumeRole",
        "Resource": ROLE,
        "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = tmp_path / "config"
    for path, content in {**FILES, "policies/home.json": json.dumps(DENY_HOME)}.items():
        (config / path).parent.mkdir(parents=True, exist_ok=True)
        (config / path).write_text(content, "utf-8")
    (config / "groups.yaml").write_text("sre: {policies: [aws:PowerUserAccess, home]}\n")
    return config


def said(folder: Path) -> list[str]:
    return [str(each).replace(str(folder), "config") for each in check_folder(folder, ENVIRON).problems]


def line(expect: object = "explicitDeny", address: str = "203.0.113.7", **members: object) -> str:
    request = {"action": "sts:AssumeRole", "resource": ROLE, "context": {"aws:SourceIp": address}}
    return json.dumps({"request": request, "expect": expect, **members})


# --- policy tests -----------------------------------------------------------------------------------


def test_tests_that_pass_say_nothing_and_are_part_of_no_revision(folder: Path) -> None:
    before = check_folder(folder, ENVIRON)
    (folder / "policies/home.test.jsonl").write_text(f"{line()}\n\n{line('implicitDeny', '198.51.100.1')}\n")
    after = check_folder(folder, ENVIRON)
    assert after.problems == before.problems == ()
    assert after.revision is not None
    assert before.revision is not None
    assert after.revision.digest == before.revision.digest


def test_a_line_may_bring_its_own_policies(folder: Path) -> None:
    allow = {"Version": "2012-10-17", "Statement": [statement()]}
    (folder / "policies/home.test.jsonl").write_text(line("allow", policies=[allow]))
    assert said(folder) == []


def test_a_test_that_fails_is_an_error_with_file_line_and_reason(folder: Path) -> None:
    (folder / "policies/home.test.jsonl").write_text(
        f"{line()}\n{line('allow', id='from home')}\n{line('explicitDeny', '192.0.2.1')}\n"
    )
    assert check_folder(folder, ENVIRON).revision is None
    assert said(folder) == [
        "config/policies/home.test.jsonl:2:1  the test fails (from home): expected allow, the answer is explicitDeny: "
        "home (Home, policies/home.json:1)",
        "config/policies/home.test.jsonl:3:1  the test fails: expected explicitDeny, the answer is implicitDeny: no "
        "statement allows it",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the line is no JSON"),
        ("[]", "the line must be a JSON object"),
        (line("deny"), "`expect` is 'deny'; expected one of `allow`, `explicitDeny`, `implicitDeny`"),
        (line(None), "`expect` is missing"),
        (
            json.dumps({"expekt": "allow", "request": {}}),
            "`expekt` is no member of a question; did you mean `expect`?",
        ),
        (json.dumps({"expect": "allow"}), "`request` must be an object"),
        (line(policies=[{"Statement": []}]), "policies[0]: Statement must be an object or a list"),
        ('{"expect": "allow", "expect": "allow"}', "`expect` stands twice in the line"),
    ],
)
def test_a_line_that_is_no_test_is_said(folder: Path, text: str, words: str) -> None:
    (folder / "policies/home.test.jsonl").write_text(text + "\n")
    (found,) = said(folder)
    assert found.startswith(f"config/policies/home.test.jsonl:1:1  {words}")


def test_bytes_that_are_no_utf8_are_said(folder: Path) -> None:
    (folder / "policies/home.test.jsonl").write_bytes(b'{"id": "\xe9"}')
    assert said(folder) == ["config/policies/home.test.jsonl:1:9  not UTF-8; save the file in that encoding"]


@pytest.mark.parametrize(
    "path", ["policies/hoem.test.jsonl", "groups.test.jsonl", "guardrails/top/x.test.jsonl"]
)
def test_tests_of_no_policy_are_said(folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(line())
    (found,) = said(folder)
    assert found.startswith(f"config/{path}  tests of no policy; expected `policies/NAME.test.jsonl`")
    assert found.endswith("did you mean `home`?") == path.startswith("policies/")


# --- lint -------------------------------------------------------------------------------------------


def test_a_key_that_no_configured_source_supplies_is_a_warning(folder: Path) -> None:
    keys = {
        "aws:PrincipalTag/team": "x",
        "daypass:Claim/dept": "x",
        "saml:sub": "x",
        "127.0.0.1:8002:sub": "x",
        "idp.other.example:sub": "x",
    }
    body = {
        "Version": "2012-10-17",
        "Statement": [statement(Resource=ROLE, Condition={"StringEquals": keys})],
    }
    (folder / "policies/home.json").write_text(json.dumps(body))
    unknown = [found.rpartition(" ")[2] for found in said(folder) if "source supplies" in found]
    assert unknown == ["`aws:principaltag/team`", "`idp.other.example:sub`"]
    assert said(folder)[0].startswith("config/policies/home.json:1  warning: statement 1: ")
    assert check_folder(folder, ENVIRON).revision is not None
    corp = FILES["providers/corp.yaml"] + "session_tags: {team: memberOf}\n"
    (folder / "providers/corp.yaml").write_text(corp)
    assert not [found for found in said(folder) if "principaltag/team" in found]


def test_what_caps_sessions_is_read_as_that(folder: Path) -> None:
    cap = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
            }
        ],
    }
    (folder / "policies/no-secrets.json").write_text(json.dumps(cap))
    assert said(folder) == []  # AWS knows that key, and Allow on everything is what a cap begins with
    (folder / "groups.yaml").write_text("sre: {policies: [aws:PowerUserAccess, home, no-secrets]}\n")
    assert any("aws:requestedregion" in found for found in said(folder))


def test_inline_policies_and_guardrails_are_linted_where_they_stand(folder: Path) -> None:
    (folder / "groups.yaml").write_text(
        "sre:\n  policies: [home]\n  inline:\n    all:\n      Version: '2012-10-17'\n      Statement:\n"
        "      - {Effect: Allow, Action: 'sts:AssumeRole', Resource: '*'}\n"
    )
    (folder / "guardrails/top").mkdir(parents=True)
    (folder / "guardrails/top/x.json").write_text(
        '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    )
    assert said(folder) == [
        "config/groups.yaml:7  warning: statement 1: Allow on every resource (`*`); name the roles, if not all are meant",
        "config/guardrails/top/x.json:1  warning: Version 2008-10-17: policy variables are plain text; write "
        '"Version": "2012-10-17"',
        'config/guardrails/top/x.json:1  warning: Version is missing and means 2008-10-17; write "Version": "2012-10-17"',
    ]


def test_the_shipped_folder_is_right_without_a_warning() -> None:
    environ = {"PARTNER_CLIENT_SECRET": "x", "SANDBOX_EXTERNAL_ID": "xx", "SOCIAL_CLIENT_SECRET": "x"}
    shipped = Path(__file__).parents[2] / "config"
    assert check_folder(shipped, environ).problems == ()
    assert (shipped / "policies/office-hours.test.jsonl").read_text().count("expect") >= 4
