"""The configuration file (`key = value` lines, written by people) and remembered choices (written by the helper)."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass import files
from daypass.errors import Local, Usage

if TYPE_CHECKING:
    from daypass.paths import Paths

_YES = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
_TEXTS = ("url", "browser", "region")
_SWITCHES = ("device", "cache", "login")
_URL = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?((?:/[A-Za-z0-9._~-]+)*)", re.ASCII
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Settings:
    """What the configuration file says; the defaults where it says nothing."""

    url: str = ""
    """The broker's address, for a copy that does not know it."""
    browser: str = ""
    """The command that opens an address: `--browser` and BROWSER win."""
    device: bool | None = None
    """Sign in by device code: always (True), never (False), as the machine looks (None)."""
    cache: bool = True
    """Keep AWS credentials in owner-only files until they run out."""
    login: bool = False
    """`credentials` may open a browser."""
    region: str = ""
    """The AWS region that `exec` and `env` set; empty: none is set."""


def read(paths: Paths) -> Settings:
    """The configuration file's settings.

    Raises:
        Local: a line that cannot be read, an unknown key, a file that others can write.
    """
    content = files.read(paths.settings, public=True)
    given: dict[str, str | bool] = {}
    for number, line in enumerate((content or b"").decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals:
            raise _wrong(paths, number, "A line must be `key = value`.")
        if key in given:
            raise _wrong(paths, number, f"`{key}` is there twice.")
        given[key] = _value(paths, number, key, value)
    return Settings(**given)  # type: ignore[arg-type]  # `_value` gives what each key takes


def write_url(paths: Paths, url: str) -> None:
    """Set the broker's address in the configuration file; every other line stays as it is.

    Raises:
        Local.
    """
    content = (files.read(paths.settings, public=True) or b"").decode("utf-8", "surrogateescape")
    lines = [line for line in content.splitlines() if line.partition("=")[0].strip() != "url"]
    files.write(
        paths.settings,
        "\n".join([*lines, f"url = {url}", ""]).encode("utf-8", "surrogateescape"),
        public=True,
    )


def address(text: str) -> str:
    """A broker's address in its one spelling: lower case, no slash at the end.

    Raises:
        Usage: it is none, or tokens would travel in the open.
    """
    scheme, colon, rest = text.strip().partition("://")
    host, slash, path = rest.partition("/")
    normal = f"{scheme.lower()}{colon}{host.lower()}{slash}{path}".rstrip("/")
    found = _URL.fullmatch(normal)
    if found is None or len(normal) > 150:
        raise Usage(f"`{text}` is not a broker's address.", why="It looks like https://daypass.example.com.")
    if any(part in (".", "..") for part in found[4].split("/")):
        raise Usage(f"`{text}` is not a broker's address.", why="Its path must not hold `.` or `..`.")
    if found[1] == "http" and found[2] not in _LOOPBACK:
        raise Usage(
            f"`{text}` is refused.", why="Over plain http anybody on the way reads the tokens: use https."
        )
    default = {"http": ":80", "https": ":443"}[found[1]]
    return f"{found[1]}://{found[2]}{'' if found[3] == default else found[3] or ''}{found[4]}"


def is_loopback(url: str) -> bool:
    """True for an address (in its one spelling) of this very machine."""
    found = _URL.fullmatch(url)
    return found is not None and found[2] in _LOOPBACK


def remembered(paths: Paths, name: str) -> str | None:
    """A choice that was made here before, e.g. `device` or the last role."""
    return _choices(paths).get(name)


def remember(paths: Paths, name: str, value: str | None) -> None:
    """Keep a choice; None forgets it. Two processes at once: one of the two choices stays.

    Raises:
        Local.
    """
    choices = _choices(paths)
    if choices.get(name) == value:
        return
    choices = {
        **{key: kept for key, kept in choices.items() if key != name},
        **({name: value} if value else {}),
    }
    files.write(paths.join(paths.state, "choices"), json.dumps(choices, indent=1).encode())


def _choices(paths: Paths) -> dict[str, str]:
    content = files.read(paths.join(paths.state, "choices"))
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _value(paths: Paths, number: int, key: str, value: str) -> str | bool:
    if key in _SWITCHES:
        if value.lower() not in _YES:
            raise _wrong(paths, number, f"`{key}` is `yes` or `no`.")
        return _YES[value.lower()]
    if key == "url":
        try:
            return address(value)
        except Usage as error:
            raise _wrong(paths, number, error.why) from error
    if key in _TEXTS:
        return value
    near = difflib.get_close_matches(key, (*_TEXTS, *_SWITCHES), 1)
    raise _wrong(paths, number, f"Unknown key `{key}`" + (f"; did you mean `{near[0]}`?" if near else "."))


def _wrong(paths: Paths, number: int, why: str) -> Local:
    return Local(f"{paths.settings}:{number} cannot be used.", why=why)
