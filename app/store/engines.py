"""From a database URL to an engine: SQLite in one file, or PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from app.errors import StoreUnavailable

BUSY: Final = 2500
"""Milliseconds that SQLite waits for a writer of another process; together with `database.QUEUE` within 5 s."""
_PAUSE: Final = 0.01
_POOL: Final = {"pool_size": 16, "max_overflow": 48, "pool_timeout": 5.0, "hide_parameters": True}


def make_engine(url: str, *, create: bool) -> Engine:
    """The engine for `sqlite:///PATH` or `postgresql+psycopg://…`; nothing is connected yet.

    Raises StoreUnavailable for any other URL, a missing driver, a file that cannot be made, or one that is
    not there and is not to be made (`create` false).
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreUnavailable("the database URL cannot be read; write `sqlite:///PATH`") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _sqlite(parsed, create=create)
        case "postgresql+psycopg":
            return _postgresql(parsed)
        case other:
            raise StoreUnavailable(
                f"no database engine `{other}`; write `sqlite:///PATH` or `postgresql+psycopg://…`"
            )


# --- SQLite ---------------------------------------------------------------------------------------


def _sqlite(url: URL, *, create: bool) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:") or url.query:
        raise StoreUnavailable("SQLite needs a file of its own; write `sqlite:///PATH`")
    path = Path(url.database)
    if create:
        _make_file(path)
    elif not path.exists():
        raise StoreUnavailable(f"there is no database file `{path}`; `python -m app db upgrade` makes one")
    engine = create_engine(url, connect_args={"timeout": BUSY / 1000}, **_POOL)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """Make the file, readable by us alone, if there is none; SQLite gives its companions the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            return
        # Linked into place ready-made: closing a file that is SQLite's already would drop SQLite's locks.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            Path(path).hardlink_to(name)
        except FileExistsError:
            pass  # another worker was faster
        finally:
            Path(name).unlink()
    except OSError as error:
        raise StoreUnavailable(f"the database file `{path}` cannot be made: {error.strerror}") from error


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    try:
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # So that REPLACE meets the triggers that guard the audit trail.
        cursor.execute("PRAGMA recursive_triggers=ON")
    finally:
        cursor.close()


def _write_ahead(cursor: DBAPICursor) -> None:
    """Set the journal, waiting for others who do the same to a new file.

    SQLite answers SQLITE_BUSY here at once, without its busy timeout, when two connections both want to change
    the journal (https://www.sqlite.org/c3ref/busy_handler.html: the handler is not called where waiting could
    deadlock), so workers that start together would break one another.
    """
    give_up = time.monotonic() + BUSY / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_PAUSE)


# --- PostgreSQL -----------------------------------------------------------------------------------


def _postgresql(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, **_POOL)
    except ImportError:
        raise StoreUnavailable(
            "PostgreSQL needs the package `psycopg[binary]`, which is not installed"
        ) from None
    event.listen(engine, "connect", _set_up_postgresql)
    return engine


def _set_up_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("SET lock_timeout = '5s'")
        cursor.execute("SET statement_timeout = '30s'")
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        cursor.execute("SET synchronous_commit = on")
    finally:
        cursor.close()
    connection.commit()
