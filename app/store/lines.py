"""Transactions on the driver's own connections, for the statements of the hot paths.

SQLAlchemy writes the statements, once; a request hands values to the driver and takes rows from it. On SQLite the
connections are kept: a writer's own, whose pages stay in memory, and readers', of which the last one used is the next.
"""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ClauseElement, Dialect, Engine, Insert, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.errors import StoreUnavailable
from app.store.times import Instant, from_micros, to_micros
from app.transaction import Ended

QUEUE: Final = 2.5
"""Seconds that a writer waits for the writers of its own process (SQLite)."""
FAILURES: Final = (SQLAlchemyError, OSError, UnicodeError, OverflowError)
"""What an engine or the file system raises; a driver has errors of its own beside it."""


class Line:
    """An open transaction; fits `app.transaction.Transaction`."""

    __slots__ = ("_driver", "added", "after")

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.added = False
        """Whether there is a row that was not there: SQLite waits for no disk where a commit changes nothing."""
        self.after: list[Ended] = []
        """See `Transaction`."""

    def rows(self, sql: str, values: Any = ()) -> list[Any]:
        """All rows of a statement: read to the end, so that SQLite holds no snapshot for them."""
        found: list[Any] = self._driver.execute(sql, values).fetchall()
        return found

    def count(self, sql: str, values: Any = ()) -> int:
        """How many rows a statement changed."""
        changed: int = self._driver.execute(sql, values).rowcount
        return changed

    def each(self, sql: str, rows: Sequence[Any]) -> None:
        """An INSERT, for each row of values."""
        self.added = True
        if len(rows) == 1:
            self._driver.execute(sql, rows[0])
        else:
            self._driver.cursor().executemany(sql, rows)


class Prepared:
    """A statement as its driver takes it, compiled once. Instants go in and come out as they are."""

    __slots__ = ("_adds", "_binds", "_instants_out", "_positional", "_row", "_sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        binds: Mapping[str, BindParameter[Any]] = getattr(compiled, "binds", {})
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        columns = list(getattr(statement, "exported_columns", ()))
        self._sql = str(compiled)
        self._adds = isinstance(statement, Insert)
        self._positional = order is not None
        self._binds = tuple(binds if order is None else order)
        self._instants_out = [at for at, column in enumerate(columns) if isinstance(column.type, Instant)]
        self._row = _reader(column.name for column in columns)

    def one(self, line: Line, values: Mapping[str, Any]) -> Any:
        """The first row that it gives, with its columns by name; None if there is none."""
        found = line.rows(self._sql, self._given(values))
        if not found:
            return None
        if self._adds:
            line.added = True
        if not self._instants_out:
            return self._row(found[0])
        row = list(found[0])
        for at in self._instants_out:
            if row[at] is not None:
                row[at] = from_micros(row[at])
        return self._row(row)

    def do(self, line: Line, values: Mapping[str, Any]) -> int:
        """How many rows it changed."""
        changed = line.count(self._sql, self._given(values))
        if self._adds and changed:
            line.added = True
        return changed

    def _given(self, values: Mapping[str, Any]) -> Any:
        """The values as the driver takes them; a name that has none is NULL."""
        get = values.get
        given = [
            to_micros(value) if isinstance(value := get(name), datetime) else value for name in self._binds
        ]
        return given if self._positional else dict(zip(self._binds, given, strict=True))


def _reader(names: Iterable[str]) -> Callable[[Sequence[Any]], Any]:
    """What gives the values of a row names."""
    make: Callable[[Sequence[Any]], Any] = namedtuple("Row", names)._make  # type: ignore[attr-defined]
    return make


class Lines:
    """The connections behind them. Safe to use from many threads.

    `turn`: what SQLite's writers of one process wait for, because SQLite's own waiting polls with growing pauses;
    None for PostgreSQL.
    """

    def __init__(self, engine: Engine, turn: threading.Lock | None) -> None:
        self._engine = engine
        self._turn = turn
        self._idle: list[PoolProxiedConnection] = []
        self._writer: PoolProxiedConnection | None = None
        self._closed = False
        self._lazy = False
        """Whether the writer's commits wait for the disk now; set in its turn."""
        self._owed = self._paid = 0
        """How many commits did not wait for the disk, and how many of them a later one has covered."""
        self._mine = _Mine()
        driver = engine.dialect.dbapi
        self.failures: tuple[type[Exception], ...] = FAILURES if driver is None else (driver.Error, *FAILURES)

    def reading(self) -> Reading:
        """Each statement sees what is committed."""
        return Reading(self)

    def writing(self, first: str | None = None, *, soon: bool = False) -> Writing:
        """Durable if the block ends, undone if it raises. `first`: a statement to wait with on PostgreSQL.

        `soon`: for all to see if the block ends, and durable with whatever is written next, at the latest when
        `settling` ends. Without that around it, and on PostgreSQL, durable at once.
        """
        return Writing(self, first, soon and self._turn is not None and self._mine.settles)

    @contextmanager
    def settling(self) -> Iterator[None]:
        """What this thread writes within is durable when the block ends, however it ends."""
        mine = self._mine
        if mine.settles:
            yield
            return
        mine.settles = True
        try:
            yield
        finally:
            mine.settles = False
            if mine.owes > self._paid:
                self.settle()

    def settle(self) -> None:
        """What anybody sees by now, of whichever process, is durable on return. Raises StoreUnavailable."""
        if self._turn is not None:
            with self.writing() as line:
                line.count(_TOUCH)
                line.added = True

    def ready(self, line: Line, *, lazy: bool) -> None:
        """Let the writer's next commit wait for the disk, or not. SQLite hears of it between transactions only."""
        if self._lazy is not lazy:
            # In WAL mode, NORMAL writes what FULL writes, in the same order, and leaves the waiting to the next
            # FULL, which covers it (https://www.sqlite.org/pragma.html#pragma_synchronous).
            line.count("PRAGMA synchronous=NORMAL" if lazy else "PRAGMA synchronous=FULL")
            self._lazy = lazy

    def committed(self, line: Line) -> None:
        """In the writer's turn: note what the commit covered."""
        if self._lazy:
            self._owed += 1
            self._mine.owes = self._owed
        elif line.added:
            self._paid = self._owed

    def close(self) -> None:
        """Give the idle ones back; the others go when they come."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        if self._turn is not None and self._turn.acquire(timeout=QUEUE):
            try:
                if self._writer is not None:
                    self._writer.invalidate()  # it may be one that does not wait for the disk
                    self._writer = None
            finally:
                self._turn.release()

    # --- for `Reading` and `Writing` ------------------------------------------------------------------

    def open(self, *, to_write: bool) -> PoolProxiedConnection:
        """A connection: on SQLite the writer's, whose turn it is, or one that waits. Raises `failures`."""
        if self._turn is None:
            return self._engine.raw_connection()
        if to_write:
            if self._writer is None:
                self._writer = self._engine.raw_connection()
                self._lazy = False
            return self._writer
        try:
            return self._idle.pop()
        except IndexError:
            return self._engine.raw_connection()

    def done(self, connection: PoolProxiedConnection, *, sound: bool) -> None:
        """And back. What was met by an error is not used again."""
        if connection is self._writer:
            if sound and not self._closed:
                return
            self._writer = None
            sound = False  # it may be one that does not wait for the disk
        if not sound:
            connection.invalidate()
        elif self._turn is None or self._closed or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def wait(self) -> None:
        """Until it is this thread's turn to write. Raises StoreUnavailable."""
        if self._turn is not None and not self._turn.acquire(timeout=QUEUE):
            raise StoreUnavailable(f"other writers held the database for more than {QUEUE} seconds")

    def go_on(self) -> None:
        """The next writer's turn."""
        if self._turn is not None:
            self._turn.release()

    @property
    def begin(self) -> str | None:
        """What a transaction that writes begins with."""
        return None if self._turn is None else "BEGIN IMMEDIATE"


_MOST_IDLE: Final = 16
_TOUCH: Final = "UPDATE alembic_version SET version_num = version_num"
"""Writes what is there already (its index entry anew), so that there is something to wait for the disk with."""


class _Mine(threading.local):
    """What a thread knows of its own commits."""

    settles = False
    owes = 0


class Reading:
    """A context manager of `Lines`; a class, as a generator costs more than the statement within."""

    __slots__ = ("_connection", "_lines")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __enter__(self) -> Line:
        try:
            self._connection = self._lines.open(to_write=False)
        except self._lines.failures as error:
            raise unavailable(error) from error
        return Line(self._connection.driver_connection)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        failed = isinstance(error, self._lines.failures)
        self._lines.done(self._connection, sound=not failed)
        if failed and error is not None:
            raise unavailable(error) from error


class Writing:
    """The same for a transaction that writes."""

    __slots__ = ("_connection", "_first", "_lazy", "_line", "_lines")

    def __init__(self, lines: Lines, first: str | None, lazy: bool) -> None:
        self._lines = lines
        self._first = first
        self._lazy = lazy

    def __enter__(self) -> Line:
        lines = self._lines
        lines.wait()
        try:
            self._connection = lines.open(to_write=True)
        except BaseException as error:
            lines.go_on()
            if isinstance(error, lines.failures):
                raise unavailable(error) from error
            raise
        line = self._line = Line(self._connection.driver_connection)
        try:
            if (begin := lines.begin) is not None:
                lines.ready(line, lazy=self._lazy)
                line.count(begin)
            elif self._first is not None:
                line.rows(self._first)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return line

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        lines, driver = self._lines, self._connection.driver_connection
        assert driver is not None  # noqa: S101 - the pool's own type allows for one that was given back
        sound = True
        try:
            if error is None:
                try:
                    driver.commit()
                    lines.committed(self._line)
                except BaseException as second:  # noqa: BLE001 - told apart below
                    error = second
            if error is not None:
                try:
                    driver.rollback()
                except lines.failures:
                    sound = False
            lines.done(self._connection, sound=sound)
        finally:
            lines.go_on()
        failed = isinstance(error, lines.failures)
        refusal = None
        if error is not None:
            refusal = unavailable(error) if failed else StoreUnavailable(f"undone by {type(error).__name__}")
        for told in self._line.after:
            told(refusal)
        if failed and refusal is not None:
            raise refusal from error
        if error is not None and kind is None:
            raise error


def unavailable(error: BaseException) -> StoreUnavailable:
    """What an engine, its driver or the file system raises, in words: those of the driver alone.

    Never the statement or its parameters.
    """
    if isinstance(error, StoreUnavailable):
        return error
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    first_line = (str(cause).splitlines() or [""])[0]
    return StoreUnavailable(f"database: {type(cause).__name__}: {first_line}"[:500])
