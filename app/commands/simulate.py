"""`python -m app simulate`: questions in, decisions out, a line of JSON each.

A line is `{"id", "policies": [document…], "boundary": [document…]|null, "guardrails": [document…] (one
level) or [[document…]…] (levels)|null, "session": [document…]|null, "request": {"action", "resource",
"context": {KEY: value or [values]}}}`. The answer is `{"id", "decision", "matched"}`, or `error` in place
of `decision`. Binary context values are base64. Other members of a line (`expect`, a comment) are left
alone. Identity policies allow; every boundary, every guardrail level and one session policy must allow
too; a deny in any of them wins (IAM User Guide, "Policy evaluation logic").
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from app.model import Decision
from app.policy.document import Document, Kind
from app.policy.evaluate import evaluate
from app.policy.problems import PolicyInvalid
from app.policy.read import NotJson, Repeated, decode, from_tree
from app.policy.request import RequestContext, Value
from app.policy.text import fold

USAGE: Final = """usage: python -m app simulate < questions.jsonl

Reads one question per line from standard input and writes one answer per line, in order.
docs/reference/commands.md shows the format."""
_MEMBERS: Final = ("id", "policies", "boundary", "guardrails", "session", "request")


class _NoQuestion(ValueError):
    """The line asks nothing that can be answered; the message says why."""


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
        given, answer = _answer(line)
        refused = refused or "error" in answer
        print(json.dumps({"id": given, **answer}), file=stdout, flush=True)
    return 1 if refused else 0


def _lines(stdin: TextIO) -> Iterator[str]:
    """Lines of the input; one that is no UTF-8 comes with its bytes marked, and is refused as no JSON."""
    reconfigure = getattr(stdin, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    yield from stdin


def _answer(line: str) -> tuple[object, dict[str, object]]:
    """(id, the rest of the answer) for one line; never raises for anything that a line may hold."""
    given: object = None
    try:
        if any("\udc80" <= letter <= "\udcff" for letter in line):
            raise _NoQuestion("the line is not UTF-8")
        given, question, repeated = _question(line)
        decision = _decide(question, repeated)
    except NotJson as error:
        return given, {"error": f"the line {error}", "matched": []}
    except RecursionError:
        return given, {"error": "the line is nested too deeply", "matched": []}
    except PolicyInvalid as invalid:
        told = "; ".join(
            f"{problem.file}{f', {problem.statement}' if problem.statement else ''}: {problem.message}"
            for problem in invalid.problems
        )
        return given, {"error": told, "matched": []}
    except _NoQuestion as error:
        return _id(line), {"error": str(error), "matched": []}
    matched = [{"policy": each.policy, "sid": each.sid, "index": each.index} for each in decision.matched]
    return given, {"decision": decision.effect.value, "matched": matched}


def _id(line: str) -> object:
    """The line's own id, in its own type; None if it has none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value.get("id") if isinstance(value, dict) else None


def _question(line: str) -> tuple[object, dict[str, object], bool]:
    tree, repeated = decode(line)
    if not isinstance(tree, dict):
        raise _NoQuestion("the line must be a JSON object with policies and request")
    if isinstance(tree, Repeated):
        raise _NoQuestion(f"`{tree.names[0]}` stands twice in the line")
    for name in tree:
        meant = None if name in _MEMBERS else _near(name)
        if meant is not None:
            # A misspelt cap that is left out would answer "allow" where the answer is no.
            raise _NoQuestion(f"`{name}` is no member of a question; did you mean `{meant}`?")
    return _id(line), tree, repeated


def _near(name: str) -> str | None:
    from difflib import get_close_matches  # only for lines with further members

    found = get_close_matches(fold(name), _MEMBERS, 1, 0.75)
    return found[0] if found else None


def _decide(question: dict[str, object], repeated: bool) -> Decision:
    request = question.get("request")
    if not isinstance(request, dict):
        raise _NoQuestion("`request` must be an object with action, resource and context")
    if isinstance(request, Repeated):
        raise _NoQuestion(f"`{request.names[0]}` stands twice in the request")
    action = request.get("action")
    if type(action) is not str or not all(action.partition(":")):
        raise _NoQuestion("`request.action` must be a string such as sts:AssumeRole")
    resource = request.get("resource")
    if type(resource) is not str or not resource:
        raise _NoQuestion("`request.resource` must be a string, an ARN or *")
    context = _context(request.get("context"))
    if "policies" not in question:
        raise _NoQuestion("`policies` is missing; write a list of documents")
    invalid: list[PolicyInvalid] = []

    def documents(value: object, label: str, kind: Kind) -> list[Document]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise _NoQuestion(f"`{label}` must be a list of documents")
        found: list[Document] = []
        for index, tree in enumerate(value):
            try:
                found.append(from_tree(tree, f"{label}[{index}]", kind, repeated=repeated))
            except PolicyInvalid as error:
                invalid.append(error)
        return found

    def levels(value: object) -> list[list[Document]]:
        if not value:
            return []
        if not isinstance(value, list):
            raise _NoQuestion("`guardrails` must be a list of documents, or of lists of documents")
        if not any(isinstance(each, list) for each in value):
            return [documents(value, "guardrails", Kind.GUARDRAIL)]
        return [
            documents(level if level is not None else (), f"guardrails[{index}]", Kind.GUARDRAIL)
            for index, level in enumerate(value)
        ]

    policies = documents(question["policies"], "policies", Kind.IDENTITY)
    boundaries = documents(question.get("boundary"), "boundary", Kind.BOUNDARY)
    guardrails = levels(question.get("guardrails"))
    sessions = documents(question.get("session"), "session", Kind.SESSION)
    if invalid:
        raise PolicyInvalid(tuple(problem for error in invalid for problem in error.problems))
    return evaluate(
        action,
        resource,
        context,
        policies=policies,
        boundaries=boundaries,
        guardrails=guardrails,
        sessions=sessions,
    )


def _context(value: object) -> RequestContext:
    """The context of a question. A key with null is absent."""
    if value is None:
        return RequestContext({})
    if not isinstance(value, dict):
        raise _NoQuestion("`request.context` must be an object of condition keys")
    found: dict[str, Value] = {}
    if isinstance(value, Repeated):
        raise _NoQuestion(f"`{value.names[0]}` stands twice in the context")
    for name, given in value.items():
        key = fold(name)
        if key in found:
            raise _NoQuestion(f"`{name}` stands twice in the context, in different case")
        if given is None:
            continue
        if isinstance(given, list):
            found[key] = tuple(_text(name, each) for each in given)
        else:
            found[key] = _text(name, given)
    return RequestContext(found)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    raise _NoQuestion(f"a value of `{name}` in the context must be a string, number, true or false")
