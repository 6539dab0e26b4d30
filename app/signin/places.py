"""How many people may wait for one provider at a time, so that a slow one does not hold every thread."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Final

from app.errors import ProviderFailed

MOST: Final = 6
"""Of a worker's 16 threads. A provider that answers in a tenth of a second lets 60 people a second through."""
PATIENCE: Final = 0.5
"""Seconds that one waits for a place while nobody gives one back."""
_TURNS: Final = 10
"""How often that is waited for while others do: 5 s at most."""


class Places:
    """The places of one provider in one process. Safe to use from many threads."""

    def __init__(self, most: int = MOST, patience: float = PATIENCE) -> None:
        self._most = most
        self._patience = patience
        self._free = threading.BoundedSemaphore(most)
        self._given_back = 0
        self._moving = True

    def one(self) -> AbstractContextManager[None]:
        """Hold a place meanwhile. Raises ProviderFailed if all are taken and none becomes free soon."""
        return self

    def __enter__(self) -> None:
        for _ in range(_TURNS):
            seen = self._given_back
            # Who waits for a place holds a thread too: once somebody waited in vain, nobody does until one is free.
            if self._free.acquire(timeout=self._patience if self._moving else 0):
                return
            if self._given_back == seen:
                self._moving = False
                break
        raise ProviderFailed(f"{self._most} others wait for the provider already, and it does not answer")

    def __exit__(self, *_: object) -> None:
        self._given_back += 1
        self._moving = True
        self._free.release()
