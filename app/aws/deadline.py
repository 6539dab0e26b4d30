"""One deadline for a whole conversation, whatever it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class Late(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """An instant of the monotonic clock by which the answer must be there."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """That many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, more than 0. Raises Late."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise Late
        return left

    def within(self, seconds: float) -> Deadline:
        """The sooner of this one and that many seconds from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))


def bounded(work: Callable[[], T], deadline: Deadline) -> T:
    """The result of work that has no deadline of its own (name resolution, a credential process).

    It goes on in a daemon thread when the time is up. Raises Late, or what `work` raises.
    """
    return wait(begin(work), deadline)


def begin(work: Callable[[], T]) -> Future[T]:
    """Start work in a daemon thread, which does not hold up the end of the process."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is raised where it is waited for
            future.set_exception(error)

    Thread(target=run, name="aws-bounded", daemon=True).start()
    return future


def wait(future: Future[T], deadline: Deadline) -> T:
    """The result. Raises Late, or what the work raised."""
    try:
        return future.result(deadline.left())
    except FutureTimeout:
        if future.done():
            raise  # the work itself timed out, or it ended this moment
        raise Late from None
