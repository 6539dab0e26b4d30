"""Instants as programs and people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def wire(at: datetime) -> str:
    """`2026-11-24T12:00:00Z` (RFC 3339, whole seconds)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_time(at: datetime, now: datetime) -> str:
    """`12:00 UTC`, with the day in front if it is another day than `now`."""
    at = at.astimezone(UTC)
    if at.date() == now.astimezone(UTC).date():
        return f"{at:%H:%M} UTC"
    return f"{at.day} {at:%b, %H:%M} UTC"


def length(span: timedelta) -> str:
    """`15 minutes`, `1 hour`, `1 hour 30 minutes`; parts that are zero are left out."""
    seconds = max(0, int(span.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [_count(hours, "hour"), _count(minutes, "minute"), _count(seconds, "second")]
    return " ".join(part for part in parts if part) or "0 seconds"


def short(span: timedelta) -> str:
    """`15 min`, `1 hour`, `1 h 30 min`: for a button."""
    hours, rest = divmod(max(0, int(span.total_seconds())), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours and not rest:
        return _count(hours, "hour")
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _count(number: int, noun: str) -> str:
    if number == 0:
        return ""
    return f"1 {noun}" if number == 1 else f"{number} {noun}s"
