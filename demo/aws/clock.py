"""The double's clock; tests move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock


def system() -> datetime:
    """The host's clock, in UTC."""
    return datetime.now(UTC)


class Clock:
    """Tells the time of `base`, shifted by what it was moved so far."""

    def __init__(self, base: Callable[[], datetime] = system) -> None:
        self._base = base
        self._shift = timedelta()
        self._lock = Lock()

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        with self._lock:
            return self._base() + self._shift

    def move(self, by: timedelta) -> None:
        """Shift the clock, forwards or back."""
        with self._lock:
            self._shift += by
