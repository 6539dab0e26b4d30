"""The processes of a server: forked from one that has everything imported, replaced when they die, stopped together."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Final

GRACE: Final = 12.0
"""Seconds that a stop waits for those who answer what was asked already; more than `app.server.GRACE`."""
_PAUSE: Final = 1.0
"""Seconds between two starts of a process that dies at once."""
_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("daypass.workers")


def run(count: int, work: Callable[[], None], stopping: Callable[[], None], *, grace: float = GRACE) -> None:
    """Run `work` in `count` processes until this one is told to stop (SIGTERM, SIGINT, SIGHUP); then stop them.

    `work`: what each process does; it ends at SIGTERM. `stopping`: called here before the others are stopped.
    Whoever dies is replaced. Those who do not stop within `grace` seconds are killed. Whoever finds that this process
    is gone should end by itself (`os.getppid`).
    """
    with _Signals() as signals:
        workers = {_forked(work, signals): time.monotonic() for _ in range(count)}
        while not signals.stop:
            signals.wait(_PAUSE)
            for pid in _ended(workers):
                time.sleep(max(0.0, workers.pop(pid) + _PAUSE - time.monotonic()))
                if not signals.stop:
                    log.error("a worker died and is replaced", extra={"pid": pid})
                    workers[_forked(work, signals)] = time.monotonic()
        stopping()
        _tell(workers, signal.SIGTERM)
        give_up = time.monotonic() + grace
        while workers and time.monotonic() < give_up:
            for pid in _ended(workers):
                del workers[pid]
            if workers:
                signals.wait(0.1)
        _tell(workers, signal.SIGKILL)
        for pid in workers:
            os.waitpid(pid, 0)


class _Signals:
    """What this process is told, kept until somebody looks, and waking whoever waits."""

    def __init__(self) -> None:
        self.stop = False

    def __enter__(self) -> _Signals:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        os.set_blocking(self._reads, False)
        self._woken = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._stop) for number in _STOPS}
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()

    def forget(self) -> None:
        """As it was before."""
        signal.set_wakeup_fd(self._woken)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reads)
        os.close(self._writes)

    def wait(self, seconds: float) -> None:
        """Until a signal comes, or so long."""
        if select.select([self._reads], [], [], seconds)[0]:
            os.read(self._reads, 4096)

    def _stop(self, *_: object) -> None:
        self.stop = True


def _forked(work: Callable[[], None], signals: _Signals) -> int:
    pid = os.fork()
    if pid:
        return pid
    # In the new process. It never returns to what the other one was about to do.
    code = 1
    try:
        signals.forget()
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 - no trace of it may go on
        log.error("a worker ends", extra={"error": type(error).__name__})
    finally:
        logging.shutdown()
        os._exit(code)


def _ended(workers: dict[int, float]) -> list[int]:
    ended = []
    for pid in workers:
        with contextlib.suppress(ChildProcessError):
            if not os.waitpid(pid, os.WNOHANG)[0]:
                continue
        ended.append(pid)
    return ended


def _tell(workers: dict[int, float], number: int) -> None:
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
