"""Line numbers in a JSON document, found only when somebody asks.

The text must be JSON already (`json.loads` took it); this walks it with the standard decoder, piece by
piece, to the place that is wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_DECODER: Final = json.JSONDecoder()

Step = str | int
"""A member's name, an item's position."""


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _children(text: str, at: int) -> Iterator[tuple[Step, int, int]]:
    """(step, where it begins, where its value begins) of each member or item of the value at `at`."""
    opened = text[at : at + 1]
    if opened not in ("{", "["):
        return
    at = _skip(text, at + 1)
    index = 0
    while text[at : at + 1] not in ("}", "]", ""):
        start = at
        step: Step = index
        if opened == "{":
            step, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield step, start, at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        index += 1


def line(text: str, path: Sequence[Step], *, occurrence: int = 0, first: int = 1) -> int:
    """Line of the value at `path`; of its parent if it is not there.

    `occurrence` counts members of the last step's name, for a key that is repeated; `first` is the
    number of the text's first line.
    """
    try:
        at = _skip(text, 0)
        place = at
        for depth, step in enumerate(path):
            wanted = occurrence if depth == len(path) - 1 else 0
            for name, start, value in _children(text, at):
                if name == step:
                    place, at = start, value
                    if wanted == 0:
                        break
                    wanted -= 1
            else:
                break
    except (ValueError, RecursionError):
        place = 0
    return first + text.count("\n", 0, place)


class Lines:
    """Lines of a document's statements, found together when the first is asked for."""

    __slots__ = ("_first", "_found", "_text")

    def __init__(self, text: str, first: int) -> None:
        self._text = text
        self._first = first
        self._found: tuple[int, ...] | None = None

    def statement(self, index: int) -> int:
        """Line where statement `index` (from 0) begins; a lone object is statement 0."""
        if self._found is None:
            self._found = tuple(self._find())
        return self._found[index] if index < len(self._found) else self._first

    def _find(self) -> Iterator[int]:
        text = self._text
        for name, _, value in _children(text, _skip(text, 0)):
            if name != "Statement":
                continue
            starts = [value]
            if text[value : value + 1] == "[":
                starts = [start for _, start, _ in _children(text, value)]
            at, number = 0, self._first
            for start in starts:
                number += text.count("\n", at, start)
                at = start
                yield number
            return
