"""Background jobs as a table, and one quiet runner per worker.

Each job may run in several workers at once without harm: it deletes what is over, or saves what this
worker counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.clock import Clock
from app.errors import Refusal
from app.limits import Tally
from app.notify.outbox import Notifier
from app.store import Store
from app.tokens import SigningKeys

KNOWN_FOR = timedelta(days=180)
"""A browser's long-lived cookie lives no longer either."""
_TOLD = timedelta(days=30)

log = logging.getLogger("daypass.upkeep")


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again."""

    name: str
    every: timedelta
    run: Callable[[datetime], object]


def jobs(
    store: Store,
    tally: Tally,
    keys: SigningKeys,
    catch_up: Callable[[], int] | None = None,
    notifier: Notifier | None = None,
) -> Sequence[Job]:
    """The table. Refresh tokens go with the sessions that they belong to.

    `catch_up`: what the broker left for after its answers; `notifier`: who tells what was not told yet.
    """
    own = (
        [Job("do what was left for after the answer", timedelta(0), lambda _: catch_up())] if catch_up else []
    )
    telling = [Job("tell what was not told yet", timedelta(seconds=10), notifier.retry)] if notifier else []
    return (
        *own,
        *telling,
        Job("save refusal counts", timedelta(seconds=10), lambda _: tally.flush(store.refusals.count)),
        Job("forget sign-ins not finished", timedelta(minutes=1), store.pending.expire),
        Job("forget once-only marks out of date", timedelta(minutes=5), store.once.expire),
        Job("forget sessions that ended", timedelta(minutes=10), store.sessions.expire),
        Job("forget authorization codes", timedelta(minutes=1), store.codes.expire),
        Job("forget devices that waited", timedelta(minutes=1), store.devices.expire),
        Job("forget challenges that are over", timedelta(minutes=1), store.challenges.expire),
        Job("forget guesses of windows that are over", timedelta(minutes=5), store.guesses.expire),
        Job("forget one-time links out of date", timedelta(minutes=10), store.links.expire),
        Job(
            "forget browsers that were not seen for half a year",
            timedelta(hours=6),
            lambda now: store.known_devices.expire(now - KNOWN_FOR),
        ),
        Job("forget alerts that were told", timedelta(hours=6), lambda now: store.alerts.expire(now - _TOLD)),
        Job("forget guests who never signed in", timedelta(hours=1), store.identities.expire),
        Job("make and forget signing keys", timedelta(hours=1), keys.rotate),
        Job(
            "forget old refusal counts",
            timedelta(hours=1),
            lambda now: store.refusals.expire(now - timedelta(days=30)),
        ),
    )


class Upkeep:
    """Runs the jobs in one daemon thread until stopped."""

    def __init__(self, table: Sequence[Job], clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first round comes after one second."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last round that saves what was counted."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _loop(self) -> None:
        last: dict[str, datetime] = {}
        while not self._stop.wait(1.0):
            self._round(last)
        last.clear()
        self._round(last)

    def _round(self, last: dict[str, datetime]) -> None:
        for job in self._table:
            now = self._clock.now()
            # abs: a clock that was moved back must not make the jobs wait until it has caught up.
            if job.name in last and abs(now - last[job.name]) < job.every:
                continue
            last[job.name] = now
            try:
                job.run(now)
            except Refusal as refusal:
                log.warning("upkeep failed", extra={"job": job.name, "why": refusal.detail})
            except Exception as error:  # noqa: BLE001 - one defective job must not end the others
                log.error("upkeep failed", extra={"job": job.name, "why": type(error).__name__})
