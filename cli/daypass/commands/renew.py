"""`daypass __renew ARN`: started by `credentials` itself, in the background, before a role's credentials run out."""

from __future__ import annotations

import argparse

from daypass import credentials
from daypass.context import Context
from daypass.errors import DONE

HELP = "renew a role's credentials (for the helper itself)"


def arguments(parser: argparse.ArgumentParser) -> None:
    """The role's ARN, and the duration of its credentials."""
    parser.add_argument("role", metavar="ARN")
    parser.add_argument("--duration", type=int)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Renew, silently."""
    credentials.renew(context, arguments.role, arguments.duration)
    return DONE
