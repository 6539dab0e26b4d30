"""Puts the parts together; the only place that knows them all."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from app.active import Active, Running
from app.admin import Administration
from app.audit import AuditWriter
from app.aws import Aws
from app.broker import Broker
from app.clock import Clock, SystemClock
from app.configuration import (
    ConfigurationUnreadable,
    Problem,
    load,
    read_folder,
)
from app.delegation import Delegation
from app.errors import Unavailable
from app.keyring import Keyring, load_or_create
from app.limits import Tally
from app.model import AuditEvent, AuditKind, Revision, Settings, SourceId
from app.notify.outbox import Notifier
from app.notify.registry import channels
from app.notify.seam import Channel
from app.outbound import Fetcher
from app.people import Alert
from app.policy import Index
from app.principal import trust
from app.sealing import Sealer
from app.signin import registry
from app.signin.passwords import Hashing
from app.signin.seam import KnownMetadata
from app.store import Store, open_store
from app.tokens import SigningKeys
from app.upkeep import Upkeep, jobs
from app.web import make_app

if TYPE_CHECKING:
    from app.web.application import Application


_WARMING = 2.0
"""Seconds that a worker's start waits for providers and AWS: one that hangs must not keep the others' people out."""


class ConfigurationInvalid(Exception):
    """`config/` cannot be used; every problem at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Parts:
    """The running broker."""

    broker: Broker
    delegation: Delegation
    active: Active
    store: Store
    upkeep: Upkeep
    clock: Clock
    notifier: Notifier

    @property
    def settings(self) -> Settings:
        """Of the revision that was active when asked."""
        return self.active.current().revision.settings

    def current_settings(self) -> Settings:
        """The same, to hand on as a function."""
        return self.settings


def folder(environ: Mapping[str, str]) -> Path:
    """Where the configuration is: `DAYPASS_CONFIG`, default `config/`."""
    return Path(environ.get("DAYPASS_CONFIG") or "config")


def read_revision(environ: Mapping[str, str]) -> Revision:
    """The configuration on disk, checked, not yet activated.

    Raises:
        ConfigurationInvalid: with every problem.
    """
    where = folder(environ)
    try:
        files = read_folder(where)
    except ConfigurationUnreadable as unreadable:
        raise ConfigurationInvalid((Problem(str(where), 0, 0, "", str(unreadable), "error"),)) from unreadable
    loaded = load(files, environ, where)
    if loaded.revision is None:
        raise ConfigurationInvalid(tuple(p for p in loaded.problems if p.level == "error"))
    return loaded.revision


def handed_down(parts: Parts, environ: Mapping[str, str]) -> Mapping[str, str]:
    """What `serve` puts into its workers' environment: where keys and database are.

    So a worker that is started anew does not look at the configuration on disk, which may be half edited by
    then: it serves the revision that the store names.
    """
    return {
        "DAYPASS_KEYS": parts.settings.keys,
        "DAYPASS_DATABASE": environ.get("DAYPASS_DATABASE") or parts.settings.database,
    }


def administration(
    store: Store, clock: Clock, environ: Mapping[str, str], notifier: Notifier | None = None
) -> Administration:
    """The door for whoever holds this machine. Without a notifier nobody is told of anything."""
    return Administration(
        revisions=store.revisions,
        people=store.people,
        audit=AuditWriter(store.audit, clock),
        clock=clock,
        folder=folder(environ),
        environ=environ,
        store=store,
        notices=notifier,
    )


def wire(
    environ: Mapping[str, str] | None = None, *, clock: Clock | None = None, apply: bool = False
) -> Parts:
    """Build the broker.

    `apply` makes the configuration on disk the active revision first, if it changed since it was last applied,
    as `serve` does once before its workers start; otherwise the revision that the store names is used, and
    disk only where it names none.

    Raises:
        ConfigurationInvalid, StoreUnavailable, Unavailable.
    """
    environ = os.environ if environ is None else environ
    clock = clock or SystemClock()
    on_disk = cache(lambda: read_revision(environ))
    # Only `serve` hands the key file's place down, to its workers; from outside, the configuration says it.
    handed = None if apply else environ.get("DAYPASS_KEYS")
    keyring = load_or_create(Path(handed or on_disk().settings.keys), clock.now())
    url = environ.get("DAYPASS_DATABASE") or on_disk().settings.database
    store = open_store(url, Sealer(keyring.sealing_keys))
    if apply or store.revisions.latest_number() is None:
        administration(store, clock, environ).adopt(on_disk())

    def build(number: int) -> Running:
        return _running(_stored(store, number, environ), keyring, store, clock)

    active = Active(store, build, clock)
    active.current()
    tally = Tally()
    audit = AuditWriter(store.audit, clock)
    keys = SigningKeys(store.token_keys, clock)
    notifier = Notifier(store.alerts, _Channels(active), clock, given_up=_OnRecord(audit, clock))
    broker = Broker(
        active=active,
        store=store,
        audit=audit,
        tally=tally,
        clock=clock,
        keys=keys,
        hashing=Hashing(),
        notices=notifier,
    )
    delegation = Delegation(
        active=active,
        store=store,
        audit=audit,
        clock=clock,
        administration=administration(store, clock, environ, notifier),
    )
    table = jobs(store, tally, keys, broker.catch_up, notifier)
    return Parts(broker, delegation, active, store, Upkeep(table, clock), clock, notifier)


def serve_app(environ: Mapping[str, str] | None = None, *, clock: Clock | None = None) -> Application:
    """The WSGI application, its background jobs running. What each worker process calls once."""
    parts = wire(environ, clock=clock)
    _warm(parts.active.current())
    parts.upkeep.start()
    return make_app(parts.broker, parts.delegation, parts.current_settings, parts.clock)


def _warm(running: Running) -> None:
    """Let sources and AWS fetch what the first request would wait for; who is slow goes on beside us."""
    work = [*(source.warm for source in running.sources.values()), running.aws.warm]
    threads = [threading.Thread(target=one, name="warm", daemon=True) for one in work]
    for thread in threads:
        thread.start()
    end = time.monotonic() + _WARMING
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


def _stored(store: Store, number: int, environ: Mapping[str, str]) -> Revision:
    stored = store.revisions.get(number)
    if stored is None:
        raise Unavailable(f"revision {number} is not in the store")
    loaded = load(stored.files, environ, folder(environ))
    if loaded.revision is None:
        problems = "; ".join(str(problem) for problem in loaded.problems if problem.level == "error")
        raise Unavailable(f"revision {number} cannot be used here: {problems}")
    return replace(loaded.revision, number=number)


@dataclass(frozen=True, slots=True)
class _RecordedMetadata:
    """Provider metadata whose taking is on record before it counts: the first of a source, by its first use."""

    known: KnownMetadata
    audit: AuditWriter

    def recall(self, source: SourceId, url: str) -> bytes | None:
        return self.known.recall(source, url)

    def remember(self, source: SourceId, url: str, document: bytes, at: datetime) -> None:
        detail = {"by": "first use", "address": url, "sha256": hashlib.sha256(document).hexdigest()}
        event = AuditEvent(AuditKind.PROVIDER_CHANGED, at, "-", "-", source=source, detail=detail)
        self.audit.record(event)
        self.known.remember(source, url, document, at)


class _Channels:
    """The channels of the active revision, made once for each: a new one counts at once."""

    def __init__(self, active: Active) -> None:
        self._active = active
        self._made: tuple[int, Mapping[str, Channel]] | None = None

    def __call__(self) -> Mapping[str, Channel]:
        revision = self._active.current().revision
        made = self._made
        if made is None or made[0] != revision.number:
            made = self._made = revision.number, channels(revision.settings)
        return made[1]


@dataclass(frozen=True, slots=True)
class _OnRecord:
    """An alert that no try could deliver is on record."""

    audit: AuditWriter
    clock: Clock

    def __call__(self, alert: Alert, channel: str, why: str) -> None:
        detail = {"alert": alert.id, "alert_kind": alert.kind, "channel": channel, "why": why}
        self.audit.record(AuditEvent(AuditKind.ALERT_FAILED, self.clock.now(), "-", "-", detail=detail))


def _running(revision: Revision, keyring: Keyring, store: Store, clock: Clock) -> Running:
    settings = revision.settings
    tools = registry.Tools(
        base_url=settings.base_url,
        keyring=keyring,
        fetch=Fetcher(settings.loopback),
        known=_RecordedMetadata(store.provider_metadata, AuditWriter(store.audit, clock)),
        clock=clock,
    )
    return Running(
        revision=revision,
        index=Index.compile(revision),
        sources=registry.make(revision.providers, tools),
        trust={source: trust(provider) for source, provider in revision.providers.items()},
        aws=Aws(settings.aws, clock=clock),
    )
