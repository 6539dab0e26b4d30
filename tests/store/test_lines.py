"""Transactions on the driver's own connections: what is durable when, and what their records hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import bindparam, select

from app.audit import AuditWriter
from app.clock import SystemClock
from app.errors import AuditUnavailable, GrantInvalid, StoreUnavailable
from app.model import SourceId
from app.store import Search, Store, open_store
from app.transaction import Transaction
from tests.store.builders import MINUTE, NOW, event, identity, record, session
from tests.store.databases import fresh, sealer, sql


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with fresh("sqlite", tmp_path) as url:
        opened = open_store(url, sealer())
        yield opened
        opened.close()


@pytest.fixture
def said(store: Store) -> list[str]:
    """What the writer's connection is told, from here on."""
    store.once.mark("first", "of all", NOW)
    told: list[str] = []
    writer = store.audit._database._lines._writer
    assert writer is not None
    writer.driver.set_trace_callback(told.append)
    return told


def waits(told: list[str]) -> list[bool]:
    """Of each commit, whether it waited for the disk."""
    found, full = [], True
    for statement in told:
        if statement.startswith("PRAGMA synchronous"):
            full = statement.endswith("FULL")
        elif statement.startswith("COMMIT"):
            found.append(full)
    return found


def test_a_step_by_itself_is_durable_at_once(store: Store, said: list[str]) -> None:
    store.once.mark("n", "v", NOW)
    store.once.bind("n", "v", "photo-app", NOW)
    store.identities.of("pool", SourceId("corp"), "ana", NOW)
    store.codes.take("none", "cli", "s", NOW)
    assert waits(said) == [True] * 4


def test_steps_that_settle_together_are_seen_at_once_and_durable_with_the_next_that_waits(
    store: Store, said: list[str]
) -> None:
    with store.settling():
        assert store.once.bind("n", "v", "photo-app", NOW)
        seen: list[bool] = []
        other = Thread(target=lambda: seen.append(store.once.bind("n", "v", "other-app", NOW)))
        other.start()
        other.join()
        assert seen == [False]
        store.identities.of("pool", SourceId("corp"), "ana", NOW)
        store.audit.append([record()])
    # The other thread's settles nothing, and has changed nothing: SQLite waits for no disk then.
    assert waits(said) == [False, True, False, True]


def levels(store: Store) -> int:
    """How SQLite itself says that the writer's commits wait: 1 NORMAL, 2 FULL."""
    writer = store.audit._database._lines._writer
    assert writer is not None
    return int(writer.driver.execute("SELECT synchronous FROM pragma_synchronous").fetchone()[0])


def test_the_engine_follows_each_time(store: Store, tmp_path: Path) -> None:
    (log,) = tmp_path.glob("*-wal")
    for value in ("one", "two", "three"):
        with store.settling():
            store.once.mark("n", value, NOW)
            assert levels(store) == 1
            before = log.stat().st_size
        assert levels(store) == 2
        assert log.stat().st_size > before, "without a page there is nothing to wait for"


def test_what_was_read_only_is_made_durable_where_that_is_asked_for(store: Store, said: list[str]) -> None:
    store.settle()
    assert waits(said) == [True]
    assert any(statement.startswith("UPDATE") for statement in said)


def test_a_connection_that_does_not_wait_is_nobodys_after_the_writer(store: Store) -> None:
    with store.settling():
        store.once.mark("n", "v", NOW)
        assert levels(store) == 1
        database = store.audit._database
        database._lines.close()
        with database._engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def refuse() -> None:
    raise GrantInvalid


def end_well() -> None:
    return None


@pytest.mark.parametrize("end", [refuse, end_well])
def test_what_nothing_else_makes_durable_is_made_so_at_the_end_of_the_block_however_it_ends(
    store: Store, said: list[str], end: object
) -> None:
    try:
        with store.settling():
            store.once.mark("n", "v", NOW)
            end()  # type: ignore[operator]
    except GrantInvalid:
        assert end is refuse
    assert waits(said) == [False, True]
    with store.settling():
        pass
    assert waits(said) == [False, True], "there is nothing left to wait for"


def test_another_threads_step_outside_of_a_block_waits(store: Store, said: list[str]) -> None:
    with store.settling():
        store.once.mark("n", "mine", NOW)
        other = Thread(target=lambda: store.once.mark("n", "theirs", NOW))
        other.start()
        other.join()
    assert waits(said) == [False, True]


def test_a_commit_that_changes_nothing_settles_nothing(store: Store, said: list[str]) -> None:
    with store.settling():
        store.once.mark("n", "v", NOW)
        other = Thread(target=lambda: store.codes.take("none", "cli", "s", NOW))
        other.start()
        other.join()
    assert waits(said) == [False, True, True]


def test_a_block_within_a_block_settles_with_the_outer_one(store: Store, said: list[str]) -> None:
    with store.settling():
        with store.settling():
            store.once.mark("n", "v", NOW)
        assert waits(said) == [False]
    assert waits(said) == [False, True]


# --- records within a transaction ---------------------------------------------------------------------------


def rests(store: Store) -> None:
    """Somebody whom a session may rest on."""
    store.identities.of("pool", SourceId("corp"), identity().subject, NOW)


def begun(store: Store, writer: AuditWriter, id: str = "app") -> bool:
    """A session of a client, with its record."""
    who = identity()
    pooled = store.identities.of("pool", who.source, who.subject, NOW)
    made = session(id, client="photo-app", pool_identity=pooled, created_at=NOW, expires_at=NOW + 5 * MINUTE)

    def ahead(within: Transaction | None) -> None:
        writer.record(event("begun"), within)

    return store.refresh_tokens.begin_on_proof(made, None, ("roles",), pool="pool", ahead=ahead)


def test_a_session_and_its_record_are_one_commit(
    store: Store, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    writer = AuditWriter(store.audit, SystemClock())
    store.identities.of("pool", identity().source, identity().subject, NOW)
    said.clear()
    caplog.set_level("INFO", "daypass.audit")
    assert begun(store, writer)
    assert waits(said) == [True]
    assert [found.record.request_id for found in store.audit.search(Search())] == ["begun"]
    assert store.audit.verify().first_broken is None
    assert [line.getMessage() for line in caplog.records] == ["recorded"]
    assert writer.failing_since is None


def test_a_record_goes_with_its_transaction_and_the_log_says_so(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    writer = AuditWriter(store.audit, SystemClock())
    assert begun(store, writer)
    caplog.clear()
    with pytest.raises(StoreUnavailable):
        begun(store, writer)  # a session of that id is there
    assert [line.getMessage() for line in caplog.records] == ["not recorded, so nothing was given out"]
    assert writer.failing_since is not None
    assert len(store.audit.search(Search())) == 1
    assert begun(store, writer, "another")
    assert writer.failing_since is None
    assert store.audit.verify().first_broken is None


def test_a_record_that_cannot_be_written_undoes_what_it_is_about(store: Store) -> None:
    writer = AuditWriter(store.audit, SystemClock())
    rests(store)
    sql(store, "ALTER TABLE audit RENAME TO elsewhere")
    with pytest.raises(AuditUnavailable):
        begun(store, writer)
    assert sql(store, "SELECT id FROM sessions") == []
    assert writer.failing_since is not None
    sql(store, "ALTER TABLE elsewhere RENAME TO audit")
    assert begun(store, writer)


def test_an_opened_session_is_still_looked_for_each_time(store: Store) -> None:
    store.sessions.add("token", session("s"))
    assert store.sessions.find("token", NOW) == store.sessions.find("token", NOW)
    assert store.sessions.end("s", NOW)
    assert store.sessions.find("token", NOW) is None
    assert store.sessions.by_id("s", NOW + timedelta(seconds=1)) is None


# --- reads --------------------------------------------------------------------------------------------------


def reads(told: list[str]) -> int:
    """How many reads the writer's connection did."""
    return sum(statement.startswith("SELECT") for statement in told)


def test_a_read_uses_the_writers_connection_only_while_nobody_writes(store: Store, said: list[str]) -> None:
    store.sessions.add("token", session("s"))
    assert store.sessions.find("token", NOW) is not None
    assert reads(said) == 1
    with store.audit._database.writing() as line:
        line.execute("UPDATE sessions SET ended_at = 1")
        assert store.sessions.find("token", NOW) is not None, "it was not committed yet"
        assert reads(said) == 1
    assert store.sessions.find("token", NOW) is None
    assert reads(said) == 2


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", "SELECT 1"])
def test_a_read_that_fails_keeps_no_writer_waiting(store: Store, said: list[str], statement: str) -> None:
    with pytest.raises((StoreUnavailable, GrantInvalid)), store.audit._database.reading() as line:
        line.rows(statement)
        raise GrantInvalid
    assert reads(said) == (1 if statement == "SELECT 1" else 0)
    assert store.once.mark("n", "v", NOW)
    assert not store.once.mark("n", "v", NOW)


def test_whoever_reads_while_another_thread_does_takes_a_connection_of_its_own(
    store: Store, said: list[str]
) -> None:
    store.sessions.add("token", session("s"))
    with store.audit._database.reading() as line:
        assert line.rows("SELECT count(*) FROM sessions") == [(1,)]
        assert store.sessions.find("token", NOW) is not None
    assert reads(said) == 1


def test_a_parameter_without_a_type_is_refused_before_a_driver_guesses(store: Store) -> None:
    with pytest.raises(TypeError, match="without a type"):
        store.audit._database.prepare(select(bindparam("now")))
