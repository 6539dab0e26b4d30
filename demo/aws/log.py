"""What the double remembers of calls, for tests; no secret is ever in it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from threading import Lock
from typing import Any


class Log:
    """The last calls and how many there were of each kind."""

    def __init__(self, keep: int = 200) -> None:
        self._calls: deque[Mapping[str, Any]] = deque(maxlen=keep)
        self._counters: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, action: str, status: int, **facts: object) -> None:
        """Note one call."""
        with self._lock:
            self._counters[action] += 1
            self._counters[f"{action} {status}"] += 1
            self._calls.append({"action": action, "status": status, **facts})

    def calls(self) -> list[Mapping[str, Any]]:
        """The last calls, oldest first."""
        with self._lock:
            return list(self._calls)

    def counters(self) -> dict[str, int]:
        """Calls by action, and by action and status."""
        with self._lock:
            return dict(self._counters)

    def clear(self) -> None:
        """Forget."""
        with self._lock:
            self._calls.clear()
            self._counters.clear()
