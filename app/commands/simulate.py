"""`python -m app simulate`: questions in, decisions out, a line of JSON each.

A line is a question as `app/policy/questions.py` says. The answer is `{"id", "decision", "matched"}`, or
`error` in place of `decision`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from app.policy import questions
from app.policy.problems import PolicyInvalid

USAGE: Final = """usage: python -m app simulate < questions.jsonl

Reads one question per line from standard input and writes one answer per line, in order.
docs/reference/commands.md shows the format."""


def main(argv: Sequence[str], stdin: TextIO | None = None, stdout: TextIO | None = None) -> int:
    """Answer every line. 0 if all were answered, 1 if one was refused, 2 for wrong usage."""
    stdin, stdout = stdin or sys.stdin, stdout or sys.stdout
    if argv:
        print(USAGE, file=stdout if argv[0] in ("-h", "--help") else sys.stderr)
        return 0 if argv[0] in ("-h", "--help") else 2
    refused = False
    for line in _lines(stdin):
        if not line.strip():
            continue
        answer = _answer(line)
        refused = refused or "error" in answer
        print(json.dumps(answer), file=stdout, flush=True)
    return 1 if refused else 0


def _lines(stdin: TextIO) -> Iterator[str]:
    """Lines of the input; one that is no UTF-8 comes with its bytes marked, and is refused as no JSON."""
    reconfigure = getattr(stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    yield from stdin


def _answer(line: str) -> dict[str, object]:
    """One line's answer; never raises for anything that a line may hold."""
    given = questions.member(line, "id")
    try:
        decision = questions.answer(line)
    except PolicyInvalid as invalid:
        told = "; ".join(
            f"{problem.file}{f', {problem.statement}' if problem.statement else ''}: {problem.message}"
            for problem in invalid.problems
        )
        return {"id": given, "error": told, "matched": []}
    except questions.NoQuestion as error:
        return {"id": given, "error": str(error), "matched": []}
    matched = [{"policy": each.policy, "sid": each.sid, "index": each.index} for each in decision.matched]
    return {"id": given, "decision": decision.effect.value, "matched": matched}
