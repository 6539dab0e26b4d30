"""`python -m app access explain`: a known person's case, and what a pasted proof would get."""

from __future__ import annotations

import base64
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.commands.access import main as access
from app.commands.access_explain import main
from app.configuration import read_folder
from app.model import Authentication
from app.store import People, Revisions, open_database
from tests.company import ROOT
from tests.store.builders import identity

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
ADMIN = "arn:aws:iam::111122223333:role/Admin"
RELEASE = "arn:aws:iam::444455556666:role/Release"
ENGINEERING = "CN=Engineering,OU=Groups,DC=acme,DC=test"
AUDITORS = "CN=Auditors,OU=Groups,DC=acme,DC=test"
SRE_ONLY_WITH_FACTOR = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Fresh",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": ADMIN,
            "Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}},
        }
    ],
}


class Clock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def company(tmp_path, monkeypatch):
    """The shipped configuration with a policy for the engineers, active since nine; ana, ben and two Kims."""
    folder = tmp_path / "config"
    shutil.copytree(ROOT / "config", folder)
    (folder / "policies" / "fresh.json").write_text(json.dumps(SRE_ONLY_WITH_FACTOR, indent=2))
    with (folder / "groups.yaml").open("a") as groups:
        groups.write("engineering:\n  description: Builds\n  policies: [fresh]\n")
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    environ = {"DAYPASS_CONFIG": str(folder), "DAYPASS_DATABASE": url}
    database = open_database(url)
    revisions, people = Revisions(database), People(database)
    old = {**read_folder(folder)}
    old["accounts.yaml"] = old["accounts.yaml"].replace("allow: [sre]", "allow: [sre, engineering]")
    revisions.activate("0" * 64, old, NOW - timedelta(days=2))
    revisions.activate("1" * 64, read_folder(folder), NOW - timedelta(hours=1))

    def seen(name: str, *groups: str, factor: timedelta | None = None, at: datetime = NOW, **more: object):
        mfa_at = None if factor is None else NOW - factor
        how = Authentication(at=mfa_at or at - timedelta(minutes=5), mfa_at=mfa_at)
        claims = {"uid": (name,), "memberOf": groups}
        people.seen(
            identity(subject=f"{name}-1", username=name, claims=claims, authentication=how, **more), (), at, 2
        )

    seen("ana", ENGINEERING, "sre", factor=timedelta(minutes=40))
    seen("ben", ENGINEERING, factor=timedelta(minutes=40))
    seen("old", at=NOW - timedelta(days=1))
    seen("old", ENGINEERING)
    seen("kim")
    seen("kim", source="partner", email=None)
    database.close()
    return SimpleNamespace(environ=environ, folder=folder)


@pytest.fixture
def ask(company, capsys):
    def run(*argv: str) -> tuple[int, str, str]:
        status = main(argv, company.environ, Clock())
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_yes_names_the_statement_with_file_and_line(ask):
    status, out, _ = ask("ana", ADMIN)
    assert status == 0
    assert "decision   allow" in out
    assert "Allowed by accounts.yaml/111122223333/Admin (statement 1, accounts.yaml:" in out
    assert "person     corp/ana (subject ana-1)" in out
    assert "revision   2" in out


def test_a_no_names_the_nearest_allow_both_sides_and_what_would_change_it(ask):
    status, out, err = ask("ben", "production/Admin")
    assert status == 1
    assert (
        "Nearest: fresh (Fresh, policies/fresh.json:4) needs MFA in the last 15 minutes; theirs is 40 minutes old."
        in out
    )
    assert "They can do it themselves: prove a second factor here." in out
    assert "--address" in err


def test_a_group_that_they_lack_is_named_to_operators(ask):
    status, out, _ = ask("corp/ben", "111122223333/Billing", "--json")
    told = json.loads(out)
    assert status == 1
    assert told["nearest"]["group"] == "finance"
    assert told["nearest"]["failed"] == "needs the group `finance`; they have `engineering`"
    assert told["nearest"]["file"] == "accounts.yaml" and told["nearest"]["line"] > 1
    assert told["would_change"] == "Put them into the group `finance`."
    assert told["decision"] == "implicitDeny" and told["person"]["groups"] == ["engineering"]
    assert told["claims_since"] == "2026-11-24T10:00:00Z"


def test_the_past_is_answered_by_its_own_revision_and_claims(ask):
    assert ask("ben", ADMIN)[0] == 1
    assert ask("old", ADMIN)[0] == 1
    # Two days ago engineers had Admin, but old was no engineer yet.
    status, out, err = ask("old", ADMIN, "--at", "2h")
    assert (status, "revision   1" in out, "as of 2026-11-23T10:00:00Z" in out) == (1, True, True)
    assert "no second factor is assumed" in err
    assert ask("ben", ADMIN, "--at", "2026-11-24T10:00:00+01:00")[0] == 1
    assert ask("ana", ADMIN, "--at", "3d")[0] == 1


def test_how_they_would_ask_can_be_said(ask):
    assert ask("ben", ADMIN, "--mfa")[0] == 0
    assert ask("ben", ADMIN, "--mfa", "--address", "203.0.113.7")[2] == ""


def test_the_folder_is_asked_before_it_is_applied(ask, company):
    accounts = company.folder / "accounts.yaml"
    accounts.write_text(accounts.read_text().replace("allow: [sre]", "allow: [sre, engineering]"))
    assert ask("ben", ADMIN)[0] == 1
    status, out, _ = ask("ben", ADMIN, "--folder")
    assert status == 0 and "the configuration folder" in out
    accounts.write_text("nonsense: [")
    status, _, err = ask("ben", ADMIN, "--folder")
    assert status == 1 and "config check" in err


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["nobody", ADMIN], 1, "Nobody called nobody has signed in"),
        (["\x1b[2Jx", ADMIN], 1, "Nobody called \\u001b[2Jx has signed in"),
        (["kim", ADMIN], 2, "several people. Say which: corp/kim-1, partner/kim-1"),
        (["ana", "production/Nope"], 1, "no role production/Nope in the revision 2"),
        (["ana", ADMIN, "--at", "5d"], 1, "Nobody called ana has signed in by then"),
        (["ana"], 2, "Say whom and which role"),
        ([], 2, "Say whom and which role"),
        (["ana", ADMIN, "--source", "corp"], 2, "--source goes with --claims"),
        (["--claims", "x"], 2, "--source NAME"),
        (["--claims", "x", "--source", "corp", "--at", "1h"], 2, "--at goes with a known person"),
        (["--claims", "x", "--source", "corp", "a", "b"], 2, "at most a role"),
        (["--claims", "/nowhere", "--source", "corp"], 2, "cannot be read"),
        (["--claims", "x", "--source", "nope"], 2, "There is: corp, partner"),
        (["ana", ADMIN, "--at", "soon"], 2, "is no time"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_so(ask, argv, status, words):
    given, out, err = ask(*argv)
    assert (given, out) == (status, "")
    assert words in err and "Traceback" not in err


# --- pasted ---------------------------------------------------------------------------------------


@pytest.fixture
def paste(ask, tmp_path):
    def run(document: object, *argv: str, source: str = "corp") -> tuple[int, str, str]:
        path: Path = tmp_path / "pasted.json"
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_text(text)
        return ask("--claims", str(path), "--source", source, *argv)

    return run


ASSERTION = {"NameID": "dora-1", "uid": "dora", "memberOf": [ENGINEERING]}


def test_attributes_get_every_role_with_its_reason_and_what_could_be_opened(paste):
    status, out, err = paste(ASSERTION)
    assert status == 0
    assert "person     corp/dora (subject dora-1)" in out and "gets 2 roles" in out
    assert "production/ReadOnly" in out and "by accounts.yaml/444455556666/Developer" in out
    assert "could open\n  production/Admin" in out and "prove a second factor here" in out
    assert "Nothing of what was pasted was verified" in err


def test_a_profile_of_a_social_network_is_a_person_too(paste):
    status, out, _ = paste({"id": 4711, "handle": "robin"}, source="social")
    assert status == 1 and "social/robin (subject 4711)" in out
    status, _, err = paste({"id": True, "handle": "robin"}, source="social")
    assert status == 1 and "whole number" in err and "Traceback" not in err


def test_a_list_of_attributes_is_the_same(paste):
    as_list = [
        {"Name": name, "Values": value if isinstance(value, list) else [value]}
        for name, value in ASSERTION.items()
    ]
    assert paste(as_list)[1] == paste(ASSERTION)[1] == paste({"attributes": ASSERTION})[1]


def test_the_context_of_an_assertion_counts_as_the_source_says(paste):
    mobile = {
        **ASSERTION,
        "AuthnContextClassRef": "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    }
    status, out, _ = paste(mobile, "--json")
    assert status == 0
    assert ADMIN in [row["role"] for row in json.loads(out)["roles"]]
    late = {**mobile, "AuthnInstant": "2026-11-24T09:00:00Z"}
    told = json.loads(paste(late, "--json")[1])
    assert ADMIN not in [row["role"] for row in told["roles"]]
    assert told["within_reach"] == [
        {"role": role, "steps": ["prove a second factor here"]} for role in (ADMIN, RELEASE)
    ]


CLAIMS = {"sub": "q-1", "preferred_username": "quinn", "groups": ["contractors"], "iat": int(NOW.timestamp())}


def test_an_id_tokens_claims_and_the_whole_token_are_read_alike(paste):
    status, out, _ = paste(CLAIMS, source="partner")
    assert status == 0 and "production/ReadOnly" in out
    part = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=").decode()
    assert paste(f"eyJhbGciOiJSUzI1NiJ9.{part}.c2ln\n", source="partner")[1] == out


def test_one_role_can_be_asked_about(paste):
    status, out, _ = paste(CLAIMS, "production/Admin", source="partner")
    assert status == 1
    assert "decision   implicitDeny" in out and "they have `contractors`" in out


def test_standard_input_is_read(ask, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(ASSERTION).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert "gets 2 roles" in ask("--claims", "-", "--source", "corp")[1]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({**ASSERTION, "NameID": ["a", "b"]}, "identity.incomplete"),
        ({"NameID": "dora-1", "uid": "dora"}, "identity.groups_incomplete"),
        ({**ASSERTION, "memberOf": [1]}, "request.invalid"),
        ({**ASSERTION, "AuthnInstant": "soon"}, "request.invalid"),
        ([1], "request.invalid"),
        ("{", "request.invalid"),
        ("a.b.c", "request.invalid"),
        ('{"a": 1, "a": 2}', "request.invalid"),
        ("[" * 100_000, "request.invalid"),
        ('"' + "x" * 600_000 + '"', "request.invalid"),
    ],
)
def test_what_a_sign_in_would_refuse_is_refused_here_with_the_same_code(paste, document, code):
    status, out, err = paste(document)
    assert (status, out) == (1, "")
    assert f"A sign-in with this is refused: {code}: " in err
    assert err.rstrip("\n").isprintable()


def test_hostile_claims_gain_nothing_and_move_no_cursor(paste):
    evil = "\x1b[2J\u202e${aws:userid}"
    made = {
        **ASSERTION,
        "aws:PrincipalTag/x": "1",
        "*": "*",
        evil: evil,
        "memberOf": [ENGINEERING, "sre\u202e"],
    }
    made["memberOf"].pop()
    made["costCenter"] = evil
    status, out, _ = paste(made)
    assert status == 0 and "gets 2 roles" in out
    assert all(line.isprintable() for line in out.splitlines())


# --- the way there ----------------------------------------------------------------------------------


def test_access_lists_its_questions_and_refuses_others(capsys):
    assert access(["--help"]) == 0
    assert "explain" in capsys.readouterr().out
    assert access([]) == access(["why"]) == 2
    assert "unknown question `why`" in capsys.readouterr().err
    assert access(["explain", "--help"]) == 0
