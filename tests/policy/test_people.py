"""Documents of single people, root, and policies over signing in."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.errors import Unavailable
from app.model import Decision, Effect, Group, PolicyText, Principal, Revision, Role
from app.policy import Index, actions, evaluate, own, parse
from app.policy.document import Kind
from app.policy.request import RequestContext
from tests.policy.builders import CALLER, NOW, arn, document, principal, revision, role, statement, text
from tests.policy.strategies import roll_context, roll_statement
from tests.policy.test_index import ROLES

ADMIN, READ = role("Admin"), role("ReadOnly", level="read", allow=("everyone",))
GLASS = replace(ADMIN, break_glass=True)
ROOT = replace(principal("everyone", source="root", username="root"), root=True)
AUDIT = actions.AUDIT


def inline(*statements: object, name: str = "own", username: str = "ana") -> PolicyText:
    body = {"Version": "2012-10-17", "Statement": list(statements)}
    return PolicyText(name, json.dumps(body, indent=2), f"user/{username}/{name}")


def having(*documents: PolicyText, groups: tuple[str, ...] = ("everyone",), **more: object) -> Principal:
    return replace(principal(*groups, **more), inline=documents)  # type: ignore[arg-type]


def decide(index: Index, who: Principal, what: Role) -> Decision:
    return index.decide(who, what, index.contexts(who, CALLER, NOW)(what))


def names(index: Index, who: Principal) -> list[str]:
    return sorted(each.name for each, _ in index.assumable(who, index.contexts(who, CALLER, NOW)))


def every_answer(index: Index, who: Principal, roles: tuple[Role, ...]) -> Iterator[object]:
    """All that an index says of a person and roles."""
    contexts = index.contexts(who, CALLER, NOW)
    arns = sorted(each.arn for each in roles)
    yield {each.arn: decision for each, decision in index.assumable(who, contexts)}
    yield {each.arn: decision for each, decision in index.assumable(who, lambda what: contexts(what))}
    yield index.outlooks(arns).of(who, contexts, contexts)
    for what in roles:
        yield index.decide(who, what, contexts(what))
        yield index.bounds(who, what, contexts(what))
        yield [each.reference for each in index.statements(who, what)]
    for row in actions.ACTIONS:
        yield index.permits(who, row.name, row.resource, contexts.person)
        yield index.permits_anywhere(who, row, contexts.person)
    yield index.sign_in_denied(who, contexts.person)


# --- a person's own documents -------------------------------------------------------------------------


def test_an_inline_allow_opens_a_role_for_that_person_and_names_its_place() -> None:
    index = Index.compile(revision(ADMIN, READ))
    mine = having(inline(statement(Sid="Mine", Resource=arn("Admin"))))
    assert names(index, mine) == ["Admin", "ReadOnly"]
    assert names(index, principal("everyone")) == ["ReadOnly"]
    decision = decide(index, mine, ADMIN)
    assert str(decision.matched[0]) == "own (Mine, user/ana/own:4)"
    assert names(index, having(groups=())) == []


def test_an_inline_deny_shuts_it_and_a_guardrail_caps_what_it_allows() -> None:
    cap = (("org", (text(statement(Resource=arn("ReadOnly")), name="cap"),)),)
    index = Index.compile(revision(ADMIN, READ, guardrails=cap))
    assert names(index, having(inline(statement("Deny", Sid="No")))) == []
    assert decide(index, having(inline(statement("Deny", Sid="No"))), READ).effect is Effect.EXPLICIT_DENY
    assert names(index, having(inline(statement()))) == ["ReadOnly"]


def test_an_inline_document_counts_about_daypass_too() -> None:
    index = Index.compile(revision(ADMIN))
    made = having(inline(statement(Action="daypass:ReadAudit", Resource=AUDIT)))
    assert index.permits(made, "daypass:ReadAudit", AUDIT, {}).allowed
    assert index.permits_anywhere(made, actions.READ_AUDIT, {})
    assert not index.permits(principal("everyone"), "daypass:ReadAudit", AUDIT, {}).allowed
    never = having(*made.inline, inline(statement("Deny", Action="daypass:*"), name="never"))
    assert index.permits(never, "daypass:ReadAudit", AUDIT, {}).effect is Effect.EXPLICIT_DENY


@pytest.mark.parametrize(
    "broken",
    [
        PolicyText("own", "{", "user/ana/own"),
        PolicyText("own", json.dumps({"Version": "2012-10-17"}), "user/ana/own"),
        inline({"Effect": "Deny", "Resource": "*"}),
        inline({"Effect": "Allow", "Action": "*", "Resource": "*", "Unless": {}}),
    ],
)
def test_an_inline_document_that_cannot_be_read_is_never_passed_over(broken: PolicyText) -> None:
    index = Index.compile(revision(ADMIN, READ))
    who = having(broken)
    contexts = index.contexts(who, CALLER, NOW)
    for ask in (
        lambda: decide(index, who, READ),
        lambda: names(index, who),
        lambda: index.bounds(who, READ, {}),
        lambda: index.statements(who, READ),
        lambda: index.outlooks([]).of(who, contexts, contexts),
        lambda: index.permits(who, "daypass:ReadAudit", AUDIT, {}),
        lambda: index.permits_anywhere(who, actions.READ_AUDIT, {}),
        lambda: index.sign_in_denied(who, {}),
        lambda: index.may_deny_sign_in(who),
        lambda: list(index.elsewhere(who, READ)),
    ):
        with pytest.raises(Unavailable):
            ask()
    assert names(index, principal("everyone")) == ["ReadOnly"]


def test_what_an_inline_document_allows_is_no_other_groups() -> None:
    """What is looked for elsewhere is what groups carry; a person's own is nobody else's."""
    made = revision(ADMIN, groups=[Group("sre", policies=("p",))], policies=[text(statement(Sid="Sre"))])
    index = Index.compile(made)
    found = [(group, each.sid) for group, each in index.elsewhere(having(inline(statement())), ADMIN)]
    assert found == [("sre", "Sre")]


def test_a_draft_of_a_policy_leaves_own_documents_as_they_are() -> None:
    made = revision(ADMIN, READ)
    index = Index.compile(made).extended(made, text(statement(), name="draft"))
    assert names(index, having(inline(statement("Deny", Resource=arn("ReadOnly"))))) == []
    assert names(index, having(inline(statement(Resource=arn("Admin"))))) == ["Admin", "ReadOnly"]


@pytest.mark.parametrize("seed", range(40))
def test_an_inline_document_says_what_the_same_managed_policy_would(seed: int) -> None:
    dice = random.Random(seed)
    said = [roll_statement(dice) for _ in range(dice.randint(1, 4))]
    said.append(
        statement(dice.choice(("Allow", "Deny")), Action=["daypass:*", "sts:AssumeRole"], Resource="*")
    )
    other = roll_statement(dice)
    guards = [("org", (text(statement(Action="*"), roll_statement(dice), name="g"),))] if seed % 3 else []
    group = Group("g", policies=("other",))
    plain = revision(*ROLES, groups=[group], policies=[text(other, name="other")], guardrails=guards)
    twin = PolicyText("own", inline(*said).text, "user/ana/own")
    managed = revision(*ROLES, groups=[group], policies=[text(other, name="other"), twin], guardrails=guards)
    ours = replace(principal("g", mfa_at=dice.choice((None, NOW))), inline=(twin,))
    theirs = replace(ours, inline=(), policies=("own",))
    left = every_answer(Index.compile(plain), ours, ROLES)
    right = every_answer(Index.compile(managed), theirs, ROLES)
    for mine, other_ in zip(left, right, strict=True):
        assert _unordered(mine) == _unordered(other_)
    documents = [document(other), parse(twin)]
    levels = [[parse(each, Kind.GUARDRAIL) for each in texts] for _, texts in guards]
    shared = roll_context(dice)
    index = Index.compile(plain)
    for what in ROLES:
        expected = evaluate(
            "sts:AssumeRole", str(what.arn), RequestContext.of(shared), policies=documents, guardrails=levels
        )
        assert index.decide(ours, what, shared).effect is expected.effect


def _unordered(answer: object) -> object:
    """Statements come in the order of what carries them, which says nothing."""
    if isinstance(answer, list):
        return sorted(map(str, answer))
    doubts = getattr(answer, "doubts", None)
    return answer if doubts is None else (answer.sure, answer.possible, sorted(map(str, doubts)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(20))
def test_a_persons_own_document_changes_nobody_elses_answer(seed: int) -> None:
    dice = random.Random(seed)
    made = revision(
        *ROLES,
        groups=[Group("g", policies=("p",)), Group("h", inline=(text(roll_statement(dice), name="h/i"),))],
        policies=[text(roll_statement(dice), roll_statement(dice))],
    )
    others = [principal("g"), principal("h"), principal("g", "h", mfa_at=NOW), principal()]
    quiet = Index.compile(made)
    expected = [list(every_answer(quiet, who, ROLES)) for who in others]
    asked = Index.compile(made)
    for number in range(10):
        mine = inline(roll_statement(dice), statement("Deny", Action="daypass:*"), name=f"own{number}")
        for groups in (("g",), ("g", "h"), ()):
            list(every_answer(asked, having(mine, groups=groups), ROLES))
        assert [list(every_answer(asked, who, ROLES)) for who in others] == expected


def test_what_is_remembered_of_own_documents_is_bounded_and_stays_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "_REMEMBERED", 3)
    monkeypatch.setattr("app.policy.holdings._KEPT", 2)
    monkeypatch.setattr("app.policy.gates._REMEMBERED", 2)
    index = Index.compile(revision(ADMIN, READ))
    for _ in range(3):
        for number in range(8):
            user = f"user{number}"
            mine = statement(Resource=arn("Admin"), Condition={"StringEquals": {"aws:username": user}})
            for username in (user, "ben"):
                who = having(inline(mine, username=user), username=username)
                assert names(index, who) == (["Admin", "ReadOnly"] if username == user else ["ReadOnly"])
                assert decide(index, who, ADMIN).allowed is (username == user)


# --- root ---------------------------------------------------------------------------------------------

NEVER = text(
    statement("Deny", Action="*"),
    statement("Deny", Action=["sts:*", "daypass:*"], Resource="*"),
    name="never",
)


def against_root(*roles: Role) -> Revision:
    """All that could be said against it."""
    return revision(
        *roles,
        groups=[Group("everyone", policies=("never",), inline=(NEVER,)), Group("root", policies=("never",))],
        policies=[NEVER],
        guardrails=[("org", (NEVER,)), ("empty", ())],
    )


def test_root_may_assume_the_marked_roles_and_no_others_whatever_policies_say() -> None:
    allow = revision(GLASS, READ, groups=[Group("everyone", policies=("aws:AdministratorAccess",))])
    for made in (allow, against_root(GLASS, READ)):
        index = Index.compile(made)
        who = replace(ROOT, policies=("never", "gone"), boundary="gone", inline=(inline("nonsense"),))
        assert names(index, who) == ["Admin"]
        decision = decide(index, who, GLASS)
        assert decision.allowed and str(decision.matched[0]) == "root (BreakGlass)"
        assert (decision.matched[0].policy, decision.matched[0].index) == ("root", 0)
        assert index.assumable(who, lambda _: {}) == [(GLASS, decision)]
        assert decide(index, who, READ) == Decision(Effect.IMPLICIT_DENY, (), 7)
        assert index.bounds(who, GLASS, {}).sure and not index.bounds(who, READ, {}).possible
        contexts = index.contexts(who, CALLER, NOW)
        outlook = index.outlooks([GLASS.arn, READ.arn]).of(who, contexts, contexts)
        assert (outlook.sure, outlook.possible, outlook.open) == (1, 1, {})
        assert index.statements(who, GLASS) == () and list(index.elsewhere(who, GLASS)) == []


@pytest.mark.parametrize("row", actions.ACTIONS, ids=lambda row: row.name)
def test_root_may_do_everything_of_daypass_and_nothing_of_aws(row: actions.AdminAction) -> None:
    index = Index.compile(against_root(GLASS))
    for resource in (row.resource, "arn:aws:daypass:::person/local/7f", AUDIT):
        assert index.permits(ROOT, row.name, resource, {}).allowed
    assert index.permits_anywhere(ROOT, row, {})
    for action in ("s3:GetObject", "sts:AssumeRole", "daypassx:ReadAudit", "*"):
        assert not index.permits(ROOT, action, "*", {}).allowed
    assert index.sign_in_denied(ROOT, {}).effect is Effect.IMPLICIT_DENY


def test_a_mark_opens_a_role_to_nobody_but_root() -> None:
    index = Index.compile(revision(GLASS))
    for who in (principal(), principal("root", "local/root", username="root", source="root"), having()):
        assert names(index, who) == [] and not decide(index, who, GLASS).allowed


@pytest.mark.parametrize("seed", range(40))
def test_an_explicit_deny_never_lets_a_person_in_and_never_keeps_root_out(seed: int) -> None:
    dice = random.Random(seed)
    roles = tuple(replace(each, break_glass=dice.random() < 0.5) for each in ROLES)
    said = [roll_statement(dice) for _ in range(3)]
    deny = {**statement("Deny"), "Action": "sts:*"}
    places: dict[str, object] = {"policies": [text(*said)], "groups": [Group("g", policies=("p",))]}
    who = having(inline(*said), groups=("g",))
    match seed % 4:
        case 0:
            who = having(inline(*said, deny), groups=("g",))
        case 1:
            places["policies"] = [text(*said, deny)]
        case 2:
            places["groups"] = [Group("g", policies=("p",), inline=(text(deny, name="g/i"),))]
        case _:
            places["guardrails"] = [("org", (text(statement(), deny, name="cap"),))]
    index = Index.compile(revision(*roles, **places))  # type: ignore[arg-type]
    shared = roll_context(dice)
    for what in roles:
        assert index.decide(who, what, shared).effect is Effect.EXPLICIT_DENY
        assert index.decide(replace(who, root=True), what, shared).allowed is what.break_glass
    assert index.assumable(who, lambda _: shared) == [] == names(index, who)
    assert {each.arn for each, _ in index.assumable(replace(who, root=True), lambda _: shared)} == {
        each.arn for each in roles if each.break_glass
    }


# --- signing in ---------------------------------------------------------------------------------------

MFA = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
NO_SIGN_IN = statement("Deny", Sid="No", Action="daypass:SignIn")


def denied(index: Index, who: Principal) -> bool:
    found = index.sign_in_denied(who, index.contexts(who, CALLER, NOW).person).effect is Effect.EXPLICIT_DENY
    # What says that nobody need look at the request says so of no request that is denied.
    assert index.may_deny_sign_in(who) or not found
    return found


def with_policy(*statements: object, **more: object) -> Index:
    return Index.compile(
        revision(
            ADMIN,
            groups=[Group("everyone", policies=("p",))],
            policies=[text(*statements)],
            **more,  # type: ignore[arg-type]
        )
    )


def test_signing_in_needs_no_allow_and_a_deny_names_its_statement() -> None:
    index = Index.compile(revision(ADMIN, guardrails=[("org", ())]))
    assert not denied(index, principal()) and not denied(index, having())
    found = with_policy(NO_SIGN_IN).sign_in_denied(principal("everyone"), {})
    assert (found.effect, [each.sid for each in found.matched]) == (Effect.EXPLICIT_DENY, ["No"])


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (NO_SIGN_IN, True),
        (statement("Deny", Action="daypass:*"), True),
        (statement("Deny", Action="Daypass:sign??"), True),
        (statement("Deny", Action=["s3:*", "daypass:SignIn"]), True),
        (statement("Deny", Action="daypass:SignIn", Resource="arn:aws:daypass:::person/corp/s-1"), True),
        (statement("Deny", Action="daypass:SignIn", Resource="arn:aws:daypass:::person/corp/*"), True),
        (statement("Deny", Action="daypass:SignIn", NotResource="arn:aws:daypass:::person/local/*"), True),
        (statement("Deny", Action="daypass:SignIn", Resource="arn:aws:daypass:::person/local/*"), False),
        (statement("Deny", Action="daypass:ReadAudit"), False),
        (statement(Action="daypass:SignIn"), False),
        # Written of everything, and not with a way in to daypass in mind: no such policy locks everybody out.
        (statement("Deny", Action="*"), False),
        ({"Effect": "Deny", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}, False),
        ({"Effect": "Deny", "NotAction": "daypass:ReadAudit", "Resource": "*"}, False),
    ],
)
def test_only_a_deny_that_names_daypass_forbids_it(made: dict[str, object], expected: bool) -> None:
    assert denied(with_policy(made), principal("everyone")) is expected
    assert denied(Index.compile(revision(ADMIN)), having(inline(made))) is expected
    capped = Index.compile(revision(ADMIN, guardrails=[("org", (text(made, name="cap"),))]))
    assert denied(capped, principal()) is expected
    assert not denied(capped, ROOT)
    bounded = with_policy(made)
    assert denied(bounded, replace(principal(), boundary="p")) is expected


def test_a_deny_of_some_request_is_looked_for_and_none_of_other_things_is() -> None:
    never = {**NO_SIGN_IN, "Condition": {"StringEquals": {"daypass:Client": "another"}}}
    assert with_policy(never).may_deny_sign_in(principal("everyone"))
    assert not with_policy(never).may_deny_sign_in(principal())
    assert not with_policy(never).may_deny_sign_in(ROOT)
    for made in (
        statement("Deny", Action="daypass:ReadAudit"),
        statement(Action="daypass:*"),
        statement("Deny"),
    ):
        assert not with_policy(made).may_deny_sign_in(principal("everyone"))


def test_a_deny_can_go_away_with_a_factor_or_with_another_way_of_signing_in() -> None:
    index = with_policy({**NO_SIGN_IN, "Condition": MFA})
    assert denied(index, principal("everyone")) and not denied(index, principal("everyone", mfa_at=NOW))
    no_password = {"ForAllValues:StringNotEquals": {"daypass:Amr": "pwd"}}
    index = with_policy({**NO_SIGN_IN, "Condition": no_password})
    who = principal("everyone")
    how = replace(who.identity.authentication, methods=("hwk", "user", "mfa"))
    assert not denied(index, who)
    assert denied(index, replace(who, identity=replace(who.identity, authentication=how)))


def test_signing_in_is_not_decided_where_a_policy_is_missing() -> None:
    index = Index.compile(revision(ADMIN))
    for who in (replace(principal(), policies=("gone",)), replace(principal(), boundary="gone")):
        with pytest.raises(Unavailable):
            index.sign_in_denied(who, {})
        with pytest.raises(Unavailable):
            index.may_deny_sign_in(who)
