"""The seam of notifications: what a channel does, and what must be remembered of each delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.people import Alert


class Channel(Protocol):
    """A way to tell somebody. Safe to use from many threads."""

    @property
    def name(self) -> str:
        """Its place among the channels: `log`, `webhook 1`, `email 2`, `person`. Shows no secret."""
        ...

    def send(self, alert: Alert) -> None:
        """Tell it, within a deadline of its own. Raises DeliveryFailed."""
        ...


class DeliveryFailed(Exception):
    """A channel did not take an alert. The text is for operators and holds no secret."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert on its way through one channel."""

    alert: Alert
    channel: str
    tries: int
    """Failed so far; with the one that worked, if it was delivered."""
    next_try: datetime | None
    """None: delivered, or given up."""
    done_at: datetime | None


# `store` fits it, tests/conformance proves it on every database.


class Outbox(Protocol):
    """Alerts to be delivered, one row for each channel."""

    def add(self, alert: Alert, channels: Sequence[str], next_try: datetime) -> None: ...

    def due(self, now: datetime, most: int) -> Sequence[Delivery]:
        """Those whose time has come; each is the caller's alone for five minutes, in all processes."""
        ...

    def done(self, id: str, channel: str, now: datetime) -> bool: ...

    def failed(self, id: str, channel: str, next_try: datetime) -> bool: ...

    def given_up(self, id: str, channel: str) -> bool:
        """True for the one who gave it up."""
        ...
