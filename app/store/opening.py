"""Opening a database: its file, its settings, its tables."""

from __future__ import annotations

from app.store.database import Database, refusing
from app.store.engines import make_engine
from app.store.schema import ensure


def open_database(url: str, *, migrate: bool = True) -> Database:
    """The database at `url` with its tables up to date.

    With `migrate` false nothing is made or changed: the tables must be up to date already.

    Raises StoreUnavailable, in words for the operator, for a URL that is none, a file that is damaged or
    foreign, a schema that is newer than this code (or older, with `migrate` false), a server that is down.
    """
    with refusing():
        database = Database(make_engine(url, create=migrate))
    try:
        ensure(database, migrate=migrate)
    except BaseException:
        database.close()
        raise
    return database
