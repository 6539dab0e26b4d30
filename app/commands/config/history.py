"""`python -m app config history` and `diff`: look back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence

from app.admin import PolicyVersion
from app.commands.config.changes import (
    access_lines,
    access_objects,
    client_lines,
    client_objects,
    file_lines,
    file_objects,
    handed_lines,
    handed_objects,
    printable,
)
from app.commands.doors import CANNOT, administration, cannot
from app.commands.known_people import knowing_administration
from app.commands.times import zulu
from app.store import Activation


def history(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """List revisions. Returns 0 right, 1 there is none, 2 no database."""
    try:
        with administration(environ) as door:
            if asked.policy is not None:
                return _policy(door.policy_history(asked.policy.removesuffix(".json")), asked)
            revisions = door.history()
    except CANNOT as problem:
        return cannot(problem)
    if asked.json:
        print(json.dumps([_object(each) for each in revisions], indent=2))
    elif revisions:
        active = revisions[0].number
        print("\n".join(_line(each, each.digest, active=each.number == active) for each in revisions))
    else:
        print("No revision is active yet.")
    return 0 if revisions else 1


def diff(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Compare two revisions. Returns 0 the same, 1 they differ, 2 no such revision."""
    try:
        with knowing_administration(environ) as door:
            found = door.diff(asked.a, asked.b)
    except CANNOT as problem:
        return cannot(problem)
    if asked.json:
        told = {
            "before": _object(found.before),
            "after": _object(found.after),
            "files": file_objects(found.files, diff=True),
            "people": found.people,
            "access": access_objects(found.shifts),
            "administration": handed_objects(found.handed),
            "clients": client_objects(found.clients),
        }
        print(json.dumps(told, indent=2))
    elif not found.files:
        print(f"Revisions {asked.a} and {asked.b} hold the same files.")
    else:
        print("\n".join([*file_lines(found.files, diff=True), *access_lines(found.shifts, found.people)]))
        more = (*handed_lines(found.handed), *client_lines(found.clients))
        print("".join(f"{line}\n" for line in more), end="")
    return 1 if found.files else 0


def _policy(versions: Sequence[PolicyVersion], asked: argparse.Namespace) -> int:
    if asked.json:
        print(
            json.dumps([{**_object(each.activation), "sha256": each.sha256} for each in versions], indent=2)
        )
    else:
        print("\n".join(_line(each.activation, each.sha256 or "taken away") for each in versions))
    return 0


def _line(each: Activation, content: str, *, active: bool = False) -> str:
    back = f", back to {each.restores}" if each.restores is not None else ""
    by = f"  by {printable(each.by)}" if each.by else ""
    return f"{each.number:>6}  {zulu(each.activated_at)}  {content[:16]:<16}{by}{back}{'  (active)' if active else ''}"


def _object(each: Activation) -> dict[str, object]:
    return {
        "number": each.number,
        "digest": each.digest,
        "activated_at": zulu(each.activated_at),
        "by": each.by or None,
        "restores": each.restores,
    }
