"""Files that only their owner can read: made so, checked at each reading, replaced whole.

On Windows the profile's access list does what modes do elsewhere, and what is secret is sealed by `dpapi` too.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from typing import Callable, TypeVar

from daypass.errors import Local, Unwritable

PATIENCE = 1.0
"""Seconds for which Windows may keep a file from being replaced (a scanner, another reader)."""
TOP = "daypass"
"""The helper's own folders are below one of this name."""
BESIDE = ".new"
"""How a file ends that is not yet in its place."""
LARGEST = 4 * 1024 * 1024
_FOLLOW_NOT = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_PRIVATE = 0o077
_OTHERS_WRITE = 0o022
Done = TypeVar("Done")


def folder(path: str, *, public: bool = False) -> str:
    """The folder, made with those above it (0700 each) where it is not there; checked up to `daypass`.

    Args:
        public: others may look into it (settings), but still put nothing there.

    Returns:
        `path`.

    Raises:
        Local: it is a link, another's, open to others.
        Unwritable: it cannot be made.
    """
    try:
        _make(path)
        _check_folders(path, _OTHERS_WRITE if public else _PRIVATE)
    except OSError as error:
        raise Unwritable(f"The folder {path} cannot be made.", why=_reason(error), next="df -h ~") from error
    return path


def check(path: str, status: os.stat_result, mask: int = _PRIVATE) -> None:
    """Refuse what another owns, or what the mode opens to others.

    Raises:
        Local.
    """
    if os.name == "nt":
        return
    if status.st_uid != os.geteuid():
        raise Local(
            f"{path} belongs to another user.",
            why="Whoever owns it could read or change what is kept there. Under sudo, set HOME to root's own.",
            next=f'ls -ld "{path}"',
        )
    if status.st_mode & mask:
        mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
        raise Local(
            f"{path} is open to other users.",
            why=f"Its mode is {stat.S_IMODE(status.st_mode):04o}; nothing in it can be trusted, or is secret.",
            next=f'chmod {mode} "{path}"',
        )


def read(path: str, *, public: bool = False) -> bytes | None:
    """The whole file; None where there is none.

    Args:
        public: others may read it (settings), but still not write it.

    Raises:
        Local: it is a link, another's, open to others, too large, or cannot be read.
    """
    flags, mask = os.O_RDONLY | _BINARY, _OTHERS_WRITE
    try:
        if not public:
            flags, mask = flags | _FOLLOW_NOT, _PRIVATE
            _check_folders(os.path.dirname(path), mask)
        with os.fdopen(os.open(path, flags | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Local(f"{path} is not a file.", why="Something else stands in its place.")
            check(path, status, mask)
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise Local(f"{path} cannot be read.", why=_reason(error)) from error
    if len(content) > LARGEST:
        raise Local(f"{path} is larger than anything the helper writes.", next=f'rm "{path}"')
    return content


def write(path: str, content: bytes, *, mtime: float | None = None, public: bool = False) -> None:
    """Replace the file as a whole: whoever reads sees the old or the new one, also after a crash.

    Args:
        mtime: when it says it was last changed; None: now.
        public: others may look into its folder.

    Raises:
        Local: the disk is full, the folder is not ours, …
    """
    with reserved(path, 0, public=public) as commit:
        commit(content, mtime)


@contextlib.contextmanager
def reserved(
    path: str, size: int, *, public: bool = False
) -> Iterator[Callable[[bytes, float | None], None]]:
    """Room on the disk for `size` bytes, taken before something is asked for that must not be lost.

    Yields:
        A function that puts content (and mtime) into place, once. Never called: the file stays as it was.

    Raises:
        Local: there is no room, or the folder is not ours.
    """
    beside = f"{path}.{os.getpid()}.{time.monotonic_ns() % 10**9}{BESIDE}"
    folder(os.path.dirname(path), public=public)

    def commit(content: bytes, mtime: float | None) -> None:
        try:
            _fill(beside, content)
            if mtime is not None:
                os.utime(beside, (mtime, mtime))
            patient(lambda: os.replace(beside, path))
        except OSError as error:
            raise Unwritable(f"{path} cannot be written.", why=_reason(error), next="df -h ~") from error

    try:
        try:
            _fill(beside, b"\n" * size)
        except OSError as error:
            raise Unwritable(f"{path} cannot be written.", why=_reason(error), next="df -h ~") from error
        yield commit
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)


def remove(path: str) -> bool:
    """Remove the file. False where there was none.

    Raises:
        Local: it cannot be removed.
    """
    try:
        patient(lambda: os.unlink(path))
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return False
    except OSError as error:
        raise Local(f"{path} cannot be removed.", why=_reason(error)) from error
    return True


def patient(action: Callable[[], Done]) -> Done:
    """What `action` gives; on Windows a `PermissionError` is tried again for a second."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            return action()
        except PermissionError:
            if os.name != "nt" or time.monotonic() >= ends:
                raise
            time.sleep(0.02)


def _check_folders(path: str, mask: int) -> None:
    """From `path` up to the helper's own top: folders, not links, of this user's. Raises OSError, Local."""
    while True:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise Local(
                f"{path} is not a folder.", why="A link or a file stands in its place.", next=f'rm "{path}"'
            )
        check(path, status, mask)
        above = os.path.dirname(path)
        if os.path.basename(path) == TOP or above == path:
            return
        path = above


def _make(path: str) -> None:
    """Raises OSError. Not by `makedirs`, which gives its mode to the last folder only."""
    if not os.path.isdir(path):
        _make(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _fill(path: str, content: bytes) -> None:
    """Raises OSError; a short write is one."""
    flags = os.O_WRONLY | os.O_CREAT | _FOLLOW_NOT | _BINARY
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}."


def modified(path: str, *, follow: bool = False) -> float:
    """When the file (the link itself, or with `follow` what it leads to) says it was changed; 0 where none is."""
    try:
        return os.stat(path, follow_symlinks=follow).st_mtime
    except OSError:
        return 0.0
