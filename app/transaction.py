"""A transaction that several steps of one request share: what becomes durable, does so at once or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.errors import StoreUnavailable

Ended = Callable[[StoreUnavailable | None], None]
"""Told how a transaction ended: None if it is durable."""
Ahead = Callable[["Transaction | None"], None]
"""Puts something on record before it counts: within the transaction that it is given, or durably at once."""


class Transaction(Protocol):
    """Open. Whoever is handed one does its own step in it, and must not wait for another: it holds the store."""

    @property
    def after(self) -> list[Ended]:
        """Called once it is known how the transaction ended, outside of it."""
        ...
