"""Random documents and questions over a small alphabet, so that patterns meet often."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

from hypothesis import strategies as st

from app.model import PolicyText
from app.policy import Document, Kind, parse
from app.policy.request import RequestContext

ACTIONS = (
    "sts:AssumeRole",
    "sts:TagSession",
    "s3:GetObject",
    "s3:PutObject",
    "ec2:RunInstances",
    "iam:GetRole",
)
ACTION_PATTERNS = (
    *ACTIONS,
    "*",
    "sts:*",
    "s3:*",
    "s3:Get*",
    "s3:*Object",
    "s3:?etObject",
    "ec2:*",
    "iam:*",
    "s3:Put*",
)
RESOURCES = (
    "arn:aws:iam::111122223333:role/Admin",
    "arn:aws:iam::111122223333:role/ana",
    "arn:aws:iam::444455556666:role/Admin",
    "arn:aws:iam::444455556666:role/team-Dev",
    "arn:aws:s3:::b/ana/k",
    "arn:aws:s3:::b/ben/k",
    "arn:aws:s3:::b/${aws:username}/k",
    "arn:aws:s3:::b/*/k",
    "arn:aws:sqs:eu-west-1:111122223333:q",
    "arn:aws:sqs:eu-west:1:111122223333:q",
)
RESOURCE_PATTERNS = (
    *RESOURCES[:6],
    "*",
    "arn:aws:iam::*:role/Admin",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::*:role/team-*",
    "arn:aws:iam::*:role/*Dev",
    "arn:aws:iam::*:role/A?min",
    "arn:aws:iam::111122223333:role/${aws:username}",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/*/k",
    "arn:aws:s3:::b/a*",
    "arn:aws:s3:::b/${aws:username}/*",
    "arn:aws:s3:::b/${aws:username, 'ana'}/k",
    "arn:aws:s3:::b/${*}/k",
    "arn:aws:s3:*",
    "arn:aws:sqs",
    "arn:aws:sqs:eu-*-1:*:q",
)
TEXTS = (
    "ana",
    "ben",
    "*",
    "a*",
    "?en",
    "",
    "${aws:username}",
    "${aws:PrincipalTag/team}",
    "${*}",
    "Ana",
    "web",
)
KEYS = ("aws:username", "aws:PrincipalTag/team", "app:x")

texts = st.sampled_from(TEXTS)
some = st.lists(texts, min_size=1, max_size=3, unique=True)


_TEXT = tuple(
    f"{name}{suffix}"
    for name in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
    for suffix in ("", "IfExists")
)
_SET = tuple(
    f"{quantifier}{name}"
    for quantifier in ("ForAllValues:", "ForAnyValue:")
    for name in ("StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists", "StringNotLike")
)
_NUMBER = (
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericGreaterThanEquals",
    "NumericLessThanIfExists",
)
_ADDRESS = ("IpAddress", "NotIpAddress", "IpAddressIfExists")

conditions = st.one_of(
    st.tuples(st.sampled_from(_TEXT), st.sampled_from(KEYS), some),
    st.tuples(st.sampled_from(_SET), st.sampled_from(("aws:TagKeys", "app:x")), some),
    st.tuples(
        st.sampled_from(_NUMBER),
        st.just("aws:MultiFactorAuthAge"),
        st.lists(st.sampled_from(("10", "900", "9", "x")), min_size=1, max_size=2),
    ),
    st.tuples(
        st.sampled_from(_ADDRESS),
        st.just("aws:SourceIp"),
        st.lists(
            st.sampled_from(("203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "203.0.113.9/24")),
            min_size=1,
            max_size=2,
        ),
    ),
    st.tuples(
        st.sampled_from(("Bool", "BoolIfExists")),
        st.just("aws:MultiFactorAuthPresent"),
        st.lists(st.sampled_from(("true", "false")), min_size=1, max_size=1),
    ),
    st.tuples(
        st.just("Null"),
        st.sampled_from(KEYS),
        st.lists(st.sampled_from(("true", "false")), min_size=1, max_size=1),
    ),
)


@st.composite
def statements(draw: st.DrawFn, *, effect: str | None = None, most: int = 2) -> dict[str, object]:
    made: dict[str, object] = {"Effect": effect or draw(st.sampled_from(("Allow", "Allow", "Deny")))}
    action = "NotAction" if draw(st.integers(0, 4)) == 0 else "Action"
    made[action] = draw(st.lists(st.sampled_from(ACTION_PATTERNS), min_size=1, max_size=2, unique=True))
    resource = "NotResource" if draw(st.integers(0, 4)) == 0 else "Resource"
    made[resource] = draw(st.lists(st.sampled_from(RESOURCE_PATTERNS), min_size=1, max_size=2, unique=True))
    block: dict[str, dict[str, object]] = {}
    for operator, key, values in draw(st.lists(conditions, max_size=most)):
        block.setdefault(operator, {})[key] = values
    if block:
        made["Condition"] = block
    return made


@st.composite
def bodies(draw: st.DrawFn, *, most: int = 3) -> dict[str, object]:
    version = "2008-10-17" if draw(st.integers(0, 7)) == 0 else "2012-10-17"
    return {"Version": version, "Statement": draw(st.lists(statements(), min_size=1, max_size=most))}


values = st.one_of(texts, texts, st.lists(texts, max_size=2).map(tuple))


@st.composite
def contexts(draw: st.DrawFn) -> Mapping[str, str | tuple[str, ...]]:
    found: dict[str, str | tuple[str, ...]] = {}
    for key in KEYS:
        if draw(st.integers(0, 2)):
            found[key] = draw(values) if key == "app:x" else draw(texts)
    if draw(st.booleans()):
        found["aws:TagKeys"] = draw(st.lists(texts, max_size=2).map(tuple))
    if draw(st.booleans()):
        found["aws:MultiFactorAuthAge"] = draw(st.sampled_from(("9", "10", "1000", "y")))
    if draw(st.booleans()):
        found["aws:SourceIp"] = draw(st.sampled_from(("203.0.113.7", "198.51.100.1", "2001:db8::1", "z")))
    if draw(st.booleans()):
        found["aws:MultiFactorAuthPresent"] = draw(st.sampled_from(("true", "false")))
    return RequestContext.of(found)


questions = st.tuples(st.sampled_from(ACTIONS), st.sampled_from(RESOURCES), contexts())


def compiled(body: object, kind: Kind = Kind.IDENTITY, name: str = "p") -> Document:
    return parse(PolicyText(name, json.dumps(body), f"{name}.json"), kind)


# --- the same by dice, for tests that need thousands ----------------------------------------------

_SINGLE = [
    *((operator, key, TEXTS) for operator in _TEXT for key in KEYS),
    *((operator, key, TEXTS) for operator in _SET for key in ("aws:TagKeys", "app:x")),
    *((operator, "aws:MultiFactorAuthAge", ("10", "900", "9", "x")) for operator in _NUMBER),
    *(
        (operator, "aws:SourceIp", ("203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "203.0.113.9/24"))
        for operator in _ADDRESS
    ),
    *((operator, "aws:MultiFactorAuthPresent", ("true", "false")) for operator in ("Bool", "BoolIfExists")),
    *(("Null", key, ("true", "false")) for key in KEYS),
]


def roll_statement(dice: random.Random, effect: str | None = None) -> dict[str, object]:
    made: dict[str, object] = {"Effect": effect or dice.choice(("Allow", "Allow", "Allow", "Deny"))}
    made[dice.choice(("Action",) * 5 + ("NotAction",))] = dice.sample(ACTION_PATTERNS, dice.randint(1, 2))
    made[dice.choice(("Resource",) * 5 + ("NotResource",))] = dice.sample(
        RESOURCE_PATTERNS, dice.randint(1, 2)
    )
    block: dict[str, dict[str, object]] = {}
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        operator, key, known = dice.choice(_SINGLE)
        block.setdefault(operator, {})[key] = dice.sample(known, dice.randint(1, min(3, len(known))))
    if block:
        made["Condition"] = block
    return made


def roll_body(dice: random.Random, most: int = 3) -> dict[str, object]:
    version = dice.choice(("2012-10-17",) * 7 + ("2008-10-17",))
    return {"Version": version, "Statement": [roll_statement(dice) for _ in range(dice.randint(1, most))]}


def roll_context(dice: random.Random) -> RequestContext:
    found: dict[str, str | tuple[str, ...]] = {}
    for key in KEYS:
        if dice.random() < 0.7:
            found[key] = dice.choice(TEXTS)
    if dice.random() < 0.4:
        found["app:x"] = tuple(dice.sample(TEXTS, dice.randint(0, 2)))
    if dice.random() < 0.5:
        found["aws:TagKeys"] = tuple(dice.sample(TEXTS, dice.randint(0, 2)))
    if dice.random() < 0.6:
        found["aws:MultiFactorAuthAge"] = dice.choice(("9", "10", "1000", "y"))
    if dice.random() < 0.6:
        found["aws:SourceIp"] = dice.choice(("203.0.113.7", "198.51.100.1", "2001:db8::1", "z"))
    if dice.random() < 0.6:
        found["aws:MultiFactorAuthPresent"] = dice.choice(("true", "false"))
    return RequestContext.of(found)
