"""Break-glass: root is set up from the host, used for a reason, for a quarter of an hour, and looked at by others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.broker.liveness import living
from app.broker.rooting import REASON_LONGEST
from app.errors import (
    AskRefused,
    AuditUnavailable,
    ChallengeOver,
    CodeWrong,
    CredentialsWrong,
    LinkInvalid,
    NotSignedIn,
    RoleUnknown,
    RootOnlyEmergency,
    SecondPersonNeeded,
    TooManyGuesses,
)
from app.limits import PASSWORDS_PER_ACCOUNT
from app.model import RoleAsk, SignedIn
from app.people import ROOT, ROOT_SUBJECT, Asked, StepUpAsk
from app.policy import actions
from app.store import Search
from tests.helper import ASK, Helper
from tests.home import ADMIN, OTHER, PASSWORD, READ_ONLY, REASON, Browser, Home, Key, Phone, opened_home
from tests.house import CALLER, FakeAws


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


def begin(home: Home, browser: Browser, password: str = PASSWORD, reason: str = REASON) -> str:
    return home.broker.root_sign_in(
        password, reason, browser.ask, caller=browser.caller, device=browser.device
    ).handle


# --- setting up -------------------------------------------------------------------------------------------


def test_root_is_set_up_by_a_link_a_password_and_two_devices(home: Home) -> None:
    browser, phone, key = home.browser_of(), Phone(home), Key()
    handle = home.begin_root(browser)
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.purpose, page.username, page.kinds, page.enrol) == (
        "enrol",
        "root",
        (),
        ("webauthn", "totp"),
    )
    assert "0 of them are there" in page.why
    assert not page.counts_later
    with pytest.raises(RootOnlyEmergency):
        begin(home, home.browser_of())
    done = browser.enrol(phone, within=handle)
    assert (done.signed_in, done.recovery_codes) == (None, ())
    assert "1 of them is there" in home.broker.challenge(handle, browser.secret, caller=CALLER).why
    with pytest.raises(RootOnlyEmergency):
        begin(home, home.browser_of())
    browser.enrol(key, "key", within=handle)
    with pytest.raises(ChallengeOver):
        home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert home.kinds()[-7:] == [
        "link.used",
        "password.changed",
        "signin.refused",
        "factor.enrolled",
        "signin.refused",
        "factor.enrolled",
        "root.set_up",
    ]
    assert home.heard.kinds()[-1] == "root.set_up"
    assert home.store.recovery_codes.left(ROOT, ROOT_SUBJECT) == 0
    home.later(minutes=1)
    assert home.root_in(home.browser_of(), phone)


def test_the_link_is_good_once_and_for_a_quarter_of_an_hour(home: Home) -> None:
    token = home.root_link()
    page = home.broker.one_time_link(token, caller=CALLER)
    assert (page.purpose, page.username) == ("root", "root")
    home.later(minutes=15)
    with pytest.raises(LinkInvalid):
        home.broker.use_one_time_link(token, PASSWORD, "b", caller=CALLER)
    token = home.root_link()
    assert isinstance(home.broker.use_one_time_link(token, PASSWORD, "b", caller=CALLER), Asked)
    with pytest.raises(LinkInvalid):
        home.broker.use_one_time_link(token, PASSWORD, "b", caller=CALLER)


def test_setting_up_anew_ends_what_was(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    home.later(minutes=1)
    other = home.browser_of()
    handle = home.begin_root(other, OTHER)
    with pytest.raises(NotSignedIn):
        _ = browser.session
    with pytest.raises(CredentialsWrong):
        begin(home, home.browser_of())
    new = Phone(home)
    other.enrol(new, within=handle)
    other.enrol(Key(), "key", within=handle)
    assert len(home.store.factors.of(ROOT, ROOT_SUBJECT)) == 2
    home.later(minutes=1)
    handle = begin(home, other, OTHER)
    with pytest.raises(CodeWrong):
        phone.answer(other, handle)
    assert isinstance(new.answer(other, handle), SignedIn)


def test_strangers_keep_nobody_out_who_holds_the_host(home: Home) -> None:
    """They use up the guesses; who sets root up anew gets in by the browser in which that was done."""
    home.root()

    def guess() -> None:
        for number in range(PASSWORDS_PER_ACCOUNT):
            with pytest.raises(CredentialsWrong):
                begin(home, home.browser_of(f"198.51.100.{number}"), "not the password")

    guess()
    with pytest.raises(TooManyGuesses):
        begin(home, home.browser_of())
    browser, phone = home.browser_of(), Phone(home)
    handle = home.begin_root(browser, OTHER)
    browser.enrol(phone, within=handle)
    with pytest.raises(TooManyGuesses):
        begin(home, browser, OTHER)  # not before both devices are there
    browser.enrol(Key(), "key", within=handle)
    home.later(minutes=1)
    asked = begin(home, browser, OTHER)
    with pytest.raises(TooManyGuesses):
        begin(home, home.browser_of(), OTHER)
    assert isinstance(phone.answer(browser, asked), SignedIn)


def test_another_browser_adds_no_device_of_its_own(home: Home) -> None:
    browser, thief = home.browser_of(), home.browser_of()
    handle = home.begin_root(browser)
    with pytest.raises(ChallengeOver):
        thief.enrol(Phone(home), within=handle)
    assert browser.enrol(Phone(home), within=handle)


# --- using ------------------------------------------------------------------------------------------------


def test_a_use_is_on_record_and_told_of_before_it_is_one(home: Home) -> None:
    phone, _, browser = home.root()
    session = home.root_in(browser, phone, f"  {REASON}\n ")
    who = session.identity
    assert (who.source, who.subject, who.username, who.claims["reason"]) == (ROOT, "root", "root", (REASON,))
    assert who.authentication.methods == ("pwd", "otp", "mfa")
    assert session.expires_at == session.idle_at == home.clock.at + timedelta(minutes=15)
    assert session.trust == home.store.users.epoch(ROOT_SUBJECT)
    # The browser is the one in which root was set up: it is known.
    assert home.kinds()[-3:] == ["mfa.proven", "root.used", "signin.succeeded"]
    record = home.records("root.used")[-1]
    assert record["reason"] == REASON
    (use,) = home.store.root_uses.all()
    assert (use.id, use.reason, use.session, use.signed_off_at) == (record["use"], REASON, session.id, None)
    assert use.ends_at == session.expires_at
    assert home.heard.kinds() == ["root.used"]
    assert REASON in home.heard.alerts[0].text
    assert home.store.people.get(ROOT, ROOT_SUBJECT) is None
    home.later(minutes=1)
    home.root_in(home.browser_of(), phone)
    assert home.kinds()[-4:] == ["mfa.proven", "root.used", "signin.succeeded", "device.new"]
    assert home.heard.kinds() == ["root.used", "root.used", "device.new"]


def test_what_cannot_be_put_on_record_is_not_used(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, _, browser = home.root()
    handle = begin(home, browser)
    record = AuditWriter.record

    def full(self, event, within=None):
        if event.kind == "root.used":
            raise AuditUnavailable
        record(self, event, within)

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            phone.answer(browser, handle)
    assert home.store.sessions.of(ROOT, ROOT_SUBJECT) == []
    assert home.store.root_uses.all() == []
    home.later(minutes=1)
    assert home.root_in(browser, phone)


def test_an_alert_that_fails_stops_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, _, browser = home.root()

    def broken(_alert) -> None:
        raise OSError

    monkeypatch.setattr(home.heard, "tell", broken)
    assert home.root_in(browser, phone)
    home.broker.credentials(browser.session, RoleAsk(ADMIN), caller=CALLER)


@pytest.mark.parametrize(
    "reason", ["", "   ", "short", "x" * (REASON_LONGEST + 1), "a reason\x07 with a bell"]
)
def test_a_reason_must_be_written(home: Home, reason: str) -> None:
    _, _, browser = home.root()
    with pytest.raises(AskRefused):
        begin(home, browser, reason=reason)
    assert begin(home, browser, reason="x" * REASON_LONGEST)


def test_root_ends_after_a_quarter_of_an_hour_whatever_is_done(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    for _ in range(14):
        home.later(minutes=1)
        assert browser.session
    home.later(minutes=1)
    with pytest.raises(NotSignedIn):
        _ = browser.session


def test_root_is_signed_out_by_a_new_password(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    home.set_password(ROOT_SUBJECT, OTHER)
    with pytest.raises(NotSignedIn):
        _ = browser.session


def test_each_device_does_and_nothing_else(home: Home) -> None:
    phone, key, _ = home.root()
    for device in (phone, key):
        home.later(minutes=1)
        assert home.root_in(home.browser_of(), device)
    browser = home.browser_of()
    handle = begin(home, browser)
    with pytest.raises(CodeWrong):
        browser.answer(handle, "AAAA-AAAA-AAAA-AAAA", "recovery")
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(CodeWrong):
        browser.answer(asked.handle, key.get(options), "webauthn")


def test_a_right_password_with_a_wrong_factor_is_told_of(home: Home) -> None:
    phone, _, browser = home.root()
    handle = begin(home, browser)
    for _ in range(3):
        with pytest.raises(CodeWrong):
            browser.answer(handle, "000000")
    assert home.heard.kinds() == ["root.refused"]
    assert len(home.records("mfa.refused")) == 3
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_a_wrong_password_is_counted_and_on_record_later(home: Home) -> None:
    phone, _, browser = home.root()
    for number in range(PASSWORDS_PER_ACCOUNT):
        stranger = home.browser_of()
        stranger.caller = replace(stranger.caller, request_id=f"r-{number}")
        with pytest.raises(CredentialsWrong):
            begin(home, stranger, OTHER)
    with pytest.raises(TooManyGuesses):
        begin(home, home.browser_of())
    home.broker.catch_up()
    assert len(home.records("signin.refused")) == PASSWORDS_PER_ACCOUNT
    # Where root was used before, it can be used.
    home.later(minutes=15)
    home.root_in(browser, phone)
    for _ in range(PASSWORDS_PER_ACCOUNT):
        with pytest.raises(CredentialsWrong):
            begin(home, home.browser_of(), OTHER)
    home.later(minutes=1)
    assert home.root_in(browser, phone)


def test_root_that_was_never_set_up_looks_like_a_wrong_password(home: Home) -> None:
    with pytest.raises(CredentialsWrong):
        begin(home, home.browser_of())
    home.store.users.ensure_root(home.clock.at)
    with pytest.raises(CredentialsWrong):
        begin(home, home.browser_of(), "")


def test_a_user_called_root_is_not_root(home: Home) -> None:
    home.user("root", groups=())
    browser = home.browser_of()
    session = browser.sign_in("root")
    assert session.identity.source == "local"
    assert home.broker.roles(session, caller=CALLER) == []


# --- what it may ------------------------------------------------------------------------------------------


def test_root_may_the_roles_for_emergencies_alone_and_for_900_seconds(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    found = home.broker.roles(browser.session, caller=CALLER)
    assert [(each.role.arn, each.needs) for each in found] == [(ADMIN, None)]
    for duration in (None, timedelta(hours=1), timedelta(minutes=20)):
        home.broker.credentials(browser.session, RoleAsk(ADMIN, duration, "look at it"), caller=CALLER)
        assert FakeAws.asked[-1].duration == timedelta(seconds=900)
    issued = home.records("credentials.issued")[-1]
    assert (issued["reason"], issued["duration"]) == (f"{REASON}; look at it", 900)
    assert issued["statements"] == ["root (BreakGlass)"]
    for role in (READ_ONLY, "arn:aws:iam::111122223333:role/Nothing"):
        with pytest.raises(RoleUnknown):
            home.broker.credentials(browser.session, RoleAsk(role), caller=CALLER)


def test_no_deny_and_no_guardrail_takes_it_away(home: Home) -> None:
    said = [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    _, sre = home.browser("ben", "sre")
    home.broker.credentials(sre, RoleAsk(ADMIN), caller=CALLER)
    (home.config / "guardrails" / "organisation").mkdir(parents=True)
    document = json.dumps({"Version": "2012-10-17", "Statement": said})
    home.write("guardrails/organisation/nothing.json", document)
    home.apply()
    with pytest.raises(RoleUnknown):
        home.broker.credentials(sre, RoleAsk(ADMIN), caller=CALLER)
    home.broker.credentials(browser.session, RoleAsk(ADMIN), caller=CALLER)
    assert home.parts.delegation.rights(browser.session, caller=CALLER) == frozenset(actions.ACTIONS)


def test_root_needs_no_directory(home: Home) -> None:
    phone, _, browser = home.root()
    for folder in ("providers", "clients"):
        for each in (home.config / folder).iterdir():
            each.unlink()
    role = "Admin: {description: Everything, break_glass: true}"
    home.write("accounts.yaml", f'"111122223333": {{name: production, roles: {{{role}}}}}\n')
    home.apply()
    home.root_in(browser, phone)
    home.broker.credentials(browser.session, RoleAsk(ADMIN), caller=CALLER)


def test_root_lets_no_helper_and_no_app_in(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    helper = Helper(home)
    with pytest.raises(RootOnlyEmergency):
        helper.code(browser.session, ASK)
    device = helper.begin()
    with pytest.raises(RootOnlyEmergency):
        home.broker.device(browser.session, device.user_code, caller=CALLER)
    with pytest.raises(RootOnlyEmergency):
        home.broker.decide_device(browser.session, device.user_code, allow=True, caller=CALLER)
    _, ana = home.browser()
    assert helper.sign_in(ana)


def test_a_clients_session_of_root_would_be_worth_nothing(home: Home) -> None:
    phone, _, browser = home.root()
    session = home.root_in(browser, phone)
    forged = replace(session, id="f" * 16, client="cli", approved_by=session.id)
    epoch = home.store.users.epoch(ROOT_SUBJECT)
    running = home.parts.active.current()
    assert living(session, running, home.clock.at, epoch)
    with pytest.raises(NotSignedIn):
        living(forged, running, home.clock.at, epoch)
    with pytest.raises(RootOnlyEmergency):
        home.broker.credentials(forged, RoleAsk(ADMIN), caller=CALLER)


def test_root_cannot_sign_itself_off_and_somebody_else_can(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    (use,) = home.store.root_uses.all()
    with pytest.raises(SecondPersonNeeded):
        home.parts.delegation.sign_off_root(browser.session, use.id, "all in order here", caller=CALLER)
    assert home.store.root_uses.all()[0].signed_off_at is None
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "daypass:*", "Resource": "*"}],
    }
    home.user(inline=[everything])
    other = home.browser_of()
    other.sign_in()
    home.parts.delegation.sign_off_root(other.session, use.id, "all in order here", caller=CALLER)
    assert home.store.root_uses.all()[0].signed_off_by == "local/lena"


def test_nobody_whom_root_made_or_gave_a_password_signs_it_off(home: Home) -> None:
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "daypass:*", "Resource": "*"}],
    }
    there = home.user(inline=[everything])
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    (use,) = home.store.root_uses.all()
    home.later(minutes=1)
    home.user("puppet", inline=[everything])

    def sign_off(name: str, password: str) -> None:
        own = home.browser_of()
        own.sign_in(name, password)
        home.parts.delegation.sign_off_root(own.session, use.id, "all in order here", caller=CALLER)

    for _ in range(2):
        with pytest.raises(SecondPersonNeeded):
            sign_off("puppet", PASSWORD)
        home.later(hours=1)
    home.set_password(there.id, OTHER)  # as by a link that root made
    with pytest.raises(SecondPersonNeeded):
        sign_off("lena", OTHER)
    assert home.store.root_uses.all()[0].signed_off_at is None
    # Of the next use they can say something.
    home.root_in(browser, phone)
    use = home.store.root_uses.all()[0]
    sign_off("lena", OTHER)
    assert [each.signed_off_by for each in home.store.root_uses.all()] == ["local/lena", ""]


def test_root_may_administer_everything(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    assert home.parts.delegation.rights(browser.session, caller=CALLER) == frozenset(actions.ACTIONS)


def test_root_keeps_two_devices_and_has_no_codes(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    mine = home.broker.own_factors(browser.session, caller=CALLER)
    assert (len(mine.factors), mine.has_password, mine.recent) == (2, True, True)
    with pytest.raises(RootOnlyEmergency):
        home.broker.remove_factor(browser.session, mine.factors[0].id, caller=CALLER)
    with pytest.raises(RootOnlyEmergency):
        home.broker.new_recovery_codes(browser.session, caller=CALLER)
    browser.enrol(Key(), "third")
    home.broker.remove_factor(browser.session, mine.factors[1].id, caller=CALLER)
    assert home.heard.kinds()[-2:] == ["factor.enrolled", "factor.removed"], (
        "operators hear of root's devices"
    )


def test_roots_own_factor_can_be_proven_again(home: Home) -> None:
    phone, _, browser = home.root()
    home.root_in(browser, phone)
    home.later(minutes=1)
    handle = home.broker.begin_step_up(browser.session, StepUpAsk(), browser.secret, caller=CALLER).handle
    end = browser.session.expires_at
    assert isinstance(phone.answer(browser, handle), SignedIn)
    assert browser.session.expires_at == end
    assert home.store.audit.search(Search(kind="root.used"))
