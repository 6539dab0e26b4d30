"""`python -m app root` as it is typed: its link is printed once and is nowhere else."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest

from app.people import RootUse
from tests.commands.host import NOW, Host, helps


def use(host: Host, id: str = "u1") -> None:
    ends = host.clock.at + timedelta(minutes=15)
    host.store.root_uses.add(RootUse(id, host.clock.at, "the directory is \x1bdown", "192.0.2.1", "s1", ends))


def test_the_set_up_link_is_printed_once_and_is_nowhere_else(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = host.ok("root setup")
    first, link = said.out.splitlines()
    assert first == "Within 15 minutes, once, set root up here:" and said.err == ""
    token = link.partition("?t=")[2]
    found = host.store.links.peek(token, NOW)
    assert found is not None and found.purpose == "root" and found.expires_at == NOW + timedelta(minutes=15)
    assert token not in caplog.text and token not in json.dumps(host.details())
    (alert,) = host.store.alerts.latest(10)
    assert alert.alert.kind == "root.setup" and token not in f"{alert.alert}"
    assert token.encode() not in (host.folder / "daypass.db").read_bytes()
    newer = host.ok("root setup --json").json["link"].partition("?t=")[2]
    assert host.store.links.peek(token, NOW) is None and host.store.links.peek(newer, NOW) is not None


def test_how_root_stands(host: Host) -> None:
    said = host.run("root status")
    assert said.status == 1 and said.out.startswith("Root is not ready: run `python -m app root setup`.\n")
    host.with_root()
    said = host.ok("root status")
    assert said.out.splitlines() == [
        "Root is ready.",
        "  password   set 2026-11-24T10:00:00Z",
        "  devices    totp, totp (two are needed)",
        "  roles      arn:aws:iam::111122223333:role/Admin",
        "  keys       none: root can have no access key",
        "  open uses  none",
    ]
    told = host.ok("root status --json").json
    assert told["ready"] and told["access_keys"] == 0 and told["open_uses"] == 0


def test_a_use_stays_open_until_it_is_signed_off(host: Host) -> None:
    host.with_root()
    assert host.ok("root uses").out == "Root was never used.\n"
    use(host)
    assert host.run("root status").status == 1
    listed = host.run("root uses")
    assert listed.status == 1 and "u1  2026-11-24T10:00:00Z  from 192.0.2.1  OPEN" in listed.out
    assert "\x1b" not in listed.out
    for line, more, words in (
        ("root sign-off u1 --note", "ok", "8 to 500 characters"),
        ("root sign-off u2 --note", "looked at it all", "There is no such use of root."),
    ):
        refused = host.run(line, more)
        assert refused.status == 2 and words in refused.err
    assert host.ok("root sign-off u1 --note", "looked at it all").out == "Signed off.\n"
    assert host.ok("root status").status == 0
    told = host.ok("root uses --json").json["uses"]
    assert told[0]["note"] == "looked at it all" and told[0]["signed_off_by"].endswith("(ann)")
    again = host.run("root sign-off u1 --note", "looked at it all")
    assert again.status == 2 and "signed off already" in again.err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    told = " ".join(helps("root", capsys).split())
    assert "never with an access key" in told and "Exit status" in told
    assert "written nowhere else" in " ".join(helps("root setup", capsys).split())
