"""Which database a command means, and how it says that there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from app.configuration import ConfigurationUnreadable, database, read_folder
from app.errors import StoreUnavailable

ENVIRONMENT = (
    "The database is named by DAYPASS_DATABASE, or else by `database` in daypass.yaml of the configuration "
    "folder (DAYPASS_CONFIG, default config/)."
)


class NoDatabase(Exception):
    """The configuration does not name a database; words for the operator."""


def database_url(environ: Mapping[str, str]) -> str:
    """The database's URL. Raises NoDatabase."""
    named = environ.get("DAYPASS_DATABASE")
    if named:
        return named
    folder = Path(environ.get("DAYPASS_CONFIG") or "config")
    try:
        url = database(read_folder(folder), environ)
    except ConfigurationUnreadable as unreadable:
        raise NoDatabase(str(unreadable)) from unreadable
    if url is None:
        raise NoDatabase(
            f"{folder}/daypass.yaml does not say which database. Run `python -m app config check`, or name the "
            "database with DAYPASS_DATABASE."
        )
    return url


def sorry(problem: NoDatabase | StoreUnavailable) -> int:
    """Say why there is no database to work on. Returns the exit status: 2 not named, 1 not usable."""
    if isinstance(problem, NoDatabase):
        print(problem, file=sys.stderr)
        return 2
    print(f"The database cannot be used: {problem.detail}", file=sys.stderr)
    return 1
