"""`python -m app audit`: who did what, and is the trail whole."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from app.commands.audit import main
from app.model import AuditKind
from app.store import AuditRecords, open_database
from tests.store.builders import HOUR, NOW, record


class Clock:
    def now(self):
        return NOW + 24 * HOUR


@pytest.fixture
def rows(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'daypass.db'}"
    monkeypatch.setenv("DAYPASS_DATABASE", url)
    database = open_database(url)
    rows = AuditRecords(database)
    rows.append(
        [
            record("r1"),
            record("r2", kind=AuditKind.CREDENTIALS_ASKED, at=NOW + 12 * HOUR, detail={"duration": 900}),
            record("r3", subject="ben-3", username="ben\x1b[2J", source="partner", at=NOW + 23 * HOUR),
        ]
    )
    yield rows
    database.close()


def run(capsys, *argv: str) -> tuple[int, str, str]:
    status = main(argv, Clock())
    said = capsys.readouterr()
    return status, said.out, said.err


SEARCHES = [
    ([], ["r3", "r2", "r1"]),
    (["--person", "ana"], ["r2", "r1"]),
    (["--person", "partner/ben-3"], ["r3"]),
    (["--role", "arn:aws:iam::111122223333:role/Admin"], ["r3", "r2", "r1"]),
    (["--kind", "credentials.asked"], ["r2"]),
    (["--request-id", "r1"], ["r1"]),
    (["--access-key-id", "ASIAEXAMPLE"], ["r3", "r1"]),
    (["--since", "2h"], ["r3"]),
    (["--since", "1d"], ["r3", "r2", "r1"]),
    (["--since", "2026-11-24T20:00:00Z"], ["r3", "r2"]),
    (["--since", "2026-11-24T22:00:00.123456+01:00", "--until", "2026-11-25"], ["r2"]),
    (["--until", "2026-11-24"], []),
    (["--limit", "1"], ["r3"]),
    (["--limit", "1", "--before", "3"], ["r2"]),
    (["--person", "nobody"], []),
]


@pytest.mark.parametrize(("argv", "found"), SEARCHES)
def test_search_finds_what_is_asked_newest_first(rows, capsys, argv, found):
    status, out, _ = run(capsys, "search", "--json", *argv)
    assert [json.loads(line)["request_id"] for line in out.splitlines()] == found
    assert status == (0 if found else 1)


def test_search_in_json_gives_the_whole_record(rows, capsys):
    _, out, _ = run(capsys, "search", "--json", "--request-id", "r1")
    found = json.loads(out)
    assert set(found) == {
        *("sequence", "at", "kind", "request_id", "address", "source", "subject", "username", "session"),
        *("role", "revision", "detail", "previous", "digest"),
    }
    assert found["at"] == "2026-11-24T09:00:00.123Z"
    assert found["detail"]["access_key_id"] == "ASIAEXAMPLE"


def test_search_for_people_is_readable_and_steers_no_terminal(rows, capsys):
    status, out, err = run(capsys, "search", "--limit", "2")
    assert status == 0
    assert "credentials.issued   partner/ben\\x1b[2J  arn:aws:iam::111122223333:role/Admin" in out
    assert "          access_key_id: ASIAEXAMPLE\n" in out
    assert "          statements: accounts.yaml/1/Admin\n" in out
    assert "--before 2" in err
    assert "\x1b" not in out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["find"],
        ["search", "--kind", "credentials.isued"],
        ["search", "--since", "yesterday"],
        ["search", "--since", "999999d"],
        ["search", "--limit", "0"],
        ["search", "--limit", "many"],
        ["search", "--limit", "1" * 5000],
        ["verify", "--expect", "1"],
        ["verify", "--expect", "x:" + "a" * 64],
    ],
)
def test_wrong_usage_is_said_and_exits_2(rows, capsys, argv):
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert "usage: python -m app audit" in err


def test_help_exits_0_and_says_how_to_write_a_time(capsys):
    status, out, _ = run(capsys, "search", "--help")
    assert status == 0
    assert "7d" in out


def test_verify_says_that_a_whole_trail_is_whole(rows, capsys):
    status, out, _ = run(capsys, "verify")
    assert status == 0
    assert out.startswith("Whole: 3 records")
    status, out, _ = run(capsys, "verify", "--json")
    head = {"sequence": 3, "digest": rows.digest_at(3)}
    expected = {"ok": True, "count": 3, "first_broken": None, "expected_found": True, "head": head}
    assert json.loads(out) == expected


def test_verify_finds_the_record_that_was_changed(rows, capsys):
    with rows._database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(
            text("UPDATE audit SET username = 'mallory', detail = 'no json' WHERE sequence = 2")
        )
    status, out, _ = run(capsys, "verify")
    assert status == 1
    assert out.startswith("BROKEN at record 2")
    status, out, _ = run(capsys, "search", "--json", "--person", "mallory")
    assert json.loads(out)["detail"] == {"unreadable": "no json"}


@pytest.mark.parametrize("column", ["username", "detail", "previous"])
def test_verify_finds_bytes_where_a_text_should_be(rows, capsys, column):
    with rows._database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text(f"UPDATE audit SET {column} = x'ff' WHERE sequence = 2"))
    status, out, _ = run(capsys, "verify")
    assert status == 1
    assert out.startswith("BROKEN at record 2")


def test_verify_finds_that_the_end_was_cut_off_by_a_kept_receipt(rows, capsys):
    kept = f"3:{rows.digest_at(3)}"
    assert run(capsys, "verify", "--expect", kept)[0] == 0
    with rows._database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_no_delete"))
        connection.execute(text("DELETE FROM audit WHERE sequence = 3"))
    assert run(capsys, "verify")[0] == 0
    status, out, _ = run(capsys, "verify", "--expect", kept)
    assert status == 1
    assert "MISSING: record 3" in out


def test_without_a_database_nothing_is_made(tmp_path, monkeypatch, capsys):
    path = tmp_path / "none.db"
    monkeypatch.setenv("DAYPASS_DATABASE", f"sqlite:///{path}")
    status, out, err = run(capsys, "verify")
    assert (status, out) == (1, "")
    assert "there is no database file" in err
    assert not path.exists()


def test_a_configuration_that_names_no_database_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DAYPASS_DATABASE", raising=False)
    monkeypatch.setenv("DAYPASS_CONFIG", str(tmp_path / "nowhere"))
    status, out, err = run(capsys, "search")
    assert (status, out) == (2, "")
    assert "nowhere" in err
    (tmp_path / "nowhere").mkdir()
    (tmp_path / "nowhere" / "daypass.yaml").write_text("version: 9\n")
    status, _, err = run(capsys, "search")
    assert status == 2
    assert "config check" in err
