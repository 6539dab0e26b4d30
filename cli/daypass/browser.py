"""Whether this machine has a browser for its person, and how an address is opened in it.

Not the standard library's `webbrowser`: that may start `lynx` and take the terminal.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING

from daypass import settings

if TYPE_CHECKING:
    from daypass.context import Context

_TEXT = ("lynx", "w3m", "links", "links2", "elinks", "browsh", "www-browser")
"""Browsers in the terminal, which may be a command's own."""
_CI = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "JENKINS_URL", "TF_BUILD", "TEAMCITY_VERSION")
_CONTAINER = ("KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES", "container")
_MARKS = ("/.dockerenv", "/run/.containerenv")
_URL = "%s"
AUTO = "auto"
"""As `--browser`: look at the machine, and forget what was chosen before."""


def place(platform: str, environ: Mapping[str, str], exists: Mapping[str, bool] | None = None) -> str:
    """What kind of place this is: `ssh`, `ci`, `container`, `no display` or `desktop`.

    Args:
        exists: whether files exist, for tests; None: look.
    """
    if any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return "ssh"
    if any(environ.get(name, "") not in ("", "false", "0") for name in _CI):
        return "ci"
    there = (lambda path: exists.get(path, False)) if exists is not None else os.path.exists
    if platform in ("linux", "wsl") and (
        any(environ.get(name) for name in _CONTAINER) or any(map(there, _MARKS))
    ):
        return "container"
    if platform == "linux" and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return "no display"
    return "desktop"


def by_device(context: Context) -> bool:
    """True where the sign-in goes by device code: said so on the command line, in the configuration or earlier,
    or there is no browser here and nobody named one."""
    options, chosen = context.options, context.settings
    if options.device:
        return True
    if options.no_browser or options.browser not in ("", AUTO):
        return False
    if chosen.device is not None:
        return chosen.device
    if named(context):
        return False
    here = place(context.platform, context.environ)
    earlier = None if options.browser == AUTO else settings.remembered(context.paths, f"sign-in: {here}")
    return earlier == "device" if earlier else here != "desktop"


def opens(context: Context) -> bool:
    """True where an address is opened here: there is a browser, and nobody said on the command line, or at the last
    sign-in in such a place, that it should only be printed."""
    options = context.options
    if options.no_browser or by_device(context):
        return False
    here = place(context.platform, context.environ)
    return bool(options.browser) or settings.remembered(context.paths, f"sign-in: {here}") != "no browser"


def named(context: Context) -> list[str]:
    """The command that somebody named: --browser, BROWSER, the configuration, in this order. Empty: none."""
    if context.options.browser not in ("", AUTO):
        return _words(context, context.options.browser)
    for one in context.environ.get("BROWSER", "").split(";" if context.platform == "windows" else ":"):
        words = _words(context, one)
        if words and os.path.basename(words[0]) not in _TEXT:
            return words
    return _words(context, context.settings.browser)


def usual(context: Context) -> list[str]:
    """The command that opens an address on this platform; empty where there is none, or on Windows, which needs none."""
    if context.platform == "macos":
        return ["/usr/bin/open"]
    if context.platform == "wsl":
        if shutil.which("wslview"):
            return ["wslview"]
        return ["rundll32.exe", "url.dll,FileProtocolHandler"]
    if context.platform == "linux" and shutil.which("xdg-open"):
        return ["xdg-open"]
    return []


def opened(context: Context, url: str) -> subprocess.Popen[bytes] | None:
    """Open the address. None where that could not be tried, or nothing is known of how it goes.

    Whether a browser really came is not told by any of the commands: the address must be printed too.
    """
    command = named(context)
    if not command and context.platform == "windows":
        try:
            os.startfile(url)  # type: ignore[attr-defined, unused-ignore]  # noqa: S606 - our own https address
        except OSError:
            context.output.tell("Windows could not open a browser.")
        return None
    command = command or usual(context)
    if not command:
        return None
    filled = [word.replace(_URL, url) for word in command]
    if filled == command:
        filled.append(url)
    null = subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603 - the person's own browser
            filled, stdin=null, stdout=null, stderr=null, start_new_session=True
        )
    except OSError as error:
        context.output.tell(f"{filled[0]} could not be started: {error.strerror}.")
        return None


def _words(context: Context, command: str) -> list[str]:
    if os.path.exists(command):
        return [command]
    try:
        words = shlex.split(command, posix=context.platform != "windows")
    except ValueError:
        return []
    return [word.strip('"') for word in words] if context.platform == "windows" else words
