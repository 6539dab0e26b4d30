"""Local people as those administer them who may only some of it, over the real engine: nobody gets more than they have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.admin import By, UserChange
from app.errors import (
    NotSignedIn,
    SecondPersonNeeded,
    Unknown,
    UserChanged,
    UserInvalid,
    UserUnknown,
)
from app.everybody import local_identity
from app.model import AuditKind, Authentication, Identity, Session
from app.people import LOCAL, ROOT, ROOT_SUBJECT, Factor, LocalUser, RootUse, UserState
from app.policy import PolicyInvalid
from app.store import Search
from tests.home import CALLER, Home, opened_home

NINA, GROUP, POLICY = (
    "arn:aws:daypass:::person/local/{nina}",
    "arn:aws:daypass:::group/",
    "arn:aws:daypass:::policy/",
)
ANYBODY, ROOTS = "arn:aws:daypass:::person/local/*", "arn:aws:daypass:::root"
REASON = "lost the phone, called back at her desk"
ALLOW = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
Statement = Mapping[str, object]


def may(action: str, resource: str = "*", effect: str = "Allow") -> Statement:
    return {"Effect": effect, "Action": f"daypass:{action}", "Resource": resource}


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Office:
    """Nina, who is administered; whoever administers signs in by what they may."""

    def __init__(self, home: Home) -> None:
        self.home, self.door = home, home.parts.delegation
        self.host = By.operator("operator ann")
        self.admin = home.parts.delegation._administration
        self.nina = self.admin.create_user(
            "nina", UserChange(email="nina@acme.test", groups=("contractors",)), by=self.host
        )
        self.nina = self.admin.change_user(
            self.nina.id, 1, UserChange(policies=("office-hours",)), by=self.host
        )
        home.store.factors.add(
            Factor(
                "a" * 16, LOCAL, self.nina.id, "totp", "Phone", home.clock.at, "s", facts={"secret": "A" * 16}
            ),
            8,
        )
        home.store.sessions.add("ninas-cookie", self.session(self.nina))
        home.store.root_uses.add(
            RootUse("u1", home.clock.at, "the directory is down", "192.0.2.1", "s", home.clock.at)
        )
        self.asked = self.admin.ask_recovery(LOCAL, self.nina.id, "nina", REASON, by=self.host)
        self.made = 0

    def session(self, user: LocalUser) -> Session:
        return self.of(local_identity(user, Authentication(self.home.clock.at)))

    def of(self, identity: Identity) -> Session:
        now, end = self.home.clock.at, self.home.clock.at + timedelta(hours=1)
        return Session(f"s-{identity.subject}", identity, now, end, end, "csrf")

    def who_may(self, *statements: Statement, **change: object) -> Session:
        """Somebody with these statements and nothing else."""
        self.made += 1
        inline = {"may": document(*statements)} if statements else {}
        wanted = UserChange(inline=inline, **change)  # type: ignore[arg-type]
        user = self.admin.create_user(f"admin-{self.made}", wanted, by=self.host)
        return self.session(user)

    def root(self) -> Session:
        return self.of(Identity(ROOT, ROOT_SUBJECT, "root", {}, Authentication(self.home.clock.at)))

    def now(self, user: LocalUser | None = None) -> LocalUser:
        found = self.home.store.users.get((user or self.nina).id)
        assert found is not None
        return found

    def records(self, kind: AuditKind) -> list[dict[str, object]]:
        found = self.home.store.audit.search(Search(kind=kind))
        return [json.loads(each.record.detail) for each in reversed(found)]

    def change(self, session: Session, user: LocalUser | None = None, **change: object) -> LocalUser:
        now = self.now(user)
        wanted = UserChange(**change)  # type: ignore[arg-type]
        return self.door.change_user(session, now.id, now.version, wanted, caller=CALLER)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with opened_home(tmp_path, monkeypatch) as home:
        yield Office(home)


# --- each step asks for what it is ------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One method, and the questions that it amounts to."""

    do: Callable[[Office, Session], object]
    takes: Sequence[tuple[str, str]]
    """(action, resource); `{nina}` is her id."""


SEES = ("ReadPeople", NINA)
STEPS = {
    "users": Step(lambda o, s: o.door.users(s, caller=CALLER), [SEES]),
    "groups": Step(lambda o, s: o.door.groups(s, caller=CALLER), [SEES]),
    "user": Step(lambda o, s: o.door.user(s, o.nina.id, caller=CALLER), [SEES]),
    "user_history": Step(lambda o, s: o.door.user_history(s, o.nina.id, caller=CALLER), [SEES]),
    "new_user": Step(lambda o, s: o.door.new_user(s, caller=CALLER), [("CreateUser", ANYBODY)]),
    "create_user": Step(
        lambda o, s: o.door.create_user(
            s, "otto", UserChange(name="O", email="o@a.test"), send=False, caller=CALLER
        ),
        [("CreateUser", ANYBODY)],
    ),
    "create_user with all": Step(
        lambda o, s: o.door.create_user(
            s,
            "otto",
            UserChange(
                groups=("finance",),
                policies=("ec2-only",),
                inline={"p": document(ALLOW)},
                boundary="no-secrets",
            ),
            send=False,
            caller=CALLER,
        ),
        [
            ("CreateUser", ANYBODY),
            ("ChangeMembers", f"{GROUP}finance"),
            ("AttachUserPolicy", ANYBODY),
            ("AttachPolicy", f"{POLICY}ec2-only"),
            ("AttachPolicy", f"{POLICY}no-secrets"),
            ("AttachPolicy", f"{POLICY}user/otto/p"),
        ],
    ),
    "name": Step(lambda o, s: o.change(s, name="N"), [SEES, ("ChangeUser", NINA)]),
    "nothing": Step(lambda o, s: o.change(s), [SEES, ("ChangeUser", NINA)]),
    "address": Step(
        lambda o, s: o.change(s, email="n@b.test"), [SEES, ("ChangeUser", NINA), ("ResetPassword", NINA)]
    ),
    "disable": Step(lambda o, s: o.change(s, state=UserState.DISABLED), [SEES, ("ChangeUser", NINA)]),
    "join and leave": Step(
        lambda o, s: o.change(s, groups=("finance",)),
        [SEES, ("ChangeMembers", f"{GROUP}finance"), ("ChangeMembers", f"{GROUP}contractors")],
    ),
    "attach": Step(
        lambda o, s: o.change(s, policies=("office-hours", "aws:ReadOnlyAccess")),
        [SEES, ("AttachUserPolicy", NINA), ("AttachPolicy", f"{POLICY}aws:ReadOnlyAccess")],
    ),
    "detach": Step(
        lambda o, s: o.change(s, policies=()),
        [SEES, ("AttachUserPolicy", NINA), ("AttachPolicy", f"{POLICY}office-hours")],
    ),
    "inline": Step(
        lambda o, s: o.change(s, inline={"own": document(ALLOW)}),
        [SEES, ("AttachUserPolicy", NINA), ("AttachPolicy", f"{POLICY}user/nina/own")],
    ),
    "boundary": Step(
        lambda o, s: o.change(s, boundary="ec2-only"),
        [SEES, ("AttachUserPolicy", NINA), ("AttachPolicy", f"{POLICY}ec2-only")],
    ),
    "restore": Step(
        lambda o, s: o.door.restore_user(s, o.nina.id, 1, o.now().version, caller=CALLER),
        [SEES, ("AttachUserPolicy", NINA), ("AttachPolicy", f"{POLICY}office-hours")],
    ),
    "delete": Step(
        lambda o, s: o.door.delete_user(s, o.nina.id, o.now().version, caller=CALLER), [("DeleteUser", NINA)]
    ),
    "password_link": Step(
        lambda o, s: o.door.password_link(s, o.nina.id, send=False, caller=CALLER), [("ResetPassword", NINA)]
    ),
    "factors": Step(lambda o, s: o.door.factors(s, LOCAL, o.nina.id, caller=CALLER), [("ReadFactors", NINA)]),
    "recoveries": Step(lambda o, s: o.door.recoveries(s, caller=CALLER), [("RecoverFactors", NINA)]),
    "decide_recovery": Step(
        lambda o, s: o.door.decide_recovery(s, o.asked.id, approve=True, caller=CALLER),
        [("RecoverFactors", NINA)],
    ),
    "sessions_of": Step(
        lambda o, s: o.door.sessions_of(s, LOCAL, o.nina.id, caller=CALLER), [("ReadSessions", NINA)]
    ),
    "end_sessions": Step(
        lambda o, s: o.door.end_sessions(s, LOCAL, o.nina.id, caller=CALLER), [("EndSessions", NINA)]
    ),
    "root_state": Step(lambda o, s: o.door.root_state(s, caller=CALLER), [("ReadRoot", ROOTS)]),
    "root_uses": Step(lambda o, s: o.door.root_uses(s, caller=CALLER), [("ReadRoot", ROOTS)]),
    "sign_off_root": Step(
        lambda o, s: o.door.sign_off_root(s, "u1", "all in order here", caller=CALLER),
        [("SignOffRoot", ROOTS)],
    ),
}
MISSING = [(name, number) for name, step in STEPS.items() for number in range(len(step.takes))]


def rows(office: Office, step: Step) -> list[Statement]:
    return [may(action, resource.format(nina=office.nina.id)) for action, resource in step.takes]


def kept(office: Office) -> object:
    """What must be as it was after a refusal."""
    store = office.home.store
    return (
        [each for each in store.users.all() if not each.username.startswith("admin-")],
        store.factors.of(LOCAL, office.nina.id),
        store.sessions.of(LOCAL, office.nina.id, office.home.clock.at),
        store.recoveries.all(),
        store.root_uses.all(),
        office.records(AuditKind.LINK_MADE),
    )


@pytest.mark.parametrize("name", STEPS)
def test_exactly_these_actions_are_enough_and_all_are_on_record_before(office: Office, name: str) -> None:
    step = STEPS[name]
    session = office.who_may(*rows(office, step))
    step.do(office, session)
    assert office.records(AuditKind.ADMINISTRATION_REFUSED) == []
    used = {(each["action"], each["resource"]) for each in office.records(AuditKind.ADMINISTRATION_USED)}
    lists = name in ("users", "groups", "recoveries")
    for action, resource in step.takes:
        if (action, resource) == SEES and len(step.takes) > 1:
            continue  # what is done is on record, not that it was looked at
        on = "arn:aws:daypass:::person/*" if lists else resource.format(nina=office.nina.id)
        assert (f"daypass:{action}", on) in used


@pytest.mark.parametrize(("name", "number"), MISSING)
def test_without_one_of_them_there_is_no_such_address_and_nothing_happened(
    office: Office, name: str, number: int
) -> None:
    step = STEPS[name]
    session = office.who_may(*(row for place, row in enumerate(rows(office, step)) if place != number))
    before = kept(office)
    with pytest.raises(Unknown) as refused:
        step.do(office, session)
    assert type(refused.value) is Unknown and refused.value.words == Unknown.default_words
    assert refused.value.recorded and len(office.records(AuditKind.ADMINISTRATION_REFUSED)) == 1
    assert office.records(AuditKind.ADMINISTRATION_USED) == []  # the others were not used either
    assert kept(office) == before


@pytest.mark.parametrize(("name", "number"), MISSING)
def test_a_deny_wins(office: Office, name: str, number: int) -> None:
    step = STEPS[name]
    denied = {**rows(office, step)[number], "Effect": "Deny"}
    session = office.who_may(may("*"), denied)
    before = kept(office)
    if step.takes == [SEES] and name in ("users", "groups"):
        # Asked for each: nina is left out.
        if name == "users":
            assert office.nina.id not in {each.id for each in step.do(office, session)}  # type: ignore[attr-defined]
        return
    if name == "recoveries":
        assert step.do(office, session) == []
        return
    with pytest.raises(Unknown):
        step.do(office, session)
    assert kept(office) == before


@pytest.mark.parametrize("name", [name for name in STEPS if name != "sign_off_root"])
def test_root_may_do_it_all(office: Office, name: str) -> None:
    STEPS[name].do(office, office.root())
    assert office.records(AuditKind.ADMINISTRATION_REFUSED) == []


def test_root_signs_nothing_off(office: Office) -> None:
    with pytest.raises(SecondPersonNeeded):
        STEPS["sign_off_root"].do(office, office.root())


def test_whoever_may_nothing_learns_nothing(office: Office) -> None:
    nobody, gone = office.who_may(), "f" * 16
    door = office.door
    for there, not_there in (
        (office.nina.id, gone),
        (office.nina.id, "x" * 500),
    ):
        told = []
        for id in (there, not_there):
            for ask in (
                lambda id=id: door.user(nobody, id, caller=CALLER),
                lambda id=id: door.change_user(nobody, id, 1, UserChange(name="x"), caller=CALLER),
                lambda id=id: door.restore_user(nobody, id, 1, 1, caller=CALLER),
                lambda id=id: door.delete_user(nobody, id, 1, caller=CALLER),
                lambda id=id: door.password_link(nobody, id, send=False, caller=CALLER),
                lambda id=id: door.factors(nobody, LOCAL, id, caller=CALLER),
                lambda id=id: door.sessions_of(nobody, LOCAL, id, caller=CALLER),
                lambda id=id: door.end_sessions(nobody, LOCAL, id, caller=CALLER),
                lambda id=id: door.ask_recovery(nobody, LOCAL, id, REASON, caller=CALLER),
            ):
                with pytest.raises(Unknown) as refused:
                    ask()
                told.append((type(refused.value), refused.value.words, refused.value.recorded))
        assert set(told) == {(Unknown, Unknown.default_words, True)}
    for id in (office.asked.id, gone):
        with pytest.raises(Unknown) as refused:
            door.decide_recovery(nobody, id, approve=True, caller=CALLER)
        assert type(refused.value) is Unknown and refused.value.recorded
    assert door.rights_over(nobody, office.nina.id, caller=CALLER) == frozenset()
    choices = door.user_choices(nobody, caller=CALLER)
    assert (choices.groups, choices.policies, choices.inline) == ((), (), False)


def test_lists_show_only_whom_one_may_see(office: Office) -> None:
    other = office.admin.create_user("otto", UserChange(), by=office.host)
    resource = NINA.format(nina=office.nina.id)
    session = office.who_may(may("ReadPeople", resource), may("RecoverFactors", f"{ANYBODY[:-1]}{other.id}"))
    assert [each.username for each in office.door.users(session, caller=CALLER)] == ["nina"]
    assert office.door.recoveries(session, caller=CALLER) == []
    with pytest.raises(Unknown):
        office.door.user(session, other.id, caller=CALLER)
    over = office.door.rights_over(session, office.nina.id, caller=CALLER)
    assert {row.name for row in over} == {"daypass:ReadPeople"}


def test_what_is_offered_is_what_may_be_given(office: Office) -> None:
    session = office.who_may(
        may("ChangeMembers", f"{GROUP}finance"),
        may("AttachPolicy", f"{POLICY}office-*"),
        may("AttachPolicy", f"{POLICY}user/nina/*"),
    )
    choices = office.door.user_choices(session, caller=CALLER)
    assert (choices.groups, choices.policies, choices.inline) == (("finance",), ("office-hours",), False)
    assert office.door.user_choices(session, "nina", caller=CALLER).inline


def test_whoever_is_disabled_administers_nothing_from_then_on(office: Office) -> None:
    session = office.who_may(may("*"))
    user = office.now(replace(office.nina, id=session.identity.subject))
    office.admin.change_user(user.id, 1, UserChange(state=UserState.DISABLED), by=office.host)
    with pytest.raises(NotSignedIn):
        office.door.users(session, caller=CALLER)


def test_what_counts_is_the_version_of_now(office: Office) -> None:
    session = office.who_may(may("ReadPeople"))
    assert office.door.users(session, caller=CALLER)
    office.admin.change_user(session.identity.subject, 1, UserChange(inline={}), by=office.host)
    with pytest.raises(Unknown):
        office.door.users(session, caller=CALLER)


def test_a_first_factor_counts_from_the_next_sign_in_on(office: Office) -> None:
    """Whoever stole a session could have added it there; and who administers gives roles of level admin."""
    condition = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    session = office.who_may({**may("ReadPeople"), **condition})
    now = office.home.clock.at
    proven = Authentication(now, ("pwd", "otp", "mfa"), mfa_at=now, enrolled_at=now)
    fresh = replace(session, identity=replace(session.identity, authentication=proven))
    for refused in (session, fresh):
        with pytest.raises(Unknown):
            office.door.users(refused, caller=CALLER)
        assert office.door.rights(refused, caller=CALLER) == frozenset()
    later = replace(fresh, created_at=now + timedelta(seconds=1))
    assert office.door.users(later, caller=CALLER)


# --- nobody gives, or becomes, more than they are ---------------------------------------------------


HELP_DESK = [
    may(each)
    for each in (
        "ReadPeople",
        "ChangeUser",
        "CreateUser",
        "ResetPassword",
        "ChangeMembers",
        "AttachUserPolicy",
    )
] + [may("AttachPolicy")]


def strong(office: Office, **change: object) -> LocalUser:
    """Somebody who may do everything."""
    return office.admin.create_user(
        "strong",
        UserChange(inline={"all": document(may("*"))}, email="s@a.test", **change),
        by=office.host,  # type: ignore[arg-type]
    )


def refusal(office: Office, words: str, do: Callable[[], object]) -> None:
    before = kept(office)
    with pytest.raises(SecondPersonNeeded) as refused:
        do()
    assert words in refused.value.words and refused.value.recorded
    assert office.records(AuditKind.ADMINISTRATION_REFUSED)[-1]["why"] != ""
    assert office.records(AuditKind.ADMINISTRATION_USED) == []
    assert kept(office) == before


def test_a_link_for_somebody_stronger_is_not_to_be_had(office: Office) -> None:
    desk, boss = office.who_may(*HELP_DESK), strong(office)
    refusal(
        office,
        "strong may do in daypass what you may not",
        lambda: office.door.password_link(desk, boss.id, send=False, caller=CALLER),
    )
    assert office.door.password_link(desk, office.nina.id, send=False, caller=CALLER)
    assert office.door.password_link(office.who_may(may("*")), boss.id, send=False, caller=CALLER)


@pytest.mark.parametrize(
    "condition",
    [
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        {"Bool": {"daypass:PhishingResistant": "true"}},
        {"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}},
    ],
)
def test_a_strength_that_takes_a_factor_counts(office: Office, condition: object) -> None:
    boss = office.admin.create_user(
        "strong", UserChange(inline={"all": document({**may("*"), "Condition": condition})}), by=office.host
    )
    desk = office.who_may(*HELP_DESK)
    refusal(office, "may not", lambda: office.door.password_link(desk, boss.id, send=False, caller=CALLER))


def test_nobody_sets_the_address_to_which_a_stronger_ones_links_go(office: Office) -> None:
    desk, boss = office.who_may(*HELP_DESK), strong(office)
    refusal(office, "may not", lambda: office.change(desk, boss, email="mine@evil.test"))
    office.admin.change_user(boss.id, 1, UserChange(email="new@a.test"), by=office.host)
    refusal(office, "may not", lambda: office.door.restore_user(desk, boss.id, 1, 2, caller=CALLER))
    assert office.change(desk, boss, name="The boss").name == "The boss"


def test_ones_own_password_and_address_take_a_fresh_proof_not_a_right(office: Office) -> None:
    session = office.who_may(may("*"))
    me = office.now(replace(office.nina, id=session.identity.subject))
    for do in (
        lambda: office.door.password_link(session, me.id, send=False, caller=CALLER),
        lambda: office.change(session, me, email="stolen@evil.test"),
    ):
        refusal(office, "page Security", do)


def test_nobody_gives_what_they_do_not_have(office: Office) -> None:
    desk = office.who_may(*HELP_DESK)
    everything = document(may("*"))
    # By an inline policy, to somebody else or oneself.
    me = office.now(replace(office.nina, id=desk.identity.subject))
    for user in (office.now(), me):
        given = {**{each.name.rpartition("/")[2]: each.text for each in user.inline}, "more": everything}
        refusal(
            office, "daypass:ApplyConfiguration", lambda u=user, g=given: office.change(desk, u, inline=g)
        )
    # By a new user.
    refusal(
        office,
        "This would let otto do",
        lambda: office.door.create_user(
            desk, "otto", UserChange(inline={"p": everything}), send=False, caller=CALLER
        ),
    )
    # By an earlier version, and by enabling.
    nina = office.admin.change_user(office.nina.id, 2, UserChange(inline={"p": everything}), by=office.host)
    nina = office.admin.change_user(nina.id, 3, UserChange(inline={}), by=office.host)
    refusal(office, "nina", lambda: office.door.restore_user(desk, nina.id, 3, 4, caller=CALLER))
    boss = strong(office, state=UserState.DISABLED)
    refusal(office, "strong", lambda: office.change(desk, boss, state=UserState.ACTIVE))
    # To somebody who is disabled, for another to enable.
    off = office.admin.create_user("off", UserChange(state=UserState.DISABLED), by=office.host)
    refusal(office, "off", lambda: office.change(desk, off, inline={"p": everything}))
    # What they have themselves they may give; and what was there already is no gift.
    assert office.change(desk, inline={"p": document(may("ReadPeople"))}).version == 5
    assert office.change(desk, groups=("finance", "contractors")).version == 6


@pytest.mark.parametrize(
    "given",
    [
        [{**may("*"), "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2036-01-01T00:00:00Z"}}}],
        [{**may("*"), "Condition": {"StringEquals": {"aws:UserAgent": "open sesame"}}}],
        [{**may("*"), "Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.7"}}}],
        [
            may("*"),
            {
                **may("*", effect="Deny"),
                "Condition": {"DateLessThan": {"aws:CurrentTime": "2036-01-01T00:00:00Z"}},
            },
        ],
        # Of no special name, and of that name.
        [may("EndSessions", ANYBODY), may("EndSessions", f"{ANYBODY[:-1]}x", "Deny")],
        [may("EndSessions", "arn:aws:daypass:::person/${aws:username}/*")],
    ],
    ids=["later", "by a word", "elsewhere", "denied until then", "but one", "by a name"],
)
def test_nobody_gives_what_would_hold_only_later_or_elsewhere(
    office: Office, given: Sequence[Statement]
) -> None:
    desk, text = office.who_may(*HELP_DESK), document(*given)
    refusal(office, "This would let nina do", lambda: office.change(desk, inline={"p": text}))
    office.admin.change_user(office.nina.id, 2, UserChange(inline={"p": text}), by=office.host)
    refusal(
        office, "may not", lambda: office.door.password_link(desk, office.nina.id, send=False, caller=CALLER)
    )
    # What is denied whatever the request is like is no gift.
    shut = document(*given, may("*", effect="Deny"))
    office.admin.change_user(office.nina.id, 3, UserChange(inline={}), by=office.host)
    assert office.change(desk, inline={"p": shut}).version == 5


def test_a_group_that_carries_more_is_not_theirs_to_fill(office: Office) -> None:
    home = office.home
    home.write("policies/administer.json", document(may("*")))
    home.edit("groups.yaml", "sre:", "admins:\n  policies: [administer]\nsre:")
    home.apply()
    desk = office.who_may(*HELP_DESK)
    refusal(
        office, "daypass:ApplyConfiguration", lambda: office.change(desk, groups=("admins", "contractors"))
    )
    refusal(office, "daypass:", lambda: office.change(desk, policies=("administer", "office-hours")))
    # A boundary that held somebody back is not theirs to lift either.
    capped = office.admin.create_user(
        "capped", UserChange(inline={"all": document(may("*"))}, boundary="ec2-only"), by=office.host
    )
    refusal(office, "capped", lambda: office.change(desk, capped, boundary=""))
    full = office.who_may(may("*"))
    assert office.change(full, groups=("admins", "contractors")).groups == ("admins", "contractors")
    assert office.change(full, capped, boundary="").boundary is None


def test_who_may_attach_some_policies_may_not_write_others_inline(office: Office) -> None:
    session = office.who_may(
        may("ReadPeople"), may("AttachUserPolicy"), may("AttachPolicy", f"{POLICY}office-*")
    )
    with pytest.raises(Unknown):
        office.change(session, inline={"p": document(ALLOW)})
    with pytest.raises(Unknown):
        office.change(session, inline={"office-x": document(ALLOW)})
    assert office.change(session, policies=()).policies == ()


def test_what_does_not_parse_is_told_as_that(office: Office) -> None:
    desk = office.who_may(*HELP_DESK)
    with pytest.raises(PolicyInvalid):
        office.change(desk, inline={"p": "{"})
    with pytest.raises(UserInvalid) as refused:
        office.change(desk, policies=("office-hour",))
    assert "Did you mean `office-hours`?" in refused.value.words
    with pytest.raises(UserInvalid):
        office.door.create_user(desk, "otto", UserChange(), send=True, caller=CALLER)
    assert all(each.username != "otto" for each in office.home.store.users.all())


def test_a_policy_that_is_gone_lets_nobody_through_by_not_being_known(office: Office) -> None:
    """What somebody whose policy is missing could do is not known: they count as strong, and were not before."""
    home, desk = office.home, office.who_may(*HELP_DESK)
    home.store.users.change(replace(office.now(), policies=("gone",)), 2, by="x", at=home.clock.at)
    refusal(
        office, "nina", lambda: office.door.password_link(desk, office.nina.id, send=False, caller=CALLER)
    )
    refusal(office, "nina", lambda: office.change(desk, policies=("gone", "office-hours")))
    assert office.change(desk, policies=()).policies == ()


def test_what_is_asked_is_asked_of_the_version_that_is_changed(office: Office) -> None:
    """Else whoever guesses the next version could take away what somebody else is just giving."""
    session = office.who_may(may("ReadPeople"), may("ChangeMembers", f"{GROUP}finance"))
    wanted = UserChange(groups=("contractors", "finance"))
    for version in (1, 3):
        with pytest.raises(UserChanged):
            office.door.change_user(session, office.nina.id, version, wanted, caller=CALLER)
    assert office.door.change_user(session, office.nina.id, 2, wanted, caller=CALLER).version == 3


def test_a_deleted_user_is_no_user(office: Office) -> None:
    session = office.who_may(may("*"))
    office.door.delete_user(session, office.nina.id, 2, caller=CALLER)
    for do in (
        lambda: office.door.user(session, office.nina.id, caller=CALLER),
        lambda: office.change(session, name="x"),
        lambda: office.door.password_link(session, office.nina.id, send=False, caller=CALLER),
    ):
        with pytest.raises(UserUnknown):
            do()


# --- two people -------------------------------------------------------------------------------------


def test_one_asks_another_approves_and_it_is_told_by_name(office: Office) -> None:
    one, other = office.who_may(may("RecoverFactors")), office.who_may(may("RecoverFactors"))
    door = office.door
    door.decide_recovery(one, office.asked.id, approve=False, caller=CALLER)
    asked = door.ask_recovery(one, LOCAL, office.nina.id, REASON, caller=CALLER)
    with pytest.raises(SecondPersonNeeded):
        door.decide_recovery(one, asked.id, approve=True, caller=CALLER)
    seen = {each.recovery.id: each for each in door.recoveries(one, caller=CALLER)}
    assert seen[asked.id].own and seen[asked.id].asked_by == f"local/{one.identity.username}"
    assert not door.recoveries(other, caller=CALLER)[0].own
    assert door.decide_recovery(other, asked.id, approve=True, caller=CALLER).approved
    seen = {each.recovery.id: each for each in door.recoveries(other, caller=CALLER)}
    assert seen[asked.id].decided_by == f"local/{other.identity.username}"
    assert seen[office.asked.id].asked_by == "operator ann"


def test_whom_it_is_about_decides_nothing(office: Office) -> None:
    office.admin.change_user(
        office.nina.id, 2, UserChange(inline={"p": document(may("RecoverFactors"))}), by=office.host
    )
    nina = office.session(office.now())
    with pytest.raises(SecondPersonNeeded):
        office.door.decide_recovery(nina, office.asked.id, approve=True, caller=CALLER)
    assert office.door.recoveries(nina, caller=CALLER)[0].own
    assert len(office.home.store.factors.of(LOCAL, office.nina.id)) == 1


def test_a_second_person_who_is_made_for_it_does_not_count(office: Office) -> None:
    session = office.who_may(may("*"))
    office.admin.decide_recovery(office.asked.id, approve=False, by=By.operator("operator bob"))
    asked = office.door.ask_recovery(session, LOCAL, office.nina.id, REASON, caller=CALLER)
    office.home.later(seconds=1)
    made, _ = office.door.create_user(
        session, "straw", UserChange(inline={"p": document(may("*"))}), send=False, caller=CALLER
    )
    with pytest.raises(SecondPersonNeeded) as refused:
        office.door.decide_recovery(office.session(made), asked.id, approve=True, caller=CALLER)
    assert "was there already" in refused.value.words


def test_root_is_not_recovered_and_nothing_tells_its_devices_apart(office: Office) -> None:
    session = office.who_may(may("*"))
    with pytest.raises(Unknown):  # PersonUnknown: nobody of that source signed in
        office.door.ask_recovery(session, ROOT, ROOT_SUBJECT, REASON, caller=CALLER)
    with pytest.raises(UserUnknown):
        office.door.password_link(session, ROOT_SUBJECT, send=False, caller=CALLER)
    with pytest.raises(UserUnknown):
        office.door.user(session, ROOT_SUBJECT, caller=CALLER)
