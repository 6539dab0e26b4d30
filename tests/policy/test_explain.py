"""What is told about a decision: to operators everything, to the person their own case and nothing else."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from app.model import (
    Authentication,
    Caller,
    ClaimMap,
    Effect,
    Explanation,
    Group,
    GroupMap,
    MfaTrust,
    PolicyText,
    Principal,
    Revision,
    SamlProvider,
    SourceId,
)
from app.policy import Index, explain
from app.policy.reach import DIALS, reach
from app.policy.request import RequestContext
from tests.policy import builders
from tests.policy.builders import CALLER, NOW, arn, principal, role, statement, text
from tests.policy.strategies import roll_context, roll_statement

ADMIN = role("Admin")
FACTOR = {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}}
OFFICE = {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}
ANA_ONLY = {"StringEquals": {"aws:username": ["ben", "chloe"]}}
CORP = SamlProvider(
    SourceId("corp"),
    "Acme staff",
    ClaimMap("NameID", "uid", groups="memberOf"),
    GroupMap({}),
    metadata_url="https://idp.acme.test/metadata",
    mfa=MfaTrust(contexts=frozenset({"mobile"})),
)
NO_FACTOR = replace(CORP, mfa=MfaTrust())


def admin(effect: str = "Allow", sid: str = "S", **elements: object) -> dict[str, object]:
    return statement(effect, Sid=sid, **{"Resource": arn("Admin"), **elements})


def policies(*texts: PolicyText, group: str = "engineering", **more: object) -> Revision:
    """Policies that one group carries, about a role that no short form opens."""
    given = {"providers": {CORP.id: CORP}, **more}
    groups = (Group(group, policies=tuple(each.name for each in texts)), *given.pop("groups", ()))  # type: ignore[misc]
    roles = given.pop("roles", (ADMIN,))
    extra = given.pop("extra", ())
    return builders.revision(*roles, groups=groups, policies=(*texts, *extra), **given)  # type: ignore[arg-type, misc]


def told(
    revision: Revision,
    person: Principal | None = None,
    *,
    operator: bool = False,
    now: datetime = NOW,
    caller: Caller = CALLER,
    name: str = "Admin",
    factors: bool = False,
) -> Explanation:
    """`factors`: the broker's own can be proven; most tests are about what the directory can do."""
    person = person or principal("engineering")
    index = Index.compile(revision)
    asked = next(each for each in revision.roles.values() if each.name == name)
    context = index.contexts(person, caller, now)(asked)
    return explain(index, person, asked, context, now, operator=operator, factors=factors)


def with_factor(age: timedelta) -> Principal:
    return principal("engineering", mfa_at=NOW - age)


# --- yes ------------------------------------------------------------------------------------------


def test_an_allow_names_its_statements_with_their_place_for_operators_alone():
    revision = policies(text(admin(), name="p"))
    whole, own = told(revision, operator=True), told(revision)
    assert whole.decision.effect is own.decision.effect is Effect.ALLOW
    assert [(each.file, each.line) for each in whole.decision.matched] == [("policies/p.json", 4)]
    assert [(each.policy, each.sid, each.file, each.line) for each in own.decision.matched] == [
        ("p", "S", None, None)
    ]
    assert own.why == "You may use this role: `p` (S) allows it."
    assert whole.why == "Allowed by p (S, policies/p.json:4)."
    assert (own.nearest, own.would_change, own.within_reach) == (None, "", False)


# --- within reach ---------------------------------------------------------------------------------


def test_an_old_second_factor_is_told_with_both_ages_and_what_to_do():
    made = told(policies(text(admin(Condition=FACTOR))), with_factor(timedelta(minutes=40)))
    assert made.decision.effect is Effect.IMPLICIT_DENY
    assert made.nearest is not None
    assert made.nearest.failed == "needs MFA in the last 15 minutes; yours is 40 minutes old"
    assert made.within_reach
    assert made.would_change == "Sign in again."
    assert made.refusal == (
        "You may not use this role now. `p` (S) would allow it, but needs MFA in the last 15 minutes; yours is "
        "40 minutes old. Sign in again."
    )


def test_a_sign_in_without_a_second_factor_is_told_to_use_one():
    made = told(policies(text(admin(Condition=FACTOR))))
    assert made.would_change == "Sign in again with a second factor."


def test_a_source_that_is_believed_about_no_second_factor_cannot_prove_one():
    made = told(policies(text(admin(Condition=FACTOR)), providers={CORP.id: NO_FACTOR}))
    assert not made.within_reach and made.nearest is None


def test_another_network_is_named():
    made = told(policies(text(admin(Condition=OFFICE))))
    assert made.nearest is not None
    assert made.nearest.failed == "needs the network `198.51.100.0/24`; you ask from `203.0.113.7`"
    assert made.would_change == "Ask from the network `198.51.100.0/24`."


def test_two_things_are_told_together_and_the_fewest_are_chosen():
    made = told(policies(text(admin(Condition={**OFFICE, **FACTOR}))))
    assert (
        made.would_change == "Sign in again with a second factor, and ask from the network `198.51.100.0/24`."
    )
    either = text(admin(Condition={**OFFICE, **FACTOR}), admin(sid="T", Condition=OFFICE))
    made = told(policies(either))
    assert made.would_change == "Ask from the network `198.51.100.0/24`."
    assert made.nearest is not None and made.nearest.statement.sid == "T"


HOURS = [f"*T{hour:02}:*" for hour in range(7, 18)]
OFFICE_HOURS = admin("Deny", "Hours", Condition={"StringNotLike": {"aws:CurrentTime": HOURS}})


def test_a_deny_by_the_time_of_day_says_when_to_come_back():
    revision = policies(text(admin(), OFFICE_HOURS))
    evening = told(revision, now=datetime(2026, 11, 24, 20, 15, 30, tzinfo=UTC))
    assert evening.decision.effect is Effect.EXPLICIT_DENY
    assert [each.sid for each in evening.decision.matched] == ["Hours"]
    assert evening.within_reach
    assert evening.would_change == "Ask again from 07:00 UTC on 25 Nov."
    assert evening.why == (
        "`p` (Hours) denies it: it needs the time to match `*T07:*`, `*T08:*`, `*T09:*`, `*T10:*` or 7 more; "
        "it is 20:15:30 UTC."
    )
    assert told(revision, now=datetime(2026, 11, 25, 7, 0, tzinfo=UTC)).decision.allowed


def test_a_date_that_has_passed_cannot_be_reached_and_one_ahead_can():
    def between(start: str, end: str) -> Revision:
        bounds = {"DateGreaterThan": {"aws:CurrentTime": start}, "DateLessThan": {"aws:CurrentTime": end}}
        return policies(text(admin(Condition=bounds)))

    assert not told(between("2026-11-01T00:00:00Z", "2026-11-24T11:00:00Z")).within_reach
    ahead = told(between("2026-12-24T18:00:00Z", "2026-12-25T00:00:00Z"))
    assert ahead.would_change == "Ask again from 18:00:01 UTC on 24 Dec."


def test_a_deny_that_no_second_factor_avoids_is_told_by_the_way_past_it():
    deny = admin("Deny", "Factor", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
    made = told(policies(text(admin(), deny)))
    assert made.why == "`p` (Factor) denies it: it needs MFA; you signed in without."
    assert made.would_change == "Sign in again with a second factor."
    assert told(policies(text(admin(), deny)), with_factor(timedelta(hours=3))).decision.allowed


def test_a_method_and_an_authentication_context_can_be_asked_for():
    for condition, step in (
        ({"ForAnyValue:StringEquals": {"daypass:Amr": "hwk"}}, "Sign in again with the method `hwk`."),
        (
            {"StringEquals": {"daypass:Acr": "mobile"}},
            "Sign in again with the authentication context `mobile`.",
        ),
    ):
        assert told(policies(text(admin(Condition=condition)))).would_change == step


# --- factors of the broker's own --------------------------------------------------------------------


@pytest.mark.parametrize("source", [CORP, NO_FACTOR])
@pytest.mark.parametrize("age", [None, timedelta(minutes=40)])
def test_a_factor_that_the_broker_takes_itself_is_told_before_a_new_sign_in(
    source: SamlProvider, age: timedelta | None
):
    person = principal("engineering") if age is None else with_factor(age)
    made = told(policies(text(admin(Condition=FACTOR)), providers={CORP.id: source}), person, factors=True)
    assert made.within_reach and made.would_change == "Prove a second factor here."


def test_only_a_passkey_or_a_key_is_told_where_no_other_factor_is_enough():
    unphishable = {"Bool": {"daypass:PhishingResistant": "true"}}
    made = told(policies(text(admin(Condition={**FACTOR, **unphishable}))), factors=True)
    assert made.would_change == "Prove a passkey or a security key here."


def test_methods_of_the_sign_in_stay_beside_those_of_a_factor():
    both = {"ForAllValues:StringEquals": {"daypass:Amr": ["pwd", "otp", "mfa"]}}
    only = {"ForAllValues:StringEquals": {"daypass:Amr": ["otp", "mfa"]}}
    step = "Prove a second factor here"
    assert told(policies(text(admin(Condition={**both, **FACTOR}))), factors=True).would_change == f"{step}."
    made = told(policies(text(admin(Condition={**only, **FACTOR}))), factors=True)
    assert made.would_change == f"{step}, and sign in again with the method `otp`."


def test_a_factor_and_a_new_sign_in_are_told_together_where_both_are_needed():
    recent = {"NumericLessThan": {"aws:MultiFactorAuthAge": "900", "daypass:AuthenticationAge": "900"}}
    revision = policies(text(admin(Condition=recent)), providers={CORP.id: NO_FACTOR})
    old = replace(
        principal("engineering"),
        identity=replace(principal().identity, authentication=Authentication(NOW - timedelta(hours=2))),
    )
    made = told(revision, old, factors=True)
    assert made.would_change == "Prove a second factor here, and sign in again."
    assert not told(revision, old).within_reach


def test_a_factor_is_needed_anew_after_waiting():
    both = {**FACTOR, "DateGreaterThan": {"aws:CurrentTime": "2026-11-24T18:00:00Z"}}
    made = told(policies(text(admin(Condition=both))), with_factor(timedelta(minutes=1)), factors=True)
    assert made.would_change == "Prove a second factor here, and ask again from 18:00:01 UTC."


def test_what_no_factor_opens_stays_out_of_reach():
    revision = policies(text(admin(Condition={**FACTOR, **ANA_ONLY})))
    assert not told(revision, factors=True).within_reach


def test_a_guest_has_no_factor_to_prove():
    guest = principal("engineering", source="guest")
    assert not told(policies(text(admin(Condition=FACTOR))), guest, factors=True).within_reach


# --- root -------------------------------------------------------------------------------------------

ROOT = replace(principal(source="root", username="root"), root=True)
GLASS = replace(ADMIN, break_glass=True)


@pytest.mark.parametrize("operator", [True, False])
def test_root_is_told_of_the_mark_alone(operator: bool):
    deny = (("org", (text(admin("Deny"), name="cap"),)),)
    made = told(policies(roles=(GLASS,), guardrails=deny), ROOT, operator=operator)
    assert made.decision.allowed
    assert made.why == "This role is marked for emergencies (`break_glass`), and root may use those."
    shut = told(policies(text(admin())), ROOT, operator=operator)
    assert (shut.decision.allowed, shut.within_reach, shut.nearest) == (False, False, None)
    assert ("break_glass: true" in shut.would_change) is operator


def test_plain_http_is_told_to_come_over_https():
    revision = policies(text(admin(Condition={"Bool": {"aws:SecureTransport": "true"}})))
    assert told(revision, caller=replace(CALLER, secure=False)).would_change == "Ask over https."


def test_a_guardrail_that_can_be_met_is_named():
    cap = (("org", (text(admin(sid="G", Condition=OFFICE), name="cap"),)),)
    made = told(policies(text(admin()), guardrails=cap))
    assert made.within_reach and made.nearest is not None
    assert (made.nearest.level, made.nearest.statement.policy) == ("org", "cap")
    assert made.would_change == "Ask from the network `198.51.100.0/24`."
    assert "guardrail `org`" in made.why


# --- out of reach: the person hears nothing --------------------------------------------------------

NOBODYS = text(admin(), name="nobodys")
CLOSED: dict[str, Revision] = {
    "no statement at all": policies(text(statement(Resource=arn("Other")))),
    "another group's policy": policies(
        text(statement(Resource=arn("Other"))),
        groups=(Group("sre", policies=("nobodys",)),),
        extra=(NOBODYS,),
    ),
    "another group's short form": policies(
        text(statement(Resource=arn("Other"))), roles=(role("Admin", allow=("sre",)),)
    ),
    "a condition on who others are": policies(text(admin(Condition=ANA_ONLY))),
    "such a condition, and one that could be met": policies(text(admin(Condition={**ANA_ONLY, **FACTOR}))),
    "a deny without a condition": policies(text(admin(), admin("Deny", "D"))),
    "a deny about who they are": policies(
        text(admin(), admin("Deny", "D", Condition={"StringEquals": {"aws:username": "ana"}}))
    ),
    "a guardrail that allows nothing": policies(text(admin()), guardrails=(("org", ()),)),
    "a guardrail about others": policies(
        text(admin()), guardrails=(("org", (text(admin(Condition=ANA_ONLY), name="cap"),)),)
    ),
    "two networks at once": policies(text(admin(Condition=OFFICE), admin("Deny", "D", Condition=OFFICE))),
}


@pytest.mark.parametrize("revision", CLOSED.values(), ids=CLOSED)
def test_what_nothing_would_open_is_told_alike_whatever_the_reason(revision):
    made = told(revision)
    assert not made.decision.allowed and not made.within_reach
    plain = replace(made, detail="", decision=replace(made.decision, effect=Effect.IMPLICIT_DENY))
    first = told(CLOSED["no statement at all"])
    assert plain == replace(first, detail="")
    assert made.decision.matched == () and made.nearest is None


def test_the_operator_hears_all_of_it_and_the_record_keeps_the_statements():
    for name, words, change in (
        (
            "another group's policy",
            "needs the group `sre`; they have `engineering`",
            "Put them into the group `sre`.",
        ),
        ("another group's short form", "needs the group `sre`", "Put them into the group `sre`."),
        (
            "a condition on who others are",
            "needs the user name `ben` or `chloe`; theirs is `ana`",
            "must hold",
        ),
        (
            "a deny without a condition",
            "it has no condition",
            "p (D, policies/p.json:10) must not match any more.",
        ),
        ("a deny about who they are", "needs the user name not to be `ana`", "must not match"),
        (
            "a guardrail that allows nothing",
            "guardrail `org` does not",
            "Guardrail `org` must allow the role.",
        ),
        ("no statement at all", "No statement that is attached to them allows it.", "to anybody"),
    ):
        made = told(CLOSED[name], operator=True)
        assert words in made.why, name
        assert change in made.would_change, name
    assert told(CLOSED["a deny without a condition"]).detail == "explicitDeny: p (D, policies/p.json:10)"


def test_a_condition_on_who_they_are_is_never_told_beside_one_that_can_be_met():
    deny = admin(
        "Deny",
        "D",
        Condition={
            "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"},
            "StringNotEquals": {"aws:username": ["ben", "chloe"]},
        },
    )
    made = told(policies(text(admin(), deny)))
    assert made.within_reach
    assert "ben" not in json.dumps(asdict(made), default=str)
    assert "needs the user name `ben` or `chloe`" in told(policies(text(admin(), deny)), operator=True).why


# --- which allow is the nearest -------------------------------------------------------------------


def nearest(revision: Revision) -> str | None:
    found = told(revision, operator=True).nearest
    return None if found is None else f"{found.statement.policy}/{found.statement.sid}"


def test_the_nearest_has_the_fewest_failed_conditions_then_mismatches_then_the_files_order():
    two, one = {**OFFICE, **FACTOR}, OFFICE
    assert nearest(policies(text(admin(sid="A", Condition=two), admin(sid="B", Condition=one)))) == "p/B"
    assert nearest(policies(text(admin(sid="A", Condition=one), admin(sid="B", Condition=one)))) == "p/A"
    b, a = text(admin(Condition=one), name="b"), text(admin(Condition=one), name="a")
    assert nearest(policies(b, a)) == "a/S"
    # A group that they lack counts as a failed condition, and as the further mismatch of two alike.
    other = {"groups": (Group("sre", policies=("nobodys",)),), "extra": (NOBODYS,)}
    assert nearest(policies(text(admin(Condition=one)), **other)) == "p/S"
    assert nearest(policies(text(admin(Condition=two)), **other)) == "nobodys/S"


def test_a_resource_that_names_another_role_by_a_variable_is_told():
    revision = policies(text(statement(Sid="V", Resource=f"{arn('')}${{aws:username}}-*")))
    made = told(revision, operator=True)
    assert made.nearest is not None
    assert made.nearest.failed == f"is about the role `{arn('ana-*')}`"
    assert not told(revision).within_reach


def test_the_shipped_templates_come_last_among_equals():
    revision = policies(
        text(admin(Condition=OFFICE)),
        groups=(Group("sre", policies=("aws:AdministratorAccess",)), Group("ops", policies=("nobodys",))),
        extra=(NOBODYS,),
    )
    index = Index.compile(revision)
    person = principal("none")
    context = index.contexts(person, CALLER, NOW)(ADMIN)
    found = explain(index, person, ADMIN, context, NOW, operator=True).nearest
    assert found is not None and (found.statement.policy, found.group) == ("nobodys", "ops")


# --- for every revision and person ------------------------------------------------------------------

PEOPLE = ("ana", "ben", "*", "${aws:username}")
GROUPS = ("one", "two", "three")


TURNABLE = (
    {"Resource": "*", "Condition": FACTOR},
    {"Resource": "*", "Condition": OFFICE},
    {"Resource": "*", "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}},
    {"Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}},
)


def rolled(dice: random.Random) -> Revision:
    roles = tuple(
        replace(role(name), arn=each)  # type: ignore[arg-type]
        for name in ("Admin", "ana")
        for each in (arn(name),)
    )
    texts, groups = [], []
    for group in GROUPS:
        names = []
        for number in range(dice.randint(0, 2)):
            made = [
                {
                    **roll_statement(dice),
                    **(dice.choice(TURNABLE) if dice.random() < 0.5 else {}),
                    "Action": "sts:*",
                    "Sid": f"{group}{number}x{place}",
                }
                for place in range(dice.randint(1, 2))
            ]
            for each in made:
                each.pop("NotAction", None)
                if "Resource" in each:
                    each.pop("NotResource", None)
            texts.append(text(*made, name=f"{group}-{number}"))
            names.append(texts[-1].name)
        groups.append(Group(group, policies=tuple(names)))
    caps = ()
    if dice.random() < 0.3:
        cap = {**roll_statement(dice, "Allow"), "Action": "sts:*"}
        cap.pop("NotAction", None)
        caps = (("org", (text(cap, name="cap"),)),)
    return builders.revision(
        *roles, groups=groups, policies=texts, guardrails=caps, providers={CORP.id: CORP}
    )


def test_the_effect_is_the_decisions_and_the_person_hears_of_attached_statements_alone():
    dice = random.Random(7)
    effects: dict[tuple[Effect, bool], int] = {}
    for _ in range(400):
        revision = rolled(dice)
        index = Index.compile(revision)
        attached = frozenset(dice.sample(GROUPS, dice.randint(0, 2)))
        person = replace(principal(username=dice.choice(PEOPLE)), groups=attached)
        own = {name for group in attached for name in revision.groups[group].policies} | {"cap"}
        others = {name for group in revision.groups.values() for name in group.policies} - own
        for asked in revision.roles.values():
            context = roll_context(dice)
            decision = index.decide(person, asked, context)
            mine = explain(index, person, asked, context, NOW, operator=False)
            whole = explain(index, person, asked, context, NOW, operator=True)
            assert mine.decision.effect is whole.decision.effect is decision.effect
            assert whole.decision == decision
            key = (decision.effect, mine.within_reach)
            effects[key] = effects.get(key, 0) + 1
            heard = json.dumps(asdict(replace(mine, detail="")), default=str)
            assert not any(f"`{name}`" in heard or f'"{name}"' in heard for name in others)
            assert not any(f"`{group}`" in heard for group in GROUPS)
            assert ".json" not in heard
            if decision.allowed:
                assert whole.would_change == mine.would_change == ""
            else:
                assert whole.would_change and mine.would_change
            if mine.within_reach:
                found = reach(index, person, asked, context, NOW)
                assert found is not None and index.decide(person, asked, found.context).allowed
                turned = {key for key in found.context if found.context.find(key) != context.find(key)}
                assert turned <= DIALS
            else:
                assert decision.allowed or (mine.decision.matched, mine.nearest) == ((), None)
    assert len(effects) == 5 and min(effects.values()) >= 5, effects


def test_a_person_who_cannot_reach_a_role_costs_no_search():
    revision = policies(*(text(admin(Condition=ANA_ONLY), name=f"p{number}") for number in range(20)))
    index = Index.compile(revision)
    person = principal("engineering")

    class Counting(RequestContext):
        asked = 0

        def find(self, key: str):  # type: ignore[no-untyped-def]
            Counting.asked += 1
            return super().find(key)

    context = Counting(dict(index.contexts(person, CALLER, NOW)(ADMIN)))
    assert reach(index, person, ADMIN, context, NOW) is None
    assert Counting.asked < 100


def test_hostile_claims_are_quoted_and_cut():
    evil = "`</p>\x1b[2J\u202e" + "y" * 900
    condition = {"StringEquals": {"daypass:Claim/dept": "x"}}
    person = principal("engineering", claims={"dept": (evil,)}, username=evil)
    made = told(policies(text(admin(Condition=condition))), person, operator=True)
    assert made.nearest is not None
    for words in (made.why, made.nearest.failed):
        assert words.isprintable() and words.count("`") % 2 == 0 and len(words) < 700


def test_the_time_since_a_sign_in_grows_while_waiting():
    both = {
        "NumericLessThan": {"daypass:AuthenticationAge": "900"},
        "DateGreaterThan": {"aws:CurrentTime": "2026-11-24T18:00:00Z"},
    }
    person = replace(
        principal("engineering"),
        identity=replace(principal().identity, authentication=Authentication(NOW - timedelta(minutes=1))),
    )
    made = told(policies(text(admin(Condition=both))), person)
    assert made.would_change == "Sign in again, and ask again from 18:00:01 UTC."
