"""Locks of the kernel's, on files that are kept for ever: they die with their process, SIGKILL included.

No PID files: those go stale. Whoever waited reads again what the holder may have written.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

from daypass import files
from daypass.errors import Local

WAIT = 50.0
"""Seconds; AWS's Go SDK kills a `credential_process` at 60."""
_POLL = 0.05


@contextlib.contextmanager
def held(path: str, *, wait: float = WAIT, what: str = "another daypass") -> Iterator[bool]:
    """Hold the lock for the length of the block.

    Args:
        wait: seconds to wait for it.
        what: whom it is waited for, for the message.

    Yields:
        True where it had to be waited for: what it guards may have changed meanwhile.

    Raises:
        Local: it was not to be had in time.
    """
    handle = _open(path)
    try:
        waited, ends = False, time.monotonic() + wait
        while not _take(handle):
            if time.monotonic() >= ends:
                raise Local(
                    f"Waited {wait:.0f} seconds for {what}.",
                    why=f"It holds the lock {path}, perhaps because its sign-in is not finished.",
                    next="daypass login",
                )
            waited = True
            time.sleep(_POLL)
        yield waited
    finally:
        os.close(handle)


@contextlib.contextmanager
def at_once(path: str) -> Iterator[bool]:
    """Hold the lock for the length of the block if it is free.

    Yields:
        False where another holds it.
    """
    handle = _open(path)
    try:
        yield _take(handle)
    finally:
        os.close(handle)


def _open(path: str) -> int:
    files.folder(os.path.dirname(path))
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOINHERIT", 0)
    try:
        handle = os.open(path, flags, 0o600)
        files.check(path, os.fstat(handle))
    except OSError as error:
        raise Local(f"The lock {path} cannot be opened.", why=f"{error.strerror or error}.") from error
    return handle


if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            # LK_LOCK gives up after ten seconds by itself: polled here instead.
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Local("This file system keeps no locks.", why=f"{error.strerror or error}.") from error
        return True
