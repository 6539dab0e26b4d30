"""Whether policy documents allow an S3 action: the role's own, and the session policy.

Only what is asked of S3 here: Action, Resource, their Not… twins, `*` and `?`, policy variables with
`${*}`, `${?}`, `${$}`, and the String operators. What it does not know (an operator, a key, a variable)
never helps: an Allow with it does not match, a Deny does. IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

Context = Mapping[str, str]
"""Condition keys of the call, in lower case."""

KEYS: Final = frozenset(
    {"s3:prefix", "s3:delimiter", "s3:max-keys", "aws:userid", "aws:principalarn", "aws:sourceidentity"}
)
"""Keys that a call may have here; one that is not among them is unknown, not absent."""
_FAMILY: Final = "aws:principaltag/"


class Verdict(Enum):
    """What a set of documents says."""

    ALLOW = "allow"
    DENY = "deny"
    NOTHING = "nothing"


def judge(documents: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context) -> Verdict:
    """The answer of these documents together: any Deny, else any Allow, else nothing."""
    verdict = Verdict.NOTHING
    for document in documents:
        variables = document.get("Version") == "2012-10-17"
        statements = document["Statement"]
        for statement in [statements] if isinstance(statements, Mapping) else statements:
            deny = statement["Effect"] == "Deny"
            if _applies(statement, action, resource, context, variables, unsure=deny):
                if deny:
                    return Verdict.DENY
                verdict = Verdict.ALLOW
    return verdict


def _applies(
    statement: Mapping[str, Any],
    action: str,
    resource: str,
    context: Context,
    variables: bool,
    *,
    unsure: bool,
) -> bool:
    actions = _list(statement.get("NotAction", statement.get("Action")))
    if any(_like(each.lower(), action.lower(), None, unsure) for each in actions) is (
        "NotAction" in statement
    ):
        return False
    negated = "NotResource" in statement
    known = context if variables else None
    entries = _list(statement.get("NotResource", statement.get("Resource")))
    # Within a negation the safe answer is the other one.
    if any(_like(each, resource, known, unsure is not negated) for each in entries) is negated:
        return False
    return all(
        _holds(operator, key.lower(), [str(value) for value in _list(values)], context, variables, unsure)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


_WILD: Final[Mapping[str, bool]] = {"StringEquals": False, "StringLike": True}
"""Operators, and whether their values are patterns."""


def _holds(
    operator: str, key: str, wanted: list[str], context: Context, variables: bool, unsure: bool
) -> bool:
    if key not in KEYS and not key.startswith(_FAMILY):
        return unsure
    found = context.get(key)
    plain = operator.removesuffix("IfExists")
    negated = "Not" in plain
    pattern = _WILD.get(plain.replace("Not", ""))
    if pattern is None:
        return unsure
    if found is None:
        return negated or plain != operator
    known = context if variables else None
    hit = any(_like(each, found, known, unsure is not negated, wild=pattern) for each in wanted)
    return hit is not negated


_MANY: Final = object()
_ONE: Final = object()
_PIECE: Final = re.compile(r"\$\{([^}]*)\}|[*?]|(?s:.)")


def _like(pattern: str, text: str, known: Context | None, unsure: bool, *, wild: bool = True) -> bool:
    """Whether the pattern covers the whole text; `unsure` if it holds a variable without a value."""
    steps: list[object] = []
    for piece in _PIECE.finditer(pattern):
        whole, name = piece.group(), piece.group(1)
        if name is not None and known is not None:
            value = name if name in ("*", "?", "$") else known.get(name.lower())
            if value is None:
                return unsure
            steps.extend(value)
        elif wild and whole == "*":
            steps.append(_MANY)
        elif wild and whole == "?":
            steps.append(_ONE)
        else:
            steps.extend(whole)
    return _walk(steps, text)


def _walk(steps: list[object], text: str) -> bool:
    """Match, going back to the last star only: no pattern costs more than the product of the lengths."""
    at = step = 0
    star, resume = -1, 0
    while at < len(text):
        if step < len(steps) and (steps[step] is _ONE or steps[step] == text[at]):
            at, step = at + 1, step + 1
        elif step < len(steps) and steps[step] is _MANY:
            star, resume = step, at
            step += 1
        elif star >= 0:
            resume += 1
            at, step = resume, star + 1
        else:
            return False
    return all(each is _MANY for each in steps[step:])


def why_not(own: Verdict, session: Verdict | None) -> str | None:
    """Why a role's session may not, in S3's words; None if it may. `session` is None without session policy."""
    if own is Verdict.DENY:
        return "with an explicit deny in an identity-based policy"
    if session is Verdict.DENY:
        return "with an explicit deny in a session policy"
    if own is not Verdict.ALLOW:
        return "because no identity-based policy allows the {action} action"
    if session is Verdict.NOTHING:
        return "because no session policy allows the {action} action"
    return None
