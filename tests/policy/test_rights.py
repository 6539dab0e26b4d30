"""Who may administer what: decided as roles are, from the statements that are attached, and never by accident."""

from __future__ import annotations

import dataclasses
import random

import pytest

from app.errors import Unavailable
from app.model import Decision, Effect, Group, PolicyText, Principal, SourceId
from app.policy import Index, actions, evaluate, managed
from app.policy.request import RequestContext
from tests.policy.builders import CALLER, NOW, principal, revision, role, statement, text
from tests.policy.strategies import compiled, roll_context, roll_statement

AUDIT, CONFIGURATION = actions.AUDIT, actions.CONFIGURATION
ANA = actions.person_resource("corp", "ana-1")


def allow(*names: str, on: str | list[str] = "*", **more: object) -> dict[str, object]:
    return statement(Action=[f"daypass:{name}" for name in names], Resource=on, **more)


def index_of(*statements: object, guardrails: object = (), **more: object) -> Index:
    return Index.compile(
        revision(
            role("Admin", allow=("auditors",)),
            groups=[Group("auditors", policies=("delegated",))],
            policies=[text(*statements, name="delegated"), *more.get("policies", ())],
            guardrails=guardrails,
        )
    )


def ask(index: Index, name: str, on: str, who: Principal | None = None) -> Decision:
    who = who or principal("auditors")
    return index.permits(who, f"daypass:{name}", on, index.contexts(who, CALLER, NOW).person)


def test_an_allow_grants_its_action_on_its_resource_and_nothing_else() -> None:
    index = index_of(allow("ReadAudit", on=AUDIT, Sid="Trail"))
    decision = ask(index, "ReadAudit", AUDIT)
    assert (decision.effect, decision.revision) == (Effect.ALLOW, 7)
    assert str(decision.matched[0]) == "delegated (Trail, policies/delegated.json:4)"
    assert ask(index, "readaudit", AUDIT).allowed
    for row in actions.ACTIONS:
        for other in (CONFIGURATION, ANA, actions.policy_resource("p")):
            assert ask(index, row.name.partition(":")[2], other).effect is Effect.IMPLICIT_DENY
    assert ask(index, "ReadAudit", AUDIT, principal("engineering")).effect is Effect.IMPLICIT_DENY


def test_an_explicit_deny_wins_wherever_it_is_attached() -> None:
    deny = text(statement("Deny", Action="daypass:*", Sid="No"), name="no")
    made = revision(
        groups=[Group("auditors", policies=("yes",)), Group("interns", policies=("no",))],
        policies=[text(allow("ReadAudit"), name="yes"), deny],
    )
    index = Index.compile(made)
    assert ask(index, "ReadAudit", AUDIT).allowed
    decision = ask(index, "ReadAudit", AUDIT, principal("auditors", "interns"))
    assert (decision.effect, [each.sid for each in decision.matched]) == (Effect.EXPLICIT_DENY, ["No"])


def test_the_short_form_of_a_role_grants_nothing_of_daypass() -> None:
    index = Index.compile(revision(role("Admin", allow=("sre",))))
    for row in actions.ACTIONS:
        assert ask(index, row.name.partition(":")[2], AUDIT, principal("sre")).effect is Effect.IMPLICIT_DENY


@pytest.mark.parametrize("template", [managed.PREFIX + name for name in managed.NAMES])
def test_no_template_that_ships_lets_administer_daypass(template: str) -> None:
    index = Index.compile(revision(role("R"), groups=[Group("g", policies=(template,))]))
    for row in actions.ACTIONS:
        assert not ask(index, row.name.partition(":")[2], row.resource, principal("g")).allowed
        assert not index.permits_anywhere(principal("g"), row, {})


def test_a_document_that_says_everything_means_everything() -> None:
    index = index_of(statement(Action="*"))
    assert all(
        ask(index, row.name.partition(":")[2], row.resource).effect is Effect.ALLOW for row in actions.ACTIONS
    )


def test_inline_documents_of_a_group_count_for_it_alone() -> None:
    inline = text(allow("ReadAudit"), name="groups.yaml/sre")
    index = Index.compile(revision(groups=[Group("sre", inline=(inline,)), Group("dev")]))
    assert ask(index, "ReadAudit", AUDIT, principal("sre")).allowed
    assert not ask(index, "ReadAudit", AUDIT, principal("dev")).allowed


def test_a_policy_of_the_principal_alone_counts_and_a_missing_one_stops_the_decision() -> None:
    index = Index.compile(revision(policies=[text(allow("ReadAudit"), name="one")]))
    assert ask(index, "ReadAudit", AUDIT, principal(policies=("one",))).allowed
    with pytest.raises(Unavailable):
        ask(index, "ReadAudit", AUDIT, principal(policies=("gone",)))


@pytest.mark.parametrize(
    ("guardrail", "effect"),
    [
        (statement(Action=["sts:AssumeRole", "daypass:*"]), Effect.ALLOW),
        (statement(Action="sts:AssumeRole"), Effect.IMPLICIT_DENY),
        (statement("Deny", Action="daypass:ReadAudit"), Effect.EXPLICIT_DENY),
    ],
)
def test_every_guardrail_level_must_allow(guardrail: dict[str, object], effect: Effect) -> None:
    whole = (text(statement(Action="*"), name="whole"),)
    levels = (("one", whole), ("two", (text(guardrail, name="g"),)))
    assert ask(index_of(allow("ReadAudit"), guardrails=levels), "ReadAudit", AUDIT).effect is effect


def test_the_boundary_of_the_source_caps_what_its_people_may_administer() -> None:
    documents = [text(statement(Action="ec2:*"), name="ec2"), text(allow("ReadAudit"), name="trail")]
    index = index_of(statement(Action="*"), policies=documents)
    bounded = dataclasses.replace(principal("auditors"), boundary="ec2")
    assert ask(index, "ReadAudit", AUDIT, bounded).effect is Effect.IMPLICIT_DENY
    wider = dataclasses.replace(principal("auditors"), boundary="trail")
    assert ask(index, "ReadAudit", AUDIT, wider).allowed
    assert not ask(index, "ReadConfiguration", CONFIGURATION, wider).allowed
    with pytest.raises(Unavailable):
        ask(index, "ReadAudit", AUDIT, dataclasses.replace(principal("auditors"), boundary="gone"))


def test_conditions_ask_about_the_person() -> None:
    index = index_of(allow("ReadAudit", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))
    assert not ask(index, "ReadAudit", AUDIT).allowed
    assert ask(index, "ReadAudit", AUDIT, principal("auditors", mfa_at=NOW)).allowed


def test_an_action_that_is_not_of_daypass_is_never_permitted_here() -> None:
    index = index_of(statement(Action="*"))
    who = principal("auditors")
    for action in ("sts:AssumeRole", "*", "", "daypass", "s3:GetObject"):
        assert index.permits(who, action, AUDIT, {}).effect is Effect.IMPLICIT_DENY


@pytest.mark.parametrize("subject", ["*", "${aws:username}", "a/b:c", "?", "ana-1*"])
def test_the_subject_of_a_person_is_text_and_no_pattern(subject: str) -> None:
    index = index_of(allow("ReadPeople", on=[ANA, actions.person_resource("corp", "team-*")]))
    assert ask(index, "ReadPeople", ANA).allowed
    assert not ask(index, "ReadPeople", actions.person_resource("corp", subject)).allowed
    assert ask(index, "ReadPeople", actions.person_resource("corp", f"team-{subject}")).allowed


# --- anywhere -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow("ReadPeople")], True),
        ([allow("ReadPeople", on="arn:aws:daypass:::person/corp/*")], True),
        ([allow("ReadPeople", on=ANA)], True),
        ([allow("ReadPeople", on="arn:aws:daypass:::person/*/${aws:username}")], True),
        ([allow("ReadPeople", on="arn:aws:daypass:::person/*/${aws:PrincipalTag/none}")], False),
        ([allow("ReadPeople", on=AUDIT)], False),
        ([allow("ReadPeople", on="arn:aws:daypass:::policy/*")], False),
        ([allow("ReadAudit")], False),
        ([], False),
        ([allow("ReadPeople", on="arn:aws:daypass:::person/corp/*"), statement("Deny", Action="daypass:*")], False),
        ([statement(Action="daypass:ReadPeople", NotResource=ANA)], True),
    ],
)  # fmt: skip
def test_whether_there_is_anything_one_may_do_this_to(
    statements: list[dict[str, object]], expected: bool
) -> None:
    if "NotResource" in (statements or [{}])[0]:
        statements[0].pop("Resource", None)
    index = index_of(*(statements or [statement()]))
    who = principal("auditors")
    context = index.contexts(who, CALLER, NOW).person
    assert index.permits_anywhere(who, actions.READ_PEOPLE, context) is expected


# --- the plain scan -------------------------------------------------------------------------------

_ACTIONS = ("daypass:*", "daypass:Read*", "daypass:ReadAudit", "daypass:WritePolicy", "*", "sts:*", "s3:*")
_RESOURCES = (
    "*",
    AUDIT,
    ANA,
    "arn:aws:daypass:::person/*/${aws:username}",
    "arn:aws:daypass:::person/corp/*",
    "arn:aws:daypass:::policy/web-*",
    "arn:aws:daypass:::*",
    "arn:aws:iam::111122223333:role/Admin",
)
_ASKED = (
    *(row.name for row in actions.ACTIONS),
    "daypass:Unknown",
    "DAYPASS:readaudit",
)
_ON = (AUDIT, CONFIGURATION, ANA, actions.person_resource("corp", "ana"), actions.policy_resource("web-x"))


def _roll(dice: random.Random) -> dict[str, object]:
    made = roll_statement(dice)
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        made.pop(element, None)
    made["NotAction" if dice.random() < 0.2 else "Action"] = dice.sample(_ACTIONS, dice.randint(1, 2))
    made["NotResource" if dice.random() < 0.2 else "Resource"] = dice.sample(_RESOURCES, dice.randint(1, 2))
    return made


def test_the_indexed_answer_equals_the_plain_scans() -> None:
    dice = random.Random(5)
    seen: set[Effect] = set()
    for _ in range(250):
        bodies = {
            name: {"Version": "2012-10-17", "Statement": [_roll(dice) for _ in range(dice.randint(1, 3))]}
            for name in ("one", "two", "inline", "guard", "boundary")
        }
        documents = {name: compiled(body, name=name) for name, body in bodies.items()}
        texts: dict[str, PolicyText] = {name: made.source for name, made in documents.items()}
        guarded, bounded = dice.random() < 0.3, dice.random() < 0.3
        index = Index.compile(
            revision(
                role("Admin", allow=("g",)),
                groups=[Group("g", policies=("one", "two"), inline=(texts["inline"],))],
                policies=[texts["one"], texts["two"], texts["boundary"]],
                guardrails=(("top", (texts["guard"],)),) if guarded else (),
            )
        )
        who = dataclasses.replace(principal("g"), boundary="boundary" if bounded else None)
        context = RequestContext.of(roll_context(dice))
        for action in _ASKED:
            for resource in _ON:
                plain = evaluate(
                    action,
                    resource,
                    context,
                    policies=[documents[name] for name in ("one", "two", "inline")],
                    boundaries=[documents["boundary"]] if bounded else (),
                    guardrails=[[documents["guard"]]] if guarded else (),
                    revision=7,
                )
                answer = index.permits(who, action, resource, context)
                seen.add(answer.effect)
                assert answer.effect is plain.effect, (action, resource, bodies)
                assert set(answer.matched) == set(plain.matched)
                assert answer.revision == plain.revision
    assert seen == set(Effect)


def test_what_is_said_to_be_permitted_somewhere_is_permitted_somewhere() -> None:
    dice = random.Random(6)
    yes = 0
    for _ in range(300):
        body = {"Version": "2012-10-17", "Statement": [_roll(dice) for _ in range(dice.randint(1, 3))]}
        made = compiled(body, name="delegated")
        index = Index.compile(
            revision(groups=[Group("auditors", policies=("delegated",))], policies=[made.source])
        )
        context = RequestContext.of(roll_context(dice))
        for row in actions.ACTIONS:
            if index.permits_anywhere(principal("auditors"), row, context):
                yes += 1
                assert any(
                    not each.deny and each.covers_action(row.name.lower()) for each in made.statements
                ), body
            elif not row.names:
                assert not index.permits(principal("auditors"), row.name, row.resource, context).allowed
    assert yes > 50


def test_whatever_is_permitted_in_some_request_is_conceivable() -> None:
    dice = random.Random(7)
    permitted = beside = impossible = 0
    resources = (AUDIT, CONFIGURATION, ANA, actions.policy_resource("web-a"), actions.group_resource("sre"))
    for _ in range(300):
        body = {"Version": "2012-10-17", "Statement": [_roll(dice) for _ in range(dice.randint(1, 3))]}
        made = compiled(body, name="delegated")
        index = Index.compile(
            revision(groups=[Group("auditors", policies=("delegated",))], policies=[made.source])
        )
        contexts = [RequestContext.of(roll_context(dice)) for _ in range(3)]
        for row in actions.ACTIONS:
            conceivable = index.conceivable(principal("auditors"), row)
            impossible += not conceivable
            beside += conceivable
            for context in contexts:
                if any(
                    index.permits(principal("auditors"), row.name, on, context).allowed
                    for on in resources
                    if on.startswith(actions.PREFIX + row.kind)
                ):
                    permitted += 1
                    assert conceivable, (row, body)
                assert conceivable or not index.permits_anywhere(principal("auditors"), row, context), (
                    row,
                    body,
                )
    assert min(permitted, beside, impossible) > 50


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([], True),
        ([statement("Deny", Action="daypass:*")], False),
        ([statement("Deny", Action="daypass:*", Resource=ANA)], True),
        (
            [
                statement(
                    "Deny", Action="daypass:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}
                )
            ],
            True,
        ),
    ],
)
def test_what_a_condition_or_a_name_only_narrows_is_conceivable(
    more: list[dict[str, object]], expected: bool
) -> None:
    later = {"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}}
    index = index_of(allow("ReadPeople", Condition=later), *more)
    who = principal("auditors")
    assert not index.permits_anywhere(who, actions.READ_PEOPLE, index.contexts(who, CALLER, NOW).person)
    assert index.conceivable(who, actions.READ_PEOPLE) is expected
    assert not index.conceivable(who, actions.READ_AUDIT)
    assert not index.conceivable(principal("engineering"), actions.READ_PEOPLE)


def test_a_guardrail_or_boundary_without_it_makes_it_inconceivable() -> None:
    roles = (text(statement(Action="sts:AssumeRole"), name="roles"),)
    capped = index_of(allow("ReadPeople"), guardrails=(("one", roles),))
    assert not capped.conceivable(principal("auditors"), actions.READ_PEOPLE)
    index = index_of(allow("ReadPeople"), policies=roles)
    bounded = dataclasses.replace(principal("auditors"), boundary="roles")
    assert index.conceivable(principal("auditors"), actions.READ_PEOPLE)
    assert not index.conceivable(bounded, actions.READ_PEOPLE)
    assert index.conceivable(dataclasses.replace(bounded, root=True), actions.READ_PEOPLE)
    with pytest.raises(Unavailable):
        index.conceivable(principal(policies=("gone",)), actions.READ_PEOPLE)


def test_the_source_is_part_of_a_persons_name() -> None:
    index = index_of(allow("ReadPeople", on="arn:aws:daypass:::person/corp/*"))
    assert ask(index, "ReadPeople", actions.person_resource(SourceId("corp"), "x")).allowed
    assert not ask(index, "ReadPeople", actions.person_resource(SourceId("partner"), "x")).allowed
