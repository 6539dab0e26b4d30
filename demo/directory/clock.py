"""The directory's clock; tests move it to see what a directory with a wrong clock does to the broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class MovableClock:
    """The host's clock, plus an offset that can be changed while it runs."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """The present instant as this directory believes it, in UTC."""
        return datetime.now(UTC) + self.offset
