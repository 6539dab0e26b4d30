"""A role that needs more than the session has: what is said of it, and what proving it changes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from app.broker.opening_up import may_add
from app.errors import (
    AccessRefused,
    ChallengeOver,
    CodeWrong,
    GrantInvalid,
    MfaRequired,
    NotSignedIn,
    ProofNotRecent,
    Refusal,
    RoleForbidden,
    RoleUnknown,
    SessionUnknown,
)
from app.model import GUEST, RoleAsk, Session, SignedIn, SourceId
from app.people import LOCAL, StepUpAsk
from tests.helper import Helper
from tests.home import ADMIN, BASE, READ_ONLY, RELEASE, Browser, Home, Key, Phone, opened_home
from tests.house import CALLER, FakeAws

UNPHISHABLE = {"Bool": {"daypass:PhishingResistant": "true"}}
PRESENT = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


def allowing(role: str, condition: dict) -> dict:
    said = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role, "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [said]}


FRESH = allowing(RELEASE, {"NumericLessThan": {"aws:MultiFactorAuthAge": "900"}})
FOR_ADMIN = allowing(ADMIN, PRESENT)


def ask(home: Home, session: Session, role: str = RELEASE) -> None:
    home.broker.credentials(session, RoleAsk(role), caller=CALLER)


def needed(home: Home, session: Session, role: str = RELEASE) -> dict:
    with pytest.raises(MfaRequired) as refused:
        ask(home, session, role)
    return refused.value.members["step_up"]


def lena(home: Home, *, groups: tuple[str, ...] = (), inline=(FRESH,)) -> tuple[Phone, Browser]:
    """Somebody with a phone, signed in an hour ago, whose role wants a factor of the last quarter of an hour."""
    _, phone, browser = home.with_phone(groups=groups, inline=inline)
    browser.sign_in(device=phone)
    home.later(hours=1)
    return phone, browser


# --- what is said -----------------------------------------------------------------------------------------


def test_a_role_that_a_factor_would_open_says_so_and_how(home: Home) -> None:
    _, browser = lena(home, groups=("contractors",))
    url = f"{BASE}/step-up?role={quote(RELEASE, safe='')}"
    assert needed(home, browser.session) == {"url": url, "kinds": ["totp"]}
    assert home.records("credentials.refused")[-1]["code"] == "mfa_required"
    found = {each.role.arn: each.needs for each in home.broker.roles(browser.session, caller=CALLER)}
    assert found == {READ_ONLY: None, RELEASE: {"mfa": {"kinds": ["totp"]}}}
    with pytest.raises(RoleUnknown):
        ask(home, browser.session, ADMIN)
    assert home.broker.explain(browser.session, RELEASE, caller=CALLER).within_reach


def test_whoever_has_no_device_is_told_of_every_kind_that_would(home: Home) -> None:
    home.user(inline=[FRESH, allowing(ADMIN, UNPHISHABLE)], groups=())
    browser = home.browser_of()
    browser.sign_in()
    assert needed(home, browser.session)["kinds"] == ["webauthn", "totp"]
    assert needed(home, browser.session, ADMIN)["kinds"] == ["webauthn"]
    found = {each.role.arn: each.needs for each in home.broker.roles(browser.session, caller=CALLER)}
    assert found == {
        ADMIN: {"mfa": {"kinds": ["webauthn"]}},
        RELEASE: {"mfa": {"kinds": ["webauthn", "totp"]}},
    }


def test_a_kind_that_would_not_open_it_is_not_offered(home: Home) -> None:
    _, browser = lena(home, inline=(allowing(RELEASE, UNPHISHABLE),))
    with pytest.raises(Refusal) as refused:
        ask(home, browser.session)
    assert not isinstance(refused.value, MfaRequired)
    assert home.broker.roles(browser.session, caller=CALLER) == []
    with pytest.raises(RoleUnknown):
        browser.step_up(RELEASE)
    assert browser.step_up(), "whoever just wants to prove themselves may"


def test_no_device_is_looked_up_where_none_would_help(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.user(groups=("finance",))
    browser = home.browser_of()
    session = browser.sign_in()
    monkeypatch.setattr(home.broker, "_devices", lambda *_: pytest.fail("a device was looked up"))
    found = home.broker.roles(session, caller=CALLER)
    assert [each.role.name for each in found] == ["Billing", "ReadOnly"]
    with pytest.raises(RoleUnknown):
        ask(home, session)


def test_guests_and_their_apps_have_no_step_up(home: Home) -> None:
    _, session = home.browser()
    assert may_add(session)
    assert not may_add(replace(session, identity=replace(session.identity, source=GUEST)))


# --- the way through --------------------------------------------------------------------------------------


def test_a_step_up_opens_the_role_and_renews_the_cookie(home: Home) -> None:
    phone, browser = lena(home)
    before, old = browser.session, browser.token
    handle = browser.step_up(RELEASE, next="/keys?role=x")
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.purpose, page.kinds, page.role, page.counts_later) == (
        "step_up",
        ("totp", "recovery"),
        RELEASE,
        False,
    )
    assert page.why == "The role Release in sandbox (444455556666) needs a second factor, proven now."
    done = phone.answer(browser, handle)
    assert isinstance(done, SignedIn)
    assert done.next == "/keys?role=x"
    after = browser.session
    assert (after.id, after.began, after.expires_at) == (before.id, before.began, before.expires_at)
    assert old != browser.token
    assert before.csrf != after.csrf
    with pytest.raises(NotSignedIn):
        home.broker.session(old, caller=CALLER)
    assert after.identity.authentication.mfa_at == home.clock.at
    ask(home, after)
    assert FakeAws.asked[-1].role.arn == RELEASE
    record = home.records("mfa.proven")[-1]
    assert (record["purpose"], record["role"], record["for_session"]) == ("step_up", RELEASE, before.id)
    home.later(minutes=15)
    assert needed(home, browser.session)


def test_a_person_of_a_directory_steps_up_with_a_device_of_the_brokers(home: Home) -> None:
    browser, phone = home.browser_of(), Phone(home)
    browser.token, session = home.browser()
    assert needed(home, session)["kinds"] == ["webauthn", "totp"]
    browser.enrol(phone)
    home.later(minutes=30)
    assert needed(home, browser.session)["kinds"] == ["totp"]
    phone.answer(browser, browser.step_up(RELEASE))
    ask(home, browser.session)


def test_a_waiting_helper_goes_on(home: Home) -> None:
    phone, browser = lena(home)
    helper = Helper(home)
    tokens = helper.sign_in(browser.session)
    session = helper.bearer(tokens)
    said = needed(home, session)
    assert said["url"].endswith(f"&session={session.id}")
    handle = browser.step_up(RELEASE, session.id)
    why = home.broker.challenge(handle, browser.secret, caller=CALLER).why
    assert why.startswith(
        "daypass command line on “ana's laptop”, last seen from 192.0.2.1, asks. The role Release"
    )
    phone.answer(browser, handle)
    assert helper.bearer(tokens).identity.authentication.mfa_at == home.clock.at
    assert browser.session.identity.authentication.mfa_at == home.clock.at
    ask(home, helper.bearer(tokens))
    assert home.records("mfa.proven")[-1]["for_session"] == session.id


def test_a_helper_has_the_authentication_of_whoever_let_it_in(home: Home) -> None:
    phone, browser = lena(home)
    phone.answer(browser, browser.step_up())
    helper = Helper(home)
    ask(home, helper.bearer(helper.sign_in(browser.session)))


def test_a_recovery_code_does_where_a_code_does(home: Home) -> None:
    home.user(inline=[FRESH], groups=())
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    codes = browser.enrol(phone).recovery_codes
    home.later(hours=1)
    browser.sign_in(device=phone)
    home.later(hours=1)
    assert isinstance(browser.answer(browser.step_up(RELEASE), codes[0], "recovery"), SignedIn)
    ask(home, browser.session)


# --- attacks ----------------------------------------------------------------------------------------------


def test_nobody_steps_up_a_session_of_somebody_else(home: Home) -> None:
    phone, browser = lena(home)
    home.user("mona", inline=[FRESH], groups=())
    victim = home.browser_of()
    victim.sign_in("mona")
    helper = Helper(home)
    theirs = helper.bearer(helper.sign_in(victim.session))
    for id in (theirs.id, victim.session.id, "0" * 16, "'"):
        with pytest.raises(SessionUnknown):
            browser.step_up(RELEASE, id)
    mine = Helper(home)
    own = mine.bearer(mine.sign_in(browser.session))
    assert isinstance(phone.answer(browser, browser.step_up(RELEASE, own.id)), SignedIn)


def test_nobody_steps_up_what_somebody_has_who_stole_a_cookie(home: Home) -> None:
    """The thief sends the address; the page would look as if it were for the browser that it is open in."""
    phone, browser = lena(home)
    stolen = browser.session
    other = home.browser_of()
    other.sign_in(device=phone)
    home.later(minutes=20)
    with pytest.raises(SessionUnknown):
        other.step_up(RELEASE, stolen.id)
    phone.answer(other, other.step_up(RELEASE))
    assert needed(home, browser.session)
    ask(home, other.session)


def test_another_browser_cannot_answer_nor_one_without_the_session(home: Home) -> None:
    phone, browser = lena(home)
    handle = browser.step_up(RELEASE)
    thief = home.browser_of()
    thief.token = browser.token
    with pytest.raises(ChallengeOver):
        thief.answer(handle, phone.code())
    token, browser.token = browser.token, ""
    with pytest.raises(NotSignedIn):
        browser.answer(handle, phone.code())
    browser.token = home.browser("ben")[0]
    with pytest.raises(NotSignedIn):
        browser.answer(handle, phone.code())
    browser.token = token
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_a_step_up_that_is_answered_many_times_at_once_is_finished_once(home: Home) -> None:
    phone, browser = lena(home)
    handle, code, token = browser.step_up(RELEASE), phone.code(), browser.token

    def answer(_: int) -> object:
        own = replace(browser, token=token)
        try:
            return own.answer(handle, code)
        except Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(answer, range(10)))
    assert sum(isinstance(each, SignedIn) for each in results) == 1
    with pytest.raises(NotSignedIn):
        home.broker.session(token, caller=CALLER)


def test_what_a_thief_approved_before_the_proof_is_worth_nothing_after_it(home: Home) -> None:
    """A stolen cookie lets helpers in; none of them waits until the owner has proven a factor, and has it then."""
    _, phone, browser = home.with_phone(groups=(), inline=[FRESH])
    thief, device = Helper(home), Helper(home)
    started = device.begin()
    home.later(minutes=1)
    browser.sign_in(device=phone)
    stolen = browser.session
    home.later(minutes=4)
    grant = thief.code(stolen)
    home.broker.decide_device(stolen, started.user_code, allow=True, caller=CALLER)
    home.later(seconds=30)
    phone.answer(browser, browser.step_up())
    with pytest.raises(GrantInvalid):
        thief.redeem(grant)
    with pytest.raises(GrantInvalid):
        device.poll(started)
    # The honest twins: what was approved after the proof, and in a session without one.
    ask(home, Helper(home).bearer(Helper(home).sign_in(browser.session)))
    home.user("mona", inline=[FRESH], groups=())
    other = home.browser_of()
    other.sign_in("mona")
    assert thief.redeem(thief.code(other.session))


def test_a_session_that_ended_is_not_stepped_up(home: Home) -> None:
    phone, browser = lena(home)
    handle = browser.step_up(RELEASE)
    home.broker.sign_out(browser.session, caller=CALLER)
    with pytest.raises(ChallengeOver):
        phone.answer(browser, handle)


def test_a_clients_session_begins_no_step_up(home: Home) -> None:
    phone, browser = lena(home)
    helper = Helper(home)
    session = helper.bearer(helper.sign_in(browser.session))
    with pytest.raises(AccessRefused):
        home.broker.begin_step_up(session, StepUpAsk("/", RELEASE), browser.secret, caller=CALLER)
    assert phone.answer(browser, browser.step_up(RELEASE))


def test_a_wrong_code_changes_nothing(home: Home) -> None:
    phone, browser = lena(home)
    before = browser.session
    handle = browser.step_up(RELEASE)
    with pytest.raises(CodeWrong):
        browser.answer(handle, "000000")
    after = browser.session
    assert (after.identity, after.csrf, after.trust) == (before.identity, before.csrf, before.trust)
    assert needed(home, browser.session)
    assert isinstance(phone.answer(browser, handle), SignedIn)


@pytest.mark.parametrize("role", ["arn:aws:iam::111122223333:role/Nothing", "", "x" * 3000, "\x00"])
def test_a_role_that_there_is_not_is_unknown(home: Home, role: str) -> None:
    _, browser = lena(home)
    if role:
        with pytest.raises(RoleUnknown):
            browser.step_up(role)
    else:
        assert browser.step_up(role)


# --- a first factor ---------------------------------------------------------------------------------------


def test_a_first_factor_of_the_step_up_does_not_open_a_role_of_level_admin(home: Home) -> None:
    home.user(inline=[FOR_ADMIN, FRESH], groups=())
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    home.later(minutes=5)
    assert needed(home, browser.session, ADMIN)["kinds"] == ["webauthn", "totp"]
    handle = browser.step_up(ADMIN)
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.kinds, page.enrol, page.counts_later) == ((), ("webauthn", "totp"), True)
    home.heard.alerts.clear()
    done = browser.enrol(phone, within=handle)
    assert done.signed_in is not None
    assert home.heard.kinds() == ["factor.enrolled to lena@acme.test", "factor.first_enrolled"]
    assert "local/lena" in home.heard.alerts[1].title
    # Another kind of role it does open.
    ask(home, browser.session, RELEASE)
    with pytest.raises(RoleForbidden, match=r".*") as refused:
        ask(home, browser.session, ADMIN)
    assert not isinstance(refused.value, MfaRequired)
    assert "from your next sign-in" in refused.value.words
    assert "from your next sign-in" in home.broker.explain(browser.session, ADMIN, caller=CALLER).would_change
    assert ADMIN not in {each.role.arn for each in home.broker.roles(browser.session, caller=CALLER)}
    with pytest.raises(RoleForbidden):
        browser.step_up(ADMIN)
    # After a new sign-in it does.
    home.later(minutes=1)
    browser.sign_in(device=phone)
    ask(home, browser.session, ADMIN)
    assert FakeAws.asked[-1].role.arn == ADMIN


def test_nothing_that_rests_on_a_first_factor_opens_it_either(home: Home) -> None:
    """A second device, or a recovery code, of the same session is worth what the first was."""
    user, browser, phone, key = (
        home.user(inline=[FOR_ADMIN], groups=()),
        home.browser_of(),
        Phone(home),
        Key(),
    )
    browser.sign_in()
    done = browser.enrol(phone, within=browser.step_up(ADMIN))
    browser.enrol(key, "key")
    assert [each.first for each in home.devices(user)] == [True, True]
    home.later(minutes=1)
    for prove in (
        lambda handle: key.answer(browser, handle),
        lambda handle: phone.answer(browser, handle),
        lambda handle: browser.answer(handle, done.recovery_codes[0], "recovery"),
    ):
        prove(browser.step_up())
        home.later(seconds=30)
        with pytest.raises(RoleForbidden):
            ask(home, browser.session, ADMIN)
    browser.sign_in(device=key)
    ask(home, browser.session, ADMIN)


def test_operators_hear_of_a_first_factor_that_is_proven_where_it_was_enrolled(home: Home) -> None:
    """On a page of its own or within the step-up: a stolen session can do either."""
    home.user(inline=[FRESH], groups=())
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    browser.enrol(phone)
    home.heard.alerts.clear()
    for _ in range(2):
        home.later(minutes=1)
        phone.answer(browser, browser.step_up(RELEASE))
    assert home.heard.kinds() == ["factor.first_enrolled"]
    assert "local/lena enrolled a first second factor" in home.heard.alerts[0].text
    home.heard.alerts.clear()
    home.later(minutes=1)
    browser.sign_in(device=phone)
    home.later(minutes=1)
    phone.answer(browser, browser.step_up(RELEASE))
    assert home.heard.kinds() == []


def test_two_that_are_added_one_after_the_other_are_no_more_than_a_first_one(home: Home) -> None:
    """A directory's own second factor was proven with the sign-in, so that each of them may be added."""
    user = home.user(inline=[allowing(ADMIN, UNPHISHABLE), allowing(RELEASE, UNPHISHABLE)], groups=())
    browser, key = home.browser_of(), Key()
    session = browser.sign_in()
    theirs = replace(session.identity.authentication, mfa_at=home.clock.at)
    home.store.sessions.prove(session.id, theirs, home.clock.at)
    home.later(minutes=1)
    browser.enrol(Phone(home))
    browser.enrol(key, "key")
    assert [each.first for each in home.devices(user)] == [True, True]
    key.answer(browser, browser.step_up(RELEASE))
    ask(home, browser.session, RELEASE)
    with pytest.raises(RoleForbidden):
        ask(home, browser.session, ADMIN)
    home.later(minutes=1)
    browser.sign_in(device=key)
    browser.enrol(Key(), "another")
    assert [each.first for each in home.devices(user)] == [True, True, False]
    ask(home, browser.session, ADMIN)


def test_a_sign_in_that_began_before_is_no_later_one(home: Home) -> None:
    """The password was given first, the device enrolled elsewhere meanwhile."""
    home.user(inline=[FOR_ADMIN], groups=())
    browser, phone, other = home.browser_of(), Phone(home), home.browser_of()
    browser.sign_in()
    browser.enrol(phone)
    home.later(minutes=1)
    waiting = other.password()
    home.later(minutes=1)
    key = Key()
    phone.answer(browser, browser.step_up())
    browser.enrol(key, "key")
    assert isinstance(key.answer(other, waiting.handle), SignedIn)
    with pytest.raises(RoleForbidden):
        ask(home, other.session, ADMIN)
    home.later(minutes=1)
    other.sign_in(device=key)
    ask(home, other.session, ADMIN)


def test_a_stolen_cookie_cannot_enrol_in_a_step_up(home: Home) -> None:
    home.user(inline=[FRESH], groups=())
    browser = home.browser_of()
    browser.sign_in()
    home.later(minutes=10, seconds=1)
    assert needed(home, browser.session)
    handle = browser.step_up(RELEASE)
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.kinds, page.enrol) == ((), ())
    assert "sign in again" in page.why
    with pytest.raises(ProofNotRecent):
        browser.enrol(Phone(home), within=handle)
    browser.sign_in()
    assert browser.enrol(Phone(home), within=browser.step_up(RELEASE)).signed_in is not None


def test_nothing_is_added_in_a_step_up_without_its_session(home: Home) -> None:
    user = home.user(inline=[FRESH], groups=())
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    handle = browser.step_up(RELEASE)
    token, browser.token = browser.token, ""
    with pytest.raises(NotSignedIn):
        browser.enrol(phone, within=handle)
    browser.token = home.browser("ben")[0]
    with pytest.raises(NotSignedIn):
        browser.enrol(phone, within=handle)
    assert home.devices(user) == []
    assert home.store.recovery_codes.left(LOCAL, user.id) == 0
    browser.token = token
    assert browser.enrol(phone, within=handle).recovery_codes


def test_an_enrolment_within_a_step_up_serves_the_helper_too(home: Home) -> None:
    home.user(inline=[FRESH], groups=())
    browser = home.browser_of()
    browser.sign_in()
    helper = Helper(home)
    tokens = helper.sign_in(browser.session)
    handle = browser.step_up(RELEASE, helper.bearer(tokens).id)
    assert browser.enrol(Phone(home), within=handle).signed_in is not None
    ask(home, helper.bearer(tokens))


def test_people_who_come_over_an_app_may_step_up_by_their_own_browser(home: Home) -> None:
    """Its session is the same person's: it is named, and nobody else's is."""
    browser = home.browser_of()
    browser.token, session = home.browser()
    assert session.identity.source == SourceId("corp")
    helper = Helper(home)
    other = helper.bearer(helper.sign_in(home.browser("ben")[1]))
    with pytest.raises(SessionUnknown):
        browser.step_up("", other.id)
