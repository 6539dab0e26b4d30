"""`config new policy`: asked on a terminal or given as flags, shown first, never over a file unasked."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from app.commands import config, new_policy
from app.model import Authentication, Identity, SourceId
from app.sealing import Sealer
from app.store import open_store
from tests.company import ROOT
from tests.store.builders import NOW

SEALER = Sealer((base64.urlsafe_b64encode(bytes(32)),))


class Noon:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.setenv("DAYPASS_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("DAYPASS_DATABASE", f"sqlite:///{tmp_path}/daypass.db")
    store = open_store(f"sqlite:///{tmp_path}/daypass.db", SEALER)
    for username, groups in (("ben", "CN=Engineering,OU=Groups,DC=acme,DC=test"), ("sue", "sre")):
        claims = {"memberOf": (groups,), "costCenter": ("42",)}
        person = Identity(SourceId("corp"), f"{username}-1", username, claims, Authentication(NOW))
        store.people.seen(person, (), NOW, 1)
    store.close()
    return tmp_path / "config"


def run(*argv: str, answers: list[str] | None = None) -> int:
    given: Iterator[str] = iter(answers or [])

    def ask(question: str) -> str:
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    return new_policy.main(argv, ask if answers is not None else None, Noon())


FLAGS = ("--name", "readers", "--roles", "production/ReadOnly")


def test_flags_show_the_document_and_whom_it_would_give_what_and_write_nothing(folder, capsys) -> None:
    assert run(*FLAGS, "--groups", "sre") == 0
    out, err = capsys.readouterr()
    assert '"Resource": "arn:aws:iam::111122223333:role/ReadOnly"' in out
    assert "Attached to sre, 1 known person would hold it; it changes nothing for them." in out
    assert "Nothing was written; add --yes" in err
    assert not (folder / "policies/readers.json").exists()


def test_yes_writes_a_file_that_the_configuration_takes(folder, capsys) -> None:
    assert run("--name", "billing", "--roles", "production/Billing", "--groups", "engineering", "--yes") == 0
    out, err = capsys.readouterr()
    assert "corp/ben\n  + gains production/Billing" in out
    assert "policies: [billing]" in err
    assert json.loads((folder / "policies/billing.json").read_text())["Statement"][0]["Sid"] == "AllowRole"
    assert config.main(["check", "--without-secrets"]) == 0


def test_a_file_that_is_there_is_left_alone_unless_told_twice(folder, capsys) -> None:
    path = folder / "policies/readers.json"
    assert run(*FLAGS, "--yes") == 0
    text = path.read_text()
    assert run("--name", "readers", "--roles", "production/Admin", "--yes") == 1
    assert path.read_text() == text
    assert "was left alone" in capsys.readouterr().err
    assert run("--name", "readers", "--roles", "production/Admin", "--yes", "--replace") == 0
    assert "role/Admin" in path.read_text()
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("answer", "replaced"), [("y", True), ("yes", True), ("n", False), ("", False), ("Y", True)]
)
def test_on_a_terminal_it_asks_before_it_replaces(folder, answer, replaced, capsys) -> None:
    run(*FLAGS, "--yes")
    before = (folder / "policies/readers.json").read_text()
    assert run("--name", "readers", "--roles", "production/Admin", answers=[answer]) == 0
    assert ((folder / "policies/readers.json").read_text() != before) is replaced


def test_everything_is_asked_for_on_a_terminal(folder, capsys) -> None:
    answers = [
        "bad name!",
        "night",
        "maybe",
        "deny",
        "1, sandbox/Developer",  # production/Admin by its number
        "",
        "sre",
        "?",
        "no:such",
        "aws:multifactorauthpresent",
        "",
        "false",
        "",
        "y",
    ]
    assert run(answers=answers) == 0
    out, err = capsys.readouterr()
    assert json.loads((folder / "policies/night.json").read_text()) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyRoles",
                "Effect": "Deny",
                "Action": "sts:AssumeRole",
                "Resource": [
                    "arn:aws:iam::111122223333:role/Admin",
                    "arn:aws:iam::444455556666:role/Developer",
                ],
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
            }
        ],
    }
    assert "No source of yours sends `no:such`" in err
    assert "daypass:Claim/costCenter" in err and "(corp)" in err
    assert "corp/sue" in out


def test_an_end_of_input_writes_nothing(folder, capsys) -> None:
    assert run(answers=["half"]) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert run(*FLAGS, answers=[]) == 0  # shown, and then nobody said yes
    assert not (folder / "policies/readers.json").exists()


def test_json_for_scripts(folder, capsys) -> None:
    argv = ("--name", "d", "--effect", "Allow", "--actions", "daypass:readaudit", "--groups", "sre", "--json")
    assert run(*argv) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["document"]["Statement"][0]["Action"] == "daypass:ReadAudit"
    assert told["administration"] == [
        {
            "people": [{"source": "corp", "subject": "sue-1", "username": "sue"}],
            "gains": ["daypass:ReadAudit"],
            "loses": [],
        }
    ]
    assert (told["written"], told["changes"], told["warnings"]) == (False, [], [])


def test_a_claim_of_which_somebody_has_several_values_gets_a_set_operator(folder, capsys) -> None:
    store = open_store(f"sqlite:///{folder.parent}/daypass.db", SEALER)
    claims = {"memberOf": ("sre", "x")}
    store.people.seen(
        Identity(SourceId("corp"), "two-1", "two", claims, Authentication(NOW)), (), NOW, 1
    )  # fmt: skip
    store.close()
    condition = ("--condition", "daypass:Claim/memberOf", "StringEquals", "sre")
    assert run(*FLAGS, *condition, "--json") == 0
    made = json.loads(capsys.readouterr().out)["document"]["Statement"][0]["Condition"]
    assert made == {"ForAnyValue:StringEquals": {"daypass:Claim/memberOf": "sre"}}


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        ((), 2, "Give --name, and --roles or --actions"),
        (("--name", "x"), 2, "Give --name, and --roles or --actions"),
        (("--name", "../x", "--roles", "*"), 2, "no name for a policy"),
        ((*FLAGS, "--groups", "sree"), 2, "There is no group `sree`"),
        ((*FLAGS, "--condition", "aws:username", "StringEquals"), 2, "--condition takes KEY OPERATOR VALUE"),
        ((*FLAGS, "--condition", "aws:username", "Equals", "a"), 1, "`Equals` is no condition operator"),
        (("--name", "x", "--actions", "daypass:All"), 1, "daypass has no action `daypass:All`"),
        (("--name", "x", "--roles", "nowhere/Admin"), 1, "must be an ARN"),
        (("--effect", "perhaps"), 2, "invalid choice"),
    ],
)
def test_what_cannot_be_is_said(folder, capsys, argv, status, words) -> None:
    assert run(*argv) == status
    assert words in capsys.readouterr().err
    assert not list((folder / "policies").glob("x*"))


def test_without_a_database_nobody_is_known_and_the_document_is_made(folder, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DAYPASS_DATABASE", f"sqlite:///{folder}/none/at/all.db")
    assert run(*FLAGS) == 0
    out, err = capsys.readouterr()
    assert "0 known people" in out and "nobody is shown" in err


def test_without_a_folder_it_says_so(folder, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DAYPASS_CONFIG", str(folder / "none"))
    assert run(*FLAGS) == 2


def test_a_folder_that_cannot_be_written_is_said(folder, capsys) -> None:
    shutil.rmtree(folder / "policies")
    (folder / "policies").write_text("a file")
    for path in folder.rglob("*.yaml"):
        kept = (
            line
            for line in path.read_text().splitlines(keepends=True)
            if not line.strip().startswith(("boundary:", "session_policy:"))
        )
        path.write_text("".join(kept).replace("[office-hours]", "[]"))
    assert run(*FLAGS, "--yes") == 1
    assert "cannot be written" in capsys.readouterr().err


def test_config_leads_here(folder, capsys) -> None:
    assert config.main(["new", "policy", "--help"]) == 0
    assert "config new policy" in capsys.readouterr().out
