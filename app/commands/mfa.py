"""`python -m app mfa`: second factors of people, and the way back for who lost theirs."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence

from app.admin import Administration, By
from app.clock import Clock, SystemClock
from app.commands.config.changes import printable
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot, operator, whole_administration
from app.commands.times import zulu
from app.people import Recovery


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app mfa",
        description="Second factors. Nobody takes somebody's factors away alone: one administrator asks with a "
        "reason, "
        "another approves within a day, here or on the page Recoveries. Then all factors and "
        "sessions of the person end, "
        "and they enrol anew at their next sign-in.",
        epilog=f"PERSON is a username, or SOURCE/ and it. {ENVIRONMENT} Sealed rows are opened with the "
        f"broker's key file. "
        "Exit status: 0 done or there are some, 1 refused or there are none, 2 wrong usage, no "
        "such person, or no database "
        "named.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    listed = commands.add_parser(
        "list", help="list a person's factors", description="List a person's factors."
    )
    recover = commands.add_parser(
        "recover",
        help="ask that a person's factors be taken away",
        description="Ask that all of a person's factors be taken away. Make sure that it is them: a call that "
        "you make "
        "yourself, a face.",
    )
    for command in (listed, recover):
        command.add_argument("person", metavar="PERSON")
    recover.add_argument(
        "--reason", required=True, metavar="TEXT", help="8 to 500 characters, for the other one"
    )
    pending = commands.add_parser("pending", help="list the requests", description="List the requests.")
    approve = commands.add_parser(
        "approve", help="approve somebody else's request", description="Approve a request."
    )
    refuse = commands.add_parser(
        "refuse", help="refuse somebody else's request", description="Refuse a request."
    )
    for command in (approve, refuse):
        command.add_argument("id", metavar="ID", help="as `mfa pending` shows it")
    for command in (listed, recover, pending, approve, refuse):
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Run one of the commands. Returns 0 done, 1 refused or none, 2 wrong usage or nobody of that name."""
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
    by = By.operator(operator())
    if asked.command == "list":
        return _list(door, asked)
    if asked.command == "pending":
        return _pending(door, asked)
    if asked.command == "recover":
        source, subject, username = door.whom(asked.person)
        made = door.ask_recovery(source, subject, username, asked.reason, by=by)
        words = f"Asked ({made.id}). Another administrator approves it by {zulu(made.expires_at)}."
    else:
        made = door.decide_recovery(asked.id, approve=asked.command == "approve", by=by)
        words = (
            f"Approved: all factors and sessions of {made.source}/{printable(made.username)} have ended."
            if made.approved
            else "Refused. Nothing was changed."
        )
    print(json.dumps(_object(made), indent=2) if asked.json else words)
    return 0


def _list(door: Administration, asked: argparse.Namespace) -> int:
    source, subject, username = door.whom(asked.person)
    factors = door.factors(source, subject)
    if asked.json:
        told = [
            {
                "id": each.id,
                "kind": each.kind,
                "name": each.name,
                "enrolled_at": zulu(each.enrolled_at),
                "last_used": zulu(each.last_used) if each.last_used else None,
            }
            for each in factors
        ]
        print(json.dumps({"person": f"{source}/{subject}", "username": username, "factors": told}, indent=2))
    else:
        for each in factors:
            used = f"last used {zulu(each.last_used)}" if each.last_used else "never used"
            print(f"{each.kind:<9} {printable(each.name)}, since {zulu(each.enrolled_at)}, {used}")
        if not factors:
            print(f"{source}/{printable(username)} has no second factor of daypass's own.")
    return 0 if factors else 1


def _pending(door: Administration, asked: argparse.Namespace) -> int:
    waiting = door.waiting()
    if asked.json:
        print(json.dumps({"recoveries": [_object(each) for each in waiting]}, indent=2))
    else:
        for each in waiting:
            print(f"{each.id}  {each.source}/{printable(each.username)}, until {zulu(each.expires_at)}")
            print(f"    asked by {printable(door.called(each.asked_by))}: {printable(each.reason)}")
        if not waiting:
            print("No request waits.")
    return 0 if waiting else 1


def _object(asked: Recovery) -> Mapping[str, object]:
    return {
        "id": asked.id,
        "person": f"{asked.source}/{asked.subject}",
        "username": asked.username,
        "reason": asked.reason,
        "asked_by": asked.asked_by,
        "asked_at": zulu(asked.asked_at),
        "expires_at": zulu(asked.expires_at),
        "decided_by": asked.decided_by or None,
        "approved": asked.approved,
    }
