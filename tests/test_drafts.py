"""What a policy that is not there yet would change, and for whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from app.access import Shift, Turn, View, compare
from app.drafts import Draft, Drafted, draft, handed
from app.model import (
    Authentication,
    ClaimMap,
    Group,
    GroupMap,
    Identity,
    PolicyText,
    Revision,
    SamlProvider,
    SourceId,
)
from app.people import LOCAL, LocalUser, UserState
from app.policy import PolicyInvalid
from app.policy.actions import ACTIONS, SIGN_IN
from app.policy.generate import Term, Wanted
from tests.policy.builders import NOW, arn, revision, role, statement, text

CORP = SamlProvider(
    SourceId("corp"),
    "Staff",
    ClaimMap(subject="NameID", username="uid", groups="memberOf"),
    GroupMap({name: name for name in ("sre", "dev", "auditors")}),
    metadata_url="https://idp.acme.test",
)
ADMIN, READ = role("Admin", allow=("sre",)), role("ReadOnly", level="read")


@dataclass(frozen=True)
class Known:
    identity: Identity
    since: datetime = NOW
    user: LocalUser | None = None


def person(username: str, *groups: str, source: str = "corp") -> Known:
    claims = {"memberOf": groups} if groups else {}
    return Known(Identity(SourceId(source), f"{username}-1", username, claims, Authentication(NOW)))


ANA, BEN, DAN = person("ana", "sre", "dev"), person("ben", "dev"), person("dan")


def made(*policies: PolicyText, carries: dict[str, tuple[str, ...]] | None = None) -> Revision:
    carries = carries or {}
    groups = [Group(name, policies=carries.get(name, ())) for name in ("sre", "dev", "auditors")]
    return replace(revision(ADMIN, READ, groups=groups, policies=policies), providers={CORP.id: CORP})


def tried(
    wanted: Wanted, *groups: str, on: Revision | None = None, people: object = (ANA, BEN, DAN)
) -> Drafted:
    return draft(Draft("mine", wanted, groups), View.of(on or made()), people, NOW)  # type: ignore[arg-type]


def told(shifts: tuple[Shift, ...]) -> dict[str, list[str]]:
    return {
        each.identity.username: [f"{turn.turn} {turn.role.name}" for turn in shift.turns]
        for shift in shifts
        for each in shift.people
        if isinstance(each, Known)
    }


def test_an_allow_gives_its_roles_to_the_groups_people_who_do_not_have_them() -> None:
    found = tried(Wanted("Allow", (READ.arn, ADMIN.arn)), "dev")
    assert told(found.shifts) == {"ana": ["gains ReadOnly"], "ben": ["gains Admin", "gains ReadOnly"]}
    assert (found.looked_at, found.replaces, found.warnings, found.handed) == (2, False, (), ())


def test_without_a_group_it_is_tried_on_everybody_who_is_in_one() -> None:
    found = tried(Wanted("Allow", (READ.arn,)))
    assert set(told(found.shifts)) == {"ana", "ben"}


def test_a_deny_takes_away() -> None:
    found = tried(Wanted("Deny", ("*",)), "sre")
    assert told(found.shifts) == {"ana": ["loses Admin"]}


def test_what_depends_on_the_request_is_possible_only() -> None:
    factor = Term("aws:MultiFactorAuthPresent", "Bool", ("true",))
    found = tried(Wanted("Allow", (READ.arn,), conditions=(factor,)), "dev")
    assert [turn.conditional for shift in found.shifts for turn in shift.turns] == [True]


def test_a_deny_elsewhere_still_wins() -> None:
    no = text(statement("Deny", Resource=arn("ReadOnly")), name="no")
    found = tried(Wanted("Allow", (READ.arn,)), "dev", on=made(no, carries={"sre": ("no",)}))
    assert told(found.shifts) == {"ben": ["gains ReadOnly"]}


def test_actions_of_daypass_are_told_apart_from_roles() -> None:
    found = tried(Wanted("Allow", administer=("daypass:ReadAudit",)), "dev")
    assert found.shifts == ()
    [handed] = found.handed
    assert [each.identity.username for each in handed.people] == ["ana", "ben"]
    assert [row.name for row in handed.gains] == ["daypass:ReadAudit"] and not handed.loses


def test_another_text_of_a_policy_counts_for_all_who_hold_it() -> None:
    old = text(statement(Resource=arn("ReadOnly")), name="mine")
    found = tried(Wanted("Allow", (ADMIN.arn,)), "sre", on=made(old, carries={"dev": ("mine",)}))
    assert found.replaces
    assert told(found.shifts) == {
        "ana": ["loses ReadOnly"],
        "ben": ["gains Admin", "loses ReadOnly"],
    }


def test_people_of_a_source_that_is_gone_are_left_out() -> None:
    assert tried(Wanted("Allow", ("*",)), people=(person("x", "dev", source="gone"),)).looked_at == 0


def test_what_makes_no_sense_is_refused_with_every_reason() -> None:
    with pytest.raises(PolicyInvalid) as caught:
        tried(Wanted("Allow", ("arn:aws:iam::1:role", "nonsense")))
    assert len(caught.value.problems) >= 1


def test_a_key_that_nobody_sends_is_warned_of() -> None:
    found = tried(Wanted("Allow", (READ.arn,), conditions=(Term("saml:wrong", "StringEquals", ("x",)),)), "dev")  # fmt: skip
    assert [each.message for each in found.warnings] == [
        "no configured source supplies the condition key `saml:wrong`"
    ]


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("groups", [("dev",), ("sre", "dev")])
def test_it_says_what_a_plan_of_the_whole_configuration_would_say(
    effect: str, groups: tuple[str, ...]
) -> None:
    wanted = Wanted(effect, (READ.arn, ADMIN.arn))  # type: ignore[arg-type]
    found = tried(wanted, *groups)
    policy = PolicyText("mine", found.text, "policies/mine.json")
    whole = made(policy, carries=dict.fromkeys(groups, ("mine",)))
    planned = compare(View.of(made()), View.of(whole), (ANA, BEN, DAN), NOW)
    assert told(found.shifts) == told(tuple(planned))
    assert {turn.turn for shift in planned for turn in shift.turns} <= set(Turn)


def local(name: str, *groups: str, state: UserState = UserState.ACTIVE) -> Known:
    user = LocalUser(f"{name}-1", name, groups=groups, state=state)
    return Known(Identity(LOCAL, user.id, name, {}, Authentication(NOW)), user=user)


def test_a_draft_is_tried_on_local_users_too() -> None:
    people = (local("lea", "dev"), local("max", "sre"), local("off", "dev", state=UserState.DISABLED))
    found = tried(Wanted("Allow", (arn("ReadOnly"),)), "dev", people=people)
    assert found.looked_at == 1
    assert [[each.identity.username for each in shift.people] for shift in found.shifts] == [["lea"]]


def test_who_would_administer_daypass_is_told_of_local_users_and_signing_in_is_no_right() -> None:
    allow = text(statement(Action="daypass:*"), name="all")
    before, after = View.of(made()), View.of(made(allow, carries={"dev": ("all",)}))
    (found,) = handed(before, after, (local("lea", "dev"), local("max", "sre")))
    assert [each.identity.username for each in found.people] == ["lea"]
    assert set(found.gains) == set(ACTIONS) - {SIGN_IN}
