"""Instants as the broker and AWS write them (RFC 3339), and as people read them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII)


def instant(text: str, otherwise: float | None = None) -> float:
    """Seconds since 1970.

    Raises:
        ValueError: it is no instant, and there is no `otherwise`.
    """
    found = _RFC3339.fullmatch(text)
    try:
        if found is None:
            raise ValueError(f"not an instant: {text[:40]!r}")
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or '+00:00'}").timestamp()
    except ValueError:
        if otherwise is None:
            raise
        return otherwise


def clock(at: float, now: float) -> str:
    """The local time of day, with the date where it is not today's: `18:30`, `Tue 24 Nov 18:30`."""
    when, today = (datetime.fromtimestamp(seconds, timezone.utc).astimezone() for seconds in (at, now))
    return when.strftime("%H:%M" if when.date() == today.date() else "%a %d %b %H:%M")


def left(seconds: float) -> str:
    """How long that is: `3 h 20 min`, `12 min`, `less than a minute`."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
