"""`python -m app access`: who may use what, and why. Each question is a module of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

QUESTIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "explain": (
        "app.commands.access_explain",
        "main",
        "why a person may or may not use a role; what a proof gets",
    ),
    "who-can": ("app.commands.access_who", "who_can", "who may use a role, now or on a day"),
    "what-can": ("app.commands.access_who", "what_can", "which roles a person may use, now or on a day"),
}


def usage() -> str:
    """The questions, a line each."""
    width = max(map(len, QUESTIONS))
    lines = [f"  {name:<{width}}  {summary}" for name, (_, _, summary) in QUESTIONS.items()]
    return (
        "usage: python -m app access QUESTION …\n\n"
        + "\n".join(lines)
        + "\n\n`python -m app access QUESTION --help` says more.\n"
    )


def main(argv: Sequence[str]) -> int:
    """Answer one question. Returns what it returns, 2 for wrong usage."""
    if not argv or argv[0] in {"-h", "--help"}:
        sys.stdout.write(usage())
        return 0 if argv else 2
    if argv[0] not in QUESTIONS:
        sys.stderr.write(f"unknown question `{argv[0]}`\n{usage()}")
        return 2
    module, name, _ = QUESTIONS[argv[0]]
    run: Callable[[Sequence[str]], int] = getattr(importlib.import_module(module), name)
    return run(argv[1:])
