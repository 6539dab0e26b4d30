"""Where the helper keeps what: one table, by platform (cli.md's and the XDG base directory specification's)."""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from daypass.errors import Local


@dataclass(frozen=True)
class Paths:
    """Folders of the helper; none is made by naming it."""

    config: str
    """Settings, written by people."""
    state: str
    """Sessions, locks, remembered choices."""
    cache: str
    """What can be lost: AWS credentials, lists of roles, the unpacked code."""
    home: str
    """The person's own folder."""
    windows: bool = False

    def join(self, *parts: str) -> str:
        """The parts as one path of the platform meant, which in tests is not always the one run on."""
        return ntpath.join(*parts) if self.windows else posixpath.join(*parts)

    @property
    def settings(self) -> str:
        """The configuration file."""
        return self.join(self.config, "config")

    def broker(self, key: str) -> str:
        """State of one broker (`key_of`)."""
        return self.join(self.state, "brokers", key)

    def passes(self, key: str) -> str:
        """AWS credentials from one broker (`key_of`)."""
        return self.join(self.cache, "pass", key)


def find(platform: str, environ: Mapping[str, str]) -> Paths:
    """The folders for `linux`, `wsl`, `macos` or `windows`.

    Raises:
        Local: the environment names no home.
    """
    return _windows(environ) if platform == "windows" else _unix(platform, environ)


def key_of(url: str) -> str:
    """A broker's address as the name of a folder, on every platform; two addresses never share one.

    The prelude and the first lines of the built file make the same name; no digest, since hashlib costs them 2 ms.
    """
    return url.replace("/", "!").replace(":", ";")


def _unix(platform: str, environ: Mapping[str, str]) -> Paths:
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise Local(
            "No home folder.", why="HOME is not set to an absolute path.", next='export HOME="$(echo ~)"'
        )

    def base(variable: str, usual: str) -> str:
        given = environ.get(variable, "")
        # A relative path is to be ignored, says the specification.
        return posixpath.join(given if given.startswith("/") else posixpath.join(home, usual), "daypass")

    caches = f"{home}/Library/Caches/daypass" if platform == "macos" else base("XDG_CACHE_HOME", ".cache")
    return Paths(
        config=base("XDG_CONFIG_HOME", ".config"),
        state=base("XDG_STATE_HOME", ".local/state"),
        cache=caches,
        home=home,
    )


def _windows(environ: Mapping[str, str]) -> Paths:
    roaming, local = environ.get("APPDATA", ""), environ.get("LOCALAPPDATA", "")
    if not (ntpath.isabs(roaming) and ntpath.isabs(local)):
        raise Local("No home folder.", why="APPDATA or LOCALAPPDATA is not set.", next="daypass doctor")
    state = ntpath.join(local, "daypass")
    return Paths(
        config=ntpath.join(roaming, "daypass"),
        state=state,
        cache=ntpath.join(state, "cache"),
        home=environ.get("USERPROFILE", ntpath.dirname(roaming)),
        windows=True,
    )
