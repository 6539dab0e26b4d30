"""`Administration` for the command line: over the database alone, without the broker's keys."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.admin import Administration
from app.audit import AuditWriter
from app.clock import Clock, SystemClock
from app.commands.databases import NoDatabase, database_url, sorry
from app.configuration import ConfigurationUnreadable
from app.errors import AskRefused, Refusal, StoreUnavailable, Unknown
from app.store import AuditRecords, People, Revisions, open_database


def folder(environ: Mapping[str, str]) -> Path:
    """Where the configuration is."""
    return Path(environ.get("DAYPASS_CONFIG") or "config")


@contextmanager
def administration(
    environ: Mapping[str, str], clock: Clock | None = None, *, migrate: bool = False
) -> Iterator[Administration]:
    """The door. `migrate`: make the database's tables, or bring them up to date, first.

    Raises:
        NoDatabase, StoreUnavailable.
    """
    clock = clock or SystemClock()
    database = open_database(database_url(environ), migrate=migrate)
    try:
        yield Administration(
            revisions=Revisions(database),
            people=People(database),
            audit=AuditWriter(AuditRecords(database), clock),
            clock=clock,
            folder=folder(environ),
            environ=environ,
        )
    finally:
        database.close()


Cannot = NoDatabase | ConfigurationUnreadable | Refusal
"""What a command cannot go on after."""
CANNOT = (NoDatabase, ConfigurationUnreadable, Refusal)


def cannot(problem: Cannot) -> int:
    """Say it. Returns the exit status: 2 for a question that makes no sense here, 1 for what does not work now."""
    if isinstance(problem, NoDatabase | StoreUnavailable):
        return sorry(problem)
    if isinstance(problem, ConfigurationUnreadable):
        print(problem, file=sys.stderr)
        return 2
    if problem.status >= 500 or problem.status == 409:
        detail = [problem.detail] if problem.detail else []
        print("\n".join([*detail, problem.words]), file=sys.stderr)
        return 1
    print(problem.words, file=sys.stderr)
    return 2 if isinstance(problem, Unknown | AskRefused) else 1


def operator() -> str:
    """Who works on this machine, for the record: `operator NAME`, with who became that by sudo."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    before = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return f"operator {name} ({before})" if before else f"operator {name}"
