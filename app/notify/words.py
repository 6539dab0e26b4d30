"""An alert as plain text, the same for every channel that takes text."""

from __future__ import annotations

import unicodedata
from typing import Final

from app.people import Alert

_LONGEST_TITLE: Final = 150
_LONGEST_FACT: Final = 1_000
_LONGEST_TEXT: Final = 10_000


def title(alert: Alert, longest: int = _LONGEST_TITLE) -> str:
    """Its title as one line: fit for a header, whatever somebody wrote into it."""
    return _line(alert.title, longest)


def body(alert: Alert) -> str:
    """What happened, when, and the facts, one a line."""
    lines = [_paragraphs(alert.text), ""]
    lines += [f"{name}: {value}" for name, value in facts(alert).items()]
    lines.append(f"at: {alert.at.isoformat(timespec='seconds')}")
    return "\n".join(lines) + "\n"


def facts(alert: Alert) -> dict[str, str]:
    """The facts, names and values one line each."""
    return {_line(name, 64): _line(value, _LONGEST_FACT) for name, value in alert.facts.items()}


def _line(text: str, longest: int) -> str:
    return " ".join(_printable(text).split())[:longest]


def _paragraphs(text: str) -> str:
    return "\n".join(_printable(line) for line in text[:_LONGEST_TEXT].split("\n"))


def _printable(text: str) -> str:
    # Control, format and surrogate characters: they end lines, turn them round, or cannot be encoded.
    return "".join(
        " " if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" else char for char in text
    )
