"""What is wrong with the configuration: said all at once, each with its place, what was expected, a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from app.configuration.places import Path, Place

Level = Literal["error", "warning"]

_LONGEST: Final = 80
"""Characters of somebody's text that a message repeats."""

_MOST_LOOKED: Final = 100
"""Hints among thousands of names; each costs some milliseconds, and a missing file can make thousands of problems."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (`error`) or surely not meant (`warning`)."""

    file: str
    line: int
    """From 1; 0 where the problem has no line (a file that is missing)."""
    column: int
    """From 1, in characters; 0 where the problem has no column."""
    key: str
    """The nearest key, or empty."""
    message: str
    level: Level

    def __str__(self) -> str:
        """`config/accounts.yaml:5:41  max_duratoin  unknown key; did you mean `max_duration`?`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        words = self.message if self.level == "error" else f"warning: {self.message}"
        return "  ".join(part for part in (place, self.key, words) if part)


class Problems:
    """Collects problems; `folder` is put before each file's name."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder
        self._looked = 0
        self._found: dict[tuple[str, int, int, str], Problem] = {}

    def add(
        self,
        place: Place,
        path: Path,
        message: str,
        *,
        on: Literal["key", "value"] = "value",
        level: Level = "error",
    ) -> None:
        """Add a problem with the value at `path` (or with its key); the innermost part that exists is named."""
        mark = place.of_key(path) if on == "key" else place.of_value(path)
        key = next((part for part in reversed(path) if isinstance(part, str)), place.name)
        self.put(place.file, mark.line, mark.column, key, message, level)

    def put(self, file: str, line: int, column: int, key: str, message: str, level: Level = "error") -> None:
        """Add a problem by line and column."""
        named = printable(f"{self._folder}/{file}" if self._folder else file)
        problem = Problem(named, line, column, shown(key), printable(message), level)
        # A value that is odd in itself is also not what its key wants: the first words are the better ones.
        identity = (file, line, column, problem.key if column else message)
        known = self._found.get(identity)
        if known is None or (known.level == "warning" and level == "error"):
            self._found[identity] = problem

    def near(self, name: str, known: Iterable[str]) -> str:
        """`nearest` among names of which there may be thousands; nothing once that was asked often."""
        self._looked += 1
        return nearest(name, known) if self._looked <= _MOST_LOOKED else ""

    def sorted(self) -> tuple[Problem, ...]:
        """All of them, by file and place."""
        return tuple(sorted(self._found.values(), key=lambda found: (found.file, found.line, found.column)))

    def has_errors(self) -> bool:
        """True if the configuration cannot be used."""
        return any(found.level == "error" for found in self._found.values())


def shown(text: str) -> str:
    """Somebody's text, fit for a terminal and a log: cut, and without characters that steer either."""
    return printable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def printable(text: str) -> str:
    """The text with each character that steers a terminal or a log written as its escape."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or nothing where no known name is near."""
    names = {candidate.lower(): candidate for candidate in known}
    # Bounded: a comparison costs the product of the two lengths.
    near = difflib.get_close_matches(name[:_LONGEST].lower(), names, n=1, cutoff=0.6)
    return f"; did you mean `{shown(names[near[0]])}`?" if near else ""
