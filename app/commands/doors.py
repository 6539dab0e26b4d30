"""`Administration` for the command line: over the database alone, without the broker's keys."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.admin import Administration
from app.audit import AuditWriter
from app.clock import Clock, SystemClock
from app.commands.databases import NoDatabase, database_url, sorry
from app.configuration import ConfigurationUnreadable, key_file, read_folder
from app.errors import AskRefused, KeysUnusable, Refusal, StoreUnavailable, Unknown
from app.keyring import load_or_create
from app.model import Settings
from app.notify.registry import names
from app.people import Alert
from app.policy import PolicyInvalid
from app.sealing import Sealer
from app.store import AuditRecords, People, Revisions, Store, open_database, open_store


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


@contextmanager
def whole_administration(environ: Mapping[str, str], clock: Clock | None = None) -> Iterator[Administration]:
    """The door with the broker's keys, for what is sealed in the store: local people, factors, sessions, root.

    What is to be told to people leaves with the broker's own upkeep, within a minute.

    Raises:
        NoDatabase, KeysUnusable, StoreUnavailable.
    """
    clock = clock or SystemClock()
    where = key_path(environ)
    if not where.exists():
        raise KeysUnusable(f"there is no key file {where}; start the broker once, or run this on its host")
    store = open_store(database_url(environ), Sealer(load_or_create(where, clock.now()).sealing_keys))
    queued = _Queued(store, clock)
    try:
        door = Administration(
            revisions=store.revisions,
            people=store.people,
            audit=AuditWriter(store.audit, clock),
            clock=clock,
            folder=folder(environ),
            environ=environ,
            store=store,
            notices=queued,
        )
        queued.settings = lambda: door.revision().settings
        yield door
    finally:
        store.close()


class _Queued:
    """Writes down what is to be told; the running broker delivers it, within a minute."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.settings: Callable[[], Settings] | None = None

    def tell(self, alert: Alert) -> None:
        """Never raises."""
        if self.settings is None:
            return
        try:
            through = names(self.settings(), person=bool(alert.to))
            self._store.alerts.add(alert, through, self._clock.now())
        except Refusal as refusal:
            print(f"An alert could not be written down: {refusal.detail}", file=sys.stderr)
            return
        if not through:
            print("Nobody was told: no mail is configured (`mail` in daypass.yaml).", file=sys.stderr)


def key_path(environ: Mapping[str, str]) -> Path:
    """Where the broker's key file is: `keys` in daypass.yaml. Raises NoDatabase, ConfigurationUnreadable."""
    where = folder(environ)
    named = environ.get("DAYPASS_KEYS") or key_file(read_folder(where), environ)
    if not named:
        raise NoDatabase(
            f"{where}/daypass.yaml does not say where the keys are. Run `python -m app config check`."
        )
    return Path(named)


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
    if isinstance(problem, KeysUnusable):
        # Its words are for somebody at a page; here it is most often the wrong folder.
        print(
            f"{problem.detail}. DAYPASS_CONFIG names the configuration folder (default config/).",
            file=sys.stderr,
        )
        return 1
    if problem.status >= 500 or problem.status == 409:
        detail = [problem.detail] if problem.detail else []
        print("\n".join([*detail, problem.words]), file=sys.stderr)
        return 1
    if isinstance(problem, PolicyInvalid):
        print(problem.detail, file=sys.stderr)
    print(problem.words, file=sys.stderr)
    return 2 if isinstance(problem, Unknown | AskRefused) else 1


def operator() -> str:
    """Who works on this machine, for the record: `operator NAME`, with who became that by sudo."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    before = os.environ.get("SUDO_USER", "")
    return f"operator {name} ({before})" if before not in ("", name) else f"operator {name}"
