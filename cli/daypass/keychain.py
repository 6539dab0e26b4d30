"""Where the refresh token is kept: one opaque item in the system's keychain, else a file of its owner's only.

No prompt comes from here. The AWS credentials are too large for keychains: `cache` keeps those.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Callable, Protocol

from daypass import files, sealed
from daypass.context import Context
from daypass.errors import Local

LARGEST = 2000
"""Bytes: a Windows blob ends at 2,560, a line of `security -i` near 4,030."""
SERVICE = "daypass"
LIMIT = 3.0
"""Seconds: a locked collection of the Secret Service waits for a prompt that nobody sees."""
_SECURITY = "/usr/bin/security"
_ABSENT_MACOS = 44


class Store(Protocol):
    """One secret of one broker's."""

    name: str
    """As `whoami` tells it, and as the session remembers it."""

    def read(self) -> str | None:
        """The secret; None where there is none. Raises Local."""

    def write(self, secret: str) -> None:
        """Raises Local."""

    def clear(self) -> None:
        """Absent already is well. Raises Local."""


class FileStore:
    """A file that only its owner can read (on Windows sealed by DPAPI too)."""

    name = "file"

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> str | None:
        content = files.read(self.path)
        return None if content is None else sealed.opened(content).decode("ascii", "replace")

    def write(self, secret: str) -> None:
        files.write(self.path, sealed.sealed(_fitting(secret).encode("ascii")))

    @contextlib.contextmanager
    def reserved(self) -> Iterator[Callable[[str], None]]:
        """Room on the disk before the secret is asked for. Raises Local."""
        with files.reserved(self.path, LARGEST) as commit:
            yield lambda secret: commit(sealed.sealed(_fitting(secret).encode("ascii")), None)

    def clear(self) -> None:
        files.remove(self.path)


class MacKeychain:
    """The login keychain by `/usr/bin/security`, which every item then trusts: no prompt, but no wall either
    against other programs of the same person."""

    name = "macOS keychain"

    def __init__(self, broker: str) -> None:
        self.broker = broker

    def read(self) -> str | None:
        command = [_SECURITY, "find-generic-password", "-s", SERVICE, "-a", self.broker, "-w"]
        done = _run(command, absent=_ABSENT_MACOS)
        return None if done is None else done.strip()

    def write(self, secret: str) -> None:
        # On stdin, since `ps` shows everybody the arguments.
        words = ("add-generic-password", "-U", "-s", SERVICE, "-a", self.broker, "-T", _SECURITY)
        _run([_SECURITY, "-i"], " ".join([*map(_quoted, words), "-w", _quoted(_fitting(secret))]) + "\n")

    def clear(self) -> None:
        _run([_SECURITY, "delete-generic-password", "-s", SERVICE, "-a", self.broker], absent=_ABSENT_MACOS)


class SecretService:
    """GNOME's and KDE's keyrings by `secret-tool`."""

    name = "Secret Service"

    def __init__(self, broker: str, tool: str) -> None:
        self.broker, self.tool = broker, tool

    def read(self) -> str | None:
        return _run([self.tool, "lookup", *self._attributes()], absent=1)

    def write(self, secret: str) -> None:
        label = f"--label=daypass {self.broker}"
        _run([self.tool, "store", label, *self._attributes()], _fitting(secret))

    def clear(self) -> None:
        _run([self.tool, "clear", *self._attributes()], absent=1)

    def _attributes(self) -> Sequence[str]:
        return ("service", SERVICE, "broker", self.broker)


def preferred(context: Context) -> Store:
    """Where a new sign-in's token goes on this machine."""
    if context.platform == "macos":
        return MacKeychain(context.broker)
    if context.platform == "windows":
        from daypass.credman import WindowsVault

        return WindowsVault(context.broker)
    # Without a session bus `secret-tool` would start one of its own, or wait.
    tool = shutil.which("secret-tool") if context.environ.get("DBUS_SESSION_BUS_ADDRESS") else None
    return SecretService(context.broker, tool) if tool else file_store(context)


def named(context: Context, name: str) -> Store:
    """The store that a session says its token is in.

    Raises:
        Local: this machine has it not (any more).
    """
    if name == FileStore.name:
        return file_store(context)
    found = preferred(context)
    if found.name != name:
        raise Local(
            f"The sign-in is kept in the {name}, which cannot be reached from here.",
            why="A session without a desktop (SSH, cron) has no way to it."
            if name == SecretService.name
            else "",
            next="daypass login",
        )
    return found


def file_store(context: Context) -> FileStore:
    """The file, which is always possible."""
    return FileStore(context.paths.join(context.paths.broker(context.key), "refresh"))


def keep(context: Context, secret: str) -> str:
    """Keep a new sign-in's secret in the keychain, or in the file where the keychain will not.

    Returns:
        The name of the store that has it.

    Raises:
        Local: neither took it.
    """
    store = preferred(context)
    if not isinstance(store, FileStore):
        try:
            store.write(secret)
        except Local as problem:
            context.output.say(f"The {store.name} did not take the sign-in ({problem.why}) A file does.")
        else:
            file_store(context).clear()
            return store.name
    file_store(context).write(secret)
    return FileStore.name


def _run(command: Sequence[str], given: str = "", *, absent: int | None = None) -> str | None:
    """What the tool prints; None at the exit code that means `absent`. Raises Local."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed tool, no shell
            list(command), input=given.encode("ascii"), capture_output=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Local(
            "The keychain does not answer.",
            why="It is locked, and waits for a prompt that is not seen here.",
            next="daypass login",
        ) from error
    except OSError as error:
        raise Local("The keychain cannot be asked.", why=f"{command[0]}: {error.strerror}.") from error
    words = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == absent and (absent != 1 or not words):
        return None
    # `security -i` ends with 0 whatever its commands came to: their complaints are on stderr.
    if done.returncode or (words and command[-1] == "-i"):
        raise Local("The keychain refuses.", why=f"{words.splitlines()[-1] if words else done.returncode}.")
    return done.stdout.decode("ascii", "replace")


def _quoted(word: str) -> str:
    """One word for the line that `security -i` splits: in double quotes, backslash before the two that matter."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _fitting(secret: str) -> str:
    if not secret.isascii() or not secret.isprintable() or len(secret) > LARGEST:
        raise Local(
            "The broker's refresh token fits no keychain.", why=f"More than {LARGEST} plain characters."
        )
    return secret
