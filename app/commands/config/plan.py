"""`python -m app config plan`, `apply` and `rollback`: see what would change, and change it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping

from app.admin import Administration, Plan
from app.commands.config.changes import (
    access_lines,
    access_objects,
    client_lines,
    client_objects,
    file_lines,
    file_objects,
    handed_lines,
    handed_objects,
    source_lines,
    source_objects,
)
from app.commands.config.words import count
from app.commands.doors import CANNOT, cannot, operator
from app.commands.known_people import knowing_administration
from app.configuration import Loaded

_STDIN_WORDS = "Not asked, as this is no terminal: run it again with --yes to do it."


def plan(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Show what applying would change. Returns 0 nothing, 1 something, 2 it cannot be said."""
    try:
        with knowing_administration(environ) as door:
            loaded = door.check()
            if loaded.revision is None:
                return _wrong(loaded, asked)
            planned = door.plan(loaded.revision)
            if asked.json:
                print(json.dumps(_object(planned, loaded, diff=asked.diff), indent=2))
            else:
                _say(loaded)
                print("\n".join(_lines(planned, diff=asked.diff)))
            return 1 if planned.changes else 0
    except CANNOT as problem:
        cannot(problem)
        return 2


def apply(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Make the folder active. Returns 0 it is, 1 it is not, 2 wrong usage or no folder."""
    if asked.json and not asked.yes:
        return _usage()
    try:
        with knowing_administration(environ, migrate=True) as door:
            loaded = door.check()
            if loaded.revision is None:
                _wrong(loaded, asked)
                return 1
            if not asked.json:
                _say(loaded)
            return _do(door, door.plan(loaded.revision), loaded, asked, "Apply it?")
    except CANNOT as problem:
        return cannot(problem)


def rollback(asked: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Make an earlier revision's files active. Returns 0 they are, 1 they are not, 2 no such revision."""
    if asked.json and not asked.yes:
        return _usage()
    try:
        with knowing_administration(environ) as door:
            return _do(door, door.plan_rollback(asked.number), None, asked, f"Go back to {asked.number}?")
    except CANNOT as problem:
        return cannot(problem)


def _do(
    door: Administration, planned: Plan, loaded: Loaded | None, asked: argparse.Namespace, question: str
) -> int:
    if not asked.json:
        print("\n".join(_lines(planned, diff=asked.diff)))
    if planned.changes and not asked.yes and not _agreed(question):
        return 1
    number = door.activate(planned, by=operator())
    if asked.json:
        print(json.dumps({**_object(planned, loaded, diff=asked.diff), "revision": number}, indent=2))
    elif planned.changes:
        print(f"Revision {number} is active. Workers use it within a second.")
    return 0


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        print(_STDIN_WORDS, file=sys.stderr)
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        return True
    print("Nothing was changed.", file=sys.stderr)
    return False


def _lines(planned: Plan, *, diff: bool) -> Iterator[str]:
    if not planned.changes:
        yield f"Nothing would change: revision {planned.active} holds the same files."
        return
    if planned.active:
        yield f"Revision {planned.active} is active; this would be {planned.active + 1}."
    else:
        yield "No revision is active yet; this would be the first."
    yield from file_lines(planned.files, diff=diff)
    if planned.unreadable:
        yield f"Access cannot be compared, as revision {planned.active} cannot be read here any more:"
        yield from (f"  {line}" for line in planned.unreadable.splitlines())
    else:
        yield from access_lines(planned.shifts, planned.people)
        yield from handed_lines(planned.handed)
        yield from client_lines(planned.clients)
        yield from source_lines(planned.sources)


def _object(planned: Plan, loaded: Loaded | None, *, diff: bool) -> dict[str, object]:
    return {
        "ok": True,
        "active": planned.active or None,
        "restores": planned.restores,
        "changes": planned.changes,
        "digest": planned.revision.digest,
        "files": file_objects(planned.files, diff=diff),
        "people": planned.people,
        "access": None if planned.unreadable else access_objects(planned.shifts),
        "administration": None if planned.unreadable else handed_objects(planned.handed),
        "clients": None if planned.unreadable else client_objects(planned.clients),
        "sources": None if planned.unreadable else source_objects(planned.sources),
        "problems": [str(problem) for problem in loaded.problems] if loaded else [],
    }


def _say(loaded: Loaded) -> None:
    """Warnings."""
    for problem in loaded.problems:
        print(problem, file=sys.stderr)


def _wrong(loaded: Loaded, asked: argparse.Namespace) -> int:
    errors = sum(problem.level == "error" for problem in loaded.problems)
    if asked.json:
        problems = [str(problem) for problem in loaded.problems]
        print(json.dumps({"ok": False, "problems": problems}, indent=2))
        return 2
    _say(loaded)
    print(f"{count(errors, 'error')}. Nothing was changed.", file=sys.stderr)
    return 2


def _usage() -> int:
    print("--json cannot ask: add --yes", file=sys.stderr)
    return 2
