"""Transactions on the driver's own connections, for the statements of the hot paths.

SQLAlchemy writes the statements, once; a request hands values to the driver and takes rows from it. On SQLite the
connections are kept: a writer's own, whose pages stay in memory, so that it is read with too while nobody writes, and
readers', which find theirs out of date after every commit, and of which the last one used is the next.
"""

from __future__ import annotations

import threading
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, ClauseElement, Dialect, Engine, Insert, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.types import NullType

from app.errors import StoreUnavailable
from app.store.times import Instant, read_instants, to_micros
from app.transaction import Ended

QUEUE: Final = 2.5
"""Seconds that a writer waits for the writers of its own process (SQLite)."""
FAILURES: Final = (SQLAlchemyError, OSError, UnicodeError, OverflowError)
"""What an engine or the file system raises; a driver has errors of its own beside it."""


class Line:
    """An open transaction; fits `app.transaction.Transaction`."""

    __slots__ = ("_driver", "added", "after", "execute")

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.execute: Callable[..., Any] = driver.execute
        """The driver's own: a cursor, whose rows are to be read to the end, so that SQLite holds no snapshot."""
        self.added = False
        """Whether there is a row that was not there: SQLite waits for no disk where a commit changes nothing."""
        self.after: list[Ended] = []
        """See `Transaction`."""

    def rows(self, sql: str, values: Any = ()) -> list[Any]:
        """All rows of a statement."""
        found: list[Any] = self.execute(sql, values).fetchall()
        return found

    def each(self, sql: str, rows: Sequence[Any]) -> None:
        """An INSERT, for each row of values."""
        self.added = True
        if len(rows) == 1:
            self.execute(sql, rows[0])
        else:
            self._driver.cursor().executemany(sql, rows)


class Prepared:
    """A statement as its driver takes it, compiled once. Instants go in and come out as they are."""

    __slots__ = ("_adds", "_binds", "_instants_in", "_instants_out", "_positional", "_row", "_sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        binds: Mapping[str, BindParameter[Any]] = getattr(compiled, "binds", {})
        order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        columns = list(getattr(statement, "exported_columns", ()))
        if any(isinstance(bind.type, NullType) for bind in binds.values()):
            raise TypeError("a parameter without a type: a driver would take an instant in a way of its own")
        self._sql = str(compiled)
        self._adds = isinstance(statement, Insert)
        self._positional = order is not None
        self._binds = tuple(binds if order is None else order)
        self._instants_in = [name for name, bind in binds.items() if isinstance(bind.type, Instant)]
        self._instants_out = [at for at, column in enumerate(columns) if isinstance(column.type, Instant)]
        self._row = _reader(column.name for column in columns)

    def one(self, line: Line, values: Mapping[str, Any]) -> Any:
        """The first row that it gives, with its columns by name; None if there is none."""
        found = line.execute(self._sql, self._given(values)).fetchall()
        if not found:
            return None
        if self._adds:
            line.added = True
        if not self._instants_out:
            return self._row(found[0])
        row = list(found[0])
        read_instants(row, self._instants_out)
        return self._row(row)

    def do(self, line: Line, values: Mapping[str, Any]) -> int:
        """How many rows it changed."""
        changed: int = line.execute(self._sql, self._given(values)).rowcount
        if self._adds and changed:
            line.added = True
        return changed

    def _given(self, values: Mapping[str, Any]) -> Any:
        """The values as the driver takes them; a name that has none is NULL."""
        given = dict(values)
        for name in self._instants_in:
            if (instant := given.get(name)) is not None:
                given[name] = to_micros(instant)
        if self._positional:
            return list(map(given.get, self._binds))
        return {name: given.get(name) for name in self._binds}


def _reader(names: Iterable[str]) -> Callable[[Sequence[Any]], Any]:
    """What gives the values of a row names."""
    make: Callable[[Sequence[Any]], Any] = namedtuple("Row", names)._make  # type: ignore[attr-defined]
    return make


class _Kept(NamedTuple):
    """A connection, and what is within: the way there is long."""

    pooled: PoolProxiedConnection
    driver: Any
    reader: Line
    """For whoever only reads."""


class Lines:
    """The connections behind them. Safe to use from many threads.

    `turn`: what SQLite's writers of one process wait for, because SQLite's own waiting polls with growing pauses;
    None for PostgreSQL.
    """

    def __init__(self, engine: Engine, turn: threading.Lock | None) -> None:
        self._engine = engine
        self._turn = turn
        self._idle: list[_Kept] = []
        self._writer: _Kept | None = None
        self._closed = False
        self._lazy = False
        """Whether the writer's commits wait for the disk now; set in its turn."""
        self._owed = self._paid = 0
        """How many commits did not wait for the disk, and how many of them a later one has covered."""
        self._mine = _Mine()
        driver = engine.dialect.dbapi
        self.failures: tuple[type[Exception], ...] = FAILURES if driver is None else (driver.Error, *FAILURES)

    def settle(self) -> None:
        """What anybody sees by now, of whichever process, is durable on return. Raises StoreUnavailable."""
        if self._turn is not None:
            with Writing(self) as line:
                line.execute(_TOUCH)
                line.added = True

    def close(self) -> None:
        """Give the idle ones back; the others go when they come."""
        self._closed = True
        while self._idle:
            self._idle.pop().pooled.close()
        if self._turn is not None and self._turn.acquire(timeout=QUEUE):
            try:
                if self._writer is not None:
                    self._writer.pooled.invalidate()  # it may be one that does not wait for the disk
                    self._writer = None
            finally:
                self._turn.release()

    # --- for the context managers ---------------------------------------------------------------------

    def outermost(self) -> bool:
        """Whether no `Settling` is around this thread yet; there is one now."""
        if self._mine.settles:
            return False
        self._mine.settles = True
        return True

    def settled(self) -> None:
        """The outermost one ends: see to it that what this thread owes is paid."""
        self._mine.settles = False
        if self._mine.owes > self._paid:
            self.settle()

    def to_read(self) -> _Kept:
        """A connection to read with; the writer's, and its turn, where that may be had at once. Raises `failures`."""
        if self._turn is None:
            return self._new()
        if self._turn.acquire(blocking=False):
            if self._writer is not None:
                return self._writer
            self._turn.release()
        try:
            return self._idle.pop()
        except IndexError:
            return self._new()

    def to_write(self) -> _Kept:
        """The writer's connection, whose turn it is, on SQLite; any on PostgreSQL. Raises `failures`."""
        if self._turn is None:
            return self._new()
        if self._writer is None:
            self._writer = self._new()
            self._lazy = False
        return self._writer

    def begin(self, line: Line, first: str | None, *, soon: bool) -> None:
        """Begin a transaction that writes; see `Writing`. Raises `failures`."""
        if self._turn is None:
            if first is not None:
                line.rows(first)
            return
        lazy = soon and self._mine.settles
        if self._lazy is not lazy:
            # SQLite hears of it between transactions only. In WAL mode, NORMAL writes what FULL writes, in the same
            # order, and leaves the waiting to the next FULL, which covers it
            # (https://www.sqlite.org/pragma.html#pragma_synchronous).
            line.execute("PRAGMA synchronous=NORMAL" if lazy else "PRAGMA synchronous=FULL")
            self._lazy = lazy
        line.execute("BEGIN IMMEDIATE")

    def committed(self, line: Line) -> None:
        """In the writer's turn: note what the commit covered."""
        if self._lazy:
            self._owed += 1
            self._mine.owes = self._owed
        elif line.added:
            self._paid = self._owed

    def done(self, kept: _Kept, *, sound: bool) -> None:
        """And back. What was met by an error is not used again."""
        if kept is self._writer:
            if sound and not self._closed:
                return
            self._writer = None
            sound = False  # it may be one that does not wait for the disk
        if not sound:
            kept.pooled.invalidate()
        elif self._turn is None or self._closed or len(self._idle) >= _MOST_IDLE:
            kept.pooled.close()
        else:
            self._idle.append(kept)

    def done_reading(self, kept: _Kept, *, sound: bool) -> None:
        """The same for one to read with."""
        if kept is not self._writer:
            self.done(kept, sound=sound)
            return
        try:
            self.done(kept, sound=sound)
        finally:
            self.go_on()

    def wait(self) -> None:
        """Until it is this thread's turn to write. Raises StoreUnavailable."""
        if self._turn is not None and not self._turn.acquire(timeout=QUEUE):
            raise StoreUnavailable(f"other writers held the database for more than {QUEUE} seconds")

    def go_on(self) -> None:
        """The next writer's turn."""
        if self._turn is not None:
            self._turn.release()

    def _new(self) -> _Kept:
        pooled = self._engine.raw_connection()
        return _Kept(pooled, pooled.driver_connection, Line(pooled.driver_connection))


_MOST_IDLE: Final = 16
_TOUCH: Final = "UPDATE alembic_version SET version_num = version_num"
"""Writes what is there already (its index entry anew), so that there is something to wait for the disk with."""


class _Mine(threading.local):
    """What a thread knows of its own commits."""

    settles = False
    owes = 0


class Settling:
    """What this thread writes within is durable when the block ends, however it ends. Raises StoreUnavailable there.

    A class, as a generator costs more than what is within; so are the others.
    """

    __slots__ = ("_lines", "_outermost")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __enter__(self) -> None:
        self._outermost = self._lines.outermost()

    def __exit__(self, *_: object) -> None:
        if self._outermost:
            self._lines.settled()


class Reading:
    """Statements that see what is committed, each for itself; nothing else within, as a writer may be waiting."""

    __slots__ = ("_kept", "_lines")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __enter__(self) -> Line:
        try:
            self._kept = self._lines.to_read()
        except self._lines.failures as error:
            raise unavailable(error) from error
        return self._kept.reader

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        failed = error is not None and isinstance(error, self._lines.failures)
        self._lines.done_reading(self._kept, sound=not failed)
        if failed and error is not None:
            raise unavailable(error) from error


class Writing:
    """A transaction: durable if the block ends, undone if it raises. `first`: a statement to wait with on PostgreSQL.

    `soon`: for all to see if the block ends, and durable with whatever is written next, at the latest when the
    `Settling` around it ends. Without that, and on PostgreSQL, durable at once.
    """

    __slots__ = ("_first", "_kept", "_line", "_lines", "_soon")

    def __init__(self, lines: Lines, first: str | None = None, *, soon: bool = False) -> None:
        self._lines = lines
        self._first = first
        self._soon = soon

    def __enter__(self) -> Line:
        lines = self._lines
        lines.wait()
        try:
            self._kept = lines.to_write()
        except BaseException as error:
            lines.go_on()
            if isinstance(error, lines.failures):
                raise unavailable(error) from error
            raise
        line = self._line = Line(self._kept.driver)
        try:
            lines.begin(line, self._first, soon=self._soon)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return line

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        lines, line = self._lines, self._line
        sound = True
        try:
            if error is None:
                try:
                    self._kept.driver.commit()
                    lines.committed(line)
                except BaseException as second:  # noqa: BLE001 - told apart below
                    error = second
            if error is not None:
                try:
                    self._kept.driver.rollback()
                except lines.failures:
                    sound = False
            lines.done(self._kept, sound=sound)
        finally:
            lines.go_on()
        if error is None:
            for told in line.after:
                told(None)
            return
        failed = isinstance(error, lines.failures)
        refusal = unavailable(error) if failed else StoreUnavailable(f"undone by {type(error).__name__}")
        for told in line.after:
            told(refusal)
        if failed:
            raise refusal from error
        if kind is None:
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
