"""The schema's version: known, brought up to date under a lock, and never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from app.errors import StoreUnavailable
from app.store.database import Database, Serial

VERSIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every version this code knows, oldest first: the migrations' ids. The last is the one it works on."""
HEAD: Final = VERSIONS[-1]

_FOLDER: Final = Path(__file__).parent / "migrations"


def version(connection: Connection) -> str | None:
    """The version of the tables that are there; None for an empty database.

    Raises StoreUnavailable for a database that holds something else.
    """
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if names and connection.dialect.name == "sqlite":
        raise StoreUnavailable(
            f"this database is not daypass's: it has the table `{names[0]}` but no schema version. "
            "Name another file."
        )
    return None


def ensure(database: Database, *, migrate: bool) -> None:
    """Bring the tables to HEAD, or (`migrate` false) only see that they are there.

    Raises StoreUnavailable for a database that is newer than this code, or older and not to be migrated.
    """
    with database.read() as connection:
        if _is_head(version(connection)):
            return
    if not migrate:
        raise StoreUnavailable("the database's tables are out of date; run `python -m app db upgrade`")
    with database.write(Serial.SCHEMA) as connection:
        # Again, now that nobody else can: another worker may have done it meanwhile.
        if not _is_head(version(connection)):
            _upgrade(connection)


def _is_head(found: str | None) -> bool:
    if found is not None and found not in VERSIONS:
        raise StoreUnavailable(
            f"this database was written by a newer daypass (its schema is `{found}`, this one knows up to "
            f"`{HEAD}`). Run the newer daypass, or restore a backup from before it."
        )
    return found == HEAD


def _upgrade(connection: Connection) -> None:
    from alembic import command  # only where there is something to do: it costs a start 0.1 s
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
