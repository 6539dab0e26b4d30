"""The way to the database: transactions for reading and writing, and the seam where its errors end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ClauseElement, Connection, Engine, Table, text
from sqlalchemy.dialects import postgresql, sqlite

from app.errors import StoreUnavailable
from app.store.lines import FAILURES, Lines, Prepared, Reading, Settling, Writing, unavailable


class Serial(IntEnum):
    """What only one transaction may do at a time, on all hosts. The numbers are advisory lock keys."""

    SCHEMA = 0xDA19A550001
    AUDIT = 0xDA19A550002
    REVISIONS = 0xDA19A550003
    METADATA = 0xDA19A550004
    TOKEN_KEYS = 0xDA19A550005


class Database:
    """One database behind one pool of connections. Safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = False
        # SQLite has one writer. Those of one process queue here, because SQLite's own waiting polls with
        # growing pauses; those of other processes are met by its busy timeout.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._file = (engine.url.database or "") if self._turn is not None else None
        self._is = _which(self._file)
        self._lines = Lines(engine, self._turn)

    @property
    def joins(self) -> bool:
        """Whether writers wait for one another in any case, so that steps of one request may share a transaction.

        On PostgreSQL they must not: others would wait for what one step holds while the next one works.
        """
        return self._turn is not None

    @property
    def engine_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with; each statement sees what is committed. Raises StoreUnavailable."""
        with self._refusing(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, serial: Serial | None = None) -> Iterator[Connection]:
        """A transaction: durable if the block ends, undone if it raises. Raises StoreUnavailable.

        `serial`: nobody else is in a transaction of that kind meanwhile, on any host.
        """
        with self._refusing(), self._in_turn(), self._engine.connect() as connection:
            if self._turn is not None:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif serial is not None:
                connection.execute(_LOCK, {"key": int(serial)})
            # Leaving without a commit gives the connection back, which rolls back.
            yield connection
            connection.commit()

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What `Line` raises."""
        return self._lines.failures

    def reading(self) -> Reading:
        """As `read`, for prepared statements and nothing else. Raises StoreUnavailable."""
        self._check()
        return Reading(self._lines)

    def writing(self, serial: Serial | None = None, *, soon: bool = False) -> Writing:
        """As `write`, for prepared statements; `soon`: durable when `settling` ends. Raises StoreUnavailable."""
        self._check()
        lock = None if serial is None else f"SELECT pg_advisory_xact_lock({int(serial)})"
        return Writing(self._lines, lock, soon=soon)

    def settling(self) -> Settling:
        """A block whose steps are durable at its end, and not each by itself. Raises StoreUnavailable there."""
        return Settling(self._lines)

    def settle(self) -> None:
        """What anybody sees by now is durable on return. Raises StoreUnavailable."""
        self._check()
        self._lines.settle()

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT, which both engines write alike."""
        return sqlite.insert(table) if self._turn is not None else postgresql.insert(table)

    def compiled(self, statement: ClauseElement) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
        """A statement as its driver takes it, and what brings a row of named values into the driver's form."""
        compiled = statement.compile(dialect=self._engine.dialect)
        names = getattr(compiled, "positiontup", None)
        return str(compiled), itemgetter(*names) if names else dict

    def prepare(self, statement: ClauseElement) -> Prepared:
        """A statement for a path where building it each time is felt."""
        return Prepared(statement, self._engine.dialect)

    def schema(self) -> str:
        """The version of the tables. Raises StoreUnavailable."""
        with self.read() as connection:
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())

    def rewrite_schema_version(self) -> None:
        """Write what is there already, durably: to find out whether that works. Raises StoreUnavailable."""
        with self.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

    def damage(self) -> Sequence[str]:
        """What the engine itself finds wrong with its data; empty if nothing. Raises StoreUnavailable."""
        if self._turn is None:
            return ()  # PostgreSQL checks its pages as it reads them
        with self.read() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
            orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        words = [str(line) for line in found if line != "ok"]
        return words + [
            f"{row[0]}: row {row[1]} refers to a row of {row[2]} that is not there" for row in orphans
        ]

    def close(self) -> None:
        """Give all connections back; whoever asks afterwards is refused."""
        self._closed = True
        self._lines.close()
        self._engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        self._lines.wait()
        try:
            yield
        finally:
            self._lines.go_on()

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._file is not None and _which(self._file) != self._is:
            # SQLite would go on in a file that has no name any more, and what is durable there is lost.
            raise StoreUnavailable(
                f"the database file `{self._file}` was removed or replaced while it was in use; start again"
            )

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        self._check()
        with refusing():
            yield


def _which(file: str | None) -> tuple[int, int] | None:
    """Which file a name stands for; None if there is none."""
    if file is None:
        return None
    try:
        found = os.stat(file)  # noqa: PTH116 - several times a request, and a third of what Path.stat takes
    except OSError:
        return None
    return found.st_dev, found.st_ino


_LOCK: Final = text("SELECT pg_advisory_xact_lock(:key)")


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the engine, its driver or the file system raises into StoreUnavailable."""
    try:
        yield
    except FAILURES as error:
        raise unavailable(error) from error
