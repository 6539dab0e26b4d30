"""The active revision with what is compiled from it: policy index, sources, the way to AWS.

All workers and hosts use the revision that the store names; each looks at most twice a second. A revision
that cannot be built never replaces a running one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from app.aws import Aws
from app.clock import Clock
from app.errors import Refusal, Unavailable
from app.model import Revision, SourceId
from app.policy import Index
from app.signin.seam import Exchangeable, Source
from app.store import Store

_LOOK_EVERY = timedelta(milliseconds=500)
"""So that with the time that building takes, a new revision is in use within a second."""
_TRY_AGAIN = timedelta(seconds=10)
"""After a revision could not be built: a secret's file may be there by then."""
_KEPT = 4
"""Revisions held built: a started sign-in finishes on the one it began with."""

log = logging.getLogger("daypass.revision")


@dataclass(frozen=True)
class Running:
    """A revision at work."""

    revision: Revision
    index: Index
    sources: Mapping[SourceId, Source]
    trust: Mapping[SourceId, str]
    """Of each source, the digest of what its proofs are believed by."""
    aws: Aws

    @cached_property
    def exchangeable(self) -> Mapping[SourceId, Exchangeable]:
        """Those of the sources whose tokens apps may present."""
        return {id: source for id, source in self.sources.items() if isinstance(source, Exchangeable)}


Build = Callable[[int], Running]
"""Revision number → the revision at work. Raises a Refusal if it cannot be built."""


class Active:
    """Gives the revision that is active now, or an earlier one by number."""

    def __init__(self, store: Store, build: Build, clock: Clock) -> None:
        self._store = store
        self._build = build
        self._clock = clock
        self._lock = threading.Lock()
        self._built: dict[int, Running] = {}
        self._current: Running | None = None
        self._looked: datetime | None = None
        self._failed: tuple[int, datetime] | None = None

    @property
    def behind(self) -> bool:
        """Whether an earlier revision runs here than is active, as that one cannot be built here."""
        return self._failed is not None

    def current(self) -> Running:
        """The active revision.

        Raises:
            Unavailable: none was ever activated, or the first one cannot be built.
        """
        now = self._clock.now()
        current = self._current
        if current is not None and self._looked is not None and abs(now - self._looked) < _LOOK_EVERY:
            return current
        # While one looks, and perhaps builds for seconds, the others go on with what there is.
        if current is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return current
        try:
            if self._current is None or self._looked is None or abs(now - self._looked) >= _LOOK_EVERY:
                self._looked = now
                self._look(now)
            if self._current is None:
                raise Unavailable("no revision is active; start with `python -m app serve`")
            return self._current
        finally:
            self._lock.release()

    def at(self, number: int) -> Running:
        """The revision of that number; the active one where it is no longer to be had."""
        running = self._built.get(number)
        if running is not None:
            return running
        current = self.current()
        if current.revision.number == number:
            return current
        with self._lock:
            try:
                return self._keep(self._build(number))
            except Refusal as refusal:
                log.warning(
                    "earlier revision cannot be built", extra={"revision": number, "why": refusal.detail}
                )
                return current

    def _look(self, now: datetime) -> None:
        try:
            number = self._store.revisions.latest_number()
        except Refusal:
            # The store is down: what is known goes on; whoever needs the store will say so.
            if self._current is None:
                raise
            return
        if number is None or (self._current is not None and number == self._current.revision.number):
            self._failed = None
            return
        if self._failed is not None and self._failed[0] == number and abs(now - self._failed[1]) < _TRY_AGAIN:
            return
        try:
            running = self._built.get(number) or self._build(number)
        except Exception as error:
            if self._current is None:
                raise
            self._failed = number, now
            why = error.detail if isinstance(error, Refusal) else type(error).__name__
            log.error(
                "revision cannot be used, the running one stays", extra={"revision": number, "why": why}
            )
            return
        self._failed = None
        self._current = self._keep(running)
        log.info("revision in use", extra={"revision": number})

    def _keep(self, running: Running) -> Running:
        self._built[running.revision.number] = running
        while len(self._built) > _KEPT:
            del self._built[next(iter(self._built))]
        return running
