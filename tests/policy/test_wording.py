"""Conditions in words: a table with a row for every operator and every key that has words of its own."""

# ruff: noqa: E501 - a table of sentences reads best in rows

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.conditions import NULL, OPERATORS, Condition, name
from app.policy.request import AMBIGUOUS, RequestContext, Value
from app.policy.wording import OPPOSITES, THEM, YOU, listed, moment, needs, shown, span
from tests.policy.strategies import conditions, roll_context

NOW = datetime(2026, 11, 24, 19, 20, tzinfo=UTC)
TIME = {"aws:CurrentTime": "2026-11-24T19:20:00Z", "aws:EpochTime": "1795548000"}
HOURS = ("*T07:*", "*T08:*", "*T09:*", "*T10:*", "*T11:*", "*T12:*")


def condition(operator: str, key: str, *values: str) -> Condition:
    written = name(operator)
    assert written is not None
    return Condition(written, key, values, variables=True)


def told(operator: str, key: str, values: tuple[str, ...], context: dict[str, Value], **how: object) -> str:
    known = RequestContext.of(context)
    return needs(condition(operator, key, *values), known, NOW, YOU, **how)  # type: ignore[arg-type]


# fmt: off
SENTENCES: tuple[tuple[str, str, tuple[str, ...], dict[str, Value], str], ...] = (
    ("StringEquals", "aws:username", ("ben", "chloe"), {"aws:username": "ana"}, "needs the user name `ben` or `chloe`; yours is `ana`"),
    ("StringEqualsIfExists", "aws:username", ("ben",), {"aws:username": "ana"}, "needs the user name `ben`; yours is `ana`"),
    ("StringNotEquals", "aws:username", ("ana",), {"aws:username": "ana"}, "needs the user name not to be `ana`; yours is `ana`"),
    ("StringEqualsIgnoreCase", "aws:username", ("BEN",), {"aws:username": "ana"}, "needs the user name to be `BEN`, in any case; yours is `ana`"),
    ("StringNotEqualsIgnoreCase", "aws:username", ("ANA",), {"aws:username": "ana"}, "needs the user name not to be `ANA`, in any case; yours is `ana`"),
    ("StringLike", "aws:PrincipalTag/team", ("w?b*",), {"aws:PrincipalTag/team": "data"}, "needs the tag `team` to match `w?b*`; yours is `data`"),
    ("StringNotLike", "aws:PrincipalTag/team", ("d*",), {"aws:PrincipalTag/team": "data"}, "needs the tag `team` not to match `d*`; yours is `data`"),
    ("StringEquals", "aws:PrincipalTag/team", ("web",), {}, "needs the tag `team` to be `web`; you have none"),
    ("StringEquals", "aws:PrincipalTag/team", ("${aws:username}",), {"aws:username": "ana", "aws:PrincipalTag/team": "web"},
        "needs the tag `team` to be `ana` (from `${aws:username}`); yours is `web`"),
    ("StringEquals", "aws:PrincipalTag/team", ("${aws:PrincipalTag/no}",), {"aws:PrincipalTag/team": "web"},
        "needs the tag `team` to be `${aws:PrincipalTag/no}` (which has no value here); yours is `web`"),
    ("StringEquals", "aws:RequestTag/cost", ("7",), {}, "needs the session tag `cost` to be `7`; there is none"),
    ("StringEquals", "aws:ResourceTag/env", ("dev",), {"aws:ResourceTag/env": "prod"}, "needs the role's tag `env` to be `dev`; it is `prod`"),
    ("StringEquals", "daypass:Claim/dept", ("x",), {"daypass:Claim/dept": "y"}, "needs the claim `dept` to be `x`; yours is `y`"),
    ("StringEquals", "saml:uid", ("x",), {"saml:uid": "y"}, "needs the SAML attribute `uid` to be `x`; yours is `y`"),
    ("StringEquals", "login.acme.test:aud", ("x",), {"login.acme.test:aud": "y"}, "needs `login.acme.test:aud` to be `x`; yours is `y`"),
    ("StringEquals", "daypass:Source", ("corp",), {"daypass:Source": "partner"}, "needs the source `corp`; yours is `partner`"),
    ("StringEquals", "daypass:RoleLevel", ("read",), {"daypass:RoleLevel": "admin"}, "needs the role's level `read`; it is `admin`"),
    ("StringEquals", "daypass:Acr", ("phr",), {}, "needs the authentication context `phr`; your directory named none"),
    ("StringEquals", "daypass:Client", ("cli",), {}, "needs the client `cli`; you ask from a browser"),
    ("StringEquals", "sts:ExternalId", ("hush",), {"sts:ExternalId": "secret"}, "needs another value of the external ID; the role's own is not told"),
    ("ForAnyValue:StringEquals", "daypass:Groups", ("sre",), {"daypass:Groups": ("engineering",)}, "needs the group `sre`; you have `engineering`"),
    ("ForAnyValue:StringEquals", "daypass:Groups", ("sre",), {}, "needs the group `sre`; you have none"),
    ("ForAnyValue:StringLike", "daypass:Groups", ("s*",), {"daypass:Groups": ("a", "b")}, "needs a value of the group to match `s*`; you have `a` and `b`"),
    ("ForAllValues:StringEquals", "daypass:Groups", ("web",), {"daypass:Groups": ("web", "x")}, "needs every value of the group to be `web`; you have `web` and `x`"),
    ("ForAnyValue:StringEquals", "daypass:Amr", ("hwk",), {"daypass:Amr": ("pwd",)}, "needs the sign-in method `hwk`; you signed in with `pwd`"),
    ("ForAllValues:StringEquals", "aws:TagKeys", ("a",), {"aws:TagKeys": ("a", "b")}, "needs every value of the session tags to be `a`; you have `a` and `b`"),
    ("StringEquals", "saml:cn", ("a",), {"saml:cn": ("a", "b")},
        "needs the SAML attribute `cn` to be `a`; you have `a` and `b`, and this condition takes one value"),
    ("StringEquals", "app:x", ("a",), {"app:x": AMBIGUOUS}, "needs `app:x` to be `a`; it came twice, in different letter case, so neither counts"),
    ("NumericEquals", "app:n", ("1", "2"), {"app:n": "3"}, "needs `app:n` to be 1 or 2; yours is `3`"),
    ("NumericNotEquals", "app:n", ("3",), {"app:n": "3"}, "needs `app:n` not to be 3; yours is `3`"),
    ("NumericLessThan", "app:n", ("1",), {"app:n": "3"}, "needs `app:n` to be below 1; yours is `3`"),
    ("NumericLessThanEquals", "app:n", ("1",), {"app:n": "3"}, "needs `app:n` to be at most 1; yours is `3`"),
    ("NumericGreaterThan", "app:n", ("4",), {"app:n": "3"}, "needs `app:n` to be above 4; yours is `3`"),
    ("NumericGreaterThanEquals", "app:n", ("4",), {"app:n": "x"}, "needs `app:n` to be at least 4; yours, `x`, is not a number"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", ("900",), {"aws:MultiFactorAuthAge": "2400"}, "needs MFA in the last 15 minutes; yours is 40 minutes old"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", ("900",), {"aws:MultiFactorAuthAge": "2430"}, "needs MFA in the last 15 minutes; yours is 40 minutes old"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", ("900",), {"aws:MultiFactorAuthAge": "931"}, "needs MFA in the last 15 minutes; yours is 15 minutes 31 seconds old"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", ("900",), {}, "needs MFA in the last 15 minutes; you signed in without"),
    ("NumericGreaterThan", "aws:MultiFactorAuthAge", ("60",), {"aws:MultiFactorAuthAge": "5"}, "needs MFA that is at least 1 minute old; yours is 5 seconds old"),
    ("NumericLessThanEquals", "daypass:AuthenticationAge", ("3600",), {"daypass:AuthenticationAge": "7260"},
        "needs a sign-in in the last hour; yours is 2 hours 1 minute old"),
    ("Bool", "aws:MultiFactorAuthPresent", ("true",), {"aws:MultiFactorAuthPresent": "false"}, "needs MFA; you signed in without"),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", ("false",), {"aws:MultiFactorAuthPresent": "true"}, "needs a sign-in without MFA; you signed in with it"),
    ("Bool", "aws:SecureTransport", ("true",), {"aws:SecureTransport": "false"}, "needs an encrypted connection; yours is not"),
    ("Bool", "daypass:PhishingResistant", ("true",), {"daypass:PhishingResistant": "false"}, "needs a sign-in that cannot be phished; yours is not"),
    ("Bool", "app:b", ("true",), {"app:b": "false"}, "needs `app:b` to be true; yours is `false`"),
    ("DateLessThan", "aws:CurrentTime", ("2026-11-24T18:00:00Z",), TIME, "needs a time until 18:00 UTC; it is 19:20 UTC"),
    ("DateLessThanEquals", "aws:CurrentTime", ("2026-11-23T18:00:00Z",), TIME, "needs a time until 18:00 UTC on 23 Nov; it is 19:20 UTC"),
    ("DateGreaterThan", "aws:CurrentTime", ("2027-01-02",), TIME, "needs a time from 00:00 UTC on 2 Jan 2027; it is 19:20 UTC"),
    ("DateGreaterThanEquals", "aws:EpochTime", ("1795550400",), TIME, "needs a time from 20:00 UTC; it is 19:20 UTC"),
    ("NumericLessThan", "aws:EpochTime", ("1795543200",), TIME, "needs a time until 18:00 UTC; it is 19:20 UTC"),
    ("DateEquals", "aws:CurrentTime", ("2026-11-24T18:00:00Z",), TIME, "needs the time to be 18:00 UTC; it is 19:20 UTC"),
    ("DateNotEquals", "aws:CurrentTime", ("2026-11-24T19:20:00Z",), TIME, "needs the time not to be 19:20 UTC; it is 19:20 UTC"),
    ("DateLessThan", "app:d", ("2026-11-24T18:00:00Z",), {"app:d": "soon"}, "needs `app:d` to be before 18:00 UTC; yours, `soon`, is not a date"),
    ("DateLessThan", "aws:CurrentTime", ("-999999-01-01",), TIME, "needs the time to be before `-999999-01-01`; it is 19:20 UTC"),
    ("StringLike", "aws:CurrentTime", HOURS, TIME, "needs the time to match `*T07:*`, `*T08:*`, `*T09:*`, `*T10:*` or 2 more; it is 19:20 UTC"),
    ("BinaryEquals", "app:k", ("AAA=",), {"app:k": "AAB="}, "needs `app:k` to be the bytes `AAA=`; yours is `AAB=`"),
    ("IpAddress", "aws:SourceIp", ("203.0.113.0/24", "2001:db8::/32"), {"aws:SourceIp": "198.51.100.7"},
        "needs the network `203.0.113.0/24` or `2001:db8::/32`; you ask from `198.51.100.7`"),
    ("IpAddress", "aws:SourceIp", ("203.0.113.0/24",), {"aws:SourceIp": ""}, "needs the network `203.0.113.0/24`; it is not known where you ask from"),
    ("IpAddress", "aws:SourceIp", ("203.0.113.0/24",), {"aws:SourceIp": "z"}, "needs the network `203.0.113.0/24`; yours, `z`, is not an IP address"),
    ("NotIpAddress", "aws:SourceIp", ("198.51.100.0/24", "::1"), {"aws:SourceIp": "198.51.100.7"},
        "needs the network to be other than `198.51.100.0/24` and `::1`; you ask from `198.51.100.7`"),
    ("ArnEquals", "app:a", ("arn:aws:iam::1:role/a",), {"app:a": "b"}, "needs `app:a` to match `arn:aws:iam::1:role/a`; yours is `b`"),
    ("ArnLike", "app:a", ("arn:aws:iam::*:role/a",), {"app:a": "b"}, "needs `app:a` to match `arn:aws:iam::*:role/a`; yours is `b`"),
    ("ArnNotEquals", "app:a", ("arn:a",), {"app:a": "b"}, "needs `app:a` not to match `arn:a`; yours is `b`"),
    ("ArnNotLike", "app:a", ("arn:*",), {"app:a": "b"}, "needs `app:a` not to match `arn:*`; yours is `b`"),
    ("Null", "aws:PrincipalTag/cost", ("false",), {}, "needs the tag `cost` to be there; you have none"),
    ("Null", "aws:PrincipalTag/cost", ("true",), {"aws:PrincipalTag/cost": "7"}, "needs the tag `cost` to be absent; yours is `7`"),
    ("Null", "aws:PrincipalTag/cost", ("maybe",), {}, "needs the tag `cost`, but its `Null` is neither true nor false alone; you have none"),
)
# fmt: on


@pytest.mark.parametrize(("operator", "key", "values", "context", "sentence"), SENTENCES)
def test_a_condition_is_told_with_both_sides(operator, key, values, context, sentence):
    assert told(operator, key, values, context) == sentence


def test_every_operator_has_a_row_above():
    spoken = {written.operator for row in SENTENCES if (written := name(row[0])) is not None}
    assert spoken == {*OPERATORS, NULL}


AVOIDED = (
    (
        "BoolIfExists",
        "aws:MultiFactorAuthPresent",
        ("false",),
        {"aws:MultiFactorAuthPresent": "false"},
        "needs MFA; you signed in without",
    ),
    (
        "NumericGreaterThan",
        "aws:MultiFactorAuthAge",
        ("900",),
        {"aws:MultiFactorAuthAge": "2400"},
        "needs MFA in the last 15 minutes; yours is 40 minutes old",
    ),
    (
        "NotIpAddress",
        "aws:SourceIp",
        ("203.0.113.0/24",),
        {"aws:SourceIp": "::1"},
        "needs the network `203.0.113.0/24`; you ask from `::1`",
    ),
    (
        "DateGreaterThan",
        "aws:CurrentTime",
        ("2026-11-24T18:00:00Z",),
        TIME,
        "needs a time until 18:00 UTC; it is 19:20 UTC",
    ),
    (
        "ForAllValues:StringNotEquals",
        "daypass:Groups",
        ("sre",),
        {"daypass:Groups": ("x",)},
        "needs the group `sre`; you have `x`",
    ),
    (
        "Null",
        "aws:MultiFactorAuthAge",
        ("true",),
        {},
        "needs MFA to be there; you signed in without",
    ),
)


@pytest.mark.parametrize(("operator", "key", "values", "context", "sentence"), AVOIDED)
def test_a_deny_is_told_by_what_avoids_it(operator, key, values, context, sentence):
    assert condition(operator, key, *values).holds(RequestContext.of(context), True)
    assert told(operator, key, values, context, avoid=True) == sentence


def test_every_operator_has_an_opposite_and_it_is_mutual():
    assert set(OPPOSITES) >= {*OPERATORS, NULL}
    for operator, other in OPPOSITES.items():
        assert OPPOSITES.get(other) == operator or operator.startswith("Arn")


def test_an_operator_is_told_of_somebody_else():
    known = RequestContext.of({"aws:MultiFactorAuthAge": "2400"})
    asked = condition("NumericLessThan", "aws:MultiFactorAuthAge", "900")
    assert needs(asked, known, NOW, THEM) == "needs MFA in the last 15 minutes; theirs is 40 minutes old"


HOSTILE = "\x1b[2J\u202eevil`{own}<script>\n" + "x" * 500


def test_hostile_text_cannot_move_the_cursor_or_leave_its_quotes():
    for sentence in (
        told("StringEquals", "daypass:Claim/dept", (HOSTILE,), {"daypass:Claim/dept": HOSTILE}),
        told("StringEquals", f"daypass:Claim/{HOSTILE}", ("x",), {}),
        told("StringEquals", "app:x", ("x",), {"app:x": (HOSTILE, HOSTILE)}),
        told("Bool", "aws:MultiFactorAuthPresent", (HOSTILE,), {"aws:MultiFactorAuthPresent": HOSTILE}),
        told("NumericLessThan", "aws:MultiFactorAuthAge", (HOSTILE,), {"aws:MultiFactorAuthAge": HOSTILE}),
    ):
        assert sentence.isprintable()
        assert sentence.count("`") % 2 == 0
        assert len(sentence) < 500


@given(conditions, st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=300, deadline=None)
def test_every_condition_has_a_sentence_for_every_request(asked, dice, avoid):
    operator, key, values = asked
    sentence = needs(condition(operator, key, *values), roll_context(dice), NOW, THEM, avoid=avoid)
    assert sentence.startswith("needs ") and "; " in sentence and sentence.isprintable()


def test_small_words():
    assert [span(timedelta(seconds=n)) for n in (0, 1, 60, 61, 3600, 5400, 90061, 172800)] == [
        "0 seconds",
        "1 second",
        "1 minute",
        "1 minute 1 second",
        "1 hour",
        "1 hour 30 minutes",
        "1 day 1 hour",
        "2 days",
    ]
    assert listed([], "or") == "" and listed("a", "or") == "a" and listed("abc", "or") == "a, b or c"
    assert listed("abcde", "or") == "a, b, c, d or e" and listed("abcdefg", "and") == "a, b, c, d and 3 more"
    assert moment(NOW + timedelta(seconds=5), NOW) == "19:20:05 UTC"
    assert shown("") == "``"
