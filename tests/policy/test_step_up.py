"""What a factor of the broker's own opens: found by deciding again, and a first factor counts later for admins."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from app.model import Authentication, Group, Level, Principal, Revision, Role
from app.people import FactorKind
from app.policy import Index
from app.policy.step_up import Contexts, added, allowed, as_counted, counted, opening
from tests.policy import builders
from tests.policy.builders import CALLER, NOW, principal, role, statement, text
from tests.policy.strategies import roll_statement

BEGAN = NOW - timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=90)
FRESH = {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}}
PRESENT = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
UNPHISHABLE = {"Bool": {"daypass:PhishingResistant": "true"}}
ADMIN, POWER = role("Admin"), role("Release", level="power")
PWD = Authentication(BEGAN, ("pwd",))
CODE = replace(PWD, mfa_at=NOW, methods=("pwd", "otp", "mfa"))
KEY = replace(PWD, mfa_at=NOW, methods=("pwd", "hwk", "user", "mfa"), phishing_resistant=True)
PROOFS: Mapping[FactorKind, Sequence[Authentication]] = {"totp": (CODE,), "webauthn": (KEY,)}


def proving(how: Authentication, *groups: str) -> Principal:
    person = principal(*(groups or ("g",)))
    return replace(person, identity=replace(person.identity, authentication=how))


def revision(
    condition: Mapping[str, object] | None, *more: object, roles: Sequence[Role] = (ADMIN, POWER)
) -> Revision:
    made = statement(Condition=condition) if condition else statement()
    return builders.revision(*roles, groups=[Group("g", policies=("p",))], policies=[text(made, *more)])


class Asked:
    """An index, and how its people ask."""

    def __init__(self, of: Revision) -> None:
        self.index = Index.compile(of)

    def asking(self, who: Principal) -> Contexts:
        return self.index.contexts(who, CALLER, NOW)

    def opening(self, how: Authentication, what: Role = POWER, proofs=PROOFS) -> tuple[FactorKind, ...]:
        return opening(self.index, proving(how), what, self.asking, BEGAN, proofs)

    def added(self, how: Authentication, proofs=PROOFS) -> dict[str, tuple[FactorKind, ...]]:
        found = added(self.index, proving(how), self.asking, BEGAN, proofs)
        return {each.name: kinds for each, kinds in found}

    def allowed(self, how: Authentication) -> set[str]:
        return {each.name for each, _ in allowed(self.index, proving(how), self.asking, BEGAN)}


BOTH = ("totp", "webauthn")


@pytest.mark.parametrize(
    ("condition", "how", "kinds"),
    [
        (PRESENT, PWD, BOTH),
        (FRESH, PWD, BOTH),
        (FRESH, replace(PWD, mfa_at=NOW - timedelta(minutes=15)), BOTH),
        (FRESH, replace(PWD, mfa_at=NOW - timedelta(minutes=14, seconds=59)), ()),
        (PRESENT, replace(PWD, mfa_at=BEGAN), ()),
        (UNPHISHABLE, PWD, ("webauthn",)),
        ({**FRESH, **UNPHISHABLE}, replace(KEY, mfa_at=BEGAN), ("webauthn",)),
        ({"ForAnyValue:StringEquals": {"daypass:Amr": "otp"}}, PWD, ("totp",)),
        ({"ForAnyValue:StringEquals": {"daypass:Amr": "hwk"}}, PWD, ("webauthn",)),
        ({**PRESENT, "IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, PWD, ()),
        ({**FRESH, "NumericLessThan": {"daypass:AuthenticationAge": "900"}}, PWD, ()),
        (None, PWD, ()),
    ],
)  # fmt: skip
def test_only_kinds_that_open_a_role_that_is_shut_are_named(condition, how, kinds) -> None:
    asked = Asked(revision(condition))
    assert asked.opening(how) == kinds
    assert asked.added(how) == ({"Admin": kinds, "Release": kinds} if kinds else {})


@pytest.mark.parametrize(
    ("condition", "open_after"),
    [
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}}, True),
        ({"NumericLessThanEquals": {"aws:MultiFactorAuthAge": "0"}}, True),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "0"}}, False),
        ({"NumericGreaterThan": {"aws:MultiFactorAuthAge": "900"}}, False),
        ({"NumericEquals": {"aws:MultiFactorAuthAge": "0"}}, True),
        ({"Null": {"aws:MultiFactorAuthAge": "false"}}, True),
    ],
)
def test_the_age_of_a_factor_goes_by_iams_words(condition, open_after) -> None:
    """An absent key matches no Allow without IfExists (IAM User Guide, "aws:MultiFactorAuthAge")."""
    asked = Asked(revision(condition))
    assert bool(asked.opening(PWD)) is open_after
    assert asked.allowed(PWD) == set()


def test_an_age_with_if_exists_lets_in_whoever_proved_none() -> None:
    asked = Asked(revision({"NumericLessThanIfExists": {"aws:MultiFactorAuthAge": "900"}}))
    assert asked.allowed(PWD) == {"Admin", "Release"}
    assert asked.allowed(replace(PWD, mfa_at=BEGAN)) == set()
    assert asked.opening(replace(PWD, mfa_at=BEGAN)) == BOTH


def test_a_deny_that_goes_away_with_a_factor_is_a_step_up_too() -> None:
    deny = statement("Deny", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
    assert Asked(revision(None, deny)).opening(PWD) == BOTH
    assert Asked(revision(None, statement("Deny"))).opening(PWD) == ()


def test_a_kind_counts_if_any_of_its_devices_would_do() -> None:
    asked = Asked(revision({"ForAnyValue:StringEquals": {"daypass:Amr": "hwk"}}))
    synced = replace(KEY, methods=("pwd", "swk", "user", "mfa"))
    assert asked.opening(PWD, proofs={"webauthn": (synced, KEY)}) == ("webauthn",)
    assert asked.opening(PWD, proofs={"webauthn": (synced,)}) == ()


# --- a first factor -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enrolled", "level", "counts"),
    [
        (None, "admin", True),
        (BEGAN - timedelta(microseconds=1), "admin", True),
        (BEGAN, "admin", False),
        (NOW, "admin", False),
        (NOW, "power", True),
        (NOW, "read", True),
    ],
)
def test_a_first_factor_counts_for_admins_in_a_sign_in_that_is_younger(
    enrolled, level: Level, counts
) -> None:
    how = replace(KEY, enrolled_at=enrolled)
    made = counted(how, BEGAN, level)
    if counts:
        assert made is how
    else:
        assert made == replace(PWD, enrolled_at=enrolled)
        assert as_counted(proving(how), BEGAN, level).identity.authentication == made


@pytest.mark.parametrize("condition", [PRESENT, FRESH, UNPHISHABLE])
def test_a_first_factor_opens_no_role_of_level_admin_where_it_was_enrolled(condition) -> None:
    asked = Asked(revision(condition))
    fresh = replace(KEY, enrolled_at=NOW)
    assert asked.allowed(fresh) == {"Release"}
    assert asked.opening(PWD, ADMIN, proofs={"webauthn": (fresh,)}) == ()
    assert asked.added(PWD, proofs={"webauthn": (fresh,)}) == {"Release": ("webauthn",)}
    assert asked.opening(fresh, ADMIN) == (BOTH if condition is not UNPHISHABLE else ("webauthn",))
    assert asked.allowed(KEY) == {"Admin", "Release"}


def test_root_needs_no_step_up() -> None:
    glass = replace(ADMIN, break_glass=True)
    asked = Asked(revision(PRESENT, roles=(glass, POWER)))
    who = replace(proving(PWD), root=True)
    assert opening(asked.index, who, glass, asked.asking, BEGAN, PROOFS) == ()
    assert opening(asked.index, who, POWER, asked.asking, BEGAN, PROOFS) == ()
    assert added(asked.index, who, asked.asking, BEGAN, PROOFS) == []


# --- the same, decided role by role ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_what_would_be_added_is_what_each_role_says_alone(seed: int) -> None:
    dice = random.Random(seed)
    roles = [role(f"R{number}", level=dice.choice(("admin", "power", "read"))) for number in range(6)]
    said = [roll_statement(dice) for _ in range(4)]
    said += [
        statement(
            dice.choice(("Allow", "Allow", "Deny")),
            Condition=dice.choice(
                (PRESENT, FRESH, UNPHISHABLE, {"Bool": {"aws:MultiFactorAuthPresent": "false"}})
            ),
            Resource=dice.sample([str(each.arn) for each in roles], 3),
        )
        for _ in range(4)
    ]
    asked = Asked(revision(None, *said, roles=roles) if seed % 2 else revision(PRESENT, *said, roles=roles))
    enrolled = dice.choice((None, LONG_AGO, NOW))
    proofs: Mapping[FactorKind, Sequence[Authentication]] = {
        "totp": (replace(CODE, enrolled_at=enrolled),),
        "webauthn": (KEY,),
    }
    how = dice.choice((PWD, replace(PWD, mfa_at=BEGAN), replace(CODE, enrolled_at=enrolled)))
    alone = {each.name: asked.opening(how, each, proofs) for each in roles}
    assert asked.added(how, proofs) == {name: kinds for name, kinds in alone.items() if kinds}
