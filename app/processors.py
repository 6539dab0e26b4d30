"""Which processor a process of ours runs on: one at a time.

Threads that run Python take turns. On two processors each turn finds the caches of its own cold, and a request costs
up to a fifth more (decision 0016). So the threads of a worker keep to one processor, and move together when
others keep it busy. What leaves the interpreter for long, as hashing a password does, may run anywhere meanwhile.
Only Linux lets a process choose; elsewhere, and where /proc does not tell, nothing is done.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

Busy = Mapping[int, float]
"""Processor → seconds that it had something to do, or was taken from this machine, since the start."""

LOOK_EVERY: Final = 2.0
"""Seconds between two looks at the others."""
WORTH: Final = 0.25
"""How much less of another processor must be in use by others for it to be worth going there."""


def usable() -> frozenset[int]:
    """Those that the calling thread may run on; empty where that cannot be known."""
    return _of(0)


@contextlib.contextmanager
def anywhere(processors: frozenset[int]) -> Iterator[None]:
    """Let this thread, and those it starts meanwhile, run on any of them; afterwards where the main thread does."""
    if not processors:
        yield
        return
    before = _of(0)
    _put(0, processors)
    try:
        yield
    finally:
        if threading.get_native_id() == os.getpid():
            _put(0, before)
        else:
            _put(0, _of(os.getpid()))  # the others may have moved meanwhile
            _put(0, _of(os.getpid()))  # and just now, when this one was still to be left alone


class Seat:
    """The processor that the threads of this process keep to."""

    def __init__(
        self,
        busy: Callable[[], Busy] | None = None,
        used: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`busy`, `used`: what the machine's processors and this process had to do so far, in seconds."""
        self._busy = busy or read_busy
        self._used = used
        self._clock = clock
        self._usable: frozenset[int] = frozenset()
        self._here: int | None = None
        self._before: tuple[float, float, Busy] = (0.0, 0.0, {})

    @property
    def here(self) -> int | None:
        """Which one it is; None: any."""
        return self._here

    def take(self, first: int) -> None:
        """Let every thread that there is, and what those start, keep to one.

        `first`: any number; processes forked one after another that are given the same one get different processors.
        """
        self._usable = usable()
        if len(self._usable) < 2:
            return
        seen = self._look()
        # In some containers /proc numbers them in a way of its own.
        if seen is None or not self._usable <= seen[2].keys():
            return
        self._before = seen
        self._go(sorted(self._usable)[(first + os.getpid()) % len(self._usable)])

    def look(self) -> None:
        """Go elsewhere if others need this one, and need another much less. Call it every `LOOK_EVERY` seconds."""
        if self._here is None:
            return
        if _of(os.getpid()) != {self._here}:
            # Somebody else chose: a cpuset has changed, ours was switched off. It is one of those that are left.
            self._here = None
            self.take(secrets.randbelow(1 << 16))
            return
        seen = self._look()
        if seen is None:
            return
        (now, used, busy), (then, used_then, busy_then) = seen, self._before
        if now - then < LOOK_EVERY / 2:
            return  # /proc/stat counts in hundredths of a second
        self._before = seen
        # One that is switched off is not in it.
        known = self._usable & busy.keys() & busy_then.keys()
        if self._here not in known:
            return
        taken = {each: (busy[each] - busy_then[each]) / (now - then) for each in known}
        taken[self._here] -= (used - used_then) / (now - then)
        found = better(self._here, taken)
        # Half of the times: two of ours that have met on one do not both leave it for the same other one.
        if found and secrets.randbelow(2):
            self._go(secrets.choice(found))

    def _look(self) -> tuple[float, float, Busy] | None:
        try:
            return self._clock(), self._used(), self._busy()
        except (OSError, ValueError):
            return None

    def _go(self, there: int) -> None:
        for thread in _threads():
            if self._here is None or _of(thread) != self._usable:  # not one that may run anywhere just now
                _put(thread, frozenset({there}))
        if _of(os.getpid()) == {there}:
            self._here = there


def better(here: int, taken: Mapping[int, float]) -> Sequence[int]:
    """Those that are worth going to. `taken`: how much of each is in use by others, 0 to 1."""
    return [each for each, share in taken.items() if share <= taken[here] - WORTH]


def read_busy() -> Busy:
    """From Linux (proc(5), /proc/stat). Raises OSError or ValueError where it is not as expected."""
    found = {}
    ticks = os.sysconf("SC_CLK_TCK")
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if not line.startswith("cpu"):
            break  # those come first
        name, *times = line.split()
        if name != "cpu":
            user, nice, system, _idle, _waiting, irq, softirq, stolen = (int(each) for each in times[:8])
            found[int(name[3:])] = (user + nice + system + irq + softirq + stolen) / ticks
    return found


def _threads() -> Sequence[int]:
    try:
        return [int(each.name) for each in Path("/proc/self/task").iterdir()]
    except OSError:
        return [os.getpid()]


def _of(thread: int) -> frozenset[int]:
    """Where it may run; nowhere if it is gone, or that cannot be known."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return frozenset(os.sched_getaffinity(thread))
    return frozenset()


def _put(thread: int, processors: frozenset[int]) -> None:
    # A thread that is gone, a processor that is, a sandbox that forbids it: it runs where it may. Some sandboxes end
    # whoever asks: where nothing is chosen (`--any-cpu`), nothing is asked for.
    if sys.platform == "linux" and _of(thread) != processors:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(thread, processors)
