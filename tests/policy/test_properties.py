"""What must hold for every document and every question."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RequestNotPossible
from app.model import Effect, PolicyText
from app.policy import Document, PolicyInvalid, evaluate, intersect, parse, render
from app.policy.patterns import Glob, tokens
from app.policy.request import RequestContext
from tests.policy.strategies import (
    ACTIONS,
    RESOURCES,
    bodies,
    compiled,
    questions,
    roll_body,
    roll_context,
    statements,
)

MANY = settings(max_examples=100, deadline=None)


def allowed(document: Document, question: tuple[str, str, object]) -> bool:
    action, resource, context = question
    return evaluate(action, resource, context, policies=[document]).allowed  # type: ignore[arg-type]


@MANY
@given(bodies(), statements(effect="Deny"), questions)
def test_adding_a_deny_never_turns_a_refusal_into_a_grant(body, deny, question) -> None:
    action, resource, context = question
    before = evaluate(action, resource, context, policies=[compiled(body)])
    more = {"Version": body["Version"], "Statement": [*body["Statement"], deny]}
    for policies in (
        [compiled(more)],
        [compiled(body), compiled({"Version": "2012-10-17", "Statement": deny})],
    ):
        after = evaluate(action, resource, context, policies=policies)
        assert before.allowed or not after.allowed


@MANY
@given(st.lists(bodies(), min_size=1, max_size=3), questions, st.randoms(use_true_random=False))
def test_order_never_matters(documents, question, dice: random.Random) -> None:
    action, resource, context = question
    first = evaluate(action, resource, context, policies=[compiled(body) for body in documents])
    shuffled = [
        {**body, "Statement": dice.sample(body["Statement"], len(body["Statement"]))} for body in documents
    ]
    dice.shuffle(shuffled)
    assert (
        evaluate(action, resource, context, policies=[compiled(body) for body in shuffled]).effect
        == first.effect
    )


@MANY
@given(bodies(), bodies(), questions)
def test_a_cap_never_adds(body, cap, question) -> None:
    action, resource, context = question
    bare = evaluate(action, resource, context, policies=[compiled(body)])
    for caps in (
        {"boundaries": [compiled(cap)]},
        {"guardrails": [[compiled(cap)]]},
        {"sessions": [compiled(cap)]},
    ):
        assert (
            bare.allowed or not evaluate(action, resource, context, policies=[compiled(body)], **caps).allowed
        )


@MANY
@given(bodies())
def test_parse_and_print_round_trip(body) -> None:
    made = compiled(body)
    again = parse(PolicyText("again", render(made), "again.json"))
    assert again == made
    assert render(again) == render(made)
    assert json.loads(render(made)) == body


@given(st.text(max_size=8), st.text(alphabet="ab*?${}':, ", max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_substituted_value_never_acts_as_a_pattern(name: str, asked: str) -> None:
    context = RequestContext.of({"aws:username": name, "aws:userid": "a"})
    for element, question in (
        ({"Resource": "arn:aws:s3:::b/${aws:username}"}, (f"arn:aws:s3:::b/{asked}", context)),
        (
            {"Resource": "*", "Condition": {"StringLike": {"app:x": "${aws:username}"}}},
            ("arn:aws:s3:::b", RequestContext.of({"aws:username": name, "app:x": asked})),
        ),
        (
            {"Resource": "*", "Condition": {"StringEquals": {"app:x": "${aws:username}"}}},
            ("arn:aws:s3:::b", RequestContext.of({"aws:username": name, "app:x": asked})),
        ),
    ):
        made = compiled({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", **element}})
        resource, known = question
        assert evaluate("s3:GetObject", resource, known, policies=[made]).allowed == (name == asked != "")


def plain_match(pattern: str, text: str) -> bool:
    """The definition, by dynamic programming."""
    row = [True] + [False] * len(text)
    for mark in pattern:
        if mark == "*":
            for at in range(1, len(row)):
                row[at] = row[at] or row[at - 1]
        else:
            row = [False, *(row[at] and mark in ("?", text[at]) for at in range(len(text)))]
    return row[-1]


@given(st.text("ab*?", max_size=10), st.text("ab", max_size=12))
@settings(max_examples=1000, deadline=None)
def test_the_matcher_agrees_with_the_definition(pattern: str, text: str) -> None:
    glob = Glob(part for part in tokens(pattern, variables=False) if not hasattr(part, "key"))
    assert glob.matches(text) == plain_match(pattern, text)


def test_a_hostile_pattern_costs_no_time() -> None:
    glob = Glob(tokens("*a" * 500 + "*b", variables=False))  # type: ignore[arg-type]
    assert not glob.matches("a" * 5_000)
    marks = Glob(tokens("*?a" * 200 + "b", variables=False))  # type: ignore[arg-type]
    assert not marks.matches("a" * 2_000)


# --- intersection ---------------------------------------------------------------------------------


def test_an_intersection_allows_exactly_what_both_allow() -> None:
    dice = random.Random(5)
    made = refused = grants = 0
    for _ in range(2_000):
        a, b = (compiled(roll_body(dice), name=name) for name in ("a", "b"))
        try:
            both = parse(PolicyText("both", intersect(a, b, limit=2_048), "both.json"))
        except RequestNotPossible as reason:
            assert "cannot be made one session policy" in reason.detail
            refused += 1
            continue
        made += 1
        for _ in range(3):
            context = roll_context(dice)
            for action in dice.sample(ACTIONS, 3):
                for resource in dice.sample(RESOURCES, 4):
                    question = (action, resource, context)
                    expected = allowed(a, question) and allowed(b, question)
                    grants += expected
                    assert allowed(both, question) == expected, (question, render(a), render(b), render(both))
    assert made > 1_500, (made, refused)
    assert grants > 500


def test_an_intersection_is_exact_on_patterns_alone() -> None:
    dice = random.Random(6)
    words = ["".join(dice.choices("ab", k=dice.randint(0, 6))) for _ in range(60)]
    for _ in range(1_000):
        patterns = [
            "".join(dice.choices("ab*?", weights=(4, 4, 3, 1), k=dice.randint(1, 5))) for _ in range(2)
        ]
        a, b = (
            compiled(
                {
                    "Version": "2012-10-17",
                    "Statement": {"Effect": "Allow", "Action": "*", "Resource": f"arn:aws:s3:::{pattern}"},
                }
            )
            for pattern in patterns
        )
        both = parse(PolicyText("both", intersect(a, b), "both.json"))
        for word in words:
            question = ("s3:GetObject", f"arn:aws:s3:::{word}", RequestContext({}))
            assert allowed(both, question) == (allowed(a, question) and allowed(b, question)), (
                patterns,
                word,
            )


@settings(max_examples=50, deadline=None)
@given(bodies())
def test_an_intersection_with_everything_changes_nothing(body) -> None:
    everything = compiled(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    )
    both = parse(PolicyText("both", intersect(compiled(body), everything, limit=100_000), "both.json"))
    for action in ACTIONS:
        for resource in RESOURCES:
            question = (action, resource, {"aws:username": "ana"})
            assert allowed(both, question) == allowed(compiled(body), question)


# --- mutated documents ----------------------------------------------------------------------------


def mutate(source: str, dice: random.Random) -> str:
    """Break a document's text in one of the ways in which texts break."""
    letters = list(source)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(letters))
        kind = dice.randrange(6)
        if kind == 0:
            del letters[at]
        elif kind == 1:
            letters.insert(at, dice.choice('{}[]",:*?$\\ \x00é中0atrue'))
        elif kind == 2:
            letters[at] = dice.choice('{}[]",:*?$\\ n1')
        elif kind == 3:
            end = min(len(letters), at + dice.randint(1, 20))
            letters[at:at] = letters[at:end]
        elif kind == 4:
            del letters[at : at + dice.randint(1, 12)]
        else:
            other = dice.randrange(len(letters))
            letters[at], letters[other] = letters[other], letters[at]
        if not letters:
            return ""
    return "".join(letters)


DENYING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "Some",
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Resource": [
                "arn:aws:iam::111122223333:role/Admin",
                "arn:aws:iam::111122223333:role/${aws:username}",
            ],
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
        {
            "Effect": "Deny",
            "Action": "sts:*",
            "Resource": "*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}},
        },
    ],
}
HOSTILE = {"aws:MultiFactorAuthPresent": "false", "aws:SourceIp": "198.51.100.9", "aws:username": "x"}


def test_ten_thousand_mutated_documents_never_crash_it_nor_load_as_more_permissive() -> None:
    dice = random.Random(20261124)
    source = json.dumps(DENYING, indent=1)
    loaded = 0
    for _ in range(10_000):
        broken = mutate(source, dice)
        try:
            made = parse(PolicyText("m", broken, "m.json"))
        except PolicyInvalid as invalid:
            assert invalid.problems
            continue
        loaded += 1
        # What loads is JSON whose every element is what a strict reading of the text says: no key was
        # lost, nothing was guessed, and printing it gives the same document.
        tree = json.loads(broken, object_pairs_hook=_no_repeats)
        assert set(tree) <= {"Version", "Id", "Statement"}
        listed = tree["Statement"] if isinstance(tree["Statement"], list) else [tree["Statement"]]
        assert len(made.statements) == len(listed)
        for written, compiled_ in zip(listed, made.statements, strict=True):
            assert compiled_.deny is (written["Effect"] == "Deny")
            assert bool(compiled_.conditions) is any((written.get("Condition") or {}).values())
        assert parse(PolicyText("n", render(made), "n.json")) == made
        decision = evaluate("sts:AssumeRole", RESOURCES[0], HOSTILE, policies=[made])
        if decision.effect is Effect.ALLOW:
            # Only where the mutation itself removed a condition or changed its words, in plain sight.
            assert tree != DENYING
    assert 100 < loaded < 9_000


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)
