"""One-time links: asked for without telling anything, good once, for a password or for root's set-up."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from app.errors import LinkInvalid, NotSignedIn, PasswordRefused, Refusal, SourceUnknown, TooManyGuesses
from app.limits import LINKS_PER_ACCOUNT, LINKS_PER_ADDRESS
from app.model import SignedIn
from app.people import Link, UserState
from app.store import Search
from tests.home import OTHER, PASSWORD, Home, opened_home
from tests.house import CALLER


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened_home(tmp_path, monkeypatch) as made:
        yield made


def sent(home: Home, name: str = "lena") -> str:
    """The token of a link that somebody asked for and was sent."""
    home.broker.ask_password_link(name, caller=CALLER)
    home.broker.catch_up()
    alert = home.heard.alerts[-1]
    assert alert.kind == "link.password"
    return alert.text.partition("/link?t=")[2].split()[0]


def use(home: Home, token: str, password: str = OTHER):
    return home.broker.use_one_time_link(token, password, "browser", caller=CALLER)


def test_a_forgotten_password_is_set_anew_by_the_link_in_the_mail(home: Home) -> None:
    user, browser = home.user(), home.browser_of()
    browser.sign_in()
    token = sent(home)
    assert home.heard.kinds()[-1] == "link.password to lena@acme.test"
    page = home.broker.one_time_link(token, caller=CALLER)
    assert (page.purpose, page.username) == ("password", "lena")
    assert page.expires_at == home.clock.at + timedelta(hours=1)
    home.later(minutes=5)
    assert use(home, token) is None
    with pytest.raises(NotSignedIn):
        _ = browser.session
    assert isinstance(home.browser_of().password("lena", OTHER), SignedIn)
    assert home.store.users.account(user.id).password_at == home.clock.at
    assert home.records("link.made") == [{"purpose": "password", "by": "person", "seconds": 3600}]
    assert home.records("link.used") == [{"purpose": "password", "by": "local/lena"}]
    assert home.records("password.changed")[-1]["by"] == "link"
    assert "password.changed to lena@acme.test" in home.heard.kinds()
    assert token not in str([each.record for each in home.store.audit.search(Search())])
    assert token not in repr(home.heard.alerts)


def test_a_link_is_no_second_factor(home: Home) -> None:
    _, phone, browser = home.with_phone()
    use(home, sent(home))
    result = browser.password(password=OTHER)
    assert not isinstance(result, SignedIn)
    assert isinstance(phone.answer(browser, result.handle), SignedIn)


def test_asking_tells_nothing_and_sends_only_where_there_is_something_to_send(home: Home) -> None:
    home.user()
    home.user("gone")
    home.end(home.store.users.by_username("gone"), UserState.DISABLED)
    mute = home.user("mute")
    home.change(mute, email="")
    for name in ("lena", "nobody", "gone", "mute", "\ud800", "x" * 5_000):
        kinds, alerts = home.kinds(), len(home.heard.alerts)
        home.broker.ask_password_link(name, caller=CALLER)
        assert (home.kinds(), len(home.heard.alerts)) == (kinds, alerts), "nothing before the answer"
        home.broker.catch_up()
    assert home.heard.kinds() == ["link.password to lena@acme.test"]
    assert len(home.records("link.made")) == 1


def test_nobodys_inbox_is_filled(home: Home) -> None:
    home.user()
    home.user("mona")
    for _ in range(3 * LINKS_PER_ACCOUNT):
        home.broker.ask_password_link("lena", caller=CALLER)
        home.broker.catch_up()
    assert len(home.heard.alerts) == LINKS_PER_ACCOUNT
    sent(home, "mona")
    for _ in range(LINKS_PER_ADDRESS - 3 * LINKS_PER_ACCOUNT - 1):
        home.broker.ask_password_link("nobody", caller=CALLER)
    with pytest.raises(TooManyGuesses):
        home.broker.ask_password_link("nobody", caller=CALLER)


def test_a_link_is_good_once_however_many_come_at_once(home: Home) -> None:
    home.user()
    token = sent(home)
    home.later(minutes=1)

    def run(number: int) -> object:
        try:
            return use(home, token, f"{OTHER} {number}")
        except Refusal as refusal:
            return type(refusal)

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(run, range(6)))
    assert results.count(None) == 1
    assert set(results) - {None} <= {LinkInvalid}
    with pytest.raises(LinkInvalid):
        home.broker.one_time_link(token, caller=CALLER)


@pytest.mark.parametrize("case", ["unknown", "empty", "late", "replaced", "disabled", "deleted", "odd"])
def test_a_link_that_is_not_good_is_one_answer(home: Home, case: str) -> None:
    user = home.user()
    token = sent(home)
    if case == "unknown":
        token = secrets.token_urlsafe(32)
    elif case == "empty":
        token = ""
    elif case == "odd":
        token = "\ud800\x00" * 500
    elif case == "late":
        home.later(hours=1)
    elif case == "replaced":
        sent(home)
    else:
        home.end(user, UserState(case))
    for attempt in (lambda: home.broker.one_time_link(token, caller=CALLER), lambda: use(home, token)):
        with pytest.raises(LinkInvalid) as refused:
            attempt()
        assert refused.value.words == LinkInvalid.default_words
    assert home.counted() == {"link.invalid": 2}


def test_a_password_that_cannot_be_taken_leaves_the_link_good(home: Home) -> None:
    user = home.user()
    before = home.store.users.account(user.id)
    token = sent(home)
    for password in ("short", "lena lena lena", "qwertyuiop12", "x" * 300, "a\nb" * 6):
        with pytest.raises(PasswordRefused):
            use(home, token, password)
    assert home.store.users.account(user.id) == before
    home.later(minutes=1)
    assert use(home, token) is None


def test_an_administrators_link_makes_a_new_user_able_to_sign_in(home: Home) -> None:
    user = home.user(password=PASSWORD)
    token = secrets.token_urlsafe(32)
    home.store.links.add(
        token, Link("password", user.id, home.clock.at + timedelta(hours=24), "operator ops")
    )
    home.later(hours=23)
    assert use(home, token) is None
    assert home.records("link.used")[-1]["by"] == "operator ops"
    assert isinstance(home.browser_of().password(password=OTHER), SignedIn)


def test_where_local_users_are_off_nobody_is_sent_anything(home: Home) -> None:
    home.user()
    text = (home.config / "daypass.yaml").read_text().splitlines()
    home.write("daypass.yaml", "\n".join(line for line in text if not line.startswith("local:")) + "\n")
    home.apply()
    with pytest.raises(SourceUnknown):
        home.broker.ask_password_link("lena", caller=CALLER)
