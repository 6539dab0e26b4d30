"""`python -m app mfa` as it is typed: nobody takes somebody's devices away alone."""

from __future__ import annotations

import pytest

from app.people import LOCAL
from tests.commands.host import NOW, Host, helps
from tests.store.builders import identity

WHY = "lost the phone, called back at her desk"


def test_one_asks_and_another_approves(host: Host) -> None:
    host.ok("user create nina --email nina@acme.test")
    host.device("nina")
    assert "totp      Phone, since 2026-11-24T10:00:00Z, never used" in host.ok("mfa list nina").out
    asked = host.ok("mfa recover nina --json --reason", WHY).json
    assert asked["asked_by"] == "operator ann" and asked["approved"] is None
    assert asked["expires_at"] == "2026-11-25T10:00:00Z" and asked["username"] == "nina"
    pending = host.ok("mfa pending")
    assert (
        f"{asked['id']}  local/nina, until" in pending.out
        and "asked by operator ann: lost the phone" in pending.out
    )
    alone = host.run(f"mfa approve {asked['id']}")
    assert (alone.status, alone.out) == (1, "") and "Another administrator must" in alone.err
    assert len(host.store.factors.of(LOCAL, host.id("nina"))) == 1
    host.by("bob")
    assert host.ok(f"mfa approve {asked['id']}").out == (
        "Approved: all factors and sessions of local/nina have ended.\n"
    )
    none = host.run("mfa list nina")
    assert none.status == 1 and none.out == "local/nina has no second factor of daypass's own.\n"
    assert host.run("mfa pending").out == "No request waits.\n"
    again = host.run(f"mfa approve {asked['id']}")
    assert again.status == 2 and "decided already" in again.err
    by = [each["by_key"] for each in host.details() if "recovery" in each]
    assert by == ["operator ann", "operator bob"]


def test_refused_nothing_changes(host: Host) -> None:
    host.ok("user create nina")
    host.device("nina")
    asked = host.ok("mfa recover local/nina --json --reason", WHY).json
    host.by("bob")
    assert host.ok(f"mfa refuse {asked['id']}").out == "Refused. Nothing was changed.\n"
    assert host.ok("mfa list nina --json").json["factors"][0]["name"] == "Phone"


def test_a_request_that_nobody_decided_in_a_day_waits_no_more(host: Host) -> None:
    host.ok("user create nina")
    host.device("nina")
    asked = host.ok("mfa recover nina --json --reason", WHY).json
    host.later(hours=25)
    host.by("bob")
    assert host.run(f"mfa approve {asked['id']}").status == 2
    assert host.run("mfa pending").status == 1
    assert host.run("mfa pending --json").json == {"recoveries": []}


@pytest.mark.parametrize(
    ("line", "more", "status", "words"),
    [
        ("mfa recover nina --reason", "no", 2, "8 to 500 characters"),
        ("mfa recover otto --reason", WHY, 2, "no second factor"),
        ("mfa recover root --reason", WHY, 2, "Nobody is known as `root`"),
        ("mfa recover nobody --reason", WHY, 2, "Nobody is known as `nobody`"),
        ("mfa approve", "f" * 16, 2, "There is no such request"),
        ("mfa list", "two", 2, "corp/two, local/two"),
    ],
)
def test_what_cannot_be_asked(host: Host, line: str, more: str, status: int, words: str) -> None:
    for name in ("nina", "otto", "two"):
        host.ok(f"user create {name}")
    host.device("nina")
    host.store.people.seen(identity(subject="u-2", username="two"), (), NOW, 1)
    said = host.run(line, more)
    assert (said.status, said.out) == (status, "") and words in said.err


def test_people_of_directories_too(host: Host) -> None:
    host.store.people.seen(identity(subject="u-1", username="ana"), (), NOW, 1)
    said = host.run("mfa list ana --json")
    assert (said.status, said.json) == (1, {"person": "corp/u-1", "username": "ana", "factors": []})


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nobody takes somebody's factors away alone" in " ".join(helps("mfa", capsys).split())
    assert "--reason" in helps("mfa recover", capsys)
