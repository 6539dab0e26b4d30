"""Policy variables of ours (`${daypass:…}`) put into a session policy before it goes to STS. Pure.

AWS resolves its own variables when a request is made; it has never heard of ours, and a statement with a
variable that AWS cannot resolve matches nothing, so that a Deny would be lost. Ours are therefore resolved
here, each value as literal text, or the request is refused.

IAM User Guide, "Policy variables": where they work (Resource after the fifth colon, String and Arn
conditions, Version 2012-10-17), defaults, and `${*}`, `${?}`, `${$}` for letters that mean something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from app.errors import RequestNotPossible
from app.policy import conditions
from app.policy.conditions import OPERATORS
from app.policy.document import CURRENT
from app.policy.patterns import Variable, variables
from app.policy.read import NotJson, decode, minified
from app.policy.text import fold

PREFIX: Final = "daypass:"
IDENTITY_ID: Final = "daypass:identity-id"
"""The id that a person, or guest, has in the pool of the session's client."""
CLIENT: Final = "daypass:Client"
"""The session's OAuth client."""
SOURCE: Final = "daypass:Source"
CLAIM: Final = "daypass:Claim/"
"""And a claim's name: a claim that has one value."""
NAMES: Final = (IDENTITY_ID, CLIENT, SOURCE, CLAIM)
"""Every variable that some session has a value for."""
LIMIT: Final = 2_048
"""Characters of an inline session policy (STS API Reference, AssumeRole, Policy)."""

_LEFT: Final = re.compile(r"\$\{\s*daypass:[^}]{0,80}\}?", re.IGNORECASE | re.ASCII)
_SIGNS: Final = re.compile(r"[*?$]")
_FOREIGN: Final = re.compile("[^\t\n\r\x20-\xff]")
_HEAD: Final = 5
"""Colons of an ARN before the part in which variables work."""

_Put = Callable[[str], str]


def resolve(document_text: str, values: Mapping[str, str], limit: int = LIMIT) -> str:
    """The session policy without white space, `${daypass:NAME}` replaced by `values["daypass:NAME"]`.

    Names are found without regard to case. A value is literal text wherever it lands: `*`, `?` and `$` in
    it are escaped. A variable's own default (`${daypass:NAME, 'text'}`) counts where the value is missing;
    an empty value is a missing one. Variables of AWS stay as they are.

    Raises:
        RequestNotPossible: a value is missing; a variable of ours stands where none is resolved; the
            result has more than `limit` characters. Its words name the variable.
    """
    tree = _read(document_text)
    found = _Values(values)
    current = tree.get("Version") == CURRENT
    if current:
        tree = _replaced(tree, found.put)
    text = _FOREIGN.sub(_escaped, minified(tree))
    left = _LEFT.search(text)
    if left:
        why = "only Resource after the fifth colon and String or Arn conditions have variables"
        if not current:
            why = f'without "Version": "{CURRENT}" there are no variables'
        raise _refused(f"`{left.group()}` stands where it is not resolved: {why}", left.group())
    if len(text) > limit:
        raise RequestNotPossible(f"with its variables resolved it has {len(text)} of {limit} characters")
    return text


# The same few documents are asked about whenever somebody's roles are listed.
@lru_cache(maxsize=256)
def needed(document_text: str) -> frozenset[str]:
    """Folded names of our variables that must have a value for `resolve` to succeed. Raises as it does.

    So a role can be left out of what somebody is offered whose session policy could not be made for them.
    """
    return frozenset(each.key for each in _all(document_text) if each.default is None)


def unknown(document_text: str) -> tuple[Variable, ...]:
    """Our variables that no session ever has a value for, in their order. Raises as `resolve` does."""
    claim = fold(CLAIM)
    known = frozenset(fold(name) for name in NAMES) - {claim}
    return tuple(
        each
        for each in _all(document_text)
        if each.key not in known and not (each.key.startswith(claim) and each.key != claim)
    )


def _all(document_text: str) -> list[Variable]:
    """Our variables, where variables work. Raises RequestNotPossible."""
    found: list[Variable] = []

    def look(text: str) -> str:
        found.extend(each for _, _, each in _ours(text))
        return text

    tree = _read(document_text)
    if tree.get("Version") == CURRENT:
        _replaced(tree, look)
    return found


def missing(document_text: str, values: Mapping[str, str]) -> frozenset[str]:
    """Those of `needed` for which `values` have nothing: with any of them `resolve` refuses. Raises as `needed`."""
    held = _Values(values)
    return frozenset(name for name in needed(document_text) if not held.has(name))


def _read(text: str) -> dict[str, object]:
    try:
        tree, repeated = decode(text)
    except NotJson as error:
        raise RequestNotPossible(f"the session policy {error}") from None
    if repeated or not isinstance(tree, dict):
        raise RequestNotPossible("the session policy is not one JSON object with each key once")
    return tree


def _ours(text: str) -> Iterator[tuple[int, int, Variable]]:
    """The variables of ours in a text in which variables work, and their places."""
    for start, end, variable in variables(text):
        if fold(variable.text).startswith(f"${{{PREFIX}"):
            if not variable.key and variable.default is None:
                detail = f"`{variable.text}` may have several values, so it is never resolved"
                raise _refused(detail, variable.text)
            yield start, end, variable


class _Values:
    """Values by folded name. A name that came twice with two values has none."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        for name, value in values.items():
            key = fold(name)
            self._values[key] = value if self._values.get(key, value) == value else ""

    def has(self, key: str) -> bool:
        """Whether there is a value for a folded name."""
        return bool(self._values.get(key))

    def put(self, text: str) -> str:
        """The text with our variables replaced. Raises RequestNotPossible."""
        made = ""
        at = 0
        for start, end, variable in _ours(text):
            made = _joined(_joined(made, text[at:start]), self._literal(variable))
            at = end
        return _joined(made, text[at:])

    def _literal(self, variable: Variable) -> str:
        value = self._values.get(variable.key) or variable.default
        if value is None:
            raise _refused(f"there is no value for `{variable.text}`", variable.text)
        return _SIGNS.sub(r"${\g<0>}", value)


def _joined(made: str, more: str) -> str:
    """Two texts as one. A `$` that ends the first must not meet a `{` that begins the second."""
    return f"{made[:-1]}${{$}}{more}" if made.endswith("$") and more.startswith("{") else made + more


def _replaced(tree: dict[str, object], put: _Put) -> dict[str, object]:
    listed = tree.get("Statement")
    if isinstance(listed, list):
        statements: object = [_statement(each, put) for each in listed]
    else:
        statements = _statement(listed, put)
    return {**tree, "Statement": statements} if "Statement" in tree else tree


def _statement(statement: object, put: _Put) -> object:
    if not isinstance(statement, dict):
        return statement
    made = dict(statement)
    for element in ("Resource", "NotResource"):
        if element in made:
            made[element] = _each(made[element], lambda text: _arn(text, put))
    blocks = made.get("Condition")
    if isinstance(blocks, dict):
        made["Condition"] = {operator: _block(operator, keys, put) for operator, keys in blocks.items()}
    return made


def _block(operator: str, keys: object, put: _Put) -> object:
    name = conditions.name(operator)
    row = OPERATORS.get(name.operator) if name is not None else None
    if name is None or row is None or not row.variables or not isinstance(keys, dict):
        return keys
    by_field = name.operator.startswith("Arn")
    return {
        key: _each(value, lambda text: _arn(text, put) if by_field else put(text))
        for key, value in keys.items()
    }


def _each(value: object, put: _Put) -> object:
    if isinstance(value, list):
        return [put(each) if type(each) is str else each for each in value]
    return put(value) if type(value) is str else value


def _arn(text: str, put: _Put) -> str:
    """Only the last part of an ARN: a value with a colon would move the fields before it."""
    fields = text.split(":", _HEAD)
    return ":".join((*fields[:_HEAD], put(fields[_HEAD]))) if len(fields) > _HEAD else text


def _escaped(sign: re.Match[str]) -> str:
    """A letter that STS does not take in a policy, as JSON writes it (two of them beyond U+FFFF)."""
    units = sign.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _refused(detail: str, variable: str) -> RequestNotPossible:
    return RequestNotPossible(
        f"session policy: {detail}",
        words=f"This role's session policy needs `{variable}`, which cannot be filled in for you here. "
        "Ask the people who run this service.",
    )
