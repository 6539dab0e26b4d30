"""Whom a command can name: everybody who signed in, and local users and root where the broker's keys are at hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from cryptography.fernet import Fernet

from app.admin import Administration
from app.clock import Clock, SystemClock
from app.commands.databases import NoDatabase, database_url
from app.commands.doors import administration, key_path, whole_administration
from app.configuration import ConfigurationUnreadable
from app.errors import KeysUnusable
from app.everybody import everybody
from app.keyring import load_or_create
from app.people import ROOT_SUBJECT
from app.sealing import Sealer
from app.store import Database, KnownPerson, People, open_database
from app.store.users import Users


def known_people(
    database: Database, environ: Mapping[str, str], now: datetime, at: datetime | None = None
) -> tuple[Sequence[KnownPerson], str]:
    """Everybody who is known, of now or of a time; and why local users and root are left out, empty if they are not.

    Raises StoreUnavailable.
    """
    users, why = _users(database, environ, now)
    return everybody(People(database), users, at), why


@contextmanager
def knowing_administration(
    environ: Mapping[str, str], clock: Clock | None = None, *, migrate: bool = False
) -> Iterator[Administration]:
    """The door for the host, with local users and root if the broker's keys are at hand; else it says that without.

    `migrate`: make the database's tables, or bring them up to date, first.

    Raises:
        NoDatabase, StoreUnavailable.
    """
    clock = clock or SystemClock()
    database = open_database(database_url(environ), migrate=migrate)
    try:
        users, why = _users(database, environ, clock.now())
    finally:
        database.close()
    say_left_out(why)
    with (administration if users is None else whole_administration)(environ, clock) as door:
        yield door


def say_left_out(why: str) -> None:
    """Tell the operator that the answer is not about everybody."""
    if why:
        print(
            f"Local users and root are left out: what they are is sealed, and {why}. Run this on the broker's host, as "
            "the user that the broker runs as.",
            file=sys.stderr,
        )


def _users(database: Database, environ: Mapping[str, str], now: datetime) -> tuple[Users | None, str]:
    try:
        where = key_path(environ)
        if where.exists():
            return Users(database, Sealer(load_or_create(where, now).sealing_keys)), ""
        why = f"there is no key file {where}"
    except (NoDatabase, ConfigurationUnreadable) as unknown:
        why = str(unknown).rstrip(".")
    except KeysUnusable as unusable:
        why = (unusable.detail or unusable.words).rstrip(".")
    except OSError as error:
        why = f"the key file cannot be reached: {error.strerror}"
    return None, why if _any(database) else ""


def _any(database: Database) -> bool:
    """Whether there is anything sealed to leave out. Counting opens nothing, so any key will do."""
    users = Users(database, Sealer([Fernet.generate_key()]))
    return users.count() > 0 or users.epoch(ROOT_SUBJECT) is not None
