"""What operators type: numbers and instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import AskRefused

_AGO: Final = re.compile(r"([0-9]{1,5})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def number(text: str, name: str) -> int:
    """A whole number from 0. Raises AskRefused."""
    if not _NUMBER.fullmatch(text):
        raise AskRefused(f"{name} {text[:60]!r}", words=f"`{name}` must be a whole number.")
    return int(text)


def instant(text: str, now: datetime, name: str) -> datetime:
    """`2026-11-24`, `2026-11-24T12:00:00Z` (UTC unless it says), or `24h` ago. Raises AskRefused."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (OverflowError, ValueError):
        words = f"`{name}` must be a time: write 2026-11-24, 2026-11-24T12:00:00Z, or 24h for a day ago."
        raise AskRefused(f"{name} {text[:60]!r}", words=words) from None
