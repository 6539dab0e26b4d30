"""What is legal and surely not meant is told; what is meant is left in peace."""

from __future__ import annotations

import json

import pytest

from app.model import PolicyText
from app.policy import Kind, lint, parse
from tests.policy.builders import arn, document, statement

HERE = arn("A")


def words(made, known=None) -> str:
    return "\n".join(str(each) for each in lint(made, known))


WARNED: dict[str, tuple[dict[str, object], str]] = {
    "an allow on everything": (statement(), "Allow on every resource"),
    "Allow with NotAction": (statement(NotAction="iam:*", Resource=HERE), "Allow with NotAction"),
    "Allow with NotResource": (statement(NotResource=HERE), "Allow with NotResource"),
    "an action that is none": (
        statement(Action="sts: AssumeRole", Resource=HERE),
        "is the name of no action",
    ),
    "a deny of an action that is none": (
        statement("Deny", Action="sts:Assume,Role", Resource=HERE),
        "this Deny can never match",
    ),
    "a deny on nothing": (statement("Deny", NotResource="*"), "this Deny can never match"),
    "a deny under no value": (
        statement("Deny", Condition={"StringEquals": {"aws:username": []}}),
        "this Deny can never match",
    ),
    "too few fields": (statement(Resource="arn:aws:iam"), "fewer than six fields"),
    "a wildcard inside a field": (statement(Resource="arn:aws:sqs:eu-*-1:1:q"), "is not known"),
    "ForAllValues under Allow": (
        statement(Resource=HERE, Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}),
        'add "Null"',
    ),
    "a set operator over one value": (
        statement(Resource=HERE, Condition={"ForAnyValue:StringEquals": {"aws:username": "a"}}),
        "has one value",
    ),
    "a key that nobody supplies": (
        statement(Resource=HERE, Condition={"StringEquals": {"s3:prefix": "a"}}),
        "no configured source supplies the condition key `s3:prefix`",
    ),
    "a star in StringEquals": (
        statement(Resource=HERE, Condition={"StringEquals": {"aws:username": "a*"}}),
        "write StringLike",
    ),
    "a year for a date": (
        statement(Resource=HERE, Condition={"DateLessThan": {"aws:CurrentTime": "2026"}}),
        "not a year",
    ),
    "no number": (
        statement(Resource=HERE, Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": "15m"}}),
        "not of the operator's type",
    ),
    "no network": (
        statement(Resource=HERE, Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}),
        "not of the operator's type",
    ),
    "bits after the prefix": (
        statement(Resource=HERE, Condition={"IpAddress": {"aws:SourceIp": "203.0.113.5/24"}}),
        "bits set after its prefix",
    ),
    "a variable before the fifth colon": (
        statement(Resource="arn:aws:iam::${account}:role/x"),
        "only in Version 2012-10-17 and after the fifth colon",
    ),
    "a variable in a number": (
        statement(Resource=HERE, Condition={"NumericEquals": {"aws:MultiFactorAuthAge": "${aws:username}"}}),
        "do not work in NumericEquals",
    ),
    "a variable of several values": (statement(Resource=arn("${aws:TagKeys}")), "never resolved"),
    "a variable that is no key": (statement(Resource=arn("${username}")), "names no condition key"),
    "an operator over no key": (statement(Resource=HERE, Condition={"StringEquals": {}}), "over no key"),
    "null among resources": (statement(Resource=[HERE, None]), "null in Resource"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_is_surely_not_meant_is_told_with_its_place(name: str) -> None:
    made, expected = WARNED[name]
    told = words(document(statement(Resource=HERE), made))
    assert expected in told
    assert "policies/p.json:" in told
    assert "statement 2" in told


def test_what_is_meant_is_left_in_peace() -> None:
    made = document(
        statement(
            Resource=[HERE, arn("${aws:username}"), arn("team-*")],
            Condition={
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "NumericLessThan": {"aws:MultiFactorAuthAge": "900"},
                "IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]},
                "ForAllValues:StringEquals": {"aws:TagKeys": ["a"]},
                "Null": {"aws:TagKeys": "false"},
                "StringEquals": {"aws:PrincipalTag/team": "web", "daypass:Claim/dept": "42"},
            },
        ),
        statement("Deny", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
    )
    assert words(made) == ""


def test_keys_are_judged_by_what_the_sources_supply() -> None:
    made = document(statement(Resource=HERE, Condition={"StringEquals": {"aws:PrincipalTag/team": "web"}}))
    assert words(made, {"AWS:PrincipalTag/"}) == ""
    assert words(made, {"aws:PrincipalTag/TEAM"}) == ""
    assert "aws:principaltag/team" in words(made, {"aws:username"})


def test_old_and_missing_versions_are_told() -> None:
    for body in ({"Statement": statement()}, {"Version": "2008-10-17", "Statement": statement()}):
        assert "2012-10-17" in words(parse(PolicyText("p", json.dumps(body), "p.json")))


def test_a_cap_may_allow_everything() -> None:
    for kind in (Kind.GUARDRAIL, Kind.BOUNDARY):
        assert words(document(statement(), kind=kind)) == ""


def test_a_trust_policy_for_everybody_is_told() -> None:
    open_ = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}
    assert "lets in everybody" in words(document(open_, kind=Kind.TRUST))
