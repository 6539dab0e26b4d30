"""What AWS leaves open is read safely: an Allow does not match, a Deny does."""

from __future__ import annotations

import inspect

import pytest

from app.model import Effect
from app.policy import evaluate, unverified
from app.policy.request import RequestContext
from tests.policy.builders import document, statement

QUEUE = "arn:aws:sqs:eu:1:111122223333:q"
TEAM = "aws:PrincipalTag/team"
TWICE = {TEAM: "a", TEAM.upper(): "a"}

POINTS: dict[str, list[tuple[dict[str, object], dict[str, str | tuple[str, ...]]]]] = {
    "wildcard_crosses_colon": [
        ({"Resource": "arn:aws:sqs:eu*1:111122223333:q"}, {}),
        ({"NotResource": "arn:aws:sqs:e?*1:111122223333:q"}, {}),
    ],
    "empty_variable": [
        ({"Resource": f"arn:aws:sqs:eu:1:111122223333:q${{{TEAM}}}*"}, {TEAM: ""}),
        ({"Condition": {"StringEquals": {"app:x": f"${{{TEAM}}}"}}}, {TEAM: "", "app:x": ""}),
        ({"Condition": {"StringNotEquals": {"app:x": f"${{{TEAM}}}"}}}, {TEAM: "", "app:x": ""}),
        ({"Condition": {"StringLike": {"app:x": f"${{{TEAM}}}*"}}}, {TEAM: "", "app:x": "y"}),
    ],
    "unresolved_in_not_resource": [({"NotResource": "arn:aws:s3:::b/${aws:username}"}, {})],
    "variable_in_bool": [
        (
            {"Condition": {"Bool": {"aws:SecureTransport": "${app:b}"}}},
            {"aws:SecureTransport": "true", "app:b": "true"},
        )
    ],
    "several_values_without_set_operator": [
        ({"Condition": {"StringEquals": {"app:x": "a"}}}, {"app:x": ("a", "b")}),
        ({"Condition": {"StringNotEquals": {"app:x": "c"}}}, {"app:x": ("a", "b")}),
        ({"Condition": {"StringEqualsIfExists": {"app:x": "a"}}}, {"app:x": ("a", "b")}),
    ],
    "any_value_if_exists_missing": [
        ({"Condition": {"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}}, {})
    ],
    "all_values_negated_missing": [
        ({"Condition": {"ForAllValues:StringNotEquals": {"aws:TagKeys": "a"}}}, {})
    ],
    "negated_value_not_comparable": [
        ({"Condition": {"NumericNotEquals": {"app:n": "1"}}}, {"app:n": "one"}),
        ({"Condition": {"NumericNotEquals": {"app:n": "one"}}}, {"app:n": "1"}),
        ({"Condition": {"DateNotEquals": {"app:d": "2026-11-24"}}}, {"app:d": "today"}),
        ({"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, {"aws:SourceIp": "nowhere"}),
        (
            {"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/99"}}},
            {"aws:SourceIp": "203.0.113.7"},
        ),
        (
            {"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}},
            {"aws:PrincipalArn": "ana"},
        ),
    ],
    "network_with_host_bits": [
        ({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.5/24"}}}, {"aws:SourceIp": "203.0.113.9"}),
        (
            {"Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.5/24"}}},
            {"aws:SourceIp": "203.0.113.9"},
        ),
    ],
    "null_without_answer": [
        ({"Condition": {"Null": {"aws:username": []}}}, {}),
        ({"Condition": {"Null": {"aws:username": "maybe"}}}, {"aws:username": "ana"}),
    ],
    "ambiguous_key": [
        ({"Condition": {"StringEquals": {TEAM: "a"}}}, TWICE),
        ({"Condition": {"StringNotEquals": {TEAM: "b"}}}, TWICE),
        ({"Condition": {"Null": {TEAM: "false"}}}, TWICE),
    ],
}


@pytest.mark.parametrize("point", POINTS)
def test_an_allow_does_not_match_and_a_deny_does(point: str) -> None:
    for elements, given in POINTS[point]:
        context = RequestContext.of(given)
        allow = document(statement(Action="*", **elements))
        assert evaluate("sqs:SendMessage", QUEUE, context, policies=[allow]).effect is Effect.IMPLICIT_DENY, (
            elements
        )
        deny = document(statement(Action="*"), statement("Deny", Action="*", **elements))
        assert evaluate("sqs:SendMessage", QUEUE, context, policies=[deny]).effect is Effect.EXPLICIT_DENY, (
            elements
        )


def test_every_open_point_has_cases() -> None:
    assert set(POINTS) == {name for name, _ in inspect.getmembers(unverified, inspect.isfunction)}
