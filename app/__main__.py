"""`python -m app COMMAND`: the operator's commands."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("app.serve", "serve the broker; applies a changed configuration first"),
    "config": ("app.commands.config", "check, plan and apply the configuration; look and go back"),
    "provider": (
        "app.commands.provider",
        "show a provider's trusted certificates and addresses; take new ones",
    ),
    "access": ("app.commands.access", "who may use what, and why"),
    "user": ("app.commands.user", "local users: create, change, disable, groups, policies, links"),
    "group": ("app.commands.group", "flat groups: what they carry, which local users are in them"),
    "mfa": ("app.commands.mfa", "second factors of people, and the way back for who lost theirs"),
    "root": ("app.commands.root", "the break-glass user: set up, status, sign its uses off"),
    "audit": ("app.commands.audit", "search the audit record; verify that nothing in it was changed"),
    "doctor": ("app.commands.doctor", "check IAM's eighteen best practices"),
    "db": ("app.commands.db", "upgrade or check the database"),
    "simulate": ("app.commands.simulate", "evaluate IAM policies: questions in, answers out, as JSON Lines"),
}


def usage() -> str:
    """The commands, a line each."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return (
        "usage: python -m app COMMAND …\n\n"
        + "\n".join(lines)
        + "\n\n`python -m app COMMAND --help` says more.\n"
    )


def main(argv: Sequence[str]) -> int:
    """Run one command. Returns 0 right, 1 the answer is no or something was found, 2 wrong usage."""
    if not argv or argv[0] in {"-h", "--help"}:
        sys.stdout.write(usage())
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        sys.stderr.write(f"unknown command `{argv[0]}`\n{usage()}")
        return 2
    # Loaded one at a time: `simulate` starts without the web, the database and AWS.
    try:
        run: Callable[[Sequence[str]], int] = importlib.import_module(COMMANDS[argv[0]][0]).main
    except ModuleNotFoundError as missing:
        if (missing.name or "app").partition(".")[0] == "app":
            raise
        sys.stderr.write(
            f"The package `{missing.name}` is not installed for this Python. Run `make venv` once, then "
            "`.venv/bin/python -m app …`.\n"
        )
        return 2
    return run(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
