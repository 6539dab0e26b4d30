"""Syntax of a session policy: what IAM refuses when a policy is handed in.

Source: "Grammar of the IAM JSON policy language", "IAM JSON policy elements reference" (IAM User Guide).
"""

from __future__ import annotations

import json
import re
from typing import Any

from demo.aws.wire import Rejected

_TOP = {"Version", "Id", "Statement"}
_STATEMENT = {
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
    "Principal",
    "NotPrincipal",
}
_ACTION = re.compile(r"\*|[A-Za-z0-9.-]+:[^:]+")
_RESOURCE = re.compile(r"\*|arn:(aws|aws-cn|aws-us-gov|aws-eusc|aws-iso(-[bef])?|\*):[^:]+(:.*)?", re.DOTALL)
_SID = re.compile(r"[0-9A-Za-z]*")
_OPERATOR = re.compile(
    r"(?:For(?:All|Any)(?:Values|Value):)?"
    r"(?:String(?:Not)?Equals(?:IgnoreCase)?|String(?:Not)?Like"
    r"|(?:Numeric|Date)(?:(?:Not)?Equals|LessThan(?:Equals)?|GreaterThan(?:Equals)?)"
    r"|Bool|BinaryEquals|(?:Not)?IpAddress|Arn(?:Not)?(?:Equals|Like))(?:IfExists)?|Null"
)


def malformed(message: str) -> Rejected:
    """`MalformedPolicyDocument`."""
    return Rejected(400, "MalformedPolicyDocument", message)


def parse(text: str) -> dict[str, Any]:
    """A policy document as parsed JSON. Raises Rejected (`MalformedPolicyDocument`)."""
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict):
        raise malformed("Syntax errors in policy.")
    _keys(document, _TOP)
    if document.get("Version", "2012-10-17") not in ("2008-10-17", "2012-10-17"):
        raise malformed("Syntax errors in policy.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise malformed("Syntax errors in policy.")
    sids: set[str] = set()
    for statement in statements:
        _statement(statement, sids)
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _keys(found: dict[str, Any], known: set[str]) -> None:
    if not set(found) <= known:
        raise malformed("Syntax errors in policy.")


def _statement(statement: object, sids: set[str]) -> None:
    if not isinstance(statement, dict):
        raise malformed("Syntax errors in policy.")
    _keys(statement, _STATEMENT)
    if "Principal" in statement or "NotPrincipal" in statement:
        raise malformed("Policy document should not specify a principal.")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed("Syntax errors in policy.")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise malformed("Statement IDs (SID) in a single policy must be alphanumeric.")
    if sid and sid in sids:
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    sids.add(sid)
    _either(statement, "Action", "NotAction", _ACTION, "Actions/Conditions must be prefaced by a vendor.")
    _either(statement, "Resource", "NotResource", _RESOURCE, "Resource must be in ARN format or '*'.")
    _condition(statement.get("Condition", {}))


def _either(statement: dict[str, Any], plain: str, negated: str, form: re.Pattern[str], message: str) -> None:
    if (plain in statement) == (negated in statement):
        raise malformed(f"Policy statement must contain exactly one of {plain} and {negated}.")
    value = statement.get(plain, statement.get(negated))
    values = value if isinstance(value, list) else [value]
    if not values:
        raise malformed("Syntax errors in policy.")
    for entry in values:
        if not isinstance(entry, str):
            raise malformed("Syntax errors in policy.")
        if not form.fullmatch(entry):
            raise malformed(message)


def _condition(condition: object) -> None:
    if not isinstance(condition, dict):
        raise malformed("Syntax errors in policy.")
    for operator, keys in condition.items():
        if not _OPERATOR.fullmatch(operator):
            raise malformed(f"Invalid Condition type : {operator}.")
        if not isinstance(keys, dict):
            raise malformed("Syntax errors in policy.")
        for values in keys.values():
            for value in values if isinstance(values, list) else [values]:
                if not isinstance(value, str | int | float | bool):
                    raise malformed("Syntax errors in policy.")
