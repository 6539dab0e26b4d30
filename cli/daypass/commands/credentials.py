"""`daypass credentials ROLE`: what `credential_process` takes, on stdout."""

from __future__ import annotations

import argparse

from daypass import asking, credentials, signin
from daypass.context import Context
from daypass.errors import DONE, Usage

HELP = "print credentials for a role as credential_process takes them"


def arguments(parser: argparse.ArgumentParser) -> None:
    """ROLE, --login, --duration and how to sign in."""
    parser.add_argument("role", nargs="?", metavar="ROLE", help="ARN, ACCOUNT/ROLE, or a beginning of it")
    parser.add_argument(
        "--login", action="store_true", help="sign in, or prove a second factor, where that is needed"
    )
    parser.add_argument("--duration", type=seconds, help="how long they are good: 15m to 1h, or seconds")
    signin.add_arguments(parser)
    signin.add_waiting(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    """Print one JSON object on one line."""
    login = bool(arguments.login) or context.settings.login
    role = asking.role(context, arguments.role, login=login)
    context.output.print(credentials.get(context, role.arn, login=login, duration=arguments.duration).text)
    return DONE


def seconds(text: str) -> int:
    """A duration on the command line: `15m`, `1h`, or seconds; 900 to 3600.

    Raises:
        Usage.
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    number = text[:-1] if unit else text
    if not (number.isascii() and number.isdigit() and 900 <= int(number[:6]) * (unit or 1) <= 3600):
        raise Usage(
            f"`{text}` is no duration for credentials.", why="It is from 15m to 1h, or 900 to 3600 seconds."
        )
    return int(number) * (unit or 1)
