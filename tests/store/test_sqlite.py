"""SQLite as a server's database: its file, its settings, its bad days."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.errors import AuditUnavailable, Refusal, StoreUnavailable
from app.store import Search, engines, open_store
from tests.store.builders import NOW, event, identity, pending, record, session
from tests.store.databases import fresh, sealer


@pytest.fixture
def path(tmp_path) -> Path:
    with fresh("sqlite", tmp_path) as url:
        return Path(url.removeprefix("sqlite:///"))


def test_the_file_and_its_companions_are_for_us_alone_and_the_folder_is_made(tmp_path):
    path = tmp_path / "var" / "state" / "daypass.db"
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{path}", sealer())
        store.audit.append([record()])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"daypass.db": 0o600, "daypass.db-wal": 0o600, "daypass.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["daypass.db"]


def test_every_connection_is_durable_and_guarded(path):
    store = open_store(f"sqlite:///{path}", sealer())
    settings = {}
    with store.audit._database.read() as one, store.audit._database.read() as two:
        for connection in (one, two):
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "recursive_triggers"):
                settings.setdefault(name, set()).add(connection.exec_driver_sql(f"PRAGMA {name}").scalar())
    assert settings == {
        "journal_mode": {"wal"},
        "synchronous": {2},
        "foreign_keys": {1},
        "busy_timeout": {2500},
        "recursive_triggers": {1},
    }
    store.close()


def test_a_copy_of_the_database_gives_no_token_verifier_or_claim_of_a_session_away(path):
    store = open_store(f"sqlite:///{path}", sealer())
    store.sessions.add(
        "token-in-the-clear", session(identity=identity(claims={"c": ("claim-in-the-clear",)}))
    )
    store.pending.add(pending("key-in-the-clear"))
    store.once.mark("saml", "assertion-in-the-clear", NOW)
    store.close()
    assert b"in-the-clear" not in path.read_bytes()


URLS = [
    ("", "cannot be read"),
    ("var/daypass.db", "cannot be read"),
    ("sqlite://", "a file of its own"),
    ("sqlite:///:memory:", "a file of its own"),
    ("sqlite:///file:x?mode=memory&uri=true", "a file of its own"),
    ("mysql://root:hunter2@localhost/daypass", "no database engine `mysql`"),
    ("postgresql://root:hunter2@localhost/daypass", "no database engine `postgresql`"),
    ("sqlite:////proc/nowhere/daypass.db", "cannot be made"),
    ("sqlite:////dev/null/daypass.db", "cannot be made"),
]


@pytest.mark.parametrize(("url", "words"), URLS)
def test_a_url_that_cannot_be_is_refused_in_words_and_without_its_password(url, words):
    with pytest.raises(StoreUnavailable) as refused:
        open_store(url, sealer())
    assert words in refused.value.detail
    assert "hunter2" not in refused.value.detail


def test_a_database_server_that_is_down_is_refused_without_its_password():
    with pytest.raises(StoreUnavailable) as refused:
        open_store("postgresql+psycopg://root:hunter2@127.0.0.1:9/daypass?connect_timeout=1", sealer())
    assert "hunter2" not in repr(refused.value) + refused.value.detail


def damage_head(path: Path) -> None:
    path.write_bytes(b"\0garbage" + path.read_bytes()[8:])


def damage_schema(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)


def damage_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [damage_head, damage_schema, damage_middle, cut, folder])
def test_a_damaged_file_is_a_refusal_and_never_anything_else(path, spoil):
    store = open_store(f"sqlite:///{path}", sealer())
    store.sessions.add("token", session())
    store.close()
    spoil(path)

    def use() -> None:
        store = open_store(f"sqlite:///{path}", sealer())
        try:
            store.sessions.find("token", NOW)
            store.pending.add(pending())
            store.audit.append([record()])
        finally:
            store.close()

    with pytest.raises((StoreUnavailable, AuditUnavailable)) as refused:
        use()
    assert refused.value.status == 503
    assert refused.value.detail


def test_damage_under_a_running_store_is_a_refusal_too(path):
    store = open_store(f"sqlite:///{path}", sealer())
    for number in range(50):
        store.sessions.add(f"token {number}", session(f"s{number}"))
    store.close()
    store = open_store(f"sqlite:///{path}", sealer(), migrate=False)
    damage_middle(path)
    for use in (
        lambda: store.sessions.find("token 7", NOW),
        lambda: store.audit.append([record()]),
        lambda: store.people.all(),
        lambda: store.audit.search(Search()),
    ):
        with pytest.raises(Refusal) as refused:
            use()
        assert refused.value.status == 503
    store.close()


def test_a_writer_of_another_process_that_holds_the_lock_is_waited_for_and_no_longer_than_five_seconds(path):
    store = open_store(f"sqlite:///{path}", sealer())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(AuditUnavailable, match="locked"):
        store.audit.append([record("during")])
    assert 2 < time.monotonic() - started < 5
    assert store.sessions.find("token", NOW) is None  # readers do not wait
    other.execute("ROLLBACK")
    store.audit.append([record("after")])
    assert [stored.record.request_id for stored in store.audit.search(Search())] == ["after"]
    other.close()
    store.close()


def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_there_and_later_all_goes_on(path):
    script = Path(__file__).with_name("full_disk.py")
    done = subprocess.run(
        [sys.executable, str(script), f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["refused"] > 0
    assert told["failing"]
    assert told["marked"] == "store.unavailable" and told["marks_hold"]
    assert told["readable"]
    assert told["first_broken"] is None
    assert not told["failing_after"]
    store = open_store(f"sqlite:///{path}", sealer())
    written = {stored.record.request_id for stored in store.audit.search(Search(limit=1000))}
    assert set(told["acknowledged"]) <= written
    assert store.audit.verify().first_broken is None
    store.close()


def test_an_error_of_the_database_quotes_no_parameter(path):
    store = open_store(f"sqlite:///{path}", sealer())
    store.sessions.add("token", session("known"))
    with pytest.raises(StoreUnavailable) as refused:
        store.sessions.add("other", session("known", csrf="csrf-secret"))
    told = [repr(refused.value), refused.value.detail, str(refused.value.__cause__)]
    assert not any("known" in words or "csrf" in words or "gAAAA" in words for words in told)
    store.close()


def test_events_of_a_strange_kind_of_text_are_on_record(path):
    from app.audit import render

    store = open_store(f"sqlite:///{path}", sealer())
    store.audit.append([render(event("\ud800\x00", username="\udcff"))])
    assert store.audit.search(Search(person="\udcff"))[0].record.request_id == "\\ud800\\x00"
    store.close()


class Journal:
    """A cursor to whom SQLite says `busy` some times, as it does to two that change the journal at once."""

    def __init__(self, *, busy: int, code: int = sqlite3.SQLITE_BUSY) -> None:
        self.left, self.code = busy, code

    def execute(self, statement: str) -> None:
        if self.left:
            self.left -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error


def test_two_that_set_the_journal_of_a_new_file_at_once_wait_for_each_other():
    journal = Journal(busy=5)
    engines._write_ahead(journal)
    assert journal.left == 0


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_READONLY])
def test_what_is_wrong_with_the_file_is_not_waited_for(code):
    journal = Journal(busy=5, code=code)
    with pytest.raises(sqlite3.OperationalError):
        engines._write_ahead(journal)
    assert journal.left == 4


def test_a_file_that_stays_locked_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(engines, "BUSY", 50)
    with pytest.raises(sqlite3.OperationalError):
        engines._write_ahead(Journal(busy=10**9))
