"""Choices become a document that says exactly what was chosen, as one would write it by hand."""

from __future__ import annotations

import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model import Effect, PolicyText
from app.policy import PolicyInvalid, actions, condition_keys, evaluate, lint, parse
from app.policy.generate import Term, Wanted, generate, operators
from tests.policy.builders import arn

ADMIN, READ = arn("Admin"), arn("ReadOnly")
MFA = Term("aws:MultiFactorAuthAge", "NumericLessThan", ("900",))


def body(wanted: Wanted) -> dict[str, object]:
    made: dict[str, object] = json.loads(generate(wanted))
    return made


def test_one_role_is_written_without_lists() -> None:
    assert generate(Wanted("Allow", (READ,))) == (
        '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {\n      "Sid": "AllowRole",\n'
        '      "Effect": "Allow",\n      "Action": "sts:AssumeRole",\n'
        f'      "Resource": "{READ}"\n    }}\n  ]\n}}\n'
    )


@pytest.mark.parametrize(
    ("wanted", "statements"),
    [
        (
            Wanted("Deny", (ADMIN, READ, ADMIN), conditions=(MFA,)),
            [
                {
                    "Sid": "DenyRoles",
                    "Effect": "Deny",
                    "Action": "sts:AssumeRole",
                    "Resource": [ADMIN, READ],
                    "Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}},
                }
            ],
        ),
        (
            Wanted("Allow", ("*", READ)),
            [{"Sid": "AllowRoles", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}],
        ),
        (
            Wanted("Allow", administer=("daypass:readpeople", "daypass:ExplainAccess", "daypass:ReadAudit")),
            [
                {
                    "Sid": "ReadAudit",
                    "Effect": "Allow",
                    "Action": "daypass:ReadAudit",
                    "Resource": "arn:aws:daypass:::audit",
                },
                {
                    "Sid": "AdministerPerson",
                    "Effect": "Allow",
                    "Action": ["daypass:ReadPeople", "daypass:ExplainAccess"],
                    "Resource": "arn:aws:daypass:::person/*",
                },
            ],
        ),
        (
            Wanted(
                "Allow",
                (READ,),
                conditions=(
                    Term("daypass:Groups", "StringEquals", ("sre", "oncall")),
                    Term("aws:TagKeys", "ForAllValues:StringEquals", ("team",)),
                    Term("daypass:Source", "StringEquals", ("corp",)),
                ),
            ),
            [
                {
                    "Sid": "AllowRole",
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Resource": READ,
                    "Condition": {
                        "ForAnyValue:StringEquals": {"daypass:Groups": ["sre", "oncall"]},
                        "ForAllValues:StringEquals": {"aws:TagKeys": "team"},
                        "StringEquals": {"daypass:Source": "corp"},
                        "Null": {"aws:TagKeys": "false"},
                    },
                }
            ],
        ),
    ],
)
def test_the_document_is_the_one_that_one_would_write(
    wanted: Wanted, statements: list[dict[str, object]]
) -> None:
    assert body(wanted) == {"Version": "2012-10-17", "Statement": statements}
    assert lint(parse(PolicyText("p", generate(wanted), "p.json"))) == (
        [] if "*" not in wanted.roles else lint(parse(PolicyText("p", generate(wanted), "p.json")))
    )


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted("Allow"), "choose at least one role or one action"),
        (Wanted("allow", (READ,)), "the effect must be Allow or Deny, not `allow`"),  # type: ignore[arg-type]
        (
            Wanted("Allow", administer=("daypass:ReadAudits",)),
            "daypass has no action `daypass:ReadAudits`; did you mean `daypass:ReadAudit`?",
        ),
        (Wanted("Allow", administer=("iam:PassRole",)), "daypass has no action `iam:PassRole`"),
        (
            Wanted("Allow", (READ,), conditions=(Term("aws:username", "StringEqual", ("a",)),)),
            "`StringEqual` is no condition operator; did you mean `StringEquals`?",
        ),
        (
            Wanted("Allow", (READ,), conditions=(MFA, Term("AWS:multifactorauthage", MFA.operator, ("1",)))),
            "NumericLessThan on `AWS:multifactorauthage` stands twice; give all its values in one condition",
        ),
        (
            Wanted("Allow", (READ,), conditions=(Term("aws:username", "StringEquals", ()),)),
            "StringEquals on `aws:username` needs a value",
        ),
    ],
)
def test_a_choice_that_makes_no_sense_is_named(wanted: Wanted, words: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        generate(wanted, "mine")
    assert [str(each) for each in caught.value.problems] == [f"policies/mine.json:1  {words}"]


@pytest.mark.parametrize("row", condition_keys.KEYS, ids=lambda row: row.name)
def test_every_operator_that_is_offered_for_a_key_makes_a_document_without_warnings_of_its_type(
    row: condition_keys.ConditionKey,
) -> None:
    key = row.name + ("x" if row.name.endswith("/") else "")
    good = {
        "Numeric": "900",
        "Date": "2026-11-24T12:00:00Z",
        "Bool": "true",
        "IpAddress": "203.0.113.0/24",
    }.get(row.type, "text")
    for operator, effect in product(operators(row.type, several=row.multivalued), ("Allow", "Deny")):
        value = "false" if operator == "Null" else good
        made = generate(Wanted(effect, (READ,), conditions=(Term(key, operator, (value,)),)))  # type: ignore[arg-type]
        assert lint(parse(PolicyText("p", made, "p.json"))) == []


_TEXTS = st.text(max_size=12)
_KEYS = st.sampled_from([row.name + ("x" if row.name.endswith("/") else "") for row in condition_keys.KEYS])


@given(
    effect=st.sampled_from(["Allow", "Deny"]),
    roles=st.lists(st.sampled_from([ADMIN, READ, "*"]), max_size=3),
    rows=st.lists(st.sampled_from([row.name for row in actions.ACTIONS]), max_size=3),
    terms=st.lists(
        st.builds(
            Term,
            _KEYS,
            st.sampled_from(["StringEquals", "ForAllValues:StringLike", "Bool", "Null", "NumericLessThan", "Date"]),
            st.lists(_TEXTS, max_size=2).map(tuple),
        ),
        max_size=3,
    ),
)  # fmt: skip
def test_whatever_is_chosen_the_document_is_valid_or_all_its_problems_are_told(
    effect: str, roles: list[str], rows: list[str], terms: list[Term]
) -> None:
    wanted = Wanted(effect, tuple(roles), tuple(rows), tuple(terms))  # type: ignore[arg-type]
    try:
        made = parse(PolicyText("p", generate(wanted), "p.json"))
    except PolicyInvalid as invalid:
        assert invalid.problems
        return
    asked = [("sts:AssumeRole", each) for each in (ADMIN, READ)] + [
        (row.name, row.resource) for row in actions.ACTIONS
    ]
    if not terms:
        for action, resource in asked:
            chosen = resource in roles or action in rows or (action == "sts:AssumeRole" and "*" in roles)
            decision = evaluate(action, resource, {}, policies=[made])
            expected = Effect.ALLOW if effect == "Allow" else Effect.EXPLICIT_DENY
            assert decision.effect is (expected if chosen else Effect.IMPLICIT_DENY)
    elif not roles:
        assert not evaluate("sts:AssumeRole", ADMIN, {}, policies=[made]).allowed
