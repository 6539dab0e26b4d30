"""Databases to test on: SQLite always, PostgreSQL where DAYPASS_TEST_POSTGRES names a server's URL.

The URL's user may make schemas; each test gets one of its own and drops it.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, make_url, text

from app.sealing import Sealer
from app.store import open_store

KEY = Fernet.generate_key()
SERVER = os.environ.get("DAYPASS_TEST_POSTGRES", "")
KINDS = ("sqlite", "postgresql") if SERVER else ("sqlite",)


def sealer() -> Sealer:
    return Sealer([KEY])


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database with all tables and no rows."""
    if kind == "sqlite":
        path = folder / f"{secrets.token_hex(4)}.db"
        shutil.copy(_template(), path)
        yield f"sqlite:///{path}"
        return
    with schema() as url:
        open_store(url, sealer()).close()
        yield url


@contextmanager
def schema() -> Iterator[str]:
    """The URL of an empty schema on the PostgreSQL server."""
    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(SERVER, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = make_url(SERVER).update_query_dict({"options": f"-csearch_path={name}"})
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@cache
def _template() -> Path:
    """One migrated SQLite file a process, to copy."""
    folder = mkdtemp(prefix="daypass-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "template.db"
    open_store(f"sqlite:///{path}", sealer()).close()
    return path
