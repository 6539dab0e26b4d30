"""What a sign-in needs next, and its answer: once, of the right browser, by the right person's device."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.broker.finishing import Believed, hash_of
from app.broker.needs import need
from app.errors import (
    ChallengeOver,
    CodeWrong,
    NotSignedIn,
    Refusal,
    SignInNotAllowed,
    SignInNotOurs,
    TooManyGuesses,
)
from app.limits import CODES_PER_PERSON
from app.model import SignedIn, SourceId
from app.people import LOCAL, Asked, UserState
from tests.home import OTHER, PASSWORD, Browser, Home, Key, Phone, opened_home
from tests.house import BROWSER, CALLER

CORP = SourceId("corp")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


def policy(condition: dict, effect: str = "Deny") -> dict:
    said = {"Effect": effect, "Action": "daypass:SignIn", "Resource": "*", "Condition": condition}
    return {"Version": "2012-10-17", "Statement": [said]}


WITHOUT_MFA = policy({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
PHISHABLE = policy({"Bool": {"daypass:PhishingResistant": "false"}})


def asked(result: SignedIn | Asked) -> str:
    assert isinstance(result, Asked), result
    return result.handle


# --- the way through --------------------------------------------------------------------------------------


def test_a_user_with_a_phone_proves_it_at_every_sign_in(home: Home) -> None:
    user, phone, browser = home.with_phone()
    handle = asked(browser.password())
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.purpose, page.username, page.kinds, page.enrol) == (
        "sign_in",
        "lena",
        ("totp", "recovery"),
        (),
    )
    assert (page.why, page.next) == ("You are signing in as lena.", "/roles")
    began = home.clock.at
    home.later(minutes=2)
    done = phone.answer(browser, handle)
    assert isinstance(done, SignedIn)
    how = done.session.identity.authentication
    assert (done.next, how.methods, how.mfa_at) == ("/roles", ("pwd", "otp", "mfa"), home.clock.at)
    assert (how.phishing_resistant, how.enrolled_at) == (False, home.devices(user)[0].enrolled_at)
    assert done.session.began == began, "the sign-in began with the password"
    assert home.kinds()[-2:] == ["mfa.proven", "signin.succeeded"]
    assert home.records("mfa.proven")[-1] == {
        "kind": "totp",
        "factor": home.devices(user)[0].id,
        "methods": ["otp", "mfa"],
        "purpose": "sign_in",
    }
    assert home.records("signin.succeeded")[-1]["mfa"] is True
    home.later(hours=1)
    assert isinstance(browser.password(), Asked)


def test_nobody_has_a_session_before_the_factor(home: Home) -> None:
    user, _, browser = home.with_phone()
    asked(browser.password())
    assert home.store.sessions.of(LOCAL, user.id) == []


@pytest.mark.parametrize("verified", [True, False])
def test_a_security_key_is_a_second_factor(home: Home, verified: bool) -> None:
    home.user()
    browser, key = home.browser_of(), Key()
    browser.sign_in()
    browser.enrol(key, "key")
    home.later(hours=1)
    if not verified:
        key.authenticator.flags = 0x01
    how = browser.sign_in(device=key).identity.authentication
    assert how.methods == ("pwd", "hwk", *(("user",) if verified else ()), "mfa")
    assert how.phishing_resistant is verified


# --- attacks ----------------------------------------------------------------------------------------------


def at_once(works: list) -> list[object]:
    def run(work) -> object:
        try:
            return work()
        except Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_of_twenty_with_the_same_code_one_gets_in(home: Home) -> None:
    user, phone, _ = home.with_phone()
    browsers = [home.browser_of() for _ in range(20)]
    handles = [asked(each.password()) for each in browsers]
    code = phone.code()
    results = at_once(
        [
            lambda each=each, handle=handle: each.answer(handle, code)
            for each, handle in zip(browsers, handles, strict=True)
        ]
    )
    assert sum(isinstance(each, SignedIn) for each in results) == 1
    assert set(map(type, results)) == {SignedIn, type}
    assert {each for each in results if isinstance(each, type)} <= {CodeWrong, TooManyGuesses}
    assert len(home.store.sessions.of(LOCAL, user.id)) == 1
    # The honest twin: whoever lost waits for the next code, in a browser in which they signed in before.
    home.later(seconds=30)
    (winner,) = [each for each in browsers if each.token]
    winner.token = ""
    assert winner.sign_in(device=phone)


def test_a_challenge_that_is_answered_twenty_times_at_once_is_finished_once(home: Home) -> None:
    user, phone, browser = home.with_phone()
    handle, code = asked(browser.password()), phone.code()
    results = at_once([lambda: browser.answer(handle, code)] * 20)
    assert sum(isinstance(each, SignedIn) for each in results) == 1
    assert len(home.store.sessions.of(LOCAL, user.id)) == 1
    home.later(seconds=30)
    with pytest.raises(ChallengeOver):
        browser.answer(handle, phone.code())


def test_a_code_is_taken_once_and_an_older_one_never(home: Home) -> None:
    _, phone, browser = home.with_phone()
    old, code = phone.code(), phone.code(1)
    home.later(seconds=30)
    assert browser.sign_in(device=phone)
    home.later(seconds=1)
    for late in (code, old):
        with pytest.raises(CodeWrong):
            browser.answer(asked(browser.password()), late)
    home.later(seconds=30)
    assert browser.sign_in(device=phone)


def test_a_code_of_somebody_else_is_none(home: Home) -> None:
    _, phone, browser = home.with_phone()
    _, other, _ = home.with_phone("mona")
    handle = asked(browser.password())
    with pytest.raises(CodeWrong):
        other.answer(browser, handle)
    assert home.records("mfa.refused")[-1]["kind"] == "totp"
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_a_key_of_somebody_else_is_none(home: Home) -> None:
    keys = {}
    for name in ("lena", "mona"):
        home.user(name)
        browser, keys[name] = home.browser_of(), Key()
        browser.sign_in(name)
        browser.enrol(keys[name], "key")
    home.later(hours=1)
    browser = home.browser_of()
    handle = asked(browser.password("lena"))
    with pytest.raises(CodeWrong):
        keys["mona"].answer(browser, handle)
    assert isinstance(keys["lena"].answer(browser, handle), SignedIn)


def test_a_challenge_is_its_browsers_alone(home: Home) -> None:
    _, phone, browser = home.with_phone()
    thief, handle = home.browser_of(), asked(browser.password())
    with pytest.raises(ChallengeOver):
        home.broker.challenge(handle, thief.secret, caller=CALLER)
    with pytest.raises(ChallengeOver):
        thief.answer(handle, phone.code())
    with pytest.raises(ChallengeOver):
        home.broker.challenge(handle, "", caller=CALLER)
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_five_wrong_answers_end_a_challenge(home: Home) -> None:
    _, phone, browser = home.with_phone()
    handle = asked(browser.password())
    for _ in range(5):
        with pytest.raises(CodeWrong):
            browser.answer(handle, "000000")
    with pytest.raises(ChallengeOver):
        browser.answer(handle, phone.code())
    assert browser.sign_in(device=phone), "four of ten are left to the person"


def test_whose_first_factor_somebody_has_hears_of_the_fifth_wrong_answer(home: Home) -> None:
    _, phone, _ = home.with_phone()
    for wrong in range(1, 9):  # never five of one challenge
        thief = home.browser_of(f"203.0.113.{wrong}")
        with pytest.raises(CodeWrong):
            thief.answer(asked(thief.password()), "000000")
        assert home.heard.kinds() == ["factor.guessed to lena@acme.test"] * (wrong > 4)
    assert "from 203.0.113.5" in home.heard.alerts[0].text
    home.later(minutes=16)
    own = home.browser_of()
    handle = asked(own.password())
    with pytest.raises(CodeWrong):
        own.answer(handle, "000000")
    assert isinstance(phone.answer(own, handle), SignedIn)
    assert home.heard.kinds() == ["factor.guessed to lena@acme.test", "device.new to lena@acme.test"]


def test_a_double_click_is_no_wrong_answer(home: Home) -> None:
    """A code that was right and came twice ends nothing, as it tells nobody anything."""
    _, phone, browser = home.with_phone()
    code = phone.code()
    assert browser.sign_in(device=phone)
    handle = asked(browser.password())
    for _ in range(6):
        with pytest.raises(CodeWrong):
            browser.answer(handle, code)
    home.later(seconds=30)
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_a_challenge_is_over_after_ten_minutes(home: Home) -> None:
    _, phone, browser = home.with_phone()
    handle = asked(browser.password())
    home.later(minutes=9, seconds=59)
    assert home.broker.challenge(handle, browser.secret, caller=CALLER).kinds
    home.later(seconds=1)
    with pytest.raises(ChallengeOver):
        phone.answer(browser, handle)


def test_codes_are_guessed_nowhere_and_the_owner_gets_in_where_known(home: Home) -> None:
    _, phone, browser = home.with_phone()
    told = []
    for _ in range(4):
        thief = home.browser_of()
        handle = asked(thief.password())
        for _ in range(4):
            with pytest.raises((CodeWrong, TooManyGuesses)) as refused:
                thief.answer(handle, "000000")
            told.append(type(refused.value))
    assert told == [CodeWrong] * CODES_PER_PERSON + [TooManyGuesses] * (16 - CODES_PER_PERSON)
    thief = home.browser_of()
    with pytest.raises(TooManyGuesses):
        thief.answer(asked(thief.password()), phone.code())
    assert browser.sign_in(device=phone)


def test_refusals_of_one_person_on_record_are_bounded(home: Home) -> None:
    """Whoever has the password cannot fill the trail with answers of keys, which are no guesses."""
    home.user()
    browser, key = home.browser_of(), Key()
    browser.sign_in()
    browser.enrol(key, "key")
    for _ in range(6):
        thief = home.browser_of()
        handle = asked(thief.password())
        for _ in range(5):
            with pytest.raises(CodeWrong):
                thief.answer(handle, "{}", "webauthn")
    assert len(home.records("mfa.refused")) == 20


@pytest.mark.parametrize("kind", ["sms", "hotp", ""])
def test_a_kind_that_there_is_not_is_a_wrong_answer(home: Home, kind: str) -> None:
    _, phone, browser = home.with_phone()
    handle = asked(browser.password())
    with pytest.raises(CodeWrong):
        browser.answer(handle, "123456", kind)  # type: ignore[arg-type]
    assert isinstance(phone.answer(browser, handle), SignedIn)


def test_a_key_that_may_have_been_copied_is_refused_and_told_of(home: Home) -> None:
    home.user()
    browser, key = home.browser_of(), Key()
    browser.sign_in()
    browser.enrol(key, "key")
    home.later(hours=1)
    key.authenticator.counter = 50
    browser.sign_in(device=key)
    home.later(hours=1)
    home.heard.alerts.clear()
    key.authenticator.counter = 20
    handle = asked(browser.password())
    with pytest.raises(CodeWrong):
        key.answer(browser, handle)
    assert home.heard.kinds() == ["factor.copied"]
    assert "copy" in str(home.records("factor.changed")[-1]["why"])
    key.authenticator.counter = 60
    assert isinstance(key.answer(browser, handle), SignedIn)


@pytest.mark.parametrize("change", ["disabled", "password", "epoch"])
def test_what_was_proven_is_worth_nothing_once_the_account_has_changed(home: Home, change: str) -> None:
    user, phone, browser = home.with_phone()
    handle = asked(browser.password())
    if change == "disabled":
        home.end(user, UserState.DISABLED)
    elif change == "password":
        home.later(seconds=1)
        home.set_password(user.id, OTHER)
    else:
        home.store.users.renew_epoch(user.id, home.clock.at)
    with pytest.raises(ChallengeOver):
        phone.answer(browser, handle)
    if change != "disabled":
        password = OTHER if change == "password" else PASSWORD
        assert browser.sign_in(password=password, device=phone)


def test_a_removed_device_is_none_and_a_sign_in_goes_on_without(home: Home) -> None:
    user, phone, browser = home.with_phone()
    handle = asked(browser.password())
    home.store.factors.end(home.devices(user)[0].id, home.clock.at)
    with pytest.raises(CodeWrong):
        phone.answer(browser, handle)
    assert isinstance(browser.password(), SignedIn)


# --- recovery codes ---------------------------------------------------------------------------------------


def test_a_recovery_code_is_good_once_and_the_person_hears_of_it(home: Home) -> None:
    home.user()
    browser, phone = home.browser_of(), Phone(home)
    browser.sign_in()
    codes = browser.enrol(phone).recovery_codes
    assert len(codes) == 10
    home.later(hours=1)
    home.heard.alerts.clear()
    handle = asked(browser.password())
    assert isinstance(browser.answer(handle, codes[3].lower().replace("-", " "), "recovery"), SignedIn)
    assert home.heard.kinds() == ["recovery_code.used to lena@acme.test"]
    assert "9 are left" in home.heard.alerts[0].text
    handle = asked(browser.password())
    with pytest.raises(CodeWrong):
        browser.answer(handle, codes[3], "recovery")
    assert isinstance(browser.answer(handle, codes[4], "recovery"), SignedIn)


def test_a_recovery_code_of_somebody_else_is_none(home: Home) -> None:
    codes = {}
    for name in ("lena", "mona"):
        home.user(name)
        browser = home.browser_of()
        browser.sign_in(name)
        codes[name] = browser.enrol(Phone(home)).recovery_codes
    browser = home.browser_of()
    handle = asked(browser.password())
    with pytest.raises(CodeWrong):
        browser.answer(handle, codes["mona"][0], "recovery")
    assert isinstance(browser.answer(handle, codes["lena"][0], "recovery"), SignedIn)


# --- who must have one ------------------------------------------------------------------------------------


def force(home: Home, group: str) -> None:
    home.before = (home.config / "groups.yaml").read_text()
    home.write("groups.yaml", f"{home.before}\n{group}:\n  mfa: true\n")
    home.apply()


def test_whoever_must_have_a_factor_enrols_one_within_the_sign_in(home: Home) -> None:
    force(home, "contractors")
    user, browser, phone = home.user(), home.browser_of(), Phone(home)
    handle = asked(browser.password())
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.kinds, page.enrol, page.counts_later) == ((), ("webauthn", "totp"), True)
    with pytest.raises(CodeWrong):
        browser.answer(handle, "123456")
    done = browser.enrol(phone, within=handle)
    assert done.signed_in is not None
    assert len(done.recovery_codes) == 10
    how = browser.session.identity.authentication
    assert (how.methods, how.mfa_at, how.enrolled_at) == (
        ("pwd", "otp", "mfa"),
        home.clock.at,
        home.clock.at,
    )
    assert done.factor.first
    assert home.records("factor.enrolled")[-1]["within"] == "sign_in"
    assert "factor.enrolled to lena@acme.test" in home.heard.kinds()
    assert "factor.first_enrolled" not in home.heard.kinds(), "operators hear of step-ups alone"
    assert home.devices(user)[0].name == "phone"
    home.later(hours=1)
    assert browser.sign_in(device=phone)
    assert isinstance(home.browser_of().password("mona") if home.user("mona", groups=()) else None, SignedIn)


def directory(home: Home, proof=None) -> tuple[SignedIn | Asked, Browser]:
    browser = home.browser_of()
    browser.secret = BROWSER
    return home.broker.sign_in(proof or home.begin(), caller=CALLER, device=browser.device), browser


def test_people_of_a_directory_are_asked_only_where_a_group_says_so(home: Home) -> None:
    assert isinstance(directory(home)[0], SignedIn)
    force(home, "engineering")
    result, browser = directory(home)
    phone = Phone(home)
    page = home.broker.challenge(asked(result), BROWSER, caller=CALLER)
    assert page.enrol == ("webauthn", "totp")
    done = browser.enrol(phone, within=result.handle)
    assert done.signed_in is not None
    session = browser.session
    assert session.identity.source == CORP
    assert session.identity.authentication.methods[-2:] == ("otp", "mfa")
    home.later(hours=1)
    result, browser = directory(home)
    assert home.broker.challenge(asked(result), BROWSER, caller=CALLER).kinds == ("totp", "recovery")
    assert isinstance(phone.answer(browser, result.handle), SignedIn)
    # Without the rule a device is no duty.
    home.write("groups.yaml", home.before)
    home.apply()
    assert isinstance(directory(home)[0], SignedIn)


def test_a_directorys_own_second_factor_is_enough(home: Home) -> None:
    force(home, "engineering")
    _, session = home.browser()
    running = home.parts.active.current()
    how = session.identity.authentication
    for mfa_at, wanted in ((None, "enrolment"), (home.clock.at, "session")):
        who = replace(session.identity, authentication=replace(how, mfa_at=mfa_at))
        person = home.broker._whoever(who, running)
        assert need(running, person, (), CALLER, home.clock.at).what == wanted


def test_a_directorys_sign_in_is_finished_on_what_is_believed_still(home: Home) -> None:
    force(home, "engineering")
    result, browser = directory(home)
    home.edit("providers/corp.yaml", "subject: NameID", "subject: uid")
    home.apply()
    with pytest.raises(ChallengeOver):
        browser.enrol(Phone(home), within=asked(result))


def test_the_end_that_a_directory_set_counts_while_a_factor_is_awaited(home: Home) -> None:
    force(home, "engineering")
    _, session = home.browser()
    end = home.clock.at + timedelta(minutes=5)
    believed = Believed(session.identity, session.trust, "/", home.clock.at, end)
    browsers = [home.browser_of(), home.browser_of()]
    handles = [
        asked(
            home.broker._go_on(
                believed,
                hash_of(each.secret),
                caller=CALLER,
                device=each.device,
                previous=None,
                now=home.clock.at,
            )
        )
        for each in browsers
    ]
    home.later(minutes=4)
    assert browsers[0].enrol(Phone(home), within=handles[0]).signed_in is not None
    assert browsers[0].session.expires_at == end
    home.later(minutes=1)
    with pytest.raises(ChallengeOver):
        home.broker.challenge(handles[1], browsers[1].secret, caller=CALLER)


def test_a_directorys_proof_is_used_up_before_the_factor(home: Home) -> None:
    force(home, "engineering")
    proof = home.begin()
    asked(directory(home, proof)[0])
    with pytest.raises(SignInNotOurs):
        directory(home, proof)


def test_a_deny_that_goes_away_with_a_factor_asks_for_one(home: Home) -> None:
    home.user(inline=[WITHOUT_MFA])
    browser, phone = home.browser_of(), Phone(home)
    handle = asked(browser.password())
    assert home.broker.challenge(handle, browser.secret, caller=CALLER).enrol == ("webauthn", "totp")
    assert browser.enrol(phone, within=handle).signed_in is not None
    home.later(hours=1)
    assert browser.sign_in(device=phone)


def test_a_deny_that_goes_away_with_a_key_alone_asks_for_that(home: Home) -> None:
    home.user(inline=[PHISHABLE])
    browser, key = home.browser_of(), Key()
    handle = asked(browser.password())
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert page.enrol == ("webauthn",)
    with pytest.raises(ChallengeOver):
        browser.enrol(Phone(home), within=handle)
    # Enrolling a key shows that it is there; that it verifies its user, it shows when it is asked.
    assert browser.enrol(key, "key", within=handle).signed_in is None
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert page.kinds == ("webauthn",)
    assert isinstance(key.answer(browser, handle), SignedIn)
    assert browser.session.identity.authentication.phishing_resistant


def test_whoever_has_another_kind_proves_that_and_then_adds_the_one_that_is_wanted(home: Home) -> None:
    user, phone, browser = home.with_phone()
    home.change(user, inline=())
    plain = home.user("mona", inline=[PHISHABLE])
    home.change(user, inline=home.store.users.get(plain.id).inline)
    handle = asked(browser.password())
    page = home.broker.challenge(handle, browser.secret, caller=CALLER)
    assert (page.kinds, page.enrol) == (("totp",), ())
    key = Key()
    with pytest.raises(ChallengeOver):
        browser.enrol(key, "key", within=handle)
    assert asked(phone.answer(browser, handle)) == handle
    assert home.broker.challenge(handle, browser.secret, caller=CALLER).enrol == ("webauthn",)
    assert browser.enrol(key, "key", within=handle).signed_in is None
    assert isinstance(key.answer(browser, handle), SignedIn)
    assert not home.devices(user)[1].first


def test_what_is_added_on_the_strength_of_a_first_device_is_worth_no_more(home: Home) -> None:
    """The password was given before the first device was enrolled elsewhere; the second is added within that sign-in."""
    user, browser, other, phone = home.user(), home.browser_of(), home.browser_of(), Phone(home)
    browser.sign_in()
    browser.enrol(phone)
    home.store.factors.end_all(LOCAL, user.id, home.clock.at)
    plain = home.user("mona", inline=[PHISHABLE])
    home.change(user, inline=home.store.users.get(plain.id).inline)
    handle = asked(other.password())
    home.later(minutes=1)
    browser.enrol(phone)
    home.later(minutes=1)
    assert asked(phone.answer(other, handle)) == handle
    key = Key()
    assert other.enrol(key, "key", within=handle).signed_in is None
    assert isinstance(key.answer(other, handle), SignedIn)
    assert [each.first for each in home.devices(user)] == [True, True]
    assert other.session.identity.authentication.enrolled_at >= other.session.began


def test_a_deny_that_nothing_clears_is_final(home: Home) -> None:
    home.user(inline=[policy({"StringEquals": {"daypass:Source": "local"}})])
    with pytest.raises(SignInNotAllowed):
        home.browser_of().password()


# --- what the store's people of another time enrolled -----------------------------------------------------


def test_a_device_of_another_directorys_people_is_nobodys(home: Home) -> None:
    _, session = home.browser()
    browser, phone = home.browser_of(), Phone(home)
    browser.token = home.browser()[0]
    browser.enrol(phone)
    assert len(home.broker.own_factors(session, caller=CALLER).factors) == 1
    home.edit("providers/corp.yaml", "subject: NameID", "subject: uid")
    home.apply()
    running = home.parts.active.current()
    assert home.broker._devices(CORP, session.identity.subject, running) == []


def test_a_session_that_ended_meanwhile_is_not_the_new_one(home: Home) -> None:
    _, phone, browser = home.with_phone()
    first = browser.sign_in(device=phone)
    old = browser.token
    home.later(seconds=30)
    second = browser.sign_in(device=phone)
    assert first.id != second.id
    with pytest.raises(NotSignedIn):
        home.broker.session(old, caller=CALLER)
    assert home.clock.at - second.began < timedelta(minutes=1)
