"""What is surely open and what may be: sound for every request, and the same by bits as role by role."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from app.model import Authentication, Caller, Group, PolicyText, Role
from app.policy import Index
from app.policy.assumed import assumed
from app.policy.outlook import Outlook
from app.policy.request import RequestContext
from tests.policy.builders import ACCOUNT, NOW, arn, principal, revision, role, statement, text
from tests.policy.strategies import roll_statement
from tests.policy.test_index import ROLES

NOBODY_YET = Caller("-", "")
ARNS = sorted(each.arn for each in ROLES)


def bounds(*statements: dict[str, object], guard: dict[str, object] | None = None):
    guards = [] if guard is None else [("top", (text(guard, name="top"),))]
    made = revision(role("Admin"), policies=[text(*statements)], guardrails=guards)
    index = Index.compile(made)
    who = principal(policies=("p",))
    what = made.roles[arn("Admin")]
    return index.bounds(who, what, index.contexts(who, NOBODY_YET, NOW)(what))


MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
NET = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}


# --- what an answer depends on ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "sure", "possible"),
    [
        ([statement()], True, True),
        ([], False, False),
        ([statement(Condition=MFA)], False, True),
        ([statement(), statement(Condition=MFA)], True, True),
        ([statement(), statement("Deny")], False, False),
        ([statement(), statement("Deny", Condition=NET)], False, True),
        ([statement("Deny", Condition=NET)], False, False),
        ([statement(Condition={**MFA, "StringEquals": {"aws:username": "ben"}})], False, False),
        ([statement(Condition={**MFA, "StringEquals": {"aws:username": "ana"}})], False, True),
        ([statement(Condition={"Null": {"aws:MultiFactorAuthPresent": "false"}})], True, True),
        ([statement(Condition={"Null": {"aws:MultiFactorAuthAge": "true"}})], False, True),
        ([statement(Condition={"StringEquals": {"aws:username": "${aws:UserAgent}"}})], False, True),
        ([statement(Resource=f"arn:aws:iam::{ACCOUNT}:role/${{aws:UserAgent}}")], False, True),
        ([statement(Resource=f"arn:aws:iam::{ACCOUNT}:role/${{aws:username}}")], False, False),
    ],
)
def test_an_answer_is_yes_no_or_depends(
    statements: list[dict[str, object]], sure: bool, possible: bool
) -> None:
    index = Index.compile(
        revision(role("Admin"), policies=[text(*(statements or [statement(Resource=arn("Other"))]))])
    )
    who = principal(policies=("p",))
    contexts = index.contexts(who, NOBODY_YET, NOW)
    found = index.bounds(who, role("Admin"), contexts(role("Admin")))
    assert (found.sure, found.possible) == (sure, possible)
    assert bool(found.doubts) == (possible and not sure)
    assert index.outlooks([arn("Admin")]).of(who, contexts, contexts) == Outlook(
        int(sure), int(possible), index.outlooks([arn("Admin")]).of(who, contexts, contexts).open
    )


def test_doubts_name_the_conditions_and_the_statement() -> None:
    found = bounds(
        statement(Sid="WithMfa", Condition=MFA),
        statement("Deny", Sid="NotHome", Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
    )
    assert [str(doubt) for doubt in found.doubts] == [
        "if Bool aws:MultiFactorAuthPresent true: p (WithMfa, policies/p.json:4)",
        "unless NotIpAddress aws:SourceIp 203.0.113.0/24: p (NotHome, policies/p.json:15)",
    ]


def test_an_allow_that_holds_makes_others_idle() -> None:
    found = bounds(statement(), statement(Condition=MFA), statement("Deny", Condition=NET))
    assert [doubt.deny for doubt in found.doubts] == [True]


def test_a_guardrail_that_depends_is_a_doubt() -> None:
    found = bounds(statement(), guard=statement(Sid="Office", Condition=NET))
    assert (found.sure, found.possible, [str(each) for each in found.doubts]) == (
        False,
        True,
        ["if IpAddress aws:SourceIp 203.0.113.0/24: top (Office, policies/top.json:4)"],
    )
    assert not bounds(statement(), guard=statement(Resource=arn("Other"))).possible


def test_claims_are_known_and_requests_are_not() -> None:
    known = ("aws:username", "aws:principaltag/team", "daypass:claim/dept", "saml:sub", "sts:rolesessionname")
    assert not any(map(assumed, known))
    assert all(map(assumed, ("aws:sourceip", "aws:currenttime", "idp.example:amr", "daypass:claim/acr")))


# --- properties -------------------------------------------------------------------------------------


def rolled(dice: random.Random) -> dict[str, object]:
    made = roll_statement(dice)
    made.pop("NotAction", None)
    made["Action"] = "sts:AssumeRole"
    if dice.random() < 0.5:
        made.pop("NotResource", None)
        made["Resource"] = dice.choice(
            [
                *(str(each.arn) for each in ROLES),
                "*",
                "arn:aws:iam::*:role/${aws:username}",
                "arn:aws:iam::*:role/A*",
            ]
        )
    conditions: list[dict[str, object]] = [
        {},
        MFA,
        NET,
        {"StringEquals": {"aws:ResourceTag/team": "web"}},
        {"StringLike": {"sts:RoleSessionName": "ana-*"}},
        {
            "NumericLessThan": {"aws:MultiFactorAuthAge": "900"},
            "StringEquals": {"daypass:RoleLevel": "power"},
        },
        {"StringNotLike": {"aws:CurrentTime": "*T12:*"}},
        {
            "NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"},
            "StringEquals": {"daypass:Source": ["corp", "partner"]},
        },
        {"StringLike": {"aws:UserAgent": "aws-cli/*"}},
    ]
    if dice.random() < 0.7:
        made["Condition"] = dice.choice(conditions)
    return made


def requests(dice: random.Random):
    """(caller, time, authentication) of a request that somebody might make."""
    proven = dice.choice((None, NOW, NOW - timedelta(minutes=40)))
    caller = Caller(
        "r",
        dice.choice(("203.0.113.7", "198.51.100.9", "2001:db8::1", "192.0.2.1")),
        dice.choice(("", "aws-cli/2", "curl")),
    )
    when = NOW + timedelta(hours=dice.randrange(24))
    return caller, when, Authentication(NOW, ("pwd",), mfa_at=proven)


def test_sure_and_possible_hold_for_every_request_and_by_bits_as_role_by_role() -> None:
    dice = random.Random(23)
    kinds = {"sure": 0, "depends": 0, "no": 0}
    for _ in range(120):
        documents = [
            PolicyText(
                f"p{n}",
                json.dumps(
                    {"Version": "2012-10-17", "Statement": [rolled(dice) for _ in range(dice.randint(1, 3))]}
                ),
                f"p{n}",
            )
            for n in range(4)
        ]
        guards = [
            (
                f"l{n}",
                (
                    PolicyText(
                        f"l{n}",
                        json.dumps(
                            {
                                "Version": "2012-10-17",
                                "Statement": [statement(Condition=dice.choice(({}, MFA))), rolled(dice)],
                            }
                        ),
                        "l",
                    ),
                ),
            )
            for n in range(dice.choice((0, 0, 1, 2)))
        ]
        groups = [Group(f"g{n}", policies=(f"p{n}", "p3")[: dice.randint(1, 2)]) for n in range(3)]
        index = Index.compile(revision(*ROLES, groups=groups, policies=documents, guardrails=guards))
        who = principal(*(each.name for each in dice.sample(groups, dice.randint(0, 3))))
        person = index.contexts(who, NOBODY_YET, NOW)

        def context(what: Role) -> RequestContext:
            return RequestContext({"sts:rolesessionname": "ana-x"}, person(what))  # noqa: B023

        outlook = index.outlooks(ARNS).of(who, person, context)
        for place, name in enumerate(ARNS):
            what = next(each for each in ROLES if each.arn == name)
            found = index.bounds(who, what, context(what))
            assert (bool(outlook.sure >> place & 1), bool(outlook.possible >> place & 1)) == (
                found.sure,
                found.possible,
            )
            opened = any(roles >> place & 1 for roles in outlook.open.values())
            assert opened == (found.possible and not found.sure)
            kinds["sure" if found.sure else "depends" if found.possible else "no"] += 1
            for _ in range(6):
                caller, when, how = requests(dice)
                asking = replace(who, identity=replace(who.identity, authentication=how))
                asked = RequestContext(
                    {"sts:rolesessionname": "ana-x"}, index.contexts(asking, caller, when)(what)
                )
                allowed = index.decide(asking, what, asked).allowed
                assert allowed or not found.sure
                assert found.possible or not allowed
    assert all(count > 100 for count in kinds.values()), kinds
