"""`user list`, `show`, `history`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from app.admin import Administration, inline_name
from app.admin.users import differences, told_change
from app.commands.config.changes import printable
from app.commands.times import zulu
from app.people import LOCAL, Factor, LocalUser


def listed(door: Administration, asked: argparse.Namespace) -> int:
    """`user list`. Returns 1 if there is none."""
    users = door.users(asked.at)
    if asked.json:
        print(json.dumps({"users": [as_object(user) for user in users]}, indent=2))
        return 0 if users else 1
    if not users:
        print("There is no local user. `python -m app user create NAME` makes one.")
        return 1
    width = max(len(user.username) for user in users)
    for user in users:
        groups = ", ".join(user.groups) or "in no group"
        print(f"{user.username:<{width}}  {user.state:<8}  {groups}{_attached(user)}")
    return 0


def show(door: Administration, asked: argparse.Namespace) -> int:
    """`user show`."""
    user = door.user(asked.user, asked.at)
    factors = door.factors(LOCAL, user.id) if asked.at is None else ()
    sessions = door.sessions_of(LOCAL, user.id) if asked.at is None else ()
    if asked.json:
        told = {**as_object(user), "factors": [_factor(each) for each in factors], "sessions": len(sessions)}
        print(json.dumps(told, indent=2))
        return 0
    print(f"{user.username} ({LOCAL}/{user.id}), {user.state}")
    rows = {
        "name": printable(user.name),
        "address": printable(user.email),
        "groups": ", ".join(user.groups),
        "policies": ", ".join(user.policies),
        "inline": ", ".join(inline_name(each) for each in user.inline),
        "boundary": user.boundary or "",
        "version": f"{user.version}, since {zulu(user.since) if user.since else '-'}, by {printable(user.by)}",
    }
    for name, value in rows.items():
        print(f"  {name:<9} {value or 'none'}")
    if not (user.groups or user.policies or user.inline):
        print(
            "  This user can do nothing: no group and no policy lets them. `user join` or `user attach` does."
        )
    if asked.at is None:
        print(f"  sessions  {len(sessions)}")
        for each in factors:
            used = f", last used {zulu(each.last_used)}" if each.last_used else ", never used"
            print(f"  factor    {each.kind} {printable(each.name)}, since {zulu(each.enrolled_at)}{used}")
        if not factors:
            print("  factor    none: only a password stands before this user")
    return 0


def history(door: Administration, asked: argparse.Namespace) -> int:
    """`user history`."""
    user = door.user(asked.user)
    versions = door.user_history(user.id)
    pairs = list(zip(versions, [*versions[1:], None], strict=True))
    if asked.json:
        told = [
            {**as_object(each), "changes": differences(before, each) if before is not None else None}
            for each, before in pairs
        ]
        print(json.dumps({"versions": told}, indent=2))
        return 0
    for each, before in pairs:
        when = zulu(each.since) if each.since else "-"
        print(f"{each.version:>3}  {when}  by {printable(each.by)}")
        if before is None:
            print("       created")
            continue
        for part, change in differences(before, each).items():
            print(f"       {part}: {printable(told_change(change))}")
    return 0


def as_object(user: LocalUser) -> Mapping[str, object]:
    """A user for scripts."""
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "email": user.email,
        "state": str(user.state),
        "groups": list(user.groups),
        "policies": list(user.policies),
        "inline": {inline_name(each): each.text for each in user.inline},
        "boundary": user.boundary,
        "version": user.version,
        "since": zulu(user.since) if user.since else None,
        "by": user.by,
    }


def _factor(factor: Factor) -> Mapping[str, object]:
    return {
        "id": factor.id,
        "kind": factor.kind,
        "name": factor.name,
        "enrolled_at": zulu(factor.enrolled_at),
        "last_used": zulu(factor.last_used) if factor.last_used else None,
    }


def _attached(user: LocalUser) -> str:
    count = len(user.policies) + len(user.inline)
    return f"; {count} polic{'y' if count == 1 else 'ies'} of their own" if count else ""
