"""Telling: written down first, tried at once, tried again with growing pauses."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from app.clock import Clock
from app.notify.registry import PERSON
from app.notify.seam import Channel, Delivery, DeliveryFailed, Outbox
from app.people import Alert

PAUSES: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=8),
    timedelta(hours=12),
)
"""Before each further try; after the last it is given up, a day after the first."""
AT_ONCE: Final = 50
"""Deliveries that one `retry` takes up."""
_WAITING: Final = 100
"""Deliveries that wait for one channel in this process; the others are taken up by a later `retry`."""
_LOG: Final = logging.getLogger("daypass.alerts")

Channels = Callable[[], Mapping[str, Channel]]
GivenUp = Callable[[Alert, str, str], None]
"""Alert, channel, why: to be put on record."""


class Notifier:
    """Safe to use from many threads. Each channel has a thread of its own: a slow one holds up no other.

    A delivery may come twice (a process that ends between the sending and the noting), never not at all.
    """

    def __init__(
        self, outbox: Outbox, channels: Channels, clock: Clock, *, given_up: GivenUp | None = None
    ) -> None:
        """`channels`: asked anew at every turn, so that a new revision counts at once."""
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._given_up = given_up
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def tell(self, alert: Alert) -> None:
        """Tell operators, or the person in `alert.to`. Takes as long as writing it down, and never raises."""
        try:
            names = self._names(alert)
        except Exception as error:  # noqa: BLE001  # whoever tells goes on, whatever is wrong here
            _LOG.error("an alert finds no channel", extra=_fields(alert) | {"why": type(error).__name__})
            return
        if not names:
            _LOG.info("a notice has no way to its person", extra={"alert": alert.id, "kind": alert.kind})
            return
        next_try = self._clock.now() + PAUSES[0]
        try:
            self._outbox.add(alert, names, next_try)
        except Exception as error:  # noqa: BLE001
            # Tried once all the same: rather told and not remembered than not told.
            _LOG.error("an alert is not written down", extra=_fields(alert) | {"why": type(error).__name__})
        for name in names:
            self._send(Delivery(alert, name, 0, next_try, None))

    def retry(self, now: datetime) -> int:
        """Take up what is due, for upkeep; how many. Does not wait for it. Raises StoreUnavailable."""
        due = self._outbox.due(now, AT_ONCE)
        for delivery in due:
            self._send(delivery)
        return len(due)

    def settled(self, seconds: float) -> bool:
        """Wait until nothing is on its way in this process; False if that takes longer. For a process that ends."""
        end = time.monotonic() + seconds
        with self._lock:
            lines = list(self._lines.values())
        return all(line.idle(end - time.monotonic()) for line in lines)

    # --- steps ------------------------------------------------------------------------------------

    def _names(self, alert: Alert) -> list[str]:
        """Through which channels it goes."""
        there = self._channels()
        if alert.to:
            return [PERSON] if PERSON in there else []
        return [name for name in there if name != PERSON]

    def _send(self, delivery: Delivery) -> None:
        with self._lock:
            line = self._lines.get(delivery.channel)
            if line is None:
                line = self._lines[delivery.channel] = _Line(delivery.channel, self._deliver)
        line.put(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        """Try one delivery and note what came of it; in the channel's thread."""
        alert, name = delivery.alert, delivery.channel
        try:
            channel = self._channels().get(name)
            if channel is None:
                raise DeliveryFailed("there is no such channel any more")
            channel.send(alert)
        except DeliveryFailed as failure:
            why = str(failure)
        except Exception as error:  # noqa: BLE001  # a channel's own mistake is a failure like any other
            why = type(error).__name__
        else:
            why = ""
        try:
            self._note(delivery, why)
        except Exception as error:  # noqa: BLE001  # it stays due, and is tried again
            _LOG.error(
                "what came of an alert is not written down",
                extra={"alert": alert.id, "channel": name, "why": type(error).__name__},
            )

    def _note(self, delivery: Delivery, why: str) -> None:
        alert, name = delivery.alert, delivery.channel
        if not why:
            self._outbox.done(alert.id, name, self._clock.now())
            return
        fields = {
            "alert": alert.id,
            "kind": alert.kind,
            "channel": name,
            "tries": delivery.tries + 1,
            "why": why,
        }
        if delivery.tries < len(PAUSES):
            again = self._clock.now() + PAUSES[delivery.tries]
            _LOG.warning("an alert was not delivered", extra=fields | {"again": again.isoformat()})
            self._outbox.failed(alert.id, name, again)
            return
        if self._outbox.given_up(alert.id, name):
            _LOG.error("an alert is given up", extra=fields)
            if self._given_up is not None:
                self._given_up(alert, name, why)


class _Line:
    """One channel's deliveries, one after another in a daemon thread."""

    def __init__(self, name: str, deliver: Callable[[Delivery], None]) -> None:
        self._deliver = deliver
        self._waiting: queue.Queue[Delivery] = queue.Queue(_WAITING)
        # Those on their way: what is taken up anew while it waits here is not sent twice.
        self._mine: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name=f"alerts to {name}", daemon=True).start()

    def put(self, delivery: Delivery) -> None:
        """Let it wait its turn, unless it does already, or too many do."""
        key = (delivery.alert.id, delivery.channel)
        with self._changed:
            if key in self._mine:
                return
            try:
                self._waiting.put_nowait(delivery)
            except queue.Full:
                return
            self._mine.add(key)

    def idle(self, seconds: float) -> bool:
        """Wait until nothing is on its way."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._mine, max(0.0, seconds))

    def _run(self) -> None:
        while True:
            delivery = self._waiting.get()
            try:
                self._deliver(delivery)
            finally:
                with self._changed:
                    self._mine.discard((delivery.alert.id, delivery.channel))
                    self._changed.notify_all()


def _fields(alert: Alert) -> dict[str, str]:
    return {"alert": alert.id, "kind": alert.kind, "title": alert.title}
