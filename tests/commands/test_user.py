"""`python -m app user` as it is typed: what it says, what it returns, what it changed, and who finds a link where."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from app.commands.doors import operator
from app.keyring import load_or_create
from app.people import LOCAL, UserState
from tests.commands.host import NOW, Host, helps
from tests.store.builders import identity, session

ALLOW = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": "arn:aws:iam::444455556666:role/Developer",
        }
    ],
}


def test_a_new_user_gets_a_link_once_and_it_is_nowhere_else(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = host.ok("user create nina --name Nina --email nina@acme.test")
    assert said.err == ""
    first, nothing, within, link = said.out.splitlines()
    assert first == "Created nina."
    assert nothing.startswith("They can do nothing yet: ") and "`user join`" in nothing
    assert within == "Within 24 hours, once, they set a password here:"
    base, _, token = link.partition("?t=")
    assert base == "http://localhost:8000/link" and len(token) >= 43
    found = host.store.links.peek(token, NOW)
    assert (
        found is not None and found.user == host.id("nina") and found.expires_at == NOW + timedelta(hours=24)
    )
    assert token not in caplog.text and token not in json.dumps(host.details())
    assert token not in host.run("user show nina").out + host.run("user history nina").out
    assert token.encode() not in (host.folder / "daypass.db").read_bytes()
    made = host.details()[0]
    assert made["by"] == operator() and made["by_key"] == "operator ann" and made["username"] == "nina"


def test_a_mailed_link_is_not_printed(host: Host) -> None:
    no_mail = host.run("user create nina --email nina@acme.test --send")
    assert (no_mail.status, no_mail.out) == (2, "") and "No mail is configured" in no_mail.err
    host.edit(
        "daypass.yaml",
        "# mail: {host: mail.acme.test, from: daypass@acme.test,",
        "mail: {host: mail.acme.test, from: daypass@acme.test} # ",
    )
    said = host.ok("user create nina --email nina@acme.test --send --group finance")
    assert "link?t=" not in said.out + said.err
    assert (
        said.out.splitlines()[1]
        == "A link that is good once within 24 hours is on its way to nina@acme.test."
    )
    assert said.err == ""
    (waiting,) = host.store.alerts.latest(10)
    assert (waiting.channel, waiting.alert.to) == ("person", "nina@acme.test")
    refused = host.run("user create otto --send")
    assert (refused.status, refused.out) == (2, "") and "no address to send a link to" in refused.err
    assert host.store.users.by_username("otto") is None  # nothing is half done


def test_what_programs_read(host: Host) -> None:
    made = host.ok("user create nina --group finance --policy aws:ReadOnlyAccess --json").json
    assert made["groups"] == ["finance"] and made["policies"] == ["aws:ReadOnlyAccess"]
    assert made["version"] == 1 and made["state"] == "active" and made["link"].startswith("http")
    assert host.ok("user list --json").json["users"] == [{k: v for k, v in made.items() if k != "link"}]
    host.later(minutes=1)
    assert host.ok("user join nina contractors --json").json["groups"] == ["contractors", "finance"]
    shown = host.ok("user show local/nina --json").json
    assert shown["version"] == 2 and shown["factors"] == [] and shown["sessions"] == 0
    versions = host.ok("user history nina --json").json["versions"]
    assert [each["version"] for each in versions] == [2, 1]
    assert versions[0]["changes"] == {"groups": {"from": ["finance"], "to": ["contractors", "finance"]}}
    assert versions[1]["changes"] is None
    assert host.ok("user link nina --json").json["link"].startswith("http")
    assert host.ok("user sign-out nina --json").json == {"ended": 0}
    assert host.ok("user delete nina --yes --json").json == {"deleted": made["id"]}
    assert host.run("user list --json").json == {"users": []}


def test_each_change_says_what_undoes_it(host: Host) -> None:
    host.ok("user create nina")
    host.later(minutes=1)
    assert host.ok("user join nina finance").out == (
        "Changed nina: version 2. `user restore nina 1` undoes it.\n"
    )
    assert host.ok("user join nina finance").out == "nina is like that already. Nothing was changed.\n"
    for line in (
        "attach nina aws:ReadOnlyAccess office-hours",
        "detach nina office-hours",
        "boundary nina ec2-only",
        "boundary nina",
        "leave nina finance",
        "disable nina",
        "enable nina",
        "change nina --email nina@acme.test",
    ):
        host.later(minutes=1)
        assert "undoes it" in host.ok(f"user {line}").out
    host.later(minutes=1)
    host.ok("user change nina --name", "Nina Ångström")
    back = host.ok("user restore nina 2")
    assert "version 12" in back.out
    now = host.ok("user show nina --json").json
    assert (now["groups"], now["policies"], now["name"], now["email"]) == (["finance"], [], "", "")
    told = host.ok("user history nina").out
    assert "       groups: none → finance\n" in told and "       boundary: none → ec2-only\n" in told
    assert "       state: active → disabled\n" in told and "  1  2026-11-24T10:00:00Z  by operator " in told


def test_inline_policies_are_copies_put_from_a_file_or_a_pipe(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.ok("user create nina")
    file = host.folder / "own.json"
    file.write_text(json.dumps(ALLOW))
    host.ok(f"user put-policy nina own {file}")
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(ALLOW)))
    host.ok("user put-policy nina piped -")
    shown = host.ok("user show nina --json").json
    assert list(shown["inline"]) == ["own", "piped"]
    assert "inline    own, piped" in host.ok("user show nina").out
    host.ok("user drop-policy nina own")
    for line, words in (
        ("user drop-policy nina own", "no inline policy `own`"),
        ("user put-policy nina x no/such/file", "cannot be read as text"),
        ("user detach nina office-hours", "does not have the policy `office-hours`"),
        ("user leave nina finance", "does not have the group `finance`"),
        ("user change nina", "Say what to change"),
        ("user restore nina 99", "no version 99"),
    ):
        refused = host.run(line)
        assert (refused.status, refused.out) == (2, "") and words in refused.err, line
    file.write_text('{"Version": "2012-10-17", "Statement": [{"Effect": "Alow"}]}')
    refused = host.run(f"user put-policy nina own {file}")
    assert (
        refused.status == 2
        and "user/nina/own:1" in refused.err
        and "Effect" in refused.err
        and "Traceback" not in refused.err
    )
    file.write_bytes(b"\xff\xfe")
    assert host.run(f"user put-policy nina own {file}").status == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("user show nima", "There is no local user `nima`. Did you mean `nina`?"),
        ("user disable local/nima", "Did you mean `nina`?"),
        ("user show zzz", "There is no local user `zzz`.\n"),
        ("user join nina financ", "There is no group `financ`. Did you mean `finance`?"),
        ("user join nina corp/finance", "is a group of a directory or app"),
        ("user attach nina aws:PowerUser", "Did you mean `aws:PowerUserAccess`?"),
        ("user boundary nina aws:PowerUserAccess", "name a policy of config/policies/"),
        ("user create Nina", "The username is not right"),
        ("user change nina --email nobody", "The email is not right"),
        ("user delete nina", "say --yes"),
        ("user show nina --at tomorrow", "TIME"),
        ("user frobnicate", "invalid choice"),
        ("user", "required"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(host: Host, line: str, words: str) -> None:
    host.ok("user create nina")
    said = host.run(line)
    assert (said.status, said.out) == (2, "") and words in said.err
    assert host.ok("user show nina --json").json["version"] == 1


def test_a_name_that_is_taken_is_refused(host: Host) -> None:
    host.ok("user create nina")
    said = host.run("user create nina")
    assert (said.status, said.out) == (1, "") and "There is a user of that name already." in said.err


def test_nobody_yet(host: Host) -> None:
    said = host.run("user list")
    assert said.status == 1 and "`python -m app user create NAME` makes one" in said.out


def test_a_list_tells_the_state_and_where_their_rights_are(host: Host) -> None:
    host.ok("user create nina --group finance --policy office-hours")
    host.ok("user create bob")
    host.ok("user disable bob")
    assert host.ok("user list").out.splitlines() == [
        "bob   disabled  in no group",
        "nina  active    finance; 1 policy of their own",
    ]


def test_the_past_has_answers(host: Host) -> None:
    host.ok("user create nina")
    host.later(days=1)
    host.ok("user join nina engineering")
    host.later(days=1)
    host.ok("user delete nina --yes")
    host.later(days=1)
    assert host.run("user show nina").status == 2
    assert host.run("user list").status == 1
    assert host.ok("user show nina --at 36h --json").json["groups"] == ["engineering"]
    assert host.ok("user show nina --at 2026-11-24T12:00:00Z --json").json["groups"] == []
    assert [each["username"] for each in host.ok("user list --at 36h --json").json["users"]] == ["nina"]
    assert host.run("user show nina --at 30d").status == 2


def test_what_somebody_could_on_a_day(host: Host) -> None:
    """`access what-can local/nina --at TIME`, from creation to deletion."""
    host.ok("user create nina")
    host.later(days=1)
    host.ok("user join nina engineering")
    host.later(days=1)
    host.ok("user leave nina engineering")
    host.later(days=1)
    host.ok("user disable nina")
    host.later(hours=1)

    def roles(*at: str) -> set[str]:
        return {each["role"] for each in host.run("what-can local/nina --json", *at).json["roles"]}

    developer = "arn:aws:iam::444455556666:role/Developer"
    assert roles() == set()
    assert developer in roles("--at", "36h")
    for before in ("12h", "60h"):
        assert developer not in roles("--at", before)
    early = host.run("what-can local/nina --at 100h")
    assert early.status == 2 and early.out == "" and "until then" in early.err


def test_disabling_signs_out_and_deleting_takes_the_devices(host: Host) -> None:
    host.ok("user create nina --group finance")
    id = host.id("nina")
    host.device("nina")
    host.store.sessions.add("cookie", session(identity=identity(source=LOCAL, subject=id)))
    shown = host.ok("user show nina").out
    assert (
        "  sessions  1\n" in shown
        and "  factor    totp Phone, since 2026-11-24T10:00:00Z, never used\n" in shown
    )
    assert host.ok("user sign-out nina").out == "Ended 1 session.\n"
    host.ok("user disable nina")
    assert host.run("user link nina").status == 2
    host.ok("user enable nina")
    host.ok("user delete nina --yes")
    assert host.store.factors.of(LOCAL, id) == []
    gone = host.store.users.get(id)
    assert gone is not None and gone.state is UserState.DELETED
    host.ok("user create nina")
    assert host.id("nina") != id


def test_who_asks_is_asked_back_at_a_terminal(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    host.ok("user create nina")
    for typed, status in (("nnia\n", 1), ("nina\n", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert host.run("user delete nina").status == status


def test_a_name_that_steers_a_terminal_is_shown_harmless(host: Host) -> None:
    host.ok("user create nina")
    latest = host.store.users.by_username("nina")
    assert latest is not None
    host.store.users.change(replace(latest, name="\x1b[31mred", email="\x07"), 1, by="x\x1b", at=NOW)
    for line in ("user show nina", "user history nina", "user list"):
        assert "\x1b" not in host.ok(line).out and "\x07" not in host.ok(line).out


def test_without_the_key_file_it_says_where_to_run_it(host: Host) -> None:
    (host.folder / "var" / "keys").unlink()
    for line in ("user list", "user create nina", "group list", "mfa pending", "root setup", "doctor"):
        said = host.run(line)
        assert (said.status, said.out) == (1, ""), line
        assert "there is no key file var/keys; start the broker once, or run this on its host" in said.err
    assert not (host.folder / "var" / "keys").exists()


def test_without_a_database_it_says_how_to_name_one(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYPASS_DATABASE")
    monkeypatch.setenv("DAYPASS_CONFIG", "nowhere")
    said = host.run("user list")
    assert said.status == 2 and said.out == "" and "Traceback" not in said.err


def test_other_keys_open_nothing_and_take_nobody_for_absent(host: Host) -> None:
    host.ok("user create nina")
    (host.folder / "var" / "keys").unlink()
    load_or_create(host.folder / "var" / "keys", NOW)
    said = host.run("user list")
    assert said.status != 0 and said.out == "" and "altered, or its sealing key is gone" in said.err


def test_help_says_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    told = helps("user", capsys)
    for name in ("create", "restore", "put-policy", "boundary", "link", "sign-out", "history"):
        assert name in told
        assert "--json" in helps(f"user {name}", capsys)
    assert "Exit status" in told and "24 hours" in helps("user create", capsys)
