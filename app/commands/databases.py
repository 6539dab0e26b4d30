"""Which database a command means, and how it says that there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from app.configuration import ConfigurationUnreadable, load, read_folder
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
        # The references to secrets may lead nowhere here: this command needs none of them.
        loaded = load(read_folder(folder), environ, folder, secrets=False)
    except ConfigurationUnreadable as unreadable:
        raise NoDatabase(str(unreadable)) from unreadable
    if loaded.revision is None:
        raise NoDatabase(
            f"The configuration in {folder} is not right, so the database is not known. "
            "Run `python -m app config check`, or name the database with DAYPASS_DATABASE."
        )
    return loaded.revision.settings.database


def sorry(problem: NoDatabase | StoreUnavailable) -> int:
    """Say why there is no database to work on. Returns the exit status: 2 not named, 1 not usable."""
    if isinstance(problem, NoDatabase):
        print(problem, file=sys.stderr)
        return 2
    print(f"The database cannot be used: {problem.detail}", file=sys.stderr)
    return 1
