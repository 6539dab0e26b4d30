"""Choices → a policy document: minimal, idiomatic, and nothing in it that was not chosen.

What was chosen is turned into statements; whether the result is valid and sensible is said by `parse` and
`lint`, as for every document. Sources: IAM User Guide, "Grammar of the IAM JSON policy language",
"Single-valued vs. multivalued context keys" (why ForAllValues under Allow wants a Null check).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from app.policy import actions, condition_keys, conditions
from app.policy.actions import AdminAction
from app.policy.conditions import NULL, OPERATORS, Quantifier
from app.policy.document import CURRENT
from app.policy.problems import PolicyInvalid, PolicyProblem
from app.policy.text import fold

EFFECTS: Final = ("Allow", "Deny")
ASSUME: Final = "sts:AssumeRole"

_BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "String": ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"),
    "Numeric": (
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "NumericEquals",
        "NumericNotEquals",
    ),
    "Date": ("DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    "Bool": ("Bool",),
    "IpAddress": ("IpAddress", "NotIpAddress"),
    "Arn": ("ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"),
}
_OF_SETS: Final = (Quantifier.ANY, Quantifier.ALL)


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: a key, an operator with its set operator if any, and the values of which one must fit."""

    key: str
    operator: str
    values: tuple[str, ...]
    several: bool = False
    """People have several values for the key, though the table does not say so (claims)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was chosen."""

    effect: Literal["Allow", "Deny"]
    roles: tuple[str, ...] = ()
    """ARNs or patterns of them; `*` for every role."""
    administer: tuple[str, ...] = ()
    """`daypass:` actions."""
    conditions: tuple[Term, ...] = ()
    """All must hold, for each statement."""


def generate(wanted: Wanted, name: str = "policy") -> str:
    """The document as a file, indented by two, with a line end.

    Raises PolicyInvalid with every choice that makes no sense: no role and no action, an action that daypass
    does not have, an operator that there is not, the same condition twice.
    """
    problems: list[str] = []
    if wanted.effect not in EFFECTS:
        problems.append(f"the effect must be Allow or Deny, not `{wanted.effect}`")
    if not wanted.roles and not wanted.administer:
        problems.append("choose at least one role or one action")
    rows = _rows(wanted.administer, problems)
    block = _block(wanted, problems)
    if problems:
        raise PolicyInvalid(tuple(PolicyProblem(f"policies/{name}.json", 1, None, each) for each in problems))
    statements = [*_about_roles(wanted, block), *_about_daypass(wanted, rows, block)]
    body = {"Version": CURRENT, "Statement": statements}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def operators(type_: str, *, several: bool) -> tuple[str, ...]:
    """The operators that make sense for a key of that type, likeliest first.

    `several`: the key can have several values, so that a set operator stands in front.
    """
    named = _BY_TYPE.get(type_, _BY_TYPE["String"])
    if not several:
        return (*named, NULL)
    return (*(f"{each.value}{operator}" for each in _OF_SETS for operator in named), NULL)


def _about_roles(wanted: Wanted, block: Mapping[str, object]) -> Iterable[dict[str, object]]:
    if wanted.roles:
        yield _statement(
            f"{wanted.effect}{'Role' if len(set(wanted.roles)) == 1 and '*' not in wanted.roles[0] else 'Roles'}",
            wanted.effect,
            [ASSUME],
            wanted.roles,
            block,
        )


def _about_daypass(
    wanted: Wanted, rows: Sequence[AdminAction], block: Mapping[str, object]
) -> Iterable[dict[str, object]]:
    """A statement for each kind of thing that the actions are asked on."""
    by_kind: dict[str, list[str]] = {}
    for row in rows:
        by_kind.setdefault(row.kind + ("*" if row.names else ""), []).append(row.name)
    for kind, names in by_kind.items():
        label = (
            names[0].partition(":")[2] if len(names) == 1 else f"Administer{kind.partition('/')[0].title()}"
        )
        yield _statement(
            label if wanted.effect == "Allow" else f"Deny{label}",
            wanted.effect,
            names,
            [actions.PREFIX + kind],
            block,
        )


def _statement(
    sid: str, effect: str, names: Sequence[str], on: Sequence[str], block: Mapping[str, object]
) -> dict[str, object]:
    made: dict[str, object] = {
        "Sid": sid,
        "Effect": effect,
        "Action": _short(names),
        "Resource": _short(("*",) if "*" in on else on),
    }
    if block:
        made["Condition"] = block
    return made


def _short(texts: Sequence[str]) -> str | list[str]:
    """One as it is, several as a list, each once."""
    once = list(dict.fromkeys(texts))
    return once[0] if len(once) == 1 else once


def _rows(asked: Sequence[str], problems: list[str]) -> list[AdminAction]:
    known = {fold(row.name): row for row in actions.ACTIONS}
    found: dict[str, AdminAction] = {}
    for name in asked:
        row = known.get(fold(name))
        if row is not None:
            found[row.name] = row
            continue
        near = get_close_matches(fold(name), known, 1, 0.75)
        hint = f"; did you mean `{known[near[0]].name}`?" if near else ""
        problems.append(f"daypass has no action `{name}`{hint}")
    return [row for row in actions.ACTIONS if row.name in found]


def _block(wanted: Wanted, problems: list[str]) -> dict[str, dict[str, str | list[str]]]:
    """The Condition element: operators in the order chosen."""
    block: dict[str, dict[str, str | list[str]]] = {}
    for term in wanted.conditions:
        name = conditions.name(term.operator)
        if name is None:
            near = get_close_matches(term.operator, [*OPERATORS, NULL], 1, 0.6)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            problems.append(f"`{term.operator}` is no condition operator{hint}")
            continue
        operator = term.operator
        several = term.several or condition_keys.multivalued(term.key)
        if several and name.quantifier is Quantifier.NONE and name.operator != NULL:
            operator = f"{Quantifier.ANY.value}{operator}"
        members = block.setdefault(operator, {})
        if fold(term.key) in map(fold, members):
            problems.append(f"{operator} on `{term.key}` stands twice; give all its values in one condition")
        elif not term.values:
            problems.append(f"{operator} on `{term.key}` needs a value")
        else:
            members[term.key] = _short(term.values)
    _check_presence(wanted, block)
    return block


def _check_presence(wanted: Wanted, block: dict[str, dict[str, str | list[str]]]) -> None:
    """ForAllValues also holds where the key is missing; an Allow that says so must ask for the key too."""
    if wanted.effect != "Allow":
        return
    asked = [key for operator, members in block.items() for key in members if operator.startswith("ForAllV")]
    for key in asked:
        nulls = block.setdefault(NULL, {})
        if fold(key) not in map(fold, nulls):
            nulls[key] = "false"
