"""Warnings: what IAM takes and nobody means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from app.policy import actions, condition_keys, conditions, patterns, values
from app.policy.conditions import Condition, Quantifier
from app.policy.document import CURRENT, Document, Kind, Statement
from app.policy.patterns import Resource, Variable
from app.policy.problems import PolicyProblem
from app.policy.read import decode, minified
from app.policy.text import fold

_MANAGED: Final = 6_144
_NAME: Final = re.compile(r"[A-Za-z0-9*?]*", re.ASCII)
_VARIABLE: Final = re.compile(r"\$\{")
_OPERATORS_WITHOUT_VARIABLES: Final = ("Numeric", "Date", "Binary", "IpAddress", "NotIpAddress")


def lint(document: Document, known_keys: AbstractSet[str] | None = None) -> list[PolicyProblem]:
    """Warnings for a document that is valid.

    `known_keys` are names of condition keys that the configured sources supply, families with their
    slash (`aws:PrincipalTag/`), in any case; None: the whole table.
    """
    names = {row.name for row in condition_keys.KEYS} if known_keys is None else known_keys
    folded = frozenset(map(fold, names))
    source = document.source
    found = [PolicyProblem(source.file, source.line, None, words) for words in _whole(document)]
    for statement in document.statements:
        label = f"statement {statement.index + 1}" + (f" ({statement.sid})" if statement.sid else "")
        for words in _statement(statement, document, folded):
            found.append(PolicyProblem(source.file, statement.reference.line or source.line, label, words))
    return found


def _whole(document: Document) -> Iterator[str]:
    if document.version != CURRENT:
        yield f'Version {document.version}: policy variables are plain text; write "Version": "{CURRENT}"'
    text = document.source.text
    if text:
        tree = decode(text)[0]
        if isinstance(tree, dict) and "Version" not in tree:
            yield f'Version is missing and means 2008-10-17; write "Version": "{CURRENT}"'
        if isinstance(tree, dict) and "Id" in tree and document.kind is not Kind.TRUST:
            yield "Id has no meaning here; leave it out"
        size = len(minified(tree)) if len(text) > _MANAGED else 0
        if size > _MANAGED and document.kind is Kind.IDENTITY:
            yield f"AWS takes at most {_MANAGED} characters in a managed policy, this has {size}"
        yield from _odd_elements(tree)


def _odd_elements(tree: object) -> Iterator[str]:
    """What the compiled form no longer shows: operators over nothing, `null` among resources."""
    listed = tree.get("Statement") if isinstance(tree, dict) else None
    for number, statement in enumerate(listed if isinstance(listed, list) else [listed], 1):
        if not isinstance(statement, dict):
            continue
        condition = statement.get("Condition")
        for operator, members in condition.items() if isinstance(condition, dict) else ():
            if conditions.name(operator) is None:
                yield f"statement {number}: `{operator}` is no operator, over nothing; leave it out"
            elif not members:
                yield f"statement {number}: {operator} over no key is no condition; leave it out"
        for element in ("Resource", "NotResource"):
            entries = statement.get(element)
            if isinstance(entries, list) and None in entries:
                yield f"statement {number}: null in {element} matches nothing; leave it out"


def _statement(statement: Statement, document: Document, known: frozenset[str]) -> Iterator[str]:
    variables = document.version == CURRENT
    if not statement.deny and document.kind is not Kind.GUARDRAIL and document.kind is not Kind.BOUNDARY:
        if statement.not_action:
            yield "Allow with NotAction allows everything else, also what AWS adds later; list what is meant"
        if statement.not_resource and document.kind is not Kind.TRUST:
            yield "Allow with NotResource allows every other resource, also ones made later; list what is meant"
        if not statement.not_resource and any(each.everything for each in statement.resources):
            yield "Allow on every resource (`*`); name the roles, if not all are meant"
    if statement.principals is not None and statement.principals.everyone and not statement.deny:
        yield "Principal `*` with Allow lets in everybody; name accounts or roles"
    for text in statement.actions.texts:
        yield from _action(text)
    for resource in statement.resources:
        yield from _resource(resource, variables)
    yield from _administration(statement, document.kind)
    for condition in statement.conditions:
        yield from _condition(condition, statement, variables, known)
    if statement.deny and _never(statement):
        yield "this Deny can never match, so it refuses nothing"


def _action(text: str) -> Iterator[str]:
    name = text.partition(":")[2]
    if text != "*" and (not name or not _NAME.fullmatch(name)):
        yield f"action `{text}` is the name of no action and matches nothing"
    if _VARIABLE.search(text):
        yield f"policy variables do not work in actions (`{text}`)"


def _resource(resource: Resource, variables: bool) -> Iterator[str]:
    text = resource.text
    if text != "*" and text.count(":") < 5:
        yield f"resource `{text}` has fewer than six fields and is completed with `*`; write it out"
    if not resource.simple:
        yield f"resource `{text}`: whether a wildcard inside a field matches a colon is not known; use `*` as a whole field"
    if _VARIABLE.search(text) and (not variables or _VARIABLE.search(":".join(text.split(":", 5)[:5]))):
        yield f"resource `{text}`: a policy variable works only in Version {CURRENT} and after the fifth colon"
    yield from _templates(resource.parts)


def _administration(statement: Statement, kind: Kind) -> Iterator[str]:
    """What is said about daypass itself: actions and resources that there are not, or that never meet."""
    for text in statement.actions.texts:
        if actions.misspelt(text):
            from difflib import get_close_matches  # only for what is wrong

            known = {row.name.partition(":")[2]: row.name for row in actions.ACTIONS}
            near = get_close_matches(text.partition(":")[2], known, 1, 0.75)
            yield f"daypass has no action `{text}`" + (f"; did you mean `{known[near[0]]}`?" if near else "")
    for resource in statement.resources:
        if actions.speaks_of_daypass(resource) and not any(
            actions.reaches(resource, row) for row in actions.ACTIONS
        ):
            forms = ", ".join(dict.fromkeys(row.resource for row in actions.ACTIONS))
            yield f"resource `{resource.text}` names nothing of daypass; the forms are {forms}"
    if statement.not_action or statement.not_resource:
        return
    for text in statement.actions.texts:
        rows = () if text == "*" else actions.covered(text)
        if rows and not any(
            actions.reaches(resource, row) for row in rows for resource in statement.resources
        ):
            yield f"`{text}` is asked on {rows[0].resource}, which this statement does not name"
    everything = statement.actions.everything and not statement.deny and kind is Kind.IDENTITY
    if everything and any(
        actions.reaches(resource, row) for row in actions.ACTIONS for resource in statement.resources
    ):
        yield "Allow of every action lets administer daypass too; write sts:AssumeRole, if only roles are meant"


def _templates(parts: tuple[patterns.Token, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Variable):
            if not part.key:
                yield f"`{part.text}` names a key of several values and is never resolved"
            elif part.default is None and condition_keys.find(part.key) is None and ":" not in part.key:
                yield f"`{part.text}` names no condition key and is never resolved"


def _condition(
    condition: Condition, statement: Statement, variables: bool, known: frozenset[str]
) -> Iterator[str]:
    key, operator = condition.key, f"{condition.quantifier.value}{condition.operator}"
    family = key[: key.index("/") + 1] if "/" in key else ""
    if key not in known and family not in known:
        yield f"no configured source supplies the condition key `{key}`"
    if not condition.values:
        yield f"{operator} compares `{key}` with nothing"
    if condition.test is not None and condition.test.broken:
        yield f"{operator}: a value for `{key}` is not of the operator's type and matches nothing"
    if condition.operator in ("IpAddress", "NotIpAddress"):
        for text in condition.values:
            network = values.network(text)
            if network is not None and network.host_bits:
                yield f"`{text}` has bits set after its prefix; write the network's first address"
    if condition.operator.startswith("Date") and any(
        text.isdigit() and len(text) == 4 for text in condition.values
    ):
        yield f"{operator}: a bare number is seconds since 1970, not a year; write 2026-01-01T00:00:00Z"
    if (
        condition.quantifier is Quantifier.ALL
        and not statement.deny
        and not _null_checked(condition, statement)
    ):
        yield (
            f'ForAllValues under Allow also matches who has no `{key}` at all; add "Null": {{"{key}": "false"}}'
        )
    row = condition_keys.find(key)
    single = row is not None and not row.multivalued and not key.startswith("daypass:claim/")
    if single and condition.quantifier is not Quantifier.NONE:
        yield f"`{key}` has one value; {condition.quantifier.value} is not meant for it"
    fixed = condition.operator.startswith(_OPERATORS_WITHOUT_VARIABLES)
    if variables and fixed and any(_VARIABLE.search(text) for text in condition.values):
        yield f"policy variables do not work in {condition.operator}"
    if condition.operator in ("StringEquals", "StringNotEquals") and condition.quantifier is Quantifier.NONE:
        for text in condition.values:
            if "*" in text.replace("${*}", ""):
                yield f"{operator} takes `{text}` letter by letter; write StringLike if a pattern is meant"


def _null_checked(condition: Condition, statement: Statement) -> bool:
    return any(
        other.operator == conditions.NULL and other.key == condition.key and other.values == ("false",)
        for other in statement.conditions
    )


def _never(statement: Statement) -> bool:
    """True if no request can match: only what is certain without knowing the request."""
    if not statement.not_action and not any(
        text == "*" or (text.partition(":")[2] and _NAME.fullmatch(text.partition(":")[2]))
        for text in statement.actions.texts
    ):
        return True
    if statement.not_resource and any(resource.everything for resource in statement.resources):
        return True
    if not statement.not_resource and not statement.resources:
        return True
    return any(
        not condition.negated
        and not condition.if_exists
        and condition.quantifier is not Quantifier.ALL
        and condition.test is not None
        and not condition.values
        for condition in statement.conditions
    )
