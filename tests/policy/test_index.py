"""The index answers as a plain scan does, names what said so, and looks only at what is attached."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import timedelta

import pytest

from app.errors import Unavailable
from app.model import Effect, Group, PolicyText, Revision, Role, RoleArn
from app.policy import Index, PolicyInvalid, evaluate, managed, parse
from app.policy.document import Document, Kind
from app.policy.request import RequestContext
from tests.policy.builders import ACCOUNT, CALLER, NOW, arn, principal, revision, role, statement, text
from tests.policy.strategies import compiled, roll_context, roll_statement


def decide(index: Index, who, what: Role):
    return index.decide(who, what, index.contexts(who, CALLER, NOW)(what))


def names(index: Index, who) -> list[str]:
    return sorted(each.name for each, _ in index.assumable(who, index.contexts(who, CALLER, NOW)))


# --- the short form -------------------------------------------------------------------------------


def test_the_short_form_is_a_statement_with_its_place() -> None:
    admin, other = role("Admin", allow=("sre",)), role("Other", allow=("dev",))
    index = Index.compile(revision(admin, other, places={admin.arn: ("accounts.yaml", 5)}))
    decision = decide(index, principal("sre"), admin)
    assert decision.effect is Effect.ALLOW
    assert decision.revision == 7
    assert str(decision.matched[0]) == f"accounts.yaml/{ACCOUNT}/Admin (statement 1, accounts.yaml:5)"
    assert decide(index, principal("sre"), other).effect is Effect.IMPLICIT_DENY
    assert decide(index, principal(), admin).effect is Effect.IMPLICIT_DENY
    assert names(index, principal("sre", "dev")) == ["Admin", "Other"]


def test_a_group_from_a_source_gets_no_bare_groups_roles() -> None:
    index = Index.compile(revision(role("Admin", allow=("sre",))))
    assert names(index, principal("corp/sre")) == []


def test_a_deny_in_a_policy_overrides_the_short_form() -> None:
    admin = role("Admin", allow=("sre",))
    deny = text(statement("Deny", Sid="No"), name="no")
    index = Index.compile(revision(admin, groups=[Group("sre", policies=("no",))], policies=[deny]))
    decision = decide(index, principal("sre"), admin)
    assert decision.effect is Effect.EXPLICIT_DENY
    assert [each.sid for each in decision.matched] == ["No"]
    assert names(index, principal("sre")) == []


# --- managed and inline ---------------------------------------------------------------------------

LEVELS = [role("A"), role("P", level="power"), role("R", level="read")]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("aws:AdministratorAccess", ["A", "P", "R"]),
        ("aws:PowerUserAccess", ["P", "R"]),
        ("aws:ReadOnlyAccess", ["R"]),
    ],
)
def test_managed_templates_go_by_the_roles_level(policy: str, expected: list[str]) -> None:
    index = Index.compile(revision(*LEVELS, groups=[Group("g", policies=(policy,))]))
    assert names(index, principal("g")) == expected
    for each in LEVELS:
        decision = decide(index, principal("g"), each)
        assert decision.allowed == (each.name in expected)
        assert all(ref.policy == policy for ref in decision.matched)


def test_every_template_is_a_document_without_warnings_of_its_language() -> None:
    for name in managed.NAMES:
        template = managed.text(managed.PREFIX + name)
        assert template is not None
        parse(template)
    assert managed.text("AdministratorAccess") is None
    assert managed.text("aws:Other") is None


def test_a_policy_attached_to_the_principal_alone_counts() -> None:
    allow = text(statement(), name="all")
    index = Index.compile(revision(*LEVELS, policies=[allow]))
    assert names(index, principal(policies=("all",))) == ["A", "P", "R"]


def test_a_policy_that_the_revision_lacks_stops_the_decision() -> None:
    index = Index.compile(revision(*LEVELS))
    with pytest.raises(Unavailable):
        decide(index, principal(policies=("gone",)), LEVELS[0])
    with pytest.raises(Unavailable):
        names(index, principal(policies=("gone",)))


def test_an_inline_document_belongs_to_its_group_alone() -> None:
    inline = text(statement(Resource=arn("A")), name="groups.yaml/sre")
    index = Index.compile(revision(*LEVELS, groups=[Group("sre", inline=(inline,)), Group("dev")]))
    assert names(index, principal("sre")) == ["A"]
    assert names(index, principal("dev")) == []


def test_all_broken_documents_are_told_at_once() -> None:
    broken = [PolicyText(name, '{"Statement": []}', f"policies/{name}.json") for name in ("a", "b")]
    made = revision(*LEVELS, policies=broken, groups=[Group("g", policies=("a", "missing"))])
    with pytest.raises(PolicyInvalid) as caught:
        Index.compile(made)
    assert [each.file for each in caught.value.problems] == [
        "policies/a.json",
        "policies/b.json",
        "groups.yaml",
    ]
    assert "missing" in caught.value.problems[-1].message


# --- guardrails -----------------------------------------------------------------------------------


def test_every_guardrail_level_must_allow_and_none_grants() -> None:
    full, mfa = text(statement(), name="full"), text(statement(Resource=arn("A")), name="some")
    groups = [Group("g", policies=("aws:AdministratorAccess",))]
    open_ = Index.compile(revision(*LEVELS, groups=groups, guardrails=[("org", (full,))]))
    assert names(open_, principal("g")) == ["A", "P", "R"]
    assert names(open_, principal()) == []
    capped = Index.compile(revision(*LEVELS, groups=groups, guardrails=[("org", (full,)), ("unit", (mfa,))]))
    assert names(capped, principal("g")) == ["A"]
    shut = Index.compile(revision(*LEVELS, groups=groups, guardrails=[("org", ())]))
    assert names(shut, principal("g")) == []


def test_a_guardrail_denies_by_condition_and_is_named() -> None:
    guard = text(
        statement(),
        statement("Deny", Sid="Mfa", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}),
        name="guardrails/org/mfa",
    )
    groups = [Group("g", policies=("aws:AdministratorAccess",))]
    index = Index.compile(revision(*LEVELS, groups=groups, guardrails=[("org", (guard,))]))
    refused = decide(index, principal("g"), LEVELS[0])
    assert (refused.effect, [each.sid for each in refused.matched]) == (Effect.EXPLICIT_DENY, ["Mfa"])
    assert names(index, principal("g")) == []
    assert names(index, principal("g", mfa_at=NOW - timedelta(minutes=1))) == ["A", "P", "R"]


# --- against the plain scan -----------------------------------------------------------------------

ROLES = [
    Role(RoleArn(f"arn:aws:iam::{account}:role/{name}"), account, account, name, level=level, tags=tags)
    for account in ("111122223333", "444455556666")
    for name, level, tags in (
        ("Admin", "admin", {"team": "web"}),
        ("ana", "power", {}),
        ("team-Dev", "read", {"team": "ops"}),
        ("*", "admin", {}),
    )
]
STRAY = Role(RoleArn("arn:aws:iam::111122223333:role/Elsewhere"), "111122223333", "x", "Elsewhere")


def scan(documents: Iterable[Document], levels: list[list[Document]], what: Role, context: RequestContext):
    return evaluate("sts:AssumeRole", what.arn, context, policies=list(documents), guardrails=levels)


def rolled(dice: random.Random) -> dict[str, object]:
    made = roll_statement(dice)
    made.pop("NotAction", None)
    made["Action"] = dice.choice(("sts:AssumeRole", "sts:*", "*", "s3:GetObject"))
    if dice.random() < 0.3:
        made["Condition"] = {
            "StringEquals": {"aws:ResourceTag/team": "web", "daypass:RoleLevel": ["admin", "read"]}
        }
    if dice.random() < 0.4:
        made.pop("NotResource", None)
        made["Resource"] = dice.choice([str(each.arn) for each in ROLES])
    return made


def test_the_indexed_answer_is_the_plain_scans() -> None:
    dice = random.Random(11)
    allowed = 0
    for _ in range(250):
        texts = {
            f"p{number}": {
                "Version": "2012-10-17",
                "Statement": [rolled(dice) for _ in range(dice.randint(1, 3))],
            }
            for number in range(4)
        }
        policies = [PolicyText(name, json.dumps(body), name) for name, body in texts.items()]
        groups = [
            Group(f"g{number}", policies=(f"p{number}", "p3")[: dice.randint(1, 2)]) for number in range(3)
        ]
        guards = [
            (f"level{number}", (PolicyText(f"g{number}", json.dumps(body), "g"),))
            for number in range(dice.choice((0, 0, 1, 2)))
            for body in [{"Version": "2012-10-17", "Statement": [statement(), rolled(dice)]}]
        ]
        made: Revision = revision(*ROLES, groups=groups, policies=policies, guardrails=guards)
        index = Index.compile(made)
        levels = [[parse(each, Kind.GUARDRAIL) for each in documents] for _, documents in guards]
        mine = dice.sample(groups, dice.randint(0, 3))
        who = principal(*(group.name for group in mine), mfa_at=dice.choice((None, NOW)))
        attached = {name for group in mine for name in group.policies}
        documents = [compiled(texts[name], name=name) for name in sorted(attached)]
        ours = index.contexts(who, CALLER, NOW)
        shared = roll_context(dice)
        for contexts in (ours, lambda _: shared):  # noqa: B023
            listed = {each.arn: decision for each, decision in index.assumable(who, contexts)}
            for what in (*ROLES, STRAY):
                expected = scan(documents, levels, what, RequestContext.of(contexts(what)))
                decision = index.decide(who, what, contexts(what))
                assert decision.effect is expected.effect
                assert {(r.policy, r.index) for r in decision.matched} == {
                    (r.policy, r.index) for r in expected.matched
                }
                if what is not STRAY:
                    assert (what.arn in listed) == expected.allowed
                    assert not expected.allowed or listed[what.arn] == decision
                allowed += expected.allowed
    assert allowed > 500


# --- cost -----------------------------------------------------------------------------------------


def catalogue(size: int) -> Revision:
    roles = [role(f"team{number}-x", level="power") for number in range(size)]
    policies = [
        text(
            statement(Resource=arn(f"team{number}-x")),
            statement(
                Resource=arn(f"team{number}-*"), Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}
            ),
            name=f"p{number}",
        )
        for number in range(size)
    ]
    groups = [Group(f"g{number}", policies=(f"p{number}",)) for number in range(size)]
    return revision(*roles, groups=groups, policies=policies)


def test_statements_examined_do_not_grow_with_the_catalogue() -> None:
    who = principal("g1", "g2", "g3")
    counts = []
    for size in (10, 1_000):
        made = catalogue(size)
        index = Index.compile(made)
        counts.append([len(index.statements(who, made.roles[RoleArn(arn(f"team{n}-x"))])) for n in range(10)])
    assert counts[0] == counts[1]
    assert max(counts[0]) == 2


def test_the_list_asks_for_contexts_only_where_the_answer_depends_on_them() -> None:
    asked: list[str] = []

    def contexts(what: Role) -> RequestContext:
        asked.append(what.name)
        return RequestContext({"daypass:rolelevel": what.level})

    by_level = statement(Resource=arn("P"), Condition={"StringEquals": {"daypass:RoleLevel": "power"}})
    made = revision(*LEVELS, policies=[text(statement(Resource=arn("A")), by_level, name="p")])
    index = Index.compile(made)
    found = index.assumable(principal(policies=("p",)), index.contexts(principal(), CALLER, NOW))
    assert sorted(each.name for each, _ in found) == ["A", "P"]
    index.assumable(principal(policies=("p",)), contexts)
    assert "R" not in asked
