"""Trust policies: who may call, and what is refused in them (IAM User Guide, "Principal")."""

from __future__ import annotations

import json

import pytest

from app.model import Effect, PolicyText
from app.policy import Kind, PolicyInvalid, parse, trusts
from app.policy.principals import Caller

HUB = Caller(
    arn="arn:aws:sts::111122223333:assumed-role/Hub/ana",
    account="111122223333",
    role="arn:aws:iam::111122223333:role/Hub",
)
USER = Caller(arn="arn:aws:iam::111122223333:user/broker", account="111122223333")
SAML = Caller(federated="arn:aws:iam::111122223333:saml-provider/acme")


def trust(effect: str = "Allow", **elements: object):
    body = {"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "sts:AssumeRole", **elements}}
    return parse(PolicyText("trust", json.dumps(body), "trust.json"), Kind.TRUST)


@pytest.mark.parametrize(
    ("principal", "caller", "expected"),
    [
        ({"AWS": "111122223333"}, HUB, True),
        ({"AWS": "arn:aws:iam::111122223333:root"}, USER, True),
        ({"AWS": "arn:aws:iam::999999999999:root"}, HUB, False),
        ({"AWS": "arn:aws:iam::111122223333:role/Hub"}, HUB, True),
        ({"AWS": "arn:aws:iam::111122223333:role/Hu"}, HUB, False),
        ({"AWS": "arn:aws:iam::111122223333:user/broker"}, USER, True),
        ({"AWS": "arn:aws:sts::111122223333:assumed-role/Hub/ana"}, HUB, True),
        ({"AWS": "arn:aws:sts::111122223333:assumed-role/Hub/ben"}, HUB, False),
        ({"AWS": ["arn:aws:iam::999999999999:root", "111122223333"]}, HUB, True),
        ({"AWS": "*"}, HUB, True),
        ("*", SAML, True),
        ({"Federated": "arn:aws:iam::111122223333:saml-provider/acme"}, SAML, True),
        ({"Federated": "accounts.google.com"}, SAML, False),
        ({"Service": "ec2.amazonaws.com"}, Caller(service="ec2.amazonaws.com"), True),
        ({"Service": "ec2.amazonaws.com"}, HUB, False),
        ({"AWS": "111122223333"}, Caller(), False),
    ],
)
def test_a_principal_is_named_or_not(principal: object, caller: Caller, expected: bool) -> None:
    assert trusts(trust(Principal=principal), caller, "sts:AssumeRole", {}).allowed is expected


def test_conditions_and_denies_count() -> None:
    made = trust(Principal={"AWS": "111122223333"}, Condition={"StringEquals": {"sts:ExternalId": "x-1"}})
    assert trusts(made, HUB, "sts:AssumeRole", {"sts:ExternalId": "x-1"}).allowed
    assert trusts(made, HUB, "sts:AssumeRole", {"sts:ExternalId": "x-2"}).effect is Effect.IMPLICIT_DENY
    assert trusts(made, HUB, "sts:AssumeRole", {}).effect is Effect.IMPLICIT_DENY
    assert trusts(made, HUB, "sts:TagSession", {"sts:ExternalId": "x-1"}).effect is Effect.IMPLICIT_DENY
    shut = trust("Deny", NotPrincipal={"AWS": "arn:aws:iam::111122223333:role/Hub"})
    assert trusts(shut, USER, "sts:AssumeRole", {}).effect is Effect.EXPLICIT_DENY
    assert trusts(shut, HUB, "sts:AssumeRole", {}).effect is Effect.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({}, "needs Principal"),
        ({"Principal": "ana"}, "must be an object"),
        ({"Principal": {}}, "must be an object"),
        ({"Principal": {"AWS": []}}, "string or a list of strings"),
        ({"Principal": {"AWS": 111122223333}}, "string or a list of strings"),
        ({"Principal": {"Aws": "111122223333"}}, "knows no `Aws`"),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}}, "names no AWS principal"),
        ({"Principal": {"AWS": "12345"}}, "names no AWS principal"),
        ({"NotPrincipal": {"AWS": "111122223333"}}, "lets in everybody else"),
        ({"Principal": "*", "Resource": "*"}, "has no Resource"),
        ({"Principal": "*", "Action": "s3:GetObject"}, "sts: actions only"),
        ({"Principal": "*", "Action": "*"}, "needs its service in front"),
    ],
)
def test_a_trust_policy_that_iam_refuses_is_refused(elements: dict[str, object], words: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        trust(**elements)
    assert words in caught.value.detail


def test_only_a_trust_policy_is_asked_for_trust() -> None:
    body = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
    with pytest.raises(TypeError):
        trusts(parse(PolicyText("p", body, "p.json")), HUB, "sts:AssumeRole", {})
