"""`python -m app group`: flat groups, what they carry, and which local users are in them."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence

from app.admin import Administration
from app.admin.users import known_groups, near_word
from app.clock import Clock, SystemClock
from app.commands.config.changes import printable
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot, whole_administration
from app.errors import Unknown


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app group",
        description="Flat groups: what each carries, the roles that its short form opens, and the local users "
        "in it. What a "
        "group carries is configuration (groups.yaml, `allow` in accounts.yaml); who of the local "
        "users is in it is said by "
        "`user join` and `user leave`, who of a directory by that provider's `groups`.",
        epilog=f"{ENVIRONMENT} Exit status: 0 right, 1 there is none, 2 wrong usage, no such group, or no "
        f"database named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    listed = commands.add_parser("list", help="list the groups", description="List the groups.")
    show = commands.add_parser("show", help="show a group", description="Show a group.")
    show.add_argument("group", metavar="GROUP")
    for command in (listed, show):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Run one of the commands. Returns 0 right, 1 none, 2 wrong usage or no such group."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        with whole_administration(environ, clock or SystemClock()) as door:
            return _run(door, asked)
    except CANNOT as problem:
        return cannot(problem)


def _run(door: Administration, asked: argparse.Namespace) -> int:
    revision = door.revision()
    names = sorted(known_groups(revision))
    if asked.command == "show":
        if asked.group not in names:
            near = near_word(asked.group[:64], names)
            raise Unknown(
                "no such group",
                words=f"There is no group `{asked.group[:64]}`.{near} `group list` lists them.",
            )
        names = [asked.group]
    users = door.users()
    told = []
    for name in names:
        group = revision.groups.get(name)
        told.append(
            {
                "name": name,
                "description": group.description if group else "",
                "mfa": bool(group and group.mfa),
                "policies": list(group.policies) if group else [],
                "inline": [each.name.rpartition("/")[2] for each in group.inline] if group else [],
                "roles": sorted(arn for arn, role in revision.roles.items() if name in role.allow),
                "users": [user.username for user in users if name in user.groups],
            }
        )
    if asked.json:
        print(json.dumps(told[0] if asked.command == "show" else {"groups": told}, indent=2))
    else:
        for each in told:
            print("\n".join(_lines(each)))
    return 0 if told else 1


def _lines(group: Mapping[str, object]) -> Sequence[str]:
    said = f": {printable(str(group['description']))}" if group["description"] else ""
    lines = [f"{group['name']}{said}{' (a second factor at every sign-in)' if group['mfa'] else ''}"]
    for part in ("policies", "inline", "roles", "users"):
        values = group[part]
        if isinstance(values, list) and values:
            lines.append(f"  {part:<8}  {', '.join(values)}")
    return lines
