"""Whether policy documents allow an STS action: trust, identity and session policies.

A small reading of "Policy evaluation logic" (IAM User Guide), enough for the documents that stand in
front of AssumeRole. What it does not know (an operator, a variable) never helps: an Allow with it does
not match, a Deny does.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys in lower case; a tuple for multivalued keys."""


class Answer(Enum):
    """What a set of documents says."""

    ALLOW = "allow"
    DENY = "deny"
    NOTHING = "nothing"


class Named(IntEnum):
    """How precisely a trust policy names its caller."""

    NOT = 0
    ACCOUNT = 1
    """The account (or everyone): the account's own policies must allow as well."""
    ROLE = 2
    EXACT = 3
    """The user, or this one session."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls STS."""

    arn: str
    """Of the user or the assumed-role session."""
    account: str
    role: str | None = None
    """ARN of the role, for a session."""

    @property
    def principal_arn(self) -> str:
        """`aws:PrincipalArn`: the role's for a session."""
        return self.role or self.arn


def allows(documents: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context) -> Answer:
    """The answer of identity or session policies."""
    answer = Answer.NOTHING
    for statement in _statements(documents):
        deny = statement["Effect"] == "Deny"
        if (
            _covers(statement, "Action", action, case=False)
            and _covers(statement, "Resource", resource, case=True)
            and _conditions(statement, context, unknown=deny)
        ):
            if deny:
                return Answer.DENY
            answer = Answer.ALLOW
    return answer


def trusts(
    document: Mapping[str, Any], caller: Caller, action: str, context: Context
) -> tuple[Answer, Named]:
    """The answer of a trust policy, and how precisely the allowing statement names the caller."""
    best = Named.NOT
    for statement in _statements([document]):
        deny = statement["Effect"] == "Deny"
        named = _principal(statement.get("Principal"), caller)
        if (
            named
            and _covers(statement, "Action", action, case=False)
            and _conditions(statement, context, unknown=deny)
        ):
            if deny:
                return Answer.DENY, named
            best = max(best, named)
    return (Answer.ALLOW if best else Answer.NOTHING), best


def _statements(documents: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for document in documents:
        statements = document["Statement"]
        yield from [statements] if isinstance(statements, Mapping) else statements


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _principal(principal: object, caller: Caller) -> Named:
    if principal == "*":
        return Named.ACCOUNT
    if not isinstance(principal, Mapping):
        return Named.NOT
    best = Named.NOT
    for entry in _list(principal.get("AWS", [])):
        if entry in ("*", caller.account) or re.fullmatch(rf"arn:[\w-]+:iam::{caller.account}:root", entry):
            best = max(best, Named.ACCOUNT)
        elif entry == caller.arn:
            best = Named.EXACT
        elif entry == caller.role:
            best = max(best, Named.ROLE)
    return best


def _covers(statement: Mapping[str, Any], element: str, value: str, *, case: bool) -> bool:
    negated = f"Not{element}" in statement
    patterns = _list(statement[f"Not{element}"] if negated else statement.get(element, "*"))
    return any(_like(pattern, value, case=case) for pattern in patterns) is not negated


def _like(pattern: str, value: str, *, case: bool = True) -> bool:
    if not case:
        pattern, value = pattern.lower(), value.lower()
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


def _arn_like(pattern: str, value: str) -> bool:
    ours, theirs = pattern.split(":", 5), value.split(":", 5)
    return len(ours) == len(theirs) and all(
        _like(one, other) for one, other in zip(ours, theirs, strict=True)
    )


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.lower() == found.lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}


def _conditions(statement: Mapping[str, Any], context: Context, *, unknown: bool) -> bool:
    return all(
        _condition(operator, key.lower(), [_text(value) for value in _list(values)], context, unknown)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _condition(operator: str, key: str, wanted: list[str], context: Context, unknown: bool) -> bool:
    found = context.get(key)
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    quantifier, _, rest = operator.rpartition(":")
    plain = rest.removesuffix("IfExists")
    if_exists = plain != rest
    negated = "Not" in plain
    test = _TESTS.get(plain.replace("Not", ""))
    if test is None or any("${" in value for value in wanted):
        return unknown
    if found is None:
        return negated or if_exists or quantifier == "ForAllValues"
    if isinstance(found, tuple) != bool(quantifier):
        return unknown
    values = found if isinstance(found, tuple) else (found,)
    outcomes = [any(test(value, one) for value in wanted) is not negated for one in values]
    return all(outcomes) if quantifier == "ForAllValues" or not quantifier else any(outcomes)
