"""Sign in at the broker: by the browser on this machine (`loopback`), or with a code on another one (`device`)."""

from __future__ import annotations

import argparse
import socket
from typing import TYPE_CHECKING

from daypass import browser, settings

if TYPE_CHECKING:
    from daypass.context import Context
    from daypass.http import Answer

SCOPE = "roles credentials"
DEVICE_LONGEST = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say how; `Context.options` has them."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--device", action="store_true", help="by a code that you enter on another device")
    way.add_argument("--no-browser", action="store_true", help="open nothing; print the address")
    parser.add_argument(
        "--browser", metavar="COMMAND", help="what opens an address; `auto` forgets earlier choices"
    )


def add_waiting(parser: argparse.ArgumentParser) -> None:
    """For commands that go on once a second factor is proven."""
    parser.add_argument(
        "--no-wait", action="store_true", help="where a second factor is needed: say where, and end"
    )


def tokens(context: Context) -> Answer:
    """A new sign-in: what the token endpoint answered. The caller holds the sign-in lock.

    Raises:
        Fail: refused (4), not in time (8), unreachable (5).
    """
    if browser.by_device(context):
        from daypass import device

        return device.tokens(context)
    from daypass import loopback

    return loopback.tokens(context)


def remember(context: Context) -> None:
    """Keep how `login` was told to sign in, for the next sign-in in such a place. Raises Local."""
    here = f"sign-in: {browser.place(context.platform, context.environ)}"
    if context.options.browser == browser.AUTO:
        settings.remember(context.paths, here, None)
    elif context.options.device:
        settings.remember(context.paths, here, "device")
    elif context.options.no_browser:
        settings.remember(context.paths, here, "no browser")
    elif context.options.browser:
        settings.remember(context.paths, here, "browser")


def device_name(context: Context) -> str:
    """What this machine calls itself, for the person to recognise: `user@host`."""
    user = next(
        (context.environ[name] for name in ("USER", "LOGNAME", "USERNAME") if context.environ.get(name)), ""
    )
    name = f"{user}@{socket.gethostname()}" if user else socket.gethostname()
    return "".join(letter for letter in name if letter.isprintable())[:DEVICE_LONGEST] or "unknown"
