"""One role's credentials in memory: attached, renewed ahead of their end, given while they last."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Callable

from daypass.errors import Fail

if TYPE_CHECKING:
    from daypass.cache import Pass

AHEAD = 20 * 60.0
"""Seconds before the end at which credentials are renewed; half of the life of shorter ones."""
PAUSES = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds between attempts after a failure; the last one from then on."""


class Unavailable(Exception):
    """Nothing can be given now. The message says why and what to run."""


@dataclass(frozen=True)
class Held:
    """What is attached now."""

    arn: str
    given: Pass = field(repr=False)
    began: float
    """When it was fetched, seconds since 1970."""
    ends: float

    @property
    def renewal(self) -> float:
        """From when on it is to be replaced."""
        return self.ends - min(AHEAD, (self.ends - self.began) / 2)


class Holder:
    """Safe to use from many threads. A question is answered from memory and never waits for the network."""

    def __init__(self, fetch: Callable[[str], tuple[Pass, float]], now: Callable[[], float]) -> None:
        """
        Args:
            fetch: gets credentials of a role by its ARN, and when they end by this machine's clock; raises Fail.
            now: the time since 1970.
        """
        self._fetch = fetch
        self._now = now
        self._held: Held | None = None
        self._failure: Fail | None = None
        self._failures = 0
        self._next_try = 0.0
        self._memory = threading.Lock()
        self._changing = threading.Lock()

    def attach(self, arn: str) -> Held:
        """Takes another role: from its first credentials on, no answer is the old one's. Raises Fail."""
        with self._changing:
            return self._keep(arn, *self._fetch(arn))

    def current(self) -> Held:
        """What is attached. Raises Unavailable."""
        with self._memory:
            held, failure = self._held, self._failure
        if held is None:
            raise Unavailable("daypass serve has no role. Run: daypass serve --switch ROLE")
        if self._now() >= held.ends:
            raise Unavailable(f"The credentials of {held.arn} have ended. {words(failure)}".rstrip())
        return held

    def look(self) -> tuple[Held | None, Fail | None]:
        """What is attached, ended or not, and what went wrong at the last renewal, if anything."""
        with self._memory:
            return self._held, self._failure

    def renew(self) -> bool:
        """Fetches anew if it is time to. True if something was tried. Never raises Fail: it is kept for `look`."""
        held = self._held
        if held is None or self._now() < max(held.renewal, self._next_try):
            return False
        with self._changing:
            if self._held is not held:
                return False  # another role meanwhile
            try:
                self._keep(held.arn, *self._fetch(held.arn))
            except Fail as failure:
                self._put_off(failure)
        return True

    def forget(self, failure: Fail) -> None:
        """Gives nothing from now on (the person signed out), until a renewal works again."""
        with self._memory:
            now = self._now()
            if self._held is not None and now < self._held.ends:
                self._held = replace(self._held, ends=now)
            self._failure = failure

    def _keep(self, arn: str, given: Pass, ends: float) -> Held:
        now = self._now()
        with self._memory:
            held = self._held
            self._failure = None
            if held is not None and held.given == given and held.arn == arn:
                # Another process is renewing them; asked again soon, not at once.
                self._next_try = now + PAUSES[0]
                return held
            self._held = held = Held(arn, given, now, ends)
            self._failures, self._next_try = 0, 0.0
        return held

    def _put_off(self, failure: Fail) -> None:
        with self._memory:
            self._failure = failure
            self._next_try = self._now() + PAUSES[min(self._failures, len(PAUSES) - 1)]
            self._failures += 1


def words(failure: Fail | None) -> str:
    """A failure in one line: what, why, the command to run."""
    if failure is None:
        return ""
    parts = [failure.what, failure.why if failure.why != failure.what else ""]
    parts.append(f"Open: {failure.url}" if failure.url else "")
    parts.append(f"Run: {failure.next}" if failure.next else "")
    parts.append(f"(request {failure.request_id})" if failure.request_id else "")
    return " ".join(part for part in parts if part)
