"""Local users sign in: by password, by passkey alone; what is told, what is counted, and what ends a session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import (
    Busy,
    ChallengeOver,
    CodeWrong,
    CredentialsWrong,
    GrantInvalid,
    NotSignedIn,
    SignInNotAllowed,
    SourceUnknown,
    TokenInvalid,
    TooMany,
    TooManyGuesses,
)
from app.limits import (
    PASSWORDS_PER_ACCOUNT,
    PASSWORDS_PER_ADDRESS,
    PASSWORDS_PER_DEVICE,
    REFUSALS_PER_MINUTE,
)
from app.model import RoleAsk, SignedIn
from app.people import LOCAL, Asked, FactorAnswer, UserState
from app.signin.passwords import Hashing
from app.store import Search
from app.store.guesses import Guesses
from app.store.users import Users
from tests.helper import Helper
from tests.home import OTHER, PASSWORD, READ_ONLY, Browser, Home, Key, opened_home
from tests.house import CALLER, FakeAws

DENY_SIGN_IN = {"Effect": "Deny", "Action": "daypass:SignIn", "Resource": "*"}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


# --- by password ------------------------------------------------------------------------------------------


def test_a_user_signs_in_by_password_and_may_what_their_groups_may(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    session = browser.sign_in(" Lena ")
    who = session.identity
    assert (who.source, who.subject, who.username, who.email) == (LOCAL, user.id, "lena", "lena@acme.test")
    assert who.authentication.methods == ("pwd",)
    assert who.authentication.mfa_at is None
    assert session.trust == home.store.users.epoch(user.id)
    home.broker.credentials(browser.session, RoleAsk(READ_ONLY), caller=CALLER)
    assert FakeAws.asked[-1].role.name == "ReadOnly"
    assert home.kinds()[-4:] == ["signin.succeeded", "device.new", "credentials.asked", "credentials.issued"]
    assert home.records("signin.succeeded")[-1]["methods"] == ["pwd"]
    assert home.heard.kinds() == ["device.new to lena@acme.test"]


def test_a_new_user_can_do_nothing(home: Home) -> None:
    home.user(groups=())
    browser = home.browser_of()
    browser.sign_in()
    assert home.broker.roles(browser.session, caller=CALLER) == []


def test_an_own_inline_policy_counts_and_a_change_counts_at_once(home: Home) -> None:
    allow = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": READ_ONLY})
    user, browser = home.user(groups=(), inline=[allow]), home.browser_of()
    browser.sign_in()
    assert [each.role.arn for each in home.broker.roles(browser.session, caller=CALLER)] == [READ_ONLY]
    home.change(user, inline=())
    assert home.broker.roles(browser.session, caller=CALLER) == []


@pytest.mark.parametrize(
    "case", ["wrong", "unknown", "odd name", "disabled", "deleted", "no password", "too long"]
)
def test_all_that_does_not_fit_is_one_answer(home: Home, case: str) -> None:
    user, browser = home.user(), home.browser_of()
    name, password = "lena", PASSWORD
    if case == "wrong":
        password = OTHER
    elif case == "unknown":
        name = "nobody"
    elif case == "odd name":
        name = "\ud800lena/../\x00"
    elif case == "disabled":
        home.end(user, UserState.DISABLED)
    elif case == "deleted":
        home.end(user, UserState.DELETED)
    elif case == "no password":
        home.store.users.set_account(replace(home.store.users.account(user.id), password=""), home.clock.at)
    else:
        password = "x" * 2_000
    with pytest.raises(CredentialsWrong) as refused:
        browser.password(name, password)
    assert str(refused.value) == CredentialsWrong.default_words
    assert home.counted() == {"signin.wrong": 1}
    assert "signin.refused" not in home.kinds(), "nothing is written before the answer"
    # The honest twin.
    home.user("mona")
    assert isinstance(home.browser_of().password("mona"), SignedIn)


@pytest.mark.parametrize("name", ["lena", "nobody", "mona"])
def test_until_the_answer_the_same_steps_are_taken_for_everybody(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of a user, of nobody, and of one who is disabled: the same reads, one write, one hash at the same cost."""
    home.user()
    home.end(home.user("mona"), UserState.DISABLED)
    steps: list[str] = []

    def traced(of: type, method: str) -> None:
        plain = getattr(of, method)

        def call(self, *args, **rest):
            steps.append(f"{of.__name__}.{method}")
            return plain(self, *args, **rest)

        monkeypatch.setattr(of, method, call)

    for method in ("by_username", "account", "authority", "set_account"):
        traced(Users, method)
    for method in ("reserve", "give_back"):
        traced(Guesses, method)
    hashes: list[str] = []
    verify = home.broker._hashing.verify

    def watched(encoded: str, password: str, *, reserved: bool) -> bool:
        steps.append("hash")
        hashes.append(encoded)
        return verify(encoded, password, reserved=reserved)

    monkeypatch.setattr(home.broker._hashing, "verify", watched)
    with pytest.raises(CredentialsWrong):
        home.browser_of().password(name, OTHER)
    assert steps == ["Users.by_username", "Guesses.reserve", "Users.account", "hash"]


def test_a_wrong_password_is_put_on_record_later_once_an_account_and_window(home: Home) -> None:
    user = home.user()
    for _ in range(3):
        for name in ("lena", "nobody"):
            with pytest.raises(CredentialsWrong):
                home.browser_of().password(name, OTHER)
    assert home.broker.catch_up() == 2  # for nobody the same steps are taken, and nothing is written
    assert home.records("signin.refused") == [{"code": "signin.wrong", "user_agent": "test/1"}]
    with pytest.raises(CredentialsWrong):
        home.browser_of().password("lena", OTHER)
    home.broker.catch_up()
    assert len(home.records("signin.refused")) == 1
    home.later(minutes=16)
    with pytest.raises(CredentialsWrong):
        home.browser_of().password("lena", OTHER)
    home.broker.catch_up()
    assert len(home.records("signin.refused")) == 2
    assert home.store.audit.search(Search(limit=1))[0].record.subject == user.id


def test_it_is_off_where_the_configuration_does_not_turn_it_on(home: Home) -> None:
    home.user()
    before = home.browser_of()
    before.sign_in()
    assert home.broker.local_label()
    text = (home.config / "daypass.yaml").read_text().splitlines()
    home.write("daypass.yaml", "\n".join(line for line in text if not line.startswith("local:")) + "\n")
    home.apply()
    assert home.broker.local_label() == ""
    with pytest.raises(SourceUnknown):
        home.browser_of().password()
    with pytest.raises(NotSignedIn):
        _ = before.session
    with pytest.raises(SourceUnknown):
        home.broker.begin_passkey(home.browser_of().ask, caller=CALLER)


def test_a_hash_of_other_parameters_is_made_anew_and_ends_nothing(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    browser.sign_in()
    before = home.store.users.account(user.id)
    home.broker._hashing = Hashing(memory_kib=128, passes=1, lanes=1)
    home.browser_of().sign_in()
    after = home.store.users.account(user.id)
    assert after.password != before.password
    assert "m=128" in after.password
    assert (after.epoch, after.password_at) == (before.epoch, before.password_at)
    assert browser.session


def test_the_cookie_is_new_at_each_sign_in_and_the_old_one_is_dead(home: Home) -> None:
    home.user()
    browser = home.browser_of()
    first = browser.sign_in()
    old = browser.token
    second = browser.sign_in()
    assert (first.id, old) != (second.id, browser.token)
    with pytest.raises(NotSignedIn):
        home.broker.session(old, caller=CALLER)
    assert browser.session.id == second.id


# --- guesses ----------------------------------------------------------------------------------------------


def test_guesses_from_everywhere_find_nothing_and_the_owner_gets_in_where_known(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.user()
    owner = home.browser_of("198.51.100.7")
    owner.sign_in()
    home.later(minutes=1)
    hashed: list[bool] = []
    verify = home.broker._hashing.verify

    def watched(encoded: str, password: str, *, reserved: bool) -> bool:
        hashed.append(reserved)
        return verify(encoded, password, reserved=reserved)

    monkeypatch.setattr(home.broker._hashing, "verify", watched)
    counts: list[object] = []
    count = Guesses._count_all

    def counting(self, buckets, now):
        counts.append(buckets)
        return count(self, buckets, now)

    monkeypatch.setattr(Guesses, "_count_all", counting)
    told = []
    for number in range(200):
        thief = home.browser_of(f"203.0.{number // 250}.{number % 250}")
        guess = PASSWORD if number >= PASSWORDS_PER_ACCOUNT else f"guess number {number}"
        with pytest.raises((CredentialsWrong, TooManyGuesses)) as refused:
            thief.password("lena", guess)
        told.append(type(refused.value))
    assert told == [CredentialsWrong] * PASSWORDS_PER_ACCOUNT + [TooManyGuesses] * (
        200 - PASSWORDS_PER_ACCOUNT
    )
    assert len(hashed) == PASSWORDS_PER_ACCOUNT, "nothing is hashed once the budget is used up"
    assert len(counts) == PASSWORDS_PER_ACCOUNT, "and nothing written"
    # The owner, where they signed in before, from the same address as a thief or not.
    assert isinstance(owner.password(), SignedIn)
    owner.caller = replace(owner.caller, address="203.0.0.1")
    assert isinstance(owner.password(), SignedIn)
    assert hashed[-2:] == [True, True], "in the place that is kept for them"
    # And elsewhere once the window is over.
    stranger = home.browser_of("198.51.100.9")
    with pytest.raises(TooManyGuesses):
        stranger.password()
    home.later(minutes=15)
    assert isinstance(stranger.password(), SignedIn)


def test_a_name_that_is_nobodys_is_counted_the_same(home: Home) -> None:
    told = []
    for number in range(PASSWORDS_PER_ACCOUNT + 1):
        with pytest.raises((CredentialsWrong, TooManyGuesses)) as refused:
            home.browser_of(f"203.0.113.{number}").password("nobody", OTHER)
        told.append(type(refused.value))
    assert told == [CredentialsWrong] * PASSWORDS_PER_ACCOUNT + [TooManyGuesses]


def test_one_password_on_many_names_gets_nowhere_from_one_address(home: Home) -> None:
    for number in range(PASSWORDS_PER_ADDRESS):
        with pytest.raises(CredentialsWrong):
            home.browser_of("203.0.113.5").password(f"user{number}", OTHER)
    home.user()
    with pytest.raises(TooManyGuesses):
        home.browser_of("203.0.113.5").password()
    assert isinstance(home.browser_of("203.0.113.6").password(), SignedIn)


def test_a_known_device_has_a_budget_of_its_own_and_no_more(home: Home) -> None:
    home.user()
    home.user("mona")
    owner = home.browser_of()
    owner.sign_in()
    for _ in range(PASSWORDS_PER_DEVICE):
        with pytest.raises(CredentialsWrong):
            owner.password("lena", OTHER)
    with pytest.raises(TooManyGuesses):
        owner.password()
    # The device of one person is a stranger to another's account.
    assert not home.store.known_devices.known(LOCAL, home.store.users.by_username("mona").id, owner.device)
    assert isinstance(home.browser_of().password(), SignedIn), "strangers' budget was not touched"


def test_a_right_password_takes_nothing_from_the_budget(home: Home) -> None:
    home.user()
    for _ in range(3 * PASSWORDS_PER_ACCOUNT):
        home.browser_of().sign_in()


# --- what ends a session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [UserState.DISABLED, UserState.DELETED])
def test_whoever_may_not_sign_in_any_more_is_out_at_once(home: Home, state: UserState) -> None:
    user, browser = home.user(), home.browser_of()
    session = browser.sign_in()
    helper = Helper(home)
    tokens = helper.sign_in(session)
    other = home.user("mona")
    twin = home.browser_of()
    twin.sign_in("mona")
    home.end(user, state)
    with pytest.raises(NotSignedIn):
        home.broker.session(browser.token, caller=CALLER)
    with pytest.raises(NotSignedIn):
        home.broker.roles(session, caller=CALLER)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    assert twin.session.identity.subject == other.id
    if state is UserState.DISABLED:
        home.change(user, state=UserState.ACTIVE)
        with pytest.raises(NotSignedIn):
            home.broker.session(browser.token, caller=CALLER)
        browser.token = ""
        assert browser.sign_in()


def test_a_password_change_ends_the_others(home: Home) -> None:
    user, browser, elsewhere = home.user(), home.browser_of(), home.browser_of()
    own = browser.sign_in()
    elsewhere.sign_in()
    helper = Helper(home)
    tokens = helper.sign_in(elsewhere.session)
    home.later(minutes=1)
    home.heard.alerts.clear()
    # Whoever had stolen the cookie said yes to a helper that has not come for its tokens yet.
    thief = Helper(home)
    grant = thief.code(browser.session)
    browser.new_password(PASSWORD, OTHER)
    with pytest.raises(GrantInvalid):
        thief.redeem(grant)
    assert thief.sign_in(browser.session)
    assert browser.session.id == own.id
    with pytest.raises(NotSignedIn):
        _ = elsewhere.session
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    assert home.heard.kinds() == ["password.changed to lena@acme.test"]
    assert home.records("password.changed") == [{"by": "person"}]
    with pytest.raises(CredentialsWrong):
        home.browser_of().password("lena", PASSWORD)
    assert isinstance(home.browser_of().password("lena", OTHER), SignedIn)
    assert home.store.users.account(user.id).password_at == home.clock.at


def test_all_sessions_end_at_once_and_no_browser_is_known_any_more(home: Home) -> None:
    user, phone, browser = home.with_phone()
    elsewhere = home.browser_of()
    browser.sign_in(device=phone)
    home.later(seconds=30)
    elsewhere.sign_in(device=phone)
    half = home.browser_of()
    waiting = half.password()
    assert isinstance(waiting, Asked)
    assert home.broker.end_all_sessions(browser.session, caller=CALLER) == 2
    for each in (browser, elsewhere):
        with pytest.raises(NotSignedIn):
            _ = each.session
    assert home.store.known_devices.of(LOCAL, user.id) == []
    home.later(seconds=30)
    with pytest.raises(ChallengeOver):
        half.answer(waiting.handle, phone.code())
    assert home.records("session.ended")[-1]["all"] is True
    assert browser.sign_in(device=phone)


# --- history ----------------------------------------------------------------------------------------------


def test_people_see_their_own_history_and_nobody_elses(home: Home) -> None:
    home.user()
    home.user("mona")
    browser, twin = home.browser_of(), home.browser_of()
    browser.sign_in()
    twin.sign_in("mona")
    with pytest.raises(CredentialsWrong):
        home.browser_of().password("lena", OTHER)
    home.broker.catch_up()
    home.broker.credentials(browser.session, RoleAsk(READ_ONLY), caller=CALLER)
    found = home.broker.sign_in_history(browser.session, caller=CALLER)
    assert [each.record.kind for each in found] == ["signin.refused", "device.new", "signin.succeeded"]
    assert {each.record.subject for each in found} == {browser.session.identity.subject}
    assert len(home.broker.sign_in_history(twin.session, caller=CALLER)) == 2


# --- policy -----------------------------------------------------------------------------------------------


def test_a_deny_on_the_sign_in_lets_nobody_in_and_is_on_record(home: Home) -> None:
    home.user(inline=[policy(DENY_SIGN_IN)])
    with pytest.raises(SignInNotAllowed):
        home.browser_of().password()
    assert home.records("signin.refused")[-1]["code"] == "signin.not_allowed"
    with pytest.raises(CredentialsWrong):
        home.browser_of().password("lena", OTHER)
    home.user("mona")
    assert isinstance(home.browser_of().password("mona"), SignedIn)


# --- passkeys ---------------------------------------------------------------------------------------------


def with_key(home: Home, name: str = "lena", **facts: object) -> tuple[Key, str]:
    user, key, browser = home.user(name, **facts), Key(), home.browser_of()
    browser.sign_in(name)
    browser.enrol(key, "key")
    home.later(hours=1)
    return key, user.id


def test_a_passkey_is_the_whole_sign_in(home: Home) -> None:
    key, id = with_key(home)
    browser = home.browser_of()
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    assert json.loads(options)["userVerification"] == "required"
    done = browser.answer(asked.handle, key.get(options), "webauthn")
    assert isinstance(done, SignedIn)
    how = done.session.identity.authentication
    assert (done.session.identity.subject, done.next) == (id, "/roles")
    assert how.methods == ("hwk", "user", "mfa")
    assert how.mfa_at == home.clock.at
    assert how.phishing_resistant
    assert home.records("mfa.proven")[-1]["purpose"] == "passkey"
    with pytest.raises(ChallengeOver):
        browser.answer(asked.handle, key.get(options), "webauthn")


@pytest.mark.parametrize(
    "altered",
    [
        {"flags": 0x01},
        {"user_handle": b"somebody else's handle, 32 bytes"},
        {"user_handle": None},
        {"spoil": True},
        {"client": {"origin": "https://evil.test"}},
        {"rp_id": "evil.test"},
        {"client": {"challenge": "AAAA"}},
    ],
)
def test_a_passkey_that_is_not_quite_right_is_refused(home: Home, altered: dict) -> None:
    key, _ = with_key(home)
    browser = home.browser_of()
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(CodeWrong):
        browser.answer(asked.handle, key.get(options, **altered), "webauthn")
    assert isinstance(browser.answer(asked.handle, key.get(options), "webauthn"), SignedIn)


def test_a_passkey_that_may_have_been_copied_is_refused_and_told_of(home: Home) -> None:
    key, _ = with_key(home)
    browser = home.browser_of()
    key.authenticator.counter = 50
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    assert isinstance(browser.answer(asked.handle, key.get(options), "webauthn"), SignedIn)
    home.later(hours=1)
    home.heard.alerts.clear()
    key.authenticator.counter = 20
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(CodeWrong):
        browser.answer(asked.handle, key.get(options), "webauthn")
    assert home.heard.kinds() == ["factor.copied"]
    key.authenticator.counter = 60
    assert isinstance(browser.answer(asked.handle, key.get(options), "webauthn"), SignedIn)


def test_a_passkey_challenge_is_its_browsers_alone(home: Home) -> None:
    key, _ = with_key(home)
    browser, thief = home.browser_of(), home.browser_of()
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(ChallengeOver):
        thief.answer(asked.handle, key.get(options), "webauthn")
    assert isinstance(browser.answer(asked.handle, key.get(options), "webauthn"), SignedIn)


def test_a_passkey_of_somebody_disabled_or_unknown_is_refused_alike(home: Home) -> None:
    key, id = with_key(home)
    browser = home.browser_of()
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(CodeWrong) as unknown:
        browser.answer(asked.handle, Key().get(options), "webauthn")
    home.end(home.store.users.get(id), UserState.DISABLED)
    with pytest.raises(CodeWrong) as disabled:
        browser.answer(asked.handle, key.get(options), "webauthn")
    assert unknown.value.words == disabled.value.words


def test_a_policy_can_forbid_a_passkey_alone(home: Home) -> None:
    alone = {**DENY_SIGN_IN, "Condition": {"ForAllValues:StringNotEquals": {"daypass:amr": "pwd"}}}
    key, _ = with_key(home, inline=[policy(alone)])
    browser = home.browser_of()
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(SignInNotAllowed):
        browser.answer(asked.handle, key.get(options), "webauthn")
    assert home.browser_of().sign_in(device=key).identity.authentication.phishing_resistant


def test_passkeys_are_not_counted_as_guesses(home: Home) -> None:
    key, _ = with_key(home)
    for number in range(PASSWORDS_PER_ACCOUNT):
        with pytest.raises(CredentialsWrong):
            home.browser_of(f"203.0.113.{number}").password("lena", OTHER)
    stranger = home.browser_of("203.0.113.99")
    with pytest.raises(TooManyGuesses):
        stranger.password()
    asked, options = home.broker.begin_passkey(stranger.ask, caller=stranger.caller)
    assert isinstance(stranger.answer(asked.handle, key.get(options), "webauthn"), SignedIn)


def test_a_neighbour_behind_the_same_address_keeps_no_passkey_out_of_a_known_browser(home: Home) -> None:
    home.user()
    key, browser = Key(), home.browser_of()
    browser.sign_in()
    browser.enrol(key, "key")

    def by_passkey(own: Browser, device: Key) -> SignedIn | Asked:
        asked, options = home.broker.begin_passkey(own.ask, caller=own.caller)
        return own.answer(asked.handle, device.get(options), "webauthn")

    neighbour = home.browser_of()
    for _ in range(REFUSALS_PER_MINUTE):
        with pytest.raises(CodeWrong):
            by_passkey(neighbour, Key())
    for stranger in (Key(), key):
        with pytest.raises(TooMany):
            by_passkey(neighbour, stranger)
    assert isinstance(by_passkey(browser, key), SignedIn)


def test_whoever_keeps_the_line_full_is_shut_out_before_the_store_is_written_to(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.user()
    owner = home.browser_of()
    owner.sign_in()

    def busy(encoded: str, password: str, *, reserved: bool) -> bool:
        raise Busy

    with monkeypatch.context() as patched:
        patched.setattr(home.broker._hashing, "verify", busy)
        for _ in range(REFUSALS_PER_MINUTE):
            with pytest.raises(Busy):
                home.browser_of().password()
        patched.setattr(Guesses, "reserve", lambda *_: pytest.fail("a guess was counted"))
        with pytest.raises(TooMany):
            home.browser_of().password()
    assert isinstance(owner.password(), SignedIn)
    home.later(minutes=1)
    assert isinstance(home.browser_of().password(), SignedIn), "nothing was looked at, so nothing was guessed"


def test_a_passkey_is_no_sign_in_for_people_of_directories(home: Home) -> None:
    _, session = home.browser()
    key, browser = Key(), home.browser_of()
    begun = home.broker.begin_enrolment("webauthn", browser.secret, caller=CALLER, session=session)
    home.broker.finish_enrolment(
        begun.handle,
        browser.secret,
        FactorAnswer("webauthn", key.made(begun)),
        "key",
        caller=CALLER,
        session=session,
    )
    asked, options = home.broker.begin_passkey(browser.ask, caller=CALLER)
    with pytest.raises(CodeWrong):
        browser.answer(asked.handle, key.get(options), "webauthn")


def test_a_phone_is_asked_for_after_a_right_password_alone(home: Home) -> None:
    _, phone, browser = home.with_phone()
    with pytest.raises(CredentialsWrong):
        browser.password("lena", OTHER)
    asked = browser.password()
    assert isinstance(asked, Asked)
    assert isinstance(phone.answer(browser, asked.handle), SignedIn)
