"""What tests may break: the next answers of a listener."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("error", "garbage", "slow", "drip")
MOST_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to answer wrongly.

    error: a 500. garbage: a 200 that is nothing. slow: the right answer after `seconds`. drip: a 200
    whose body comes a byte a second, for `seconds`.
    """

    kind: str
    times: int = 1
    seconds: float = 10.0
    path: str = "/"
    """Only addresses that begin so."""

    def __post_init__(self) -> None:
        """Raises ValueError for what no fault can be."""
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        if not 1 <= self.times <= 1000 or not 0 <= self.seconds <= MOST_SECONDS:
            raise ValueError(f"times is 1 to 1000, seconds 0 to {MOST_SECONDS:.0f}")


class Faults:
    """The fault that is set, and how often it still happens. Safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._left = 0

    def set(self, fault: Fault | None) -> None:
        """From now on `fault`; None for none."""
        with self._lock:
            self._fault = fault
            self._left = fault.times if fault else 0

    def take(self, path: str) -> Fault | None:
        """The fault for a request to `path`, counted down; None to answer rightly."""
        with self._lock:
            if self._fault is None or self._left == 0 or not path.startswith(self._fault.path):
                return None
            self._left -= 1
            return self._fault

    @property
    def left(self) -> int:
        """How many answers will still be wrong."""
        with self._lock:
            return self._left


def drip(seconds: float) -> Iterator[bytes]:
    """A body that comes a byte a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield b" "
        time.sleep(1)
