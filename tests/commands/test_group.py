"""`python -m app group` as it is typed."""

from __future__ import annotations

import pytest

from app.configuration import read_folder
from tests.commands.host import NOW, Host, helps


def test_what_a_group_carries_and_who_is_in_it(host: Host) -> None:
    host.ok("user create nina --group sre --group finance")
    told = host.ok("group show sre --json").json
    assert told == {
        "name": "sre",
        "description": "On call",
        "mfa": False,
        "policies": ["aws:PowerUserAccess"],
        "inline": [],
        "roles": ["arn:aws:iam::111122223333:role/Admin"],
        "users": ["nina"],
    }
    lines = host.ok("group show sre").out.splitlines()
    assert lines == [
        "sre: On call",
        "  policies  aws:PowerUserAccess",
        "  roles     arn:aws:iam::111122223333:role/Admin",
        "  users     nina",
    ]


def test_every_flat_group_is_listed_and_no_other(host: Host) -> None:
    names = [each["name"] for each in host.ok("group list --json").json["groups"]]
    assert {"sre", "auditors", "engineering", "finance", "contractors"} <= set(names)
    assert names == sorted(names) and not any("/" in name for name in names)
    assert [line for line in host.ok("group list").out.splitlines() if line.startswith("sre")] == [
        "sre: On call"
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("group show sro", "There is no group `sro`. Did you mean `sre`?"),
        ("group show", "required"),
        ("group", "required"),
    ],
)
def test_what_is_wrong_is_said(host: Host, line: str, words: str) -> None:
    said = host.run(line)
    assert (said.status, said.out) == (2, "") and words in said.err


def test_a_group_that_asks_for_a_factor_says_so(host: Host) -> None:
    path = host.folder / "config" / "groups.yaml"
    path.write_text(path.read_text().replace("sre:\n", "sre:\n  mfa: true\n"))
    host.store.revisions.activate("2" * 64, read_folder(path.parent), NOW)
    assert host.ok("group show sre").out.startswith("sre: On call (a second factor at every sign-in)\n")


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert "groups.yaml" in helps("group", capsys)
    assert "GROUP" in helps("group show", capsys)
