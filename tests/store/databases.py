"""Databases to test on: SQLite always; PostgreSQL as one of the parts that come from packages (`interop`).

The server is this process's own (postgres.py), or the one whose URL is in DAYPASS_TEST_POSTGRES: then PostgreSQL is
tested always, and the URL's user may make databases. Each test gets one of its own and drops it.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import NullPool, Row, create_engine, make_url, text

from app.sealing import Sealer
from app.store import Store, open_store
from tests.store import postgres

KEY = Fernet.generate_key()
SERVER = os.environ.get("DAYPASS_TEST_POSTGRES", "")
KINDS = ("sqlite", pytest.param("postgresql", marks=() if SERVER else pytest.mark.interop))


def sealer() -> Sealer:
    return Sealer([KEY])


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database with all tables and no rows."""
    if kind == "sqlite":
        path = folder / f"{secrets.token_hex(4)}.db"
        shutil.copy(template(), path)
        yield f"sqlite:///{path}"
        return
    with database(_filled()) as url:
        yield url


@contextmanager
def database(template: str = "template0") -> Iterator[str]:
    """The URL of a new database on the PostgreSQL server, a copy of that one; empty, if of no other."""
    name = f"test_{secrets.token_hex(6)}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _server(name)
    finally:
        _administer(f"DROP DATABASE {name} WITH (FORCE)")


def _server(name: str = "") -> str:
    """The URL of the server's database of that name."""
    url = make_url(SERVER or postgres.url())
    return (url.set(database=name) if name else url).render_as_string(hide_password=False)


def _administer(statement: str) -> None:
    engine = create_engine(_server(), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(statement))


@cache
def _filled() -> str:
    """One migrated database a process, to copy."""
    stack = ExitStack()
    url = stack.enter_context(database())
    atexit.register(stack.close)  # after the server's own stop was registered, so before it
    open_store(url, sealer()).close()
    return str(make_url(url).database)


@cache
def template() -> Path:
    """One migrated SQLite file a process, to copy."""
    folder = mkdtemp(prefix="daypass-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "template.db"
    open_store(f"sqlite:///{path}", sealer()).close()
    return path


def sql(store: Store, statement: str, **values: object) -> list[Row]:
    """Do to the database what somebody with access to it could; the rows that this gives."""
    with store.audit._database.write() as connection:
        result = connection.execute(text(statement), values)
        return list(result) if result.returns_rows else []
