"""`daypass login [URL]`: sign in."""

from __future__ import annotations

import argparse
from dataclasses import replace

from daypass import instep, session, settings, signin, times
from daypass.context import Context
from daypass.errors import DONE, Usage

HELP = "sign in, by browser or by a code on another device"


def arguments(parser: argparse.ArgumentParser) -> None:
    """URL, and how to sign in."""
    parser.add_argument(
        "broker", metavar="URL", nargs="?", default="", help="the broker's address, to remember"
    )
    signin.add_arguments(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Sign in, and say until when."""
    if arguments.broker:
        url = settings.address(arguments.broker)
        if context.url not in ("", url, context.settings.url):
            raise Usage(
                f"This copy of the helper belongs to {context.url}.",
                why="The copy that the other broker serves belongs to that one; `--url` asks another for once.",
                next=f"daypass --url {url} login",
            )
        if url != context.url:
            settings.write_url(context.paths, url)
            context = replace(context, url=url)
    made = session.sign_in(context)
    signin.remember(context)
    if context.output.json:
        context.output.document(
            {"username": made.username, "session_expires_at": made.ends, "url": context.broker}
        )
    else:
        context.output.say(f"Signed in as {made.username} until {times.clock(made.ends_at, context.now())}.")
    instep.after_sign_in(context)
    return DONE
