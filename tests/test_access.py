"""What a change does to people, and who can assume what: gains are never hidden by what is not known."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from app.access import Turn, View, compare, what_can, who_can
from app.model import (
    Authentication,
    ClaimMap,
    Group,
    GroupMap,
    Identity,
    OidcProvider,
    PolicyText,
    Revision,
    RoleArn,
    SourceId,
)
from app.people import LOCAL, ROOT, LocalUser, UserState
from tests.policy.builders import NOW, arn, revision, role, statement, text

CORP = SourceId("corp")
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
NET = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}


@dataclass(frozen=True)
class Person:
    identity: Identity
    since: datetime = NOW
    user: LocalUser | None = None


def provider(source: SourceId = CORP, groups: int = 0) -> OidcProvider:
    names = {"sre": "sre", "dev": "dev", **{f"g{n}": f"g{n}" for n in range(groups)}}
    return OidcProvider(
        source,
        source,
        f"https://{source}.example",
        "daypass",
        None,
        ClaimMap("sub", "name", groups="groups"),
        GroupMap(names),
    )


def person(name: str, *groups: str, source: SourceId = CORP, mfa: bool = False) -> Person:
    how = Authentication(NOW - timedelta(days=3), mfa_at=NOW if mfa else None)
    return Person(Identity(source, f"{name}-1", name, {"groups": groups}, how))


def view(
    *statements: dict[str, object], allow: tuple[str, ...] = (), level: str = "admin", **more: object
) -> View:
    admin = replace(role("Admin", allow=allow), level=level)
    groups = [Group("sre", policies=("p",) if statements else ())]
    policies = [text(*statements)] if statements else []
    made: Revision = revision(
        admin,
        role("Read", level="read"),
        groups=groups,
        policies=policies,
        providers={CORP: provider()},
        **more,
    )  # type: ignore[arg-type]
    return View.of(made)


ANA = person("ana", "sre")
BEN = person("ben", "dev")


def turns(
    before: View | None, after: View, *people: Person
) -> list[tuple[list[str], list[tuple[str, str, bool, bool]]]]:
    return [
        (
            [each.identity.username for each in shift.people],
            [(turn.turn.value, turn.role.name, turn.conditional, turn.privileged) for turn in shift.turns],
        )
        for shift in compare(before, after, people or (ANA, BEN), NOW)
    ]


# --- what a change does -----------------------------------------------------------------------------


def test_nothing_changes_between_equals() -> None:
    assert turns(view(allow=("sre",)), view(allow=("sre",))) == []


def test_gains_and_losses_are_told_and_privileged_gains_marked() -> None:
    before, after = view(allow=("sre",)), view(allow=("dev",))
    assert turns(before, after) == [
        (["ben"], [("gains", "Admin", False, True)]),
        (["ana"], [("loses", "Admin", False, False)]),
    ]


def test_the_first_revision_gives_everything() -> None:
    assert turns(None, view(allow=("sre", "dev"))) == [(["ana", "ben"], [("gains", "Admin", False, True)])]


def test_people_for_whom_it_is_the_same_stand_together() -> None:
    people = [person(f"p{n}", "dev") for n in range(5)]
    ((names, _),) = turns(view(allow=("sre",)), view(allow=("sre", "dev")), *people)
    assert names == [f"p{n}" for n in range(5)]


def test_a_gain_that_needs_a_second_factor_is_told_though_nobody_has_one() -> None:
    assert turns(view(), view(statement(Resource=arn("Admin"), Condition=MFA)), ANA) == [
        (["ana"], [("gains", "Admin", True, True)])
    ]


@pytest.mark.parametrize(
    ("before", "after", "turn", "privileged"),
    [
        (MFA, {}, Turn.WIDENS, True),
        ({}, MFA, Turn.NARROWS, False),
        (MFA, NET, Turn.CHANGES, True),
        (MFA, {"Bool": {"aws:MultiFactorAuthPresent": "false"}}, Turn.CHANGES, True),
        (MFA, {**MFA, **NET}, Turn.CHANGES, True),
    ],
)
def test_other_conditions_are_told(before: dict, after: dict, turn: Turn, privileged: bool) -> None:
    made = [view(statement(Resource=arn("Admin"), Condition=each)) for each in (before, after)]
    ((_, ((told, _, conditional, marked),)),) = turns(*made, ANA)
    assert (told, conditional, marked) == (turn.value, turn is not Turn.WIDENS, privileged)


def test_the_same_conditions_elsewhere_are_no_change() -> None:
    before = view(statement(Resource=arn("Admin"), Condition=MFA))
    after = view(statement(Sid="Moved", Resource=[arn("Admin"), arn("Nothing")], Condition=MFA))
    assert turns(before, after, ANA) == []


def test_a_deny_that_goes_is_a_gain() -> None:
    deny = statement("Deny", Resource=arn("Admin"))
    assert turns(view(deny, allow=("sre",)), view(allow=("sre",)), ANA) == [
        (["ana"], [("gains", "Admin", False, True)])
    ]


def test_a_guardrail_that_comes_is_a_loss() -> None:
    guard = [("top", (text(statement(Resource=arn("Read")), name="top"),))]
    assert turns(view(allow=("sre",)), view(allow=("sre",), guardrails=guard), ANA) == [
        (["ana"], [("loses", "Admin", False, False)])
    ]


def test_a_change_cannot_hide_a_gain_by_calling_the_role_a_lesser_one() -> None:
    assert turns(view(), view(allow=("sre",), level="read"), ANA) == [
        (["ana"], [("gains", "Admin", False, True)])
    ]


def test_people_of_a_source_that_goes_lose_everything() -> None:
    before = view(allow=("sre",))
    after = View.of(replace(before.revision, providers={SourceId("other"): provider(SourceId("other"))}))
    assert turns(before, after, ANA) == [(["ana"], [("loses", "Admin", False, False)])]


def test_a_directorys_group_that_comes_to_mean_another_of_ours_is_told() -> None:
    before = view(allow=("sre",))
    corp = replace(provider(), groups=GroupMap({"dev": "sre"}))
    after = View.of(replace(before.revision, providers={CORP: corp}))
    assert [names for names, _ in turns(before, after)] == [["ben"], ["ana"]]


def test_those_with_most_at_stake_come_first() -> None:
    before = view()
    after = view(statement(Resource=arn("Read")))
    both = View.of(
        replace(
            after.revision,
            roles={**after.revision.roles, RoleArn(arn("Admin")): role("Admin", allow=("dev",))},
        )
    )
    assert [names for names, _ in turns(before, both)] == [["ben"], ["ana"]]


# --- who and what -----------------------------------------------------------------------------------


def test_who_can_says_who_surely_and_who_on_which_conditions() -> None:
    made = view(statement(Sid="Mfa", Resource=arn("Admin"), Condition=MFA), allow=("dev",))
    found = who_can(made, made.revision.roles[RoleArn(arn("Admin"))], [ANA, BEN, person("eve")], NOW)
    assert [(r.known.identity.username, r.sure, r.assumed) for r in found] == [
        ("ana", False, False),
        ("ben", True, True),
    ]
    assert [str(each) for each in found[0].doubts] == [
        "if Bool aws:MultiFactorAuthPresent true: p (Mfa, policies/p.json:4)"
    ]


def test_a_second_factor_of_the_last_sign_in_is_not_assumed_for_the_next() -> None:
    made = view(statement(Resource=arn("Admin"), Condition=MFA))
    (found,) = what_can(made, person("ana", "sre", mfa=True), NOW)
    assert (found.sure, found.assumed) == (False, False)


def test_the_time_asked_about_is_the_time_assumed() -> None:
    office = {"DateLessThan": {"aws:CurrentTime": "2026-11-24T18:00:00Z"}}
    made = view(statement(Resource=arn("Admin"), Condition=office))
    assert [what_can(made, ANA, at)[0].assumed for at in (NOW, NOW + timedelta(hours=8))] == [True, False]


def test_what_can_lists_by_account_and_role() -> None:
    made = view(statement(Resource="arn:aws:iam::*:role/*"))
    assert [each.role.name for each in what_can(made, ANA, NOW)] == ["Admin", "Read"]
    assert what_can(made, BEN, NOW) == []
    assert what_can(made, person("pat", "sre", source=SourceId("gone")), NOW) == []


def test_the_sessions_name_is_known_beforehand() -> None:
    made = view(statement(Resource=arn("Admin"), Condition={"StringLike": {"sts:RoleSessionName": "ana-*"}}))
    assert [each.sure for each in what_can(made, ANA, NOW)] == [True]
    assert what_can(made, person("bea", "sre"), NOW) == []


# --- at size ----------------------------------------------------------------------------------------


def test_a_plan_for_ten_thousand_people_and_a_thousand_roles_takes_seconds() -> None:
    dice = random.Random(5)
    roles = [role(f"r{n}", level="power") for n in range(1_000)]
    policies, groups = [], []
    for n in range(200):
        picked = [arn(f"r{dice.randrange(1_000)}") for _ in range(20)]
        policies.append(
            text(
                statement(Resource=picked),
                statement("Deny", Resource=picked[:3], Condition=NET),
                name=f"p{n}",
            )
        )
        groups.append(Group(f"g{n}", policies=(f"p{n}",)))
    made = revision(*roles, groups=groups, policies=policies, providers={CORP: provider(groups=200)})
    changed = replace(
        made, policies={**made.policies, "p7": text(statement(Resource="arn:aws:iam::*:role/*"), name="p7")}
    )
    people = [person(f"u{n}", *(f"g{dice.randrange(200)}" for _ in range(10))) for n in range(10_000)]
    before, after = View.of(made), View.of(changed)
    start = time.process_time()
    shifts = compare(before, after, people, NOW)
    took = time.process_time() - start
    assert 300 < sum(len(shift.people) for shift in shifts) < 700
    assert took < 30, took  # about 3 s here


# --- local users and root -----------------------------------------------------------------------------


def local(name: str, **more: object) -> Person:
    user = LocalUser(f"{name}-1", name, **more)  # type: ignore[arg-type]
    return Person(Identity(LOCAL, user.id, name, {}, Authentication(NOW)), user=user)


ROOT_USER = Person(Identity(ROOT, "root", "root", {}, Authentication(NOW)))
OWN = PolicyText("own", json.dumps({"Version": "2012-10-17", "Statement": [statement()]}), "user/cem/own")


def test_local_users_count_with_what_is_attached_to_their_version() -> None:
    shown = view(allow=("sre",))
    people = [
        local("ana", groups=("sre",)),
        local("ben", groups=("dev",), policies=("aws:AdministratorAccess",)),
        local("cem", inline=(OWN,)),
        local("dan"),
        local("eva", groups=("sre",), state=UserState.DISABLED),
    ]
    admin = shown.revision.roles[RoleArn(arn("Admin"))]
    found = who_can(shown, admin, people, NOW)
    assert [each.known.identity.username for each in found] == ["ana", "ben", "cem"]
    assert all(each.sure for each in found)
    assert [each.role.name for each in what_can(shown, people[2], NOW)] == ["Admin", "Read"]
    assert what_can(shown, people[3], NOW) == what_can(shown, people[4], NOW) == []


def test_a_change_is_told_of_local_users_too() -> None:
    shut, open_ = view(), view(allow=("sre",))
    assert turns(shut, open_, local("ana", groups=("sre",)), local("dan")) == [
        (["ana"], [("gains", "Admin", False, True)])
    ]


def test_root_is_named_for_the_marked_roles_alone_and_a_mark_is_a_privileged_gain() -> None:
    plain, marked = view(), view()
    glass = replace(role("Admin"), break_glass=True)
    marked = View.of(replace(marked.revision, roles={**marked.revision.roles, glass.arn: glass}))
    (found,) = who_can(marked, glass, [ANA, ROOT_USER], NOW)
    assert (found.known, found.sure, found.doubts) == (ROOT_USER, True, ())
    assert [each.role.name for each in what_can(marked, ROOT_USER, NOW)] == ["Admin"]
    assert what_can(plain, ROOT_USER, NOW) == []
    assert turns(plain, marked, ANA, ROOT_USER) == [(["root"], [("gains", "Admin", False, True)])]
