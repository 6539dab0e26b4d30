"""`python -m app doctor`: IAM's eighteen practices, one by one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from app.admin import By
from app.admin.practices import State
from app.clock import Clock, SystemClock
from app.commands.config.changes import printable
from app.commands.databases import ENVIRONMENT
from app.commands.doors import CANNOT, cannot, operator, whole_administration

_MARKS: Final = {State.RIGHT: "ok   ", State.WRONG: "FAIL ", State.CANNOT: "  ?  "}


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app doctor",
        description="Check the eighteen best practices of IAM, as far as what exists today goes, and say what "
        "mends what fails. "
        "Nothing is changed.",
        epilog=f"{ENVIRONMENT} Sealed rows are opened with the broker's key file. Exit status: 0 nothing "
        f"fails, 1 something "
        "does, 2 wrong usage or no database named.",
    )
    made.add_argument("--failing", action="store_true", help="print only what fails")
    made.add_argument(
        "--confirm",
        type=int,
        metavar="N",
        help="put on record that you looked: 3 (root's key is locked away), 14 (permissions were reviewed)",
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Examine. Returns 0 nothing fails, 1 something does, 2 wrong usage."""
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        with whole_administration(environ, clock or SystemClock()) as door:
            if asked.confirm is not None:
                door.confirm_practice(asked.confirm, by=By.operator(operator()))
                print(
                    f"On record: practice {asked.confirm} confirmed.",
                    file=sys.stderr if asked.json else sys.stdout,
                )
            found = door.examine()
    except CANNOT as problem:
        return cannot(problem)
    failing = [each for each in found if each.state is State.WRONG]
    shown = failing if asked.failing else found
    if asked.json:
        told = [
            {
                "number": each.number,
                "practice": each.practice,
                "state": str(each.state),
                "detail": each.words,
                "mend": each.mend or None,
            }
            for each in shown
        ]
        print(json.dumps({"practices": told, "failing": len(failing)}, indent=2))
        return 1 if failing else 0
    for each in shown:
        print(f"{_MARKS[each.state]}{each.number:>2}  {each.practice}\n          {printable(each.words)}")
        if each.mend:
            print(f"          -> {printable(each.mend)}")
    cannot_tell = sum(1 for each in found if each.state is State.CANNOT)
    print(
        f"{len(found) - len(failing) - cannot_tell} right, {len(failing)} failing, {cannot_tell} not to be checked yet."
    )
    return 1 if failing else 0
