"""`python -m app config`: check the configuration folder, plan and apply it, look back and go back.

Each command's work is a module of its own, loaded when it is asked for: `check` starts without the database.
"""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from app.configuration.schema import KINDS

_RUN: Final[Mapping[str, tuple[str, str]]] = {
    "check": ("app.commands.config.check", "check"),
    "schema": ("app.commands.config.schema", "schema"),
    "plan": ("app.commands.config.plan", "plan"),
    "apply": ("app.commands.config.plan", "apply"),
    "rollback": ("app.commands.config.plan", "rollback"),
    "history": ("app.commands.config.history", "history"),
    "diff": ("app.commands.config.history", "diff"),
}
_SHOWN = "People are those whom sign-ins have shown, with the claims of their last one."


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app config",
        description="Check the configuration folder, see what applying it would change, apply it, go back.",
        epilog="The folder is named by DAYPASS_CONFIG (default config/), the database by DAYPASS_DATABASE or the "
        "folder's daypass.yaml. Exit status: 0 right, 1 something is wrong or would change, 2 wrong usage, or no "
        "such folder, database or revision.",
    )
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _check(commands)
    _schema(commands)
    _plan(commands)
    _history(commands)
    new = commands.add_parser("new", help="make a policy from choices (`config new policy --help`)")
    new.add_argument("what", choices=("policy",))
    return made


def main(argv: Sequence[str]) -> int:
    """Run one of the commands. Returns 0 right, 1 wrong or something would change, 2 wrong usage or no folder."""
    if list(argv[:2]) == ["new", "policy"]:
        # Only here: it loads the store, which `check` does without.
        from app.commands import new_policy

        return new_policy.main(argv[2:])
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    module, name = _RUN[asked.command]
    run: Callable[[argparse.Namespace, Mapping[str, str]], int] = getattr(
        importlib.import_module(module), name
    )
    return run(asked, os.environ)


_Commands = argparse._SubParsersAction


def _check(commands: _Commands[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="say everything that is wrong, or what is there",
        description="Check every file and how they fit together, and run the policy tests (policies/NAME.test.jsonl). "
        "All problems are printed at once, each as FILE:LINE:COLUMN  KEY  what was expected. Nothing is changed and "
        "nothing is called.",
        epilog="Exit status: 0 right (there may be warnings), 1 there are errors, 2 wrong usage or no such folder.",
    )
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.add_argument(
        "--without-secrets",
        action="store_true",
        help="take references ({env: NAME}, {file: PATH}) that lead nowhere for warnings, as on a build machine",
    )


def _schema(commands: _Commands[argparse.ArgumentParser]) -> None:
    schema = commands.add_parser(
        "schema",
        help="print the JSON Schemas for editors",
        description="Print the JSON Schema of one kind of file, or of all as one object.",
    )
    schema.add_argument("kind", nargs="?", choices=tuple(KINDS), metavar="KIND", help=", ".join(KINDS))
    schema.add_argument("--write", type=Path, metavar="DIR", help="write DIR/KIND.json instead of printing")


def _plan(commands: _Commands[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser(
        "plan",
        help="show what applying the folder would change",
        description="Check the folder, and show which files differ from the active revision and who would gain and lose "
        f"which roles. {_SHOWN}",
        epilog="Exit status: 0 nothing would change, 1 something would, 2 the folder is not right, or wrong usage.",
    )
    apply = commands.add_parser(
        "apply",
        help="make the folder the active revision",
        description="Show the plan, ask, and make the folder's configuration a new revision. Running workers use it "
        "within a second. What is not right, or fails a policy test, changes nothing.",
        epilog="Exit status: 0 it is active, 1 it is not, 2 wrong usage or no such folder.",
    )
    rollback = commands.add_parser(
        "rollback",
        help="make an earlier revision's files active again",
        description="Show the plan, ask, and make the files of an earlier revision active again, as a new revision. They "
        "are checked first, with the secrets of today. The folder stays as it is: a restart does not undo the "
        "rollback, a changed folder or `config apply` does.",
        epilog="Exit status: 0 it is active, 1 it is not, 2 wrong usage or no such revision.",
    )
    rollback.add_argument(
        "number", type=int, metavar="N", help="the revision, as `config history` numbers it"
    )
    for command in (plan, apply, rollback):
        command.add_argument("--diff", action="store_true", help="show the changed lines of each file")
        command.add_argument("--json", action="store_true", help="print one JSON object")
    for command in (apply, rollback):
        command.add_argument("--yes", action="store_true", help="do it without asking")


def _history(commands: _Commands[argparse.ArgumentParser]) -> None:
    history = commands.add_parser(
        "history",
        help="list the revisions",
        description="List every revision, newest first: when it became active, by whom, its content's hash.",
        epilog="Exit status: 0 right, 1 there is none, 2 wrong usage or no database.",
    )
    history.add_argument(
        "--policy", metavar="NAME", help="only the revisions in which the text of policies/NAME.json changed"
    )
    diff = commands.add_parser(
        "diff",
        help="show what differs between two revisions",
        description=f"Show the files that differ and who gained and lost which roles on the way from A to B. {_SHOWN}",
        epilog="Exit status: 0 they are the same, 1 they differ, 2 wrong usage or no such revision.",
    )
    for name in ("A", "B"):
        diff.add_argument(name.lower(), type=int, metavar=name, help="a revision's number")
    for command in (history, diff):
        command.add_argument("--json", action="store_true", help="print one JSON object")
