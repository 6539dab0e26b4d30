"""Questions to the engine as JSON: what `simulate` reads, and what policy tests are made of.

A question is `{"id", "policies": [document…], "boundary": [document…]|null, "guardrails": [document…] (one
level) or [[document…]…] (levels)|null, "session": [document…]|null, "request": {"action", "resource",
"context": {KEY: value or [values]}}}`. Binary context values are base64. Other members (`expect`, a comment)
are left alone. Identity policies allow; every boundary, every guardrail level and one session policy must
allow too; a deny in any of them wins (IAM User Guide, "Policy evaluation logic").
"""

from __future__ import annotations

import json
from typing import Final

from app.model import Decision
from app.policy.document import Document, Kind
from app.policy.evaluate import evaluate
from app.policy.problems import PolicyInvalid
from app.policy.read import NotJson, Repeated, decode, from_tree
from app.policy.request import RequestContext, Value
from app.policy.text import fold

_MEMBERS: Final = ("id", "policies", "boundary", "guardrails", "session", "request")


class NoQuestion(ValueError):
    """The line asks nothing that can be answered; the message says why."""


def answer(line: str, beside: Document | None = None, *, also: tuple[str, ...] = ()) -> Decision:
    """The decision on one line. A line without `policies` asks about `beside`, where there is one.

    `also`: further members that the caller reads, so that a misspelt one is found.

    Raises NoQuestion, PolicyInvalid (a document that IAM would refuse); nothing else, whatever the line holds.
    """
    try:
        if any("\ud800" <= letter <= "\udfff" for letter in line):
            raise NoQuestion("the line is not UTF-8")
        tree, repeated = decode(line)
        return _decide(_question(tree, also), repeated, beside)
    except NotJson as error:
        raise NoQuestion(f"the line {error}") from None
    except RecursionError:
        raise NoQuestion("the line is nested too deeply") from None


def member(line: str, name: str) -> object:
    """A member of the line in its own JSON type; None if it has none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value.get(name) if isinstance(value, dict) else None


def _question(tree: object, also: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(tree, dict):
        raise NoQuestion("the line must be a JSON object with policies and request")
    if isinstance(tree, Repeated):
        raise NoQuestion(f"`{tree.names[0]}` stands twice in the line")
    for name in tree:
        meant = None if name in (*_MEMBERS, *also) else _near(name, (*_MEMBERS, *also))
        if meant is not None:
            # A misspelt cap that is left out would answer "allow" where the answer is no.
            raise NoQuestion(f"`{name}` is no member of a question; did you mean `{meant}`?")
    return tree


def _near(name: str, known: tuple[str, ...]) -> str | None:
    from difflib import get_close_matches  # only for lines with further members

    found = get_close_matches(fold(name), known, 1, 0.75)
    return found[0] if found else None


def _decide(question: dict[str, object], repeated: bool, beside: Document | None) -> Decision:
    request = question.get("request")
    if not isinstance(request, dict):
        raise NoQuestion("`request` must be an object with action, resource and context")
    if isinstance(request, Repeated):
        raise NoQuestion(f"`{request.names[0]}` stands twice in the request")
    action = request.get("action")
    if type(action) is not str or not all(action.partition(":")):
        raise NoQuestion("`request.action` must be a string such as sts:AssumeRole")
    resource = request.get("resource")
    if type(resource) is not str or not resource:
        raise NoQuestion("`request.resource` must be a string, an ARN or *")
    context = _context(request.get("context"))
    if "policies" not in question and beside is None:
        raise NoQuestion("`policies` is missing; write a list of documents")
    invalid: list[PolicyInvalid] = []

    def documents(value: object, label: str, kind: Kind) -> list[Document]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise NoQuestion(f"`{label}` must be a list of documents")
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
            raise NoQuestion("`guardrails` must be a list of documents, or of lists of documents")
        if not any(isinstance(each, list) for each in value):
            return [documents(value, "guardrails", Kind.GUARDRAIL)]
        return [
            documents(level if level is not None else (), f"guardrails[{index}]", Kind.GUARDRAIL)
            for index, level in enumerate(value)
        ]

    if "policies" in question or beside is None:
        policies = documents(question.get("policies"), "policies", Kind.IDENTITY)
    else:
        policies = [beside]
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
        raise NoQuestion("`request.context` must be an object of condition keys")
    found: dict[str, Value] = {}
    if isinstance(value, Repeated):
        raise NoQuestion(f"`{value.names[0]}` stands twice in the context")
    for name, given in value.items():
        key = fold(name)
        if key in found:
            raise NoQuestion(f"`{name}` stands twice in the context, in different case")
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
    raise NoQuestion(f"a value of `{name}` in the context must be a string, number, true or false")
