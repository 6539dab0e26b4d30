"""What a scope lets a client do, in the words of the pages that ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.model import Scope

_WORDS: Final[dict[Scope, str]] = {
    "roles": "See who you are, which roles you have, and why",
    "credentials": "Take AWS keys and console links for your roles, as you",
}


def words(scopes: Sequence[Scope]) -> tuple[str, ...]:
    """One line for each."""
    return tuple(_WORDS[scope] for scope in scopes)
