"""`python -m app db`: up to date, or what is wrong."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from app.commands.db import main
from app.store import open_database
from app.store.schema import HEAD


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = tmp_path / "state" / "daypass.db"
    monkeypatch.setenv("DAYPASS_DATABASE", f"sqlite:///{path}")
    return path


def run(capsys, *argv: str) -> tuple[int, str, str]:
    status = main(argv)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_upgrade_makes_the_database_and_a_second_time_changes_nothing(path, capsys):
    assert run(capsys, "upgrade") == (0, f"The tables are up to date (schema {HEAD}).\n", "")
    before = path.read_bytes()
    status, out, _ = run(capsys, "upgrade", "--json")
    assert (status, json.loads(out)) == (0, {"ok": True, "schema": HEAD})
    assert path.read_bytes() == before


def test_check_says_that_a_right_database_is_right(path, capsys):
    run(capsys, "upgrade")
    assert run(capsys, "check") == (0, f"The database is right (schema {HEAD}).\n", "")
    status, out, _ = run(capsys, "check", "--json")
    assert (status, json.loads(out)) == (0, {"ok": True, "schema": HEAD, "problems": []})


def test_check_says_what_is_missing_and_makes_nothing(path, capsys):
    status, out, _ = run(capsys, "check")
    assert status == 1
    assert "there is no database file" in out
    assert not path.exists()


def test_check_says_that_tables_are_out_of_date(path, capsys):
    path.parent.mkdir()
    path.touch()
    status, out, _ = run(capsys, "check")
    assert status == 1
    assert "db upgrade" in out


def test_check_finds_rows_that_hang_in_the_air(path, capsys):
    database = open_database(f"sqlite:///{path}")
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.execute(text("INSERT INTO revisions (number, digest, activated_at) VALUES (1, 'gone', 0)"))
        connection.commit()
    database.close()
    status, out, _ = run(capsys, "check", "--json")
    assert status == 1
    assert "revisions" in json.loads(out)["problems"][0]


def test_both_say_that_a_file_is_no_database(path, capsys):
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 500)
    status, out, err = run(capsys, "upgrade")
    assert (status, out) == (1, "")
    assert "not a database" in err
    status, out, _ = run(capsys, "check")
    assert status == 1
    assert "not a database" in out


@pytest.mark.parametrize("argv", [[], ["repair"], ["check", "--jsn"]])
def test_wrong_usage_exits_2(path, capsys, argv):
    status, _, err = run(capsys, *argv)
    assert status == 2
    assert "usage: python -m app db" in err
