"""`python -m app doctor` as it is typed, over a real store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.configuration import read_folder
from app.people import LOCAL, RootUse
from tests.commands.host import NOW, Host, helps


def state(host: Host, *more: str) -> dict[int, str]:
    return {each["number"]: each["state"] for each in host.run("doctor --json", *more).json["practices"]}


def test_all_eighteen_in_order_and_a_command_for_each_that_fails(host: Host) -> None:
    said = host.run("doctor --json")
    assert said.status == 1
    found = said.json["practices"]
    assert [each["number"] for each in found] == list(range(1, 19))
    assert said.json["failing"] == sum(each["state"] == "wrong" for each in found) > 0
    assert all(each["mend"] for each in found if each["state"] == "wrong")
    assert all(each["mend"] is None for each in found if each["state"] != "wrong")
    lines = host.run("doctor").out.splitlines()
    assert lines[0] == "FAIL  1  Root signs in with MFA only"
    assert lines[2].strip() == "-> python -m app root setup"
    assert lines[-1].endswith(" not to be checked yet.")


def test_only_what_fails(host: Host) -> None:
    said = host.run("doctor --failing")
    assert said.status == 1 and "ok " not in said.out and "  ?  " not in said.out
    assert set(state(host, "--failing").values()) == {"wrong"}


def test_what_was_mended_is_right(host: Host) -> None:
    before = state(host)
    assert before[1] == before[3] == before[11] == before[12] == before[14] == "wrong"
    host.with_root()
    config = host.folder / "config"
    for path, old, new in (
        ("accounts.yaml", "allow: [sre]\n      break_glass", "break_glass"),
        ("accounts.yaml", "      allow: [finance]\n", "      level: read\n      allow: [finance]\n"),
        ("daypass.yaml", "alerts: [log]", "alerts: [log, {sns: 'arn:aws:sns:eu-west-1:111122223333:ops'}]"),
    ):
        text = (config / path).read_text()
        assert old in text
        (config / path).write_text(text.replace(old, new))
    host.store.revisions.activate("2" * 64, read_folder(config), NOW)
    factor = host.store.factors.of("root", "root")[0]
    key = replace(factor, id="e" * 16, kind="webauthn", facts={"synced": "false"})
    assert host.store.factors.add(key, 8)
    assert host.run("doctor --confirm 3").out.startswith("On record: practice 3 confirmed.\n")
    said = host.run("doctor --json --confirm 14")
    assert said.err == "On record: practice 14 confirmed.\n"
    assert said.status == 0, [each for each in said.json["practices"] if each["state"] == "wrong"]
    assert {each["state"] for each in said.json["practices"]} == {"right", "cannot"}
    assert [each["practice"] for each in host.details() if "practice" in each] == [3, 14]
    host.later(days=91)
    assert state(host)[14] == "wrong" and state(host)[3] == "right"


def test_people_who_are_in_the_way_are_named(host: Host) -> None:
    host.ok("user create nina --group sre --policy aws:ReadOnlyAccess")
    found = {each["number"]: each for each in host.run("doctor --json").json["practices"]}
    assert found[5]["mend"] == "python -m app user join nina GROUP, then user detach nina POLICY"
    assert found[6]["detail"].endswith("local/nina (production/Admin).")
    assert "production/Admin (group sre)" in found[11]["detail"]
    assert found[18]["detail"].endswith("nina.")
    host.device("nina")
    after = state(host)
    assert after[6] == after[18] == "right" and after[5] == after[11] == "wrong"
    host.ok("user disable nina")
    assert state(host)[5] == "right"


def test_a_use_of_root_that_nobody_looked_at_fails(host: Host) -> None:
    host.store.root_uses.add(RootUse("u1", NOW, "drill on a sunday", "192.0.2.1", "s", NOW))
    found = host.run("doctor --json").json["practices"][1]
    assert (found["state"], found["mend"]) == ("wrong", "python -m app root sign-off u1 --note …")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("doctor --confirm 5", "Only practices 3 and 14 are confirmed by people."),
        ("doctor --confirm x", "invalid int"),
    ],
)
def test_what_nobody_can_confirm(host: Host, line: str, words: str) -> None:
    said = host.run(line)
    assert (said.status, said.out) == (2, "") and words in said.err
    assert host.details() == []


def test_nothing_is_changed_by_looking(host: Host) -> None:
    host.ok("user create nina")
    before = host.details(), host.store.users.all(), host.store.factors.of(LOCAL, host.id("nina"))
    host.run("doctor")
    assert (host.details(), host.store.users.all(), host.store.factors.of(LOCAL, host.id("nina"))) == before


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    told = " ".join(helps("doctor", capsys).split())
    assert "eighteen best practices" in told and "1 something does" in told
