"""`python -m app access who-can` and `what-can`: who may use a role, what a person may use; now or on a day."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from app.access import Known, Reach
from app.admin import Answer
from app.clock import Clock, SystemClock
from app.commands.config.changes import person, printable
from app.commands.config.words import count
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot
from app.commands.known_people import knowing_administration
from app.commands.times import TIME, moment, zulu
from app.people import ROOT

_ASSUMED = "asking at that time, without a second factor, from no address that is known"


def _parser(name: str, what: str, metavar: str, words: str, now: datetime) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m app access {name}",
        description=f"{what} People are those whom sign-ins have shown, with the claims that were known then, local users "
        "with what was attached to them then, and root; the answer says from when that is. Where it depends on how they "
        "ask, it says on which conditions, and what it is for somebody "
        f"{_ASSUMED}.",
        epilog=f"{words} {TIME} {ENVIRONMENT} Exit status: 0 there is somebody or something, 1 there is none, "
        "2 wrong usage, no such name, or no database named.",
    )
    made.add_argument("name", metavar=metavar)
    made.add_argument(
        "--at", type=lambda text: moment(text, now), metavar="TIME", help="as it was then (now)"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def who_can(argv: Sequence[str], clock: Clock | None = None) -> int:
    """Run `access who-can`. Returns 0 somebody can, 1 nobody, 2 wrong usage or no such role."""
    clock = clock or SystemClock()
    what = "Say who may use a role, or could at a time."
    words = "ROLE is an ARN, or ACCOUNT/NAME with the account's name or id."
    asked = _asked(_parser("who-can", what, "ROLE", words, clock.now()), argv)
    if isinstance(asked, int):
        return asked
    try:
        with knowing_administration(os.environ, clock) as door:
            role, answer = door.who_can(asked.name, asked.at)
    except CANNOT as problem:
        return cannot(problem)
    if asked.json:
        told = {"role": role.arn, **_object(answer)}
        print(
            json.dumps(
                {**told, "people": [{**person(r.known), **_reach(r)} for r in answer.reaches]}, indent=2
            )
        )
    else:
        print(f"{role.arn}, {_when(answer)}")
        for reach in answer.reaches:
            who = printable(f"{reach.known.identity.source}/{reach.known.identity.username}")
            print("\n".join(_lines(f"{who} ({_facts(reach.known)} since {zulu(reach.known.since)})", reach)))
        print(_sum(answer, f"of {count(answer.people, 'person')} known", "nobody"))
    return 0 if answer.reaches else 1


def what_can(argv: Sequence[str], clock: Clock | None = None) -> int:
    """Run `access what-can`. Returns 0 there are roles, 1 none, 2 wrong usage or no such person."""
    clock = clock or SystemClock()
    what = "Say which roles a person may use, or could at a time."
    words = (
        "PERSON is a username, or SOURCE/ and a username or subject, of somebody who has signed in; local/USERNAME is a "
        "local user, root the root user."
    )
    asked = _asked(_parser("what-can", what, "PERSON", words, clock.now()), argv)
    if isinstance(asked, int):
        return asked
    try:
        with knowing_administration(os.environ, clock) as door:
            known, answer = door.what_can(asked.name, asked.at)
    except CANNOT as problem:
        return cannot(problem)
    if asked.json:
        told = {"person": person(known), **_object(answer)}
        roles = [
            {"role": r.role.arn, "account_name": r.role.account_name, "name": r.role.name, **_reach(r)}
            for r in answer.reaches
        ]
        print(json.dumps({**told, "roles": roles}, indent=2))
    else:
        who = printable(f"{known.identity.source}/{known.identity.username}")
        print(f"{who}, {_when(answer)}, by {_facts(known)} since {zulu(known.since)}")
        for reach in answer.reaches:
            print("\n".join(_lines(f"{printable(reach.role.account_name)}/{reach.role.name}", reach)))
        print(_sum(answer, "may be used", "no role"))
    return 0 if answer.reaches else 1


def _facts(known: Known) -> str:
    """What is known of them from a time on."""
    if known.identity.source == ROOT:
        return "set up"
    return "claims" if known.user is None else f"version {known.user.version}"


def _asked(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace | int:
    try:
        return parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2


def _when(answer: Answer) -> str:
    return f"at {zulu(answer.at)}, by revision {answer.activation.number}"


def _lines(name: str, reach: Reach) -> Iterator[str]:
    if reach.sure:
        yield f"  {name}"
        return
    yield f"  {name}: depends; {'yes' if reach.assumed else 'no'} for the request assumed"
    for doubt in reach.doubts:
        yield f"      {printable(str(doubt))}"


def _sum(answer: Answer, words: str, none: str) -> str:
    if not answer.reaches:
        return f"  {none}"
    sure = sum(reach.sure for reach in answer.reaches)
    depends = len(answer.reaches) - sure
    told = f"{sure} {words}" + (f", {depends} more on conditions" if depends else "")
    return f"{told}.{f' Assumed is somebody {_ASSUMED}.' if depends else ''}"


def _object(answer: Answer) -> Mapping[str, object]:
    return {
        "at": zulu(answer.at),
        "revision": answer.activation.number,
        "digest": answer.activation.digest,
        "assumed": {"time": zulu(answer.at), "mfa": False, "address": None},
    }


def _reach(reach: Reach) -> Mapping[str, object]:
    return {
        "answer": "yes" if reach.sure else "depends",
        "as_assumed": reach.assumed,
        "unknown": [
            {
                "effect": "deny" if doubt.deny else "allow",
                "conditions": list(doubt.conditions),
                "policy": doubt.statement.policy,
                "sid": doubt.statement.sid,
                "file": doubt.statement.file,
                "line": doubt.statement.line,
            }
            for doubt in reach.doubts
        ],
    }
