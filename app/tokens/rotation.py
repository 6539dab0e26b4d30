"""When which key signs access tokens: a plan from what is kept and the time, without doing anything.

    made ──(at least a day)──► signs ──(thirty days)──► the next one signs ──(eight days)──► forgotten

Whoever checks tokens by the published set has a day to fetch a new key before the first token under it comes,
and a key stays published until the last token under it is long out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from app.tokens.seam import Change, KeptKey

SIGNS: Final = timedelta(days=30)
"""For how long a key signs."""
PUBLISHED_BEFORE: Final = timedelta(days=1)
"""How long a key is published at least before it signs; the first one signs at once."""
MADE_BEFORE: Final = timedelta(days=2)
"""How long before it should sign the next key is made: a day for upkeep to be down."""
KEPT_AFTER: Final = timedelta(days=8)
"""How long a key is published after its last signature: longer than `tokens.access` may be (168 h), and skew."""

MakeKey = Callable[[datetime, datetime], KeptKey]
"""(made at, signs from) to a new key."""


def plan(keys: Sequence[KeptKey], now: datetime, make: MakeKey) -> Change:
    """What to add and what to drop at `now`. `keys` by `signs_from`."""
    return Change(add=_next(keys, now, make), drop=_over(keys, now))


def signing(keys: Sequence[KeptKey], now: datetime) -> KeptKey | None:
    """The key that signs at `now`: the newest of those whose time has come. `keys` by `signs_from`.

    Never None while there are keys: if none has begun (the clock was moved back), the first signs.
    """
    begun = [key for key in keys if key.signs_from <= now]
    return begun[-1] if begun else next(iter(keys), None)


def due(keys: Sequence[KeptKey], now: datetime) -> bool:
    """Whether it is time to make the next key."""
    return not keys or now >= keys[-1].signs_from + SIGNS - MADE_BEFORE


def _next(keys: Sequence[KeptKey], now: datetime, make: MakeKey) -> tuple[KeptKey, ...]:
    if not due(keys, now):
        return ()
    if not keys:
        return (make(now, now),)
    return (make(now, max(now + PUBLISHED_BEFORE, keys[-1].signs_from + SIGNS)),)


def _over(keys: Sequence[KeptKey], now: datetime) -> tuple[str, ...]:
    # A key signs until the one after it does, however late that was made.
    return tuple(key.kid for key, after in pairwise(keys) if now >= after.signs_from + KEPT_AFTER)
