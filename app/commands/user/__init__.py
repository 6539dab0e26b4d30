"""`python -m app user`: local users, from the host. What each change does is a new version, on record, undoable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.admin import Administration
from app.clock import Clock, SystemClock
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot, whole_administration
from app.commands.times import TIME, moment
from app.commands.user import changing, showing

_RUN: Final[Mapping[str, Callable[[Administration, argparse.Namespace], int]]] = {
    "list": showing.listed,
    "show": showing.show,
    "history": showing.history,
    "create": changing.create,
    "change": changing.change,
    "disable": changing.disable,
    "enable": changing.enable,
    "delete": changing.delete,
    "join": changing.join,
    "leave": changing.leave,
    "attach": changing.attach,
    "detach": changing.detach,
    "put-policy": changing.put_policy,
    "drop-policy": changing.drop_policy,
    "boundary": changing.boundary,
    "restore": changing.restore,
    "link": changing.link,
    "sign-out": changing.sign_out,
}

_Commands = argparse._SubParsersAction


def parser(clock: Clock) -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app user",
        description="Local users: people who are in no directory. A new user can do nothing until a group or a "
        "policy "
        "lets them. Every change is a new version with who made it and when; `restore` brings an earlier one back.",
        epilog=f"USER is a username, or `local/` and it. {ENVIRONMENT} Sealed rows are opened with the "
        f"broker's key file "
        "(`keys` in daypass.yaml). Exit status: 0 done or there is one, 1 it was refused or there "
        "is none, 2 wrong usage, "
        "no such user, or no database named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _looking(commands, clock)
    _making(commands)
    _attaching(commands)
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Run one of the commands. Returns 0 done, 1 refused or none, 2 wrong usage or no such user."""
    clock = clock or SystemClock()
    try:
        asked = parser(clock).parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        with whole_administration(environ, clock) as door:
            return _RUN[asked.command](door, asked)
    except CANNOT as problem:
        return cannot(problem)


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, help: str, *, user: bool = True, more: str = ""
) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.{more}")
    if user:
        made.add_argument("user", metavar="USER")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def _looking(commands: _Commands[argparse.ArgumentParser], clock: Clock) -> None:
    listed = _add(commands, "list", "list the users", user=False)
    show = _add(commands, "show", "show a user: state, groups, policies, factors, sessions")
    for command in (listed, show):
        command.add_argument(
            "--at",
            type=lambda text: moment(text, clock.now()),
            metavar="TIME",
            help=f"as it was then (now). {TIME}",
        )
    _add(commands, "history", "list a user's versions, newest first: when, by whom, what changed")


def _making(commands: _Commands[argparse.ArgumentParser]) -> None:
    create = _add(
        commands,
        "create",
        "create a user, and print the one-time link with which they set a password",
        more=" The link is good for 24 hours; hand it over by a way that nobody else reads.",
    )
    change = _add(commands, "change", "change a user's name or address")
    for command in (create, change):
        command.add_argument("--name", metavar="TEXT", help="the person's name, as pages show it")
        command.add_argument("--email", metavar="ADDRESS", help="where links and notices go; proves nothing")
    create.add_argument("--group", action="append", default=[], metavar="GROUP", help="may be given again")
    create.add_argument("--policy", action="append", default=[], metavar="POLICY", help="may be given again")
    create.add_argument("--send", action="store_true", help="mail the link instead of printing it")
    _add(commands, "disable", "disable a user: signed out at once, nothing is lost")
    _add(commands, "enable", "enable a disabled user")
    delete = _add(commands, "delete", "delete a user for good; the name is free again")
    delete.add_argument("--yes", action="store_true", help="do it without asking")
    restore = _add(commands, "restore", "bring an earlier version back, as a new one")
    restore.add_argument("version", type=int, metavar="VERSION", help="as `user history` numbers it")
    link = _add(commands, "link", "print a one-time link with which the user sets a new password")
    link.add_argument("--send", action="store_true", help="mail it instead of printing it")
    _add(commands, "sign-out", "end all of a user's sessions, helpers' and apps' too")


def _attaching(commands: _Commands[argparse.ArgumentParser]) -> None:
    for name, help in (("join", "put a user into groups"), ("leave", "take a user out of groups")):
        _add(commands, name, help).add_argument("groups", nargs="+", metavar="GROUP")
    for name, help in (
        ("attach", "attach managed policies (`NAME` of config/policies/, or `aws:NAME`)"),
        ("detach", "take managed policies away"),
    ):
        _add(commands, name, help).add_argument("policies", nargs="+", metavar="POLICY")
    put = _add(commands, "put-policy", "give a user an inline policy, a copy of their own")
    put.add_argument("policy", metavar="NAME")
    put.add_argument("file", metavar="FILE", help="IAM JSON; `-` reads standard input")
    _add(commands, "drop-policy", "take an inline policy away").add_argument("policy", metavar="NAME")
    boundary = _add(commands, "boundary", "set the permissions boundary, which caps every session in AWS")
    boundary.add_argument("policy", nargs="?", default="", metavar="POLICY", help="none: take it away")
