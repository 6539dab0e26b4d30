"""What every command is given: the machine, the person's settings, where to speak, which broker, what time it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

from daypass.errors import Usage
from daypass.output import Output
from daypass.paths import Paths, key_of
from daypass.settings import Settings


@dataclass(frozen=True)
class Context:
    """Built once, in `main`."""

    environ: Mapping[str, str] = field(repr=False)
    platform: str
    """`linux`, `wsl`, `macos` or `windows`."""
    paths: Paths
    settings: Settings
    output: Output = field(repr=False)
    program: str
    """Absolute path of the helper's one file."""
    url: str = ""
    """The broker's address; empty where nothing says it."""
    now: Callable[[], float] = time.time
    """Seconds since 1970, by this machine's clock."""
    options: SignInOptions = field(default_factory=lambda: SignInOptions())

    @property
    def broker(self) -> str:
        """The broker's address.

        Raises:
            Usage: nothing says it.
        """
        if not self.url:
            raise Usage(
                "Which broker?",
                why="This copy of the helper does not know its broker, and neither DAYPASS_URL nor the configuration says.",
                next="daypass login https://daypass.example.com",
            )
        return self.url

    @property
    def key(self) -> str:
        """The broker's address as a file name."""
        return key_of(self.broker)

    def command(self) -> list[str]:
        """How this helper is started again, absolute; arguments follow. Also what `configure` writes."""
        if self.platform == "windows":
            return [sys.executable, "-I", "-S", self.program]
        return [self.program]


@dataclass(frozen=True)
class SignInOptions:
    """How the command line wants to sign in; `signin.add_arguments` has the flags."""

    device: bool = False
    """By device code."""
    no_browser: bool = False
    """Open nothing; print the address."""
    browser: str = ""
    """The command that opens an address."""
    no_wait: bool = False
    """Do not wait for a second factor: say where it is proven, and end."""


def detect(platform: str, environ: Mapping[str, str]) -> str:
    """Name the platform. `platform` is `sys.platform`."""
    if platform == "win32":
        return "windows"
    if platform == "darwin":
        return "macos"
    if environ.get("WSL_DISTRO_NAME"):
        return "wsl"
    try:
        with open("/proc/version", encoding="ascii", errors="replace") as file:
            return "wsl" if "microsoft" in file.read(500).lower() else "linux"
    except OSError:
        return "linux"
