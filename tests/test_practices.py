"""The eighteen practices, each right and wrong (or not to be checked), with the words and the command that mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from app.access import Reach, View, who_can
from app.admin.guarding import asked_at_sign_in, asks_mfa, open_groups
from app.admin.practices import CHECKS, Facts, Finding, State, examine
from app.admin.rooting import RootState
from app.model import Authentication, Group, Identity, PolicyText, Revision, RoleArn, SourceId
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Factor, LocalUser, RootUse, UserState
from app.policy import managed
from app.store import KnownPerson
from tests.policy.builders import revision, role, statement, text
from tests.store.builders import NOW, session

DAY = timedelta(days=1)
ADMIN = role("Admin")
NINA = LocalUser("1" * 16, "nina", since=NOW - DAY)
HERE = SourceId("corp")


def factor(kind: str = "totp", name: str = "Phone", age: timedelta = DAY, **facts: str) -> Factor:
    return Factor("f" * 16, LOCAL, NINA.id, kind, name, NOW - age, "s", facts=facts)  # type: ignore[arg-type]


def known(user: LocalUser, seen: timedelta = DAY) -> KnownPerson:
    who = Identity(LOCAL, user.id, user.username, {}, Authentication(NOW), groups=user.groups)
    return KnownPerson(who, user.groups, NOW, first_seen=NOW, last_seen=NOW - seen, revision=0, user=user)


def key(**facts: str) -> Factor:
    return factor("webauthn", "Key", **facts)


READY = RootState((factor(), key(synced="false")), NOW - DAY, 0)


def facts(**changes: object) -> Facts:
    """Everything as it should be."""
    made = Facts(
        now=NOW,
        revision=revision(ADMIN),
        users=[NINA],
        factors={NINA.id: [factor()]},
        people=[known(NINA)],
        admins=[(ADMIN, ())],
        asked=frozenset(),
        open_groups={},
        sessions={},
        root=READY,
        uses=[],
        signing_since=NOW - DAY,
        own_key="",
        confirmed={3: NOW - DAY, 14: NOW - DAY},
    )
    made = replace(made, revision=alerts(made.revision, "log", "webhook"))
    return replace(made, **changes)  # type: ignore[arg-type]


def alerts(of: Revision, *channels: str) -> Revision:
    return replace(of, settings=replace(of.settings, alerts=tuple({name: "x"} for name in channels)))


def found(number: int, **changes: object) -> Finding:
    return CHECKS[number - 1](facts(**changes))


def reach(who: Identity, *, sure: bool = False, assumed: bool = True) -> Reach:
    person = KnownPerson(who, (), NOW, first_seen=NOW, last_seen=NOW, revision=0)
    return Reach(person, ADMIN, sure, assumed, ())


ANA = Identity(HERE, "u-1", "ana", {}, Authentication(NOW))
THE_ROOT = Identity(ROOT, ROOT_SUBJECT, "root", {}, Authentication(NOW))
USE = RootUse("u1", NOW, "drill", "192.0.2.1", "s", NOW)
OFF = replace(NINA, state=UserState.DISABLED)
OLD = replace(NINA, since=NOW - 200 * DAY)


def places(*addresses: str, client: str | None = None) -> Mapping[str, object]:
    return {
        NINA.id: [
            replace(session(f"s{n}"), last_address=each, client=client) for n, each in enumerate(addresses)
        ]
    }


def with_files(**files: str) -> Revision:
    return replace(facts().revision, files=files)


def with_policy(name: str, document: str) -> Revision:
    return replace(facts().revision, policies={name: PolicyText(name, document, f"policies/{name}.json")})


def template(name: str) -> str:
    found = managed.text(managed.PREFIX + name)
    assert found is not None
    return found.text


FOUR = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
R, W, C = State.RIGHT, State.WRONG, State.CANNOT
TABLE: Sequence[tuple[int, State, Mapping[str, object], str, str]] = [
    (1, R, {}, "Root has 2 devices", ""),
    (1, W, {"root": RootState((), None, 0)}, "0 of two devices, no password", "python -m app root setup"),
    (
        1,
        W,
        {"root": RootState((factor(),), NOW, 0)},
        "1 of two devices, a password",
        "python -m app root setup",
    ),
    (1, W, {"root": RootState(READY.factors, None, 0)}, "no password", "python -m app root setup"),
    (2, R, {"uses": [replace(USE, signed_off_at=NOW, signed_off_by="x")]}, "every use was signed off", ""),
    (2, W, {"uses": [USE]}, "1 use of root not signed off: u1.", "python -m app root sign-off u1 --note …"),
    (2, W, {"uses": [USE, replace(USE, id="u2")]}, "2 uses of root not signed off: u1, u2.", "sign-off u1"),
    (3, R, {}, "Confirmed on", ""),
    (3, W, {"confirmed": {}}, "Nobody has confirmed yet that it lies in a safe.", "doctor --confirm 3"),
    (3, W, {"confirmed": {3: NOW - 366 * DAY}}, "The last confirmation", "doctor --confirm 3"),
    (
        3,
        W,
        {"root": RootState((factor(), key(synced="true")), NOW, 0)},
        "no security key that stays",
        "root setup",
    ),
    (3, W, {"root": RootState((factor(), factor()), NOW, 0)}, "no security key", "root setup"),
    (4, R, {"sessions": places(*FOUR[:3])}, "more than three addresses", ""),
    (4, R, {"sessions": places(*FOUR, client="helper")}, "more than three", ""),
    (4, R, {"sessions": places(*FOUR), "users": [OFF]}, "more than three", ""),
    (4, W, {"sessions": places(*FOUR)}, "as a shared user is: nina (4 addresses).", "user create NAME"),
    (5, R, {"users": [replace(NINA, groups=("sre",))]}, "No policy is attached to a user directly.", ""),
    (5, R, {"users": [replace(OFF, policies=("p",))]}, "No policy", ""),
    (5, W, {"users": [replace(NINA, policies=("p",))]}, "users themselves: nina.", "user join nina GROUP"),
    (5, W, {"users": [replace(NINA, inline=(PolicyText("p", "{}", "p"),))]}, "nina", "user detach nina"),
    (6, R, {}, "Nobody known so far reaches a role of level admin without", ""),
    (
        6,
        R,
        {"admins": [(ADMIN, [reach(ANA)])], "asked": frozenset({("corp", "u-1")})},
        "Nobody known so far reaches",
        "",
    ),
    (6, W, {"admins": [(ADMIN, [reach(ANA)])]}, "corp/ana (production/", "mfa: true"),
    (7, C, {}, "workloads cannot sign in yet", ""),
    (8, R, {}, "No AWS key stands in the configuration", ""),
    (8, R, {"own_key": "ASIAIOSFODNN7EXAMPLE"}, "no long-lived one", ""),
    (
        8,
        W,
        {"revision": with_files(**{"a.yaml": "id: AKIAIOSFODNN7EXAMPLE\n"})},
        "stands in a.yaml.",
        "use a role",
    ),
    (8, W, {"own_key": "AKIAIOSFODNN7EXAMPLE"}, "long-lived AWS access key", "a role of its own"),
    (9, R, {}, "Keys that sign tokens rotate.", ""),
    (9, R, {"signing_since": None}, "rotate", ""),
    (9, W, {"signing_since": NOW - 34 * DAY}, "should change each 30 days", "python -m app serve"),
    (10, R, {}, "used in the last 90 days", ""),
    (10, R, {"users": [replace(OLD, state=UserState.DISABLED)], "people": []}, "used in the last", ""),
    (
        10,
        W,
        {"users": [OLD], "people": [known(OLD, 91 * DAY)]},
        "Not signed in for 90 days: nina.",
        "user disable nina",
    ),
    (10, R, {"users": [NINA], "people": [known(NINA, 91 * DAY)]}, "used", ""),  # changed a day ago
    (10, W, {"factors": {NINA.id: [factor(age=91 * DAY)]}}, "nina: Phone", "page Security"),
    (11, R, {"admins": [(ADMIN, [reach(ANA)])]}, "Every way to a role of level admin has a condition.", ""),
    (11, R, {"admins": [(ADMIN, [reach(THE_ROOT, sure=True)])]}, "Every way", ""),
    (11, W, {"admins": [(ADMIN, [reach(ANA, sure=True)])]}, "(corp/ana)", "config new policy"),
    (11, W, {"open_groups": {ADMIN.arn: ("sre", "ops")}}, "(group sre, group ops)", "instead of `allow`"),
    (12, R, {}, "Alerts go to webhook.", ""),
    (
        12,
        W,
        {"revision": alerts(facts().revision, "log")},
        "Alerts go to the log alone",
        "alerts: [log, {webhook",
    ),
    (12, W, {"revision": alerts(facts().revision)}, "log alone", "sns"),
    (13, R, {}, "Root cannot have one", ""),
    (
        14,
        R,
        {"admins": [(ADMIN, [reach(ANA), reach(THE_ROOT)])]},
        "1 admin, 0 power, 0 read roles; 1 person",
        "",
    ),
    (14, W, {"confirmed": {14: NOW - 91 * DAY}}, "The last confirmation", "doctor --confirm 14"),
    (14, W, {"confirmed": {3: NOW}}, "Nobody has confirmed yet", "doctor --confirm 14"),
    (15, R, {}, "No policy of your own", ""),
    (15, R, {"revision": with_policy("p", "{")}, "No policy of your own", ""),
    (
        15,
        W,
        {"revision": with_policy("mine", template("ReadOnlyAccess"))},
        "mine (aws:ReadOnlyAccess)",
        "attach the template",
    ),
    (16, C, {}, "1 accounts are reached by roles", ""),
    (17, R, {}, "no long-lived key", ""),
    (18, R, {}, "Every local user has a second factor", ""),
    (18, R, {"users": []}, "There is no local user.", ""),
    (18, R, {"users": [OFF], "factors": {}}, "There is no local user.", ""),
    (18, R, {"factors": {}, "asked": frozenset({(LOCAL, NINA.id)})}, "or adds one at the next sign-in", ""),
    (18, W, {"factors": {}}, "Local users without a second factor: nina.", "mfa: true"),
]


@pytest.mark.parametrize(
    ("number", "state", "changes", "words", "mend"),
    TABLE,
    ids=[f"{row[0]}-{row[1]}-{n}" for n, row in enumerate(TABLE)],
)
def test_a_practice(number: int, state: State, changes: Mapping[str, object], words: str, mend: str) -> None:
    finding = found(number, **changes)
    assert (finding.number, finding.state) == (number, state), finding
    assert words in finding.words and mend in finding.mend
    assert bool(finding.mend) is (state is State.WRONG)


def test_each_has_a_row_for_each_of_its_ends() -> None:
    """Those that cannot fail, or cannot be checked, have one."""
    only = {7: {C}, 13: {R}, 16: {C}, 17: {R}}
    for number in range(1, 19):
        assert {row[1] for row in TABLE if row[0] == number} == only.get(number, {R, W})


def test_where_all_is_right_nothing_fails() -> None:
    findings = examine(facts())
    assert [each.number for each in findings] == list(range(1, 19))
    assert {each.state for each in findings} == {R, C}


def test_a_long_list_of_names_is_cut() -> None:
    users = [replace(NINA, id=f"{n:016x}", username=f"u{n:02}", policies=("p",)) for n in range(10)]
    assert "u07 and 2 more." in found(5, users=users).words


# --- what stands before a role ----------------------------------------------------------------------


def guarded(condition: Mapping[str, object] | None, *, deny: bool = False, allow: bool = False) -> Revision:
    """A role of level admin that group sre has by `allow`, or by a policy with a condition, or against a Deny."""
    what: dict[str, object] = {"Action": "sts:AssumeRole", "Resource": str(ADMIN.arn)}
    if condition is not None:
        what["Condition"] = condition
    statements = [statement(**what, Effect="Deny" if deny else "Allow")]
    made = replace(ADMIN, allow=("sre",) if allow else ())
    return revision(made, groups=[Group("sre", policies=("p",))], policies=[text(*statements, name="p")])


MFA, YOUNG = (
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}},
)
OFFICE = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
UNLESS = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
ELSEWHERE = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}


@pytest.mark.parametrize(
    ("made", "asks", "bare"),
    [
        (guarded(None), False, ("sre",)),
        (guarded(MFA), True, ()),
        (guarded(YOUNG), True, ()),
        (guarded({**MFA, **OFFICE}), True, ()),
        (guarded(OFFICE), False, ()),  # from the office without a factor
        (guarded({"Bool": {"daypass:PhishingResistant": "true"}}), True, ()),
        (guarded(UNLESS, deny=True, allow=True), True, ()),
        (guarded({**UNLESS, **ELSEWHERE}, deny=True, allow=True), False, ()),  # from the office without one
        (guarded(MFA, allow=True), False, ("sre",)),  # the short form opens it all the same
    ],
)
def test_whether_the_way_to_a_role_asks_for_a_factor(made: Revision, asks: bool, bare: Sequence[str]) -> None:
    view, wanted = View.of(made), made.roles[RoleArn(ADMIN.arn)]
    user = replace(NINA, groups=("sre",))
    (way,) = who_can(view, wanted, [known(user)], NOW)
    assert asks_mfa(way) is asks
    assert open_groups(view, wanted, NOW) == tuple(bare)  # whether anybody is in it or not


def test_a_group_without_members_counts_by_its_policy_too() -> None:
    made = guarded(None)
    assert open_groups(View.of(made), made.roles[ADMIN.arn], NOW) == ("sre",)


def signing(*statements: Mapping[str, object], mfa: bool = False) -> View:
    policies = [text(*statements, name="p")] if statements else []
    group = Group("sre", policies=("p",) if statements else (), mfa=mfa)
    return View.of(revision(ADMIN, groups=[group], policies=policies))


NO_SIGN_IN = {"Effect": "Deny", "Action": "daypass:SignIn", "Resource": "*"}


@pytest.mark.parametrize(
    ("view", "devices", "asked"),
    [
        (signing(), False, False),
        (signing(), True, True),
        (signing(mfa=True), False, True),
        (signing({**NO_SIGN_IN, "Condition": UNLESS}), False, True),
        (signing({**NO_SIGN_IN, "Condition": ELSEWHERE}), False, False),  # no factor would help
        (signing(NO_SIGN_IN), False, False),
    ],
)
def test_who_is_asked_at_every_sign_in(view: View, devices: bool, asked: bool) -> None:
    person = known(replace(NINA, groups=("sre",)))
    assert asked_at_sign_in(view, person, NOW, devices=devices) is asked


def test_root_is_always_asked_and_who_may_nothing_is_not() -> None:
    view = signing(mfa=True)
    root = KnownPerson(THE_ROOT, (), NOW, first_seen=NOW, last_seen=NOW, revision=0)
    assert asked_at_sign_in(view, root, NOW, devices=False)
    assert not asked_at_sign_in(view, known(replace(OFF, groups=("sre",))), NOW, devices=False)
    gone = known(replace(NINA, groups=("sre",), policies=("gone",)))
    assert not asked_at_sign_in(signing(), gone, NOW, devices=False)
