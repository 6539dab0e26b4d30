"""`daypass whoami`: who is signed in, at which broker, until when, and where the sign-in is kept."""

from __future__ import annotations

import argparse

from daypass import session, times
from daypass.context import Context
from daypass.errors import DONE, SignInNeeded

HELP = "say who is signed in, and until when"


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Ask the broker: what is remembered here may have been ended there."""
    me = session.call(context, "GET", "/v1/me")
    kept = session.current(context)
    if kept is None:
        raise SignInNeeded
    if context.output.json:
        context.output.document({**me, "url": context.broker, "kept_in": kept.store})
        return DONE
    left = times.left(kept.ends_at - context.now())
    rows = [
        ("person", str(me.get("username", ""))),
        ("name", str(me.get("name") or "")),
        ("source", str(me.get("source", ""))),
        ("groups", ", ".join(str(group) for group in me.get("groups") or ())),
        ("broker", context.broker),
        ("until", f"{times.clock(kept.ends_at, context.now())} ({left} left)"),
        ("kept in", kept.store),
    ]
    context.output.table(("", ""), [row for row in rows if row[1]])
    return DONE
