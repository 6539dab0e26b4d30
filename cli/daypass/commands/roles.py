"""`daypass roles [TERM]`: the roles that I may use now."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from daypass import instep, roles
from daypass.context import Context
from daypass.errors import DONE

HELP = "list the roles that you may use now"


def arguments(parser: argparse.ArgumentParser) -> None:
    """TERM."""
    parser.add_argument(
        "term", metavar="TERM", nargs="*", help="words that the account, role or description has"
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """A fresh list, by account and role."""
    words = [word.lower() for word in arguments.term]
    mine = roles.mine(context, login=context.output.interactive, fresh=True)
    instep.after(context, mine)
    found = [
        role
        for role in mine
        if all(word in f"{role.label} {role.account} {role.description} {role.arn}".lower() for word in words)
    ]
    found.sort(key=lambda role: (role.account_name.lower(), role.name.lower(), role.arn))
    if context.output.json:
        context.output.document({"roles": [asdict(role) for role in found]})
        return DONE
    heads, rows = (
        ["ROLE", "ACCOUNT", "DESCRIPTION"],
        [[role.label, role.account, role.description] for role in found],
    )
    if any(role.factor for role in found):
        heads.append("NEEDS FIRST")
        rows = [[*row, role.factor] for row, role in zip(rows, found)]
    context.output.table(heads, rows)
    if not found:
        context.output.say("No roles." if not words else f"No role has `{' '.join(arguments.term)}`.")
    return DONE
