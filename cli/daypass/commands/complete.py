"""`daypass __complete -- WORDS`: what could stand where the cursor is, for the shells' own completion.

Cached roles only: no network, no keychain, no prompt, and never a complaint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from daypass import consoles, roles
from daypass.errors import DONE, Fail

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "for the shells' completion"
TAKES_REST = True
Candidate = tuple[str, str]
"""What could stand there, and a few words on it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: the words stand behind `--`."""


def run(context: Context, arguments: argparse.Namespace) -> int:
    """A candidate a line: the word, a tab, what it is."""
    for value, about in candidates(context, list(arguments.rest)):
        context.output.print(f"{_plain(value)}\t{_plain(about)}")
    return DONE


def candidates(context: Context, words: Sequence[str]) -> list[Candidate]:
    """For the words behind the program's name; the last one is being typed and may be empty."""
    from daypass import main

    *before, current = words or [""]
    current = "" if current == '""' else current  # how PowerShell before 7.3 is brought to pass an empty word
    if "--" in before:
        return []  # the program to run: the shell's own business
    command = next((word for word in before if word in main.TABLE), None)
    if command is None:
        top = main.parser(None)
        found = _options(top) if current.startswith("-") else _commands(top)
    else:
        parser = _child(main.parser(command), command)
        found = _within(context, parser, list(before[before.index(command) + 1 :]), current)
    return [each for each in found if each[0].lower().startswith(current.lower())]


def _within(
    context: Context, parser: argparse.ArgumentParser, before: list[str], current: str
) -> list[Candidate]:
    """Inside one command: an option, an option's value, or what stands without one."""
    takes = {
        name: action for action in parser._actions for name in action.option_strings if action.nargs != 0
    }
    if before and before[-1] in takes:
        return _values(context, takes[before[-1]], current)
    if current.startswith("-"):
        return _options(parser)
    given = sum(
        1
        for place, word in enumerate(before)
        if not word.startswith("-") and not (place and before[place - 1] in takes)
    )
    places = [
        action for action in parser._actions if not action.option_strings and action.help != argparse.SUPPRESS
    ]
    return _values(context, places[given], current) if given < len(places) else []


def _values(context: Context, action: argparse.Action, current: str) -> list[Candidate]:
    if action.choices is not None:
        return [(str(choice), "") for choice in action.choices]
    if action.metavar == "ROLE":
        return _roles(context, current)
    if action.dest == "to":
        return [(name, "console") for name in consoles.PATHS]
    return []


def _roles(context: Context, current: str) -> list[Candidate]:
    """`ACCOUNT_NAME/ROLE`; where none begins so, roles by their name alone."""
    try:
        known = roles.cached(context) or []
    except Fail:
        return []
    named = [(role.label, role.description or role.account) for role in known]
    if any(label.lower().startswith(current.lower()) for label, _ in named):
        return named
    names = [role.name for role in known]
    return [(role.name, role.label) for role in known if names.count(role.name) == 1]


def _commands(top: argparse.ArgumentParser) -> list[Candidate]:
    from daypass import main

    return [(name, main._module(name).HELP) for name in main.TABLE if not name.startswith("__")]


def _options(parser: argparse.ArgumentParser) -> list[Candidate]:
    return [
        (name, action.help or "")
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--") and action.help != argparse.SUPPRESS
    ]


def _child(top: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = action.choices[command]
            assert isinstance(found, argparse.ArgumentParser)  # noqa: S101
            return found
    raise AssertionError("the parser has no commands")


def _plain(text: str) -> str:
    from daypass.output import clean

    return clean(text).replace("\t", " ").replace("\n", " ")
