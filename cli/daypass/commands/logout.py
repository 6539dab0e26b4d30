"""`daypass logout`: end the sign-in, here and at the broker, and forget what it gave."""

from __future__ import annotations

import argparse

from daypass import session
from daypass.context import Context
from daypass.errors import DONE

HELP = "end the sign-in and forget the credentials kept here"


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Sign out; nobody signed in is well too."""
    was = session.sign_out(context)
    if context.output.json:
        context.output.document({"signed_out": was, "url": context.broker})
    else:
        context.output.say("Signed out." if was else "Nobody was signed in.")
    return DONE
