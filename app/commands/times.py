"""Times on the command line."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import Final

TIME: Final = (
    "TIME is `2026-11-24`, `2026-11-24T12:00:00Z` (UTC where no zone is given), or how long ago: `90s`, `15m`, "
    "`24h`, `7d`."
)
_AGO: Final = re.compile(r"(\d{1,6})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str, now: datetime) -> datetime:
    """The instant that an argument means; `24h` is counted back from `now`. Raises ArgumentTypeError."""
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (OverflowError, ValueError):
        raise argparse.ArgumentTypeError(
            f"`{text}` is no time; write `2026-11-24`, `2026-11-24T12:00:00Z`, or `24h` for a day ago"
        ) from None


def zulu(at: datetime) -> str:
    """As commands print it: `2026-11-24T12:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
