"""A person's own devices, recovery codes and password: changed by whoever proves that it is they."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.errors import (
    AccessRefused,
    AskRefused,
    AuditUnavailable,
    ChallengeOver,
    CodeWrong,
    CredentialsWrong,
    FactorsFull,
    FactorUnknown,
    MfaMissing,
    NotSignedIn,
    PasswordRefused,
    ProofNotRecent,
    TooManyGuesses,
)
from app.limits import PASSWORDS_PER_DEVICE
from app.model import SignedIn
from app.people import LOCAL, MOST_FACTORS, Account, Asked, Factor, FactorAnswer
from tests.helper import Helper
from tests.home import OTHER, PASSWORD, Browser, Home, Key, Phone, opened_home
from tests.house import CALLER


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


def own(home: Home, browser: Browser):
    return home.broker.own_factors(browser.session, caller=CALLER)


# --- what there is ----------------------------------------------------------------------------------------


def test_people_see_what_they_have(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    found = own(home, browser)
    assert (found.factors, found.recovery_left, found.has_password, found.recent) == ((), 0, True, True)
    assert (found.enrolable, found.known_devices) == (("webauthn", "totp"), 1)
    done = browser.enrol(phone, " my \t phone ")
    found = own(home, browser)
    assert [each.name for each in found.factors] == ["my phone"]
    assert (found.recovery_left, found.recent) == (10, False), "now the device is the proof"
    assert done.factor == replace(found.factors[0], facts=done.factor.facts)
    assert phone.secret not in repr(done)
    assert phone.secret not in repr(found)


def test_people_of_a_directory_have_no_password_here(home: Home) -> None:
    browser = home.browser_of()
    browser.token, session = home.browser()
    found = own(home, browser)
    assert (found.has_password, found.recent, found.enrolable) == (False, True, ("webauthn", "totp"))
    with pytest.raises(AskRefused):
        home.broker.change_password(session, "a", OTHER, caller=CALLER)


# --- adding -----------------------------------------------------------------------------------------------


def test_a_first_device_is_told_of_and_on_record_with_its_codes(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    browser.sign_in()
    home.heard.alerts.clear()
    done = browser.enrol(Phone(home))
    assert done.factor.first
    assert done.signed_in is None
    assert len(set(done.recovery_codes)) == 10
    assert home.heard.kinds() == ["factor.enrolled to lena@acme.test"]
    assert home.kinds()[-2:] == ["factor.enrolled", "recovery_codes.made"]
    detail = home.records("factor.enrolled")[-1]
    assert (detail["kind"], detail["name"], detail["first"], detail["within"]) == (
        "totp",
        "phone",
        True,
        "session",
    )
    assert home.store.recovery_codes.left(LOCAL, user.id) == 10


def test_a_second_device_needs_the_first_and_brings_no_codes(home: Home) -> None:
    _, phone, browser = home.with_phone()
    browser.sign_in(device=phone)
    done = browser.enrol(Key(), "key")
    assert (done.factor.first, done.recovery_codes) == (False, ())


@pytest.mark.parametrize("has_device", [False, True])
def test_a_stolen_cookie_changes_nothing(home: Home, has_device: bool) -> None:
    """The session is older than ten minutes, and so is its proof."""
    user, phone, browser = home.with_phone()
    if not has_device:
        home.store.factors.end(home.devices(user)[0].id, home.clock.at)
        browser.sign_in()
    else:
        browser.sign_in(device=phone)
    home.later(minutes=10)
    assert own(home, browser).recent
    home.later(seconds=1)
    assert not own(home, browser).recent
    session = browser.session
    id = home.devices(user)[0].id if has_device else "0" * 16
    attempts = [
        lambda: browser.enrol(Phone(home)),
        lambda: home.broker.rename_factor(session, id, "mine", caller=CALLER),
        lambda: home.broker.remove_factor(session, id, caller=CALLER),
        lambda: home.broker.new_recovery_codes(session, caller=CALLER),
    ]
    for attempt in attempts:
        with pytest.raises(ProofNotRecent):
            attempt()
    with pytest.raises(ProofNotRecent if has_device else CredentialsWrong):
        home.broker.change_password(session, OTHER, OTHER, caller=CALLER)
    if has_device:
        assert isinstance(phone.answer(browser, browser.step_up()), SignedIn)
    else:
        browser.sign_in()
    assert browser.enrol(Key(), "key")


def test_the_proof_is_looked_at_again_when_it_is_finished(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    home.later(minutes=8)
    begun = home.broker.begin_enrolment("totp", browser.secret, caller=CALLER, session=browser.session)
    home.later(minutes=3)
    with pytest.raises(ProofNotRecent):
        home.broker.finish_enrolment(
            begun.handle,
            browser.secret,
            FactorAnswer("totp", phone.made(begun)),
            "phone",
            caller=CALLER,
            session=browser.session,
        )


def test_an_enrolment_belongs_to_its_browser_and_its_person(home: Home) -> None:
    home.user()
    home.user("mona")
    browser, phone, thief = home.browser_of(), Phone(home), home.browser_of()
    browser.sign_in()
    thief.sign_in("mona")
    begun = home.broker.begin_enrolment("totp", browser.secret, caller=CALLER, session=browser.session)
    code = phone.made(begun)

    def finish(secret: str, session) -> None:
        home.broker.finish_enrolment(
            begun.handle, secret, FactorAnswer("totp", code), "phone", caller=CALLER, session=session
        )

    for secret, session in (
        (thief.secret, thief.session),
        (browser.secret, thief.session),
        (thief.secret, browser.session),
        (browser.secret, None),
    ):
        with pytest.raises(ChallengeOver):
            finish(secret, session)
    finish(browser.secret, browser.session)
    with pytest.raises(ChallengeOver):
        finish(browser.secret, browser.session)
    assert len(own(home, browser).factors) == 1


def test_a_device_is_added_once_it_has_shown_a_code(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    begun = home.broker.begin_enrolment("totp", browser.secret, caller=CALLER, session=browser.session)
    code = phone.made(begun)

    def finish(text: str, kind="totp", name: str = "phone"):
        return home.broker.finish_enrolment(
            begun.handle,
            browser.secret,
            FactorAnswer(kind, text),
            name,
            caller=CALLER,
            session=browser.session,
        )

    for name in ("", "   ", "x" * 65, "a\x07b"):
        with pytest.raises(AskRefused):
            finish(code, name=name)
    for text, kind in (("000000", "totp"), (code, "webauthn"), (code, "recovery")):
        with pytest.raises(CodeWrong):
            finish(text, kind)
    assert own(home, browser).factors == ()
    assert finish(code).factor.name == "phone"
    # The code that showed it is used up.
    asked = home.browser_of()
    waiting = asked.password()
    assert isinstance(waiting, Asked)
    with pytest.raises(CodeWrong):
        asked.answer(waiting.handle, code)


def test_eight_devices_are_the_most(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    browser.enrol(phone)
    home.later(minutes=1)
    browser.sign_in(device=phone)
    for number in range(7):
        browser.enrol(Key(), f"key {number}")
    assert own(home, browser).enrolable == ()
    with pytest.raises(FactorsFull):
        browser.enrol(Key(), "one more")
    first = own(home, browser).factors[1]
    home.broker.remove_factor(browser.session, first.id, caller=CALLER)
    assert browser.enrol(Key(), "one more")


def test_what_the_people_of_another_source_left_is_nobodys(home: Home) -> None:
    """Behind the source's name there are other people now: their subjects may be those of others before."""
    token, session = home.browser()
    who = session.identity
    for number in range(MOST_FACTORS):
        theirs = Factor(
            f"{number:016x}", who.source, who.subject, "totp", "old", home.clock.at, "another space"
        )
        assert home.store.factors.add(replace(theirs, facts={"secret": "A" * 32}), MOST_FACTORS)
    home.store.recovery_codes.replace(who.source, who.subject, ["0" * 16], home.clock.at)
    browser, phone = home.browser_of(), Phone(home)
    browser.token = token
    mine = home.broker.own_factors(browser.session, caller=CALLER)
    assert (mine.factors, mine.recovery_left, len(mine.enrolable)) == ((), 0, 2)
    assert len(browser.enrol(phone).recovery_codes) == 10
    home.later(minutes=1)
    handle = browser.step_up()
    with pytest.raises(CodeWrong):
        browser.answer(handle, "0" * 16, "recovery")
    assert isinstance(phone.answer(browser, handle), SignedIn)
    assert len(home.broker.own_factors(browser.session, caller=CALLER).factors) == 1


def test_a_key_is_one_persons_alone(home: Home) -> None:
    home.user()
    home.user("mona")
    key, browser, other = Key(), home.browser_of(), home.browser_of()
    browser.sign_in()
    browser.enrol(key, "key")
    other.sign_in("mona")
    with pytest.raises(CodeWrong):
        other.enrol(key, "key")
    assert other.enrol(Key(), "key")


def test_all_keys_of_a_person_have_one_handle_that_names_nobody(home: Home) -> None:
    user, browser, first, second = home.user(), home.browser_of(), Key(), Key()
    browser.sign_in()
    browser.enrol(first, "one")
    home.later(minutes=1)
    browser.sign_in(device=first)
    browser.enrol(second, "two")
    handle = first.authenticator.user_handle
    assert (len(handle), handle) == (32, second.authenticator.user_handle)
    assert user.id.encode() not in handle
    assert home.user("mona")
    other, third = home.browser_of(), Key()
    other.sign_in("mona")
    other.enrol(third, "three")
    assert third.authenticator.user_handle != handle


def test_nothing_is_added_that_is_not_on_record(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.user()
    browser = home.browser_of()
    browser.sign_in()

    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            browser.enrol(Phone(home))
    assert own(home, browser).factors == ()
    assert browser.enrol(Phone(home))


def test_helpers_and_apps_change_nothing_of_their_person(home: Home) -> None:
    home.user()
    browser = home.browser_of()
    browser.sign_in()
    helper = Helper(home)
    session = helper.bearer(helper.sign_in(browser.session))
    for attempt in (
        lambda: home.broker.begin_enrolment("totp", browser.secret, caller=CALLER, session=session),
        lambda: home.broker.remove_factor(session, "0" * 16, caller=CALLER),
        lambda: home.broker.new_recovery_codes(session, caller=CALLER),
        lambda: home.broker.change_password(session, PASSWORD, OTHER, caller=CALLER),
        lambda: home.broker.end_all_sessions(session, caller=CALLER),
    ):
        with pytest.raises(AccessRefused):
            attempt()
    assert browser.enrol(Phone(home))


def test_no_session_and_no_challenge_is_nobody(home: Home) -> None:
    browser = home.browser_of()
    with pytest.raises(ChallengeOver):
        home.broker.begin_enrolment("totp", browser.secret, caller=CALLER)
    with pytest.raises(ChallengeOver):
        home.broker.begin_enrolment("totp", browser.secret, caller=CALLER, within="x" * 43)
    home.user()
    browser.sign_in()
    with pytest.raises(AskRefused):
        home.broker.begin_enrolment("sms", browser.secret, caller=CALLER, session=browser.session)  # type: ignore[arg-type]


def test_a_sign_in_of_somebody_with_a_device_enrols_none(home: Home) -> None:
    """Whoever has the password alone must not add a device of their own."""
    _, _, browser = home.with_phone()
    waiting = browser.password()
    assert isinstance(waiting, Asked)
    with pytest.raises(ChallengeOver):
        browser.enrol(Phone(home), within=waiting.handle)


# --- changing ---------------------------------------------------------------------------------------------


def test_a_device_is_renamed_and_removed_by_its_person_alone(home: Home) -> None:
    user, phone, browser = home.with_phone()
    _, theirs, thief = home.with_phone("mona")
    browser.sign_in(device=phone)
    thief.sign_in("mona", device=theirs)
    id = home.devices(user)[0].id
    for attempt in (
        lambda: home.broker.rename_factor(thief.session, id, "mine", caller=CALLER),
        lambda: home.broker.remove_factor(thief.session, id, caller=CALLER),
        lambda: home.broker.remove_factor(browser.session, "'", caller=CALLER),
    ):
        with pytest.raises(FactorUnknown):
            attempt()
    with pytest.raises(AskRefused):
        home.broker.rename_factor(browser.session, id, " ", caller=CALLER)
    home.broker.rename_factor(browser.session, id, "old phone", caller=CALLER)
    assert home.devices(user)[0].name == "old phone"
    assert home.records("factor.changed")[-1] == {"factor": id, "name": "old phone", "was": "phone"}
    home.heard.alerts.clear()
    home.broker.remove_factor(browser.session, id, caller=CALLER)
    assert home.devices(user) == []
    assert home.store.recovery_codes.left(LOCAL, user.id) == 0, "codes stand for a device"
    assert home.heard.kinds() == ["factor.removed to lena@acme.test"]
    assert home.records("factor.removed")[-1]["factor"] == id
    with pytest.raises(FactorUnknown):
        home.broker.remove_factor(browser.session, id, caller=CALLER)
    assert isinstance(browser.password(), SignedIn)


def test_new_recovery_codes_replace_the_old_ones(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    with pytest.raises(MfaMissing):
        home.broker.new_recovery_codes(browser.session, caller=CALLER)
    old = browser.enrol(phone).recovery_codes
    home.later(minutes=1)
    browser.sign_in(device=phone)
    home.heard.alerts.clear()
    new = home.broker.new_recovery_codes(browser.session, caller=CALLER)
    assert (len(new), set(new) & set(old)) == (10, set())
    assert home.heard.kinds() == ["recovery_codes.made to lena@acme.test"]
    stranger = home.browser_of()
    waiting = stranger.password()
    assert isinstance(waiting, Asked)
    with pytest.raises(CodeWrong):
        stranger.answer(waiting.handle, old[0], "recovery")
    assert isinstance(stranger.answer(waiting.handle, new[0], "recovery"), SignedIn)


def test_a_new_password_must_be_one_and_the_old_one_right(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    session = browser.sign_in()
    home.later(hours=1)
    before = home.store.users.account(user.id)
    for old, new, refused in (
        (OTHER, "another long password of mine", CredentialsWrong),
        (PASSWORD, "short", PasswordRefused),
        (PASSWORD, PASSWORD, PasswordRefused),
        (PASSWORD, "lena lena lena", PasswordRefused),
        (PASSWORD, "password1234", PasswordRefused),
        (PASSWORD, "x" * 257, PasswordRefused),
    ):
        with pytest.raises(refused):
            home.broker.change_password(browser.session, old, new, caller=CALLER, device=browser.device)
    assert home.store.users.account(user.id) == before
    stolen = browser.token
    browser.new_password(PASSWORD, OTHER)
    assert browser.session.id == session.id and browser.session.csrf != session.csrf
    with pytest.raises(NotSignedIn):
        home.broker.session(stolen, caller=CALLER)


def test_a_session_that_changed_the_password_ends_with_the_next_one_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's link sets another password in the moment after."""
    user, browser = home.user(), home.browser_of()
    browser.sign_in()
    home.later(minutes=1)
    store = home.store.users
    plain = store.set_account
    third = home.broker._hashing.hash("seven quiet lanterns burning")

    def and_then(account, now) -> bool:
        done = plain(account, now)
        plain(Account(user.id, third, now + timedelta(seconds=1)), now)
        return done

    monkeypatch.setattr(store, "set_account", and_then)
    with pytest.raises(AssertionError, match="the session has ended"):
        browser.new_password(PASSWORD, OTHER)
    with pytest.raises(NotSignedIn):
        _ = browser.session


def test_the_old_password_is_not_to_be_guessed_with_a_stolen_cookie(home: Home) -> None:
    home.user()
    browser = home.browser_of()
    browser.sign_in()
    for _ in range(PASSWORDS_PER_DEVICE):
        with pytest.raises(CredentialsWrong):
            home.broker.change_password(browser.session, OTHER, OTHER, caller=CALLER)
    with pytest.raises(TooManyGuesses):
        home.broker.change_password(browser.session, PASSWORD, OTHER, caller=CALLER)
    home.broker.change_password(browser.session, PASSWORD, OTHER, caller=CALLER, device=browser.device)


def test_a_waiting_link_is_worth_nothing_after_a_change(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    browser.sign_in()
    home.broker.ask_password_link("lena", caller=CALLER)
    home.broker.catch_up()
    token = home.heard.alerts[-1].text.partition("/link?t=")[2].split()[0]
    assert home.store.links.peek(token, home.clock.at).user == user.id
    home.later(minutes=1)
    home.broker.change_password(browser.session, PASSWORD, OTHER, caller=CALLER, device=browser.device)
    assert home.store.links.peek(token, home.clock.at) is None
