"""The demo's processes: started, waited for, watched and stopped together."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Final

from demo.running.folder import CannotRun

LAST_LINES: Final = 20
STOP_SECONDS: Final = 8.0
_PR_SET_PDEATHSIG: Final = 1


class Child:
    """One process, its output in a file. It leads a group of its own, so that Ctrl-C reaches us alone."""

    def __init__(
        self, name: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=ends_with(os.getpid()),  # no other thread runs here
            )

    @property
    def ended(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raises CannotRun with its last words if it has ended."""
        code = self.ended
        if code is not None:
            raise CannotRun(f"{self.name} ended by itself ({_said(code)}).{self.last_words()}")

    def last_words(self) -> str:
        """The end of its output, for a person."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        except OSError:
            return ""
        return "".join(f"\n  | {line}" for line in lines) or " It said nothing."

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        if self.ended is None:
            self._process.terminate()

    def stopped_by(self, deadline: float) -> bool:
        """Wait until `deadline` (monotonic) for its end; False if it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, deadline - time.monotonic()))
        return self.ended is not None

    def kill(self) -> None:
        """SIGKILL, its own children included."""
        if self.ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def stop(children: Sequence[Child], seconds: float = STOP_SECONDS) -> list[str]:
    """End them all at once, kindly, then not. Names of those that had to be killed."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + seconds
    stubborn = [child for child in children if not child.stopped_by(deadline)]
    for child in stubborn:
        child.kill()
    return [child.name for child in stubborn]


def wait_until_ready(
    child: Child, url: str, *, others: Sequence[Child], seconds: float, keep_on: Callable[[], bool]
) -> None:
    """Wait until `url` answers 200. Raises CannotRun: a child ended, or the time is over.

    Returns early, not ready, once `keep_on` says no.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    answer = "no answer"
    while keep_on():
        for one in (child, *others):
            one.check()
        try:
            with opener.open(url, timeout=3):
                return
        except urllib.error.HTTPError as error:
            answer = f"status {error.code}"
        except (OSError, HTTPException) as error:
            answer = str(error)
        if time.monotonic() > deadline:
            raise CannotRun(
                f"{child.name} is not ready after {seconds:.0f} s ({url}: {answer}).{child.last_words()}"
            )
        time.sleep(0.05)


def refuse_used_ports(wanted: Mapping[int, str]) -> None:
    """Raises CannotRun that names each port in use (port: what needs it) and how to choose others."""
    used = [f"port {port} ({what})" for port, what in wanted.items() if not _free(port)]
    if used:
        verb = "is" if len(used) == 1 else "are"
        raise CannotRun(
            f"{' and '.join(used)} {verb} in use. Stop what uses it, or choose another: make run PORT=9000"
        )


def _free(port: int) -> bool:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except PermissionError:
            return False
        except OSError:
            if family == socket.AF_INET or _answers(host, port):
                return False
    return True


def _answers(host: str, port: int) -> bool:
    """Whether something listens there; a machine without IPv6 has nothing that does."""
    try:
        socket.create_connection((host, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def ends_with(parent: int) -> Callable[[], None] | None:
    """For Linux: have the kernel end the child when this process is killed without a chance to do so."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask


def _said(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
