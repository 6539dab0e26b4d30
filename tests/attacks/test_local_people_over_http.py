"""Every attack on the sign-in of local people through somebody's browser or by a stranger, against two running workers:
what tells who exists, planted cookies, other sites, odd passwords, one-time links. Each beside its honest twin.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from app.people import UserState
from app.web import TABLE
from app.web.oauth.exchange import GUEST
from app.web.route import Csrf
from tests.attacks.answers import refused
from tests.attacks.oauth_company import given
from tests.attacks.oidc_company import BINDING, SESSION, at_once
from tests.attacks.people_company import OTHER, PASSWORD, REASON, PeopleCompany, handle, token_of
from tests.attacks.times import APART, ranks

EVIL = "https://evil.example"
CROWD = 20
SCRIPT = '"><script>alert(1)</script>'
PLANTED = "p" * 43


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PeopleCompany]:
    with PeopleCompany(tmp_path_factory.mktemp("acme")) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture(scope="module")
def lena(acme: PeopleCompany) -> Any:
    """A local user with nothing but a password."""
    return acme.user()


@pytest.fixture(scope="module")
def boss(acme: PeopleCompany) -> requests.Session:
    """An operator at their browser."""
    return acme.signed_in(acme.user(groups=("operators",)))


# --- who exists -------------------------------------------------------------------------------------------


def nobodies(acme: PeopleCompany) -> dict[str, tuple[str, str]]:
    """Name and password of everybody who does not get in."""
    deleted, with_phone = acme.user(), acme.user()
    acme.changed(deleted, state=UserState.DELETED)
    acme.phone(with_phone)
    return {
        "unknown": (f"nobody-{acme.user().username}", PASSWORD),
        "wrong password": (acme.user().username, OTHER),
        "wrong password, with a device": (with_phone.username, OTHER),
        "disabled": (acme.user(state=UserState.DISABLED).username, PASSWORD),
        "disabled, wrong password": (acme.user(state=UserState.DISABLED).username, OTHER),
        "deleted": (deleted.username, PASSWORD),
        "without a password": (acme.user(password=None).username, PASSWORD),
        "without a password, and none given": (acme.user(password=None).username, ""),
        "root": ("root", PASSWORD),
        "no name": ("", PASSWORD),
        "no name that could be one": ("\u202e\0", PASSWORD),
    }


def told(answer: requests.Response, name: str) -> tuple[int, dict[str, str], str]:
    """All that an answer says, but for what was typed and what is another each time."""
    ours = {"x-request-id", "date", "content-length"}
    headers = {key.lower(): value for key, value in answer.headers.items() if key.lower() not in ours}
    text = answer.text.replace(answer.headers["X-Request-Id"], "ID")
    text = re.sub(r'(id="username"[^>]*?) value="[^"]*"[^>]*>', r"\1>", text)
    text = re.sub(r'(id="username"[^>]*?)( autofocus)?>', r"\1>", text)
    text = re.sub(r'(id="password"[^>]*?)( autofocus)?>', r"\1>", text)
    assert not name or f">{name}<" not in text
    return answer.status_code, headers, text


def test_all_who_do_not_get_in_are_told_the_same(acme: PeopleCompany, lena: Any) -> None:
    heard = {
        what: told(acme.password(acme.browser(), name, password), name)
        for what, (name, password) in nobodies(acme).items()
    }
    status, headers, text = heard["unknown"]
    assert status == 401 and "do not fit" in text and "set-cookie" not in headers
    for what, said in heard.items():
        assert said == (status, headers, text), what
    acme.signed_in(lena)


def test_once_the_guesses_are_used_up_all_are_told_the_same(acme: PeopleCompany) -> None:
    heard = []
    for name, _ in nobodies(acme).values():
        if not name.isprintable() or name in ("", "root"):
            continue  # several of them are one name to those who count
        for _ in range(10):
            assert acme.password(acme.browser(), name, OTHER).status_code == 401
        heard.append(told(acme.password(acme.browser(), name, PASSWORD), name))
    assert {said[0] for said in heard} == {429}
    assert all(said == heard[0] for said in heard)


def test_asking_for_a_link_tells_nothing(acme: PeopleCompany) -> None:
    known = acme.user()
    acme.changed(known, email="lena@acme.test")
    off = acme.user(state=UserState.DISABLED)
    heard = [
        told(acme.send(acme.browser(), "/forgot", {"username": name}), name)
        for name in (known.username, off.username, "nobody-of-that-name", "", "root", "\0")
    ]
    assert heard[0][0] == 200
    assert all(said == heard[0] for said in heard)


def test_a_link_that_is_not_good_is_one_answer(acme: PeopleCompany) -> None:
    gone = acme.user(state=UserState.DISABLED)
    used, late, of_nobody = acme.link(acme.user()), acme.link(acme.user(), life=-1), acme.link(gone)
    answer = acme.send(acme.browser(), "/link", {"t": used, "new": OTHER, "again": OTHER})
    assert answer.status_code == 200
    for token in (used, late, of_nobody, "x", "", PLANTED, "\u202e", "a" * 300):
        for send in (
            acme.browser().get(f"{acme.base_url}/link", params={"t": token}, timeout=30),
            acme.send(acme.browser(), "/link", {"t": token, "new": OTHER, "again": OTHER}),
        ):
            refused(send, "link.invalid")


def test_the_test_of_times_sees_a_shift_by_a_tenth() -> None:
    chance = Random(8)
    one = [chance.gauss(10, 1) for _ in range(120)]
    assert abs(ranks(one, [chance.gauss(10, 1) for _ in range(120)])) < APART
    assert abs(ranks(one, [chance.gauss(11, 1) for _ in range(120)])) > APART


@pytest.mark.alone
def test_the_time_does_not_tell_who_exists(acme: PeopleCompany) -> None:
    """120 wrong passwords of each kind in one random order over one connection, each from an address of its own; each
    kind is compared with the unknown names by the Mann-Whitney U test (|z| < 5). Whatever else the machine does falls
    on all kinds alike. Passwords cost little here (1 MiB, one pass), so that the rest is seen; with production's cost
    it is `test_guesses_over_http.py`."""
    each, times_each = 12, 10
    kinds: dict[str, list[str]] = {
        "unknown": [f"nobody{at}" for at in range(each)],
        "known": [acme.user().username for _ in range(each)],
        "disabled": [acme.user(state=UserState.DISABLED).username for _ in range(each)],
        "without a password": [acme.user(password=None).username for _ in range(each)],
    }
    for name in kinds["known"][: each // 2]:
        user = acme.store.users.by_username(name)
        assert user is not None
        acme.phone(user)
    order = [(kind, name) for kind, names in kinds.items() for name in names] * times_each
    Random(8).shuffle(order)
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    with requests.Session() as wire:
        wire.trust_env = False
        for at, (kind, name) in enumerate(order):
            headers = {"Origin": acme.base_url, "X-Forwarded-For": f"203.0.{at // 200}.{at % 200}"}
            began = perf_counter()
            answer = wire.post(
                f"{acme.base_url}/sign-in/local",
                data={"username": name, "password": OTHER},
                headers=headers,
                allow_redirects=False,
                timeout=60,
            )
            took[kind].append(perf_counter() - began)
            assert answer.status_code == 401
    found = {kind: ranks(took["unknown"], took[kind]) for kind in kinds if kind != "unknown"}
    assert all(abs(z) < APART for z in found.values()), found


def test_one_password_tried_on_many_names_from_one_address_stops(acme: PeopleCompany) -> None:
    users = [acme.user() for _ in range(3)]
    mallory = acme.browser()
    before = acme.hashed()
    names = [f"name{at}" for at in range(57)] + [user.username for user in users]
    came = Counter(acme.password(mallory, name, OTHER).status_code for name in names)
    assert came == {401: 30, 429: 30} and acme.hashed() - before == 30
    acme.signed_in(users[0])


# --- planted cookies --------------------------------------------------------------------------------------


def test_a_planted_session_cookie_is_not_the_victims(acme: PeopleCompany, lena: Any) -> None:
    mallory = acme.signed_in(acme.user())
    theirs = token_of(mallory)
    for planted in (PLANTED, theirs):
        browser = acme.browser()
        browser.cookies.set(SESSION, planted, domain="localhost.local", path="/")
        acme.signed_in(lena, browser=browser)
        assert token_of(browser) != planted
        thief = acme.browser()
        thief.cookies.set(SESSION, planted, domain="localhost.local", path="/")
        acme.outside(thief)


def test_a_planted_binding_lets_nobody_answer_for_the_victim(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    victim, mallory = acme.browser(), acme.browser()
    for browser in (victim, mallory):
        for name in (BINDING, f"{BINDING}-lax"):
            browser.cookies.set(name, PLANTED, domain="localhost.local", path="/")
    challenge = handle(acme.password(victim, user))
    acme.new_step()
    # The handle is known to the victim's browser alone; and after it, there is nothing left to answer.
    refused(acme.prove(mallory, "A" * 43, phone), "mfa.over")
    assert acme.prove(victim, challenge, phone).status_code == 303
    acme.inside(victim, user.username)
    refused(acme.prove(mallory, challenge, phone, text=phone.code(1)), "mfa.over")
    acme.outside(mallory)


def test_a_planted_device_cookie_opens_nothing(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    victim, mallory = acme.browser(), acme.browser()
    for browser in (victim, mallory):
        browser.cookies.set("daypass-device-lax", PLANTED, domain="localhost.local", path="/")
    acme.signed_in(user, phone, victim)
    acme.outside(mallory)
    before = acme.hashed()
    answers = [acme.password(mallory, user, OTHER) for _ in range(15)]
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 5}, "its own budget, no more"
    assert acme.hashed() - before == 10
    challenge = handle(acme.password(acme.browser(), user))  # strangers' budget is untouched by it
    assert challenge


def test_the_cookie_is_new_at_each_sign_in_and_the_old_one_is_dead(acme: PeopleCompany, lena: Any) -> None:
    browser = acme.signed_in(lena)
    first, earlier = token_of(browser), acme.copy_of(browser)
    acme.signed_in(lena, browser=browser)
    assert token_of(browser) != first
    for _ in range(8):
        acme.outside(acme.copy_of(earlier))


# --- other sites ------------------------------------------------------------------------------------------

NEW = (
    "/sign-in/local",
    "/sign-in/passkey",
    "/challenge",
    "/link",
    "/forgot",
    "/root",
    "/security",
    "/admin/",
)
POSTS = [row for row in TABLE if row.methods == ("POST",) and row.address.startswith(NEW)]
FROM_ELSEWHERE: dict[str, dict[str, str]] = {
    "Origin is another site": {"Origin": EVIL},
    "Origin is ours as a prefix": {"Origin": "{ours}.evil.test"},
    "Origin is ours by another scheme": {"Origin": "{https}"},
    "Origin is another port": {"Origin": "http://localhost:1"},
    "Origin is null": {"Origin": "null"},
    "the browser says another site": {"Sec-Fetch-Site": "cross-site"},
    "the browser says a sibling": {"Sec-Fetch-Site": "same-site"},
    "the browser says typed by hand": {"Sec-Fetch-Site": "none"},
    "both, and they differ": {"Origin": "{ours}", "Sec-Fetch-Site": "cross-site"},
    "both, and they differ the other way": {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
}
NEITHER: dict[str, str] = {}
FIELDS = {
    "username": "ana",
    "password": PASSWORD,
    "reason": REASON,
    "c": PLANTED,
    "t": PLANTED,
    "kind": "totp",
    "code": "123456",
    "step": "begin",
    "id": "x",
    "do": "remove",
    "new": OTHER,
    "again": OTHER,
    "old": PASSWORD,
    "session": "all",
    "decision": "approve",
    "note": "all is well here",
}


def test_every_new_form_is_guarded() -> None:
    assert len(POSTS) >= 17
    assert {row.csrf for row in POSTS} == {Csrf.FORM, Csrf.BROWSER}


@pytest.mark.parametrize("address", [row.address for row in POSTS])
def test_a_form_from_elsewhere_is_refused(acme: PeopleCompany, boss: requests.Session, address: str) -> None:
    row = next(each for each in POSTS if each.address == address)
    fields = {"csrf": acme.csrf(boss), **FIELDS}
    for said in FROM_ELSEWHERE.values():
        ours = acme.base_url
        headers = {
            name: value.format(ours=ours, https=ours.replace("http:", "https:"))
            for name, value in said.items()
        }
        answer = acme.send(boss, address, fields, headers)
        refused(answer, "request.cross_site")
        assert "Set-Cookie" not in answer.headers
    if row.csrf is Csrf.BROWSER:
        refused(acme.send(boss, address, fields, NEITHER), "request.cross_site")
    else:
        other = acme.csrf(acme.signed_in(acme.user()))
        for wrong in ("", other, fields["csrf"][:-1], fields["csrf"].swapcase()):
            answer = acme.send(boss, address, {**fields, "csrf": wrong})
            refused(answer, "request.cross_site")
    assert acme.me(boss).status_code == 200
    # Nothing that it could do is named, so that it does nothing; but it is heard.
    empty = dict.fromkeys(("id", "do", "session", "decision", "again"), "")
    twin = acme.send(boss, address, {**fields, **empty})
    assert "request.cross_site" not in twin.text


def test_nobody_is_signed_in_as_somebody_else_by_another_site(acme: PeopleCompany, lena: Any) -> None:
    mallory = acme.user()
    phone = acme.phone(mallory)
    victim = acme.browser()
    fields = {"username": mallory.username, "password": PASSWORD}
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, NEITHER, {"Origin": "null"}):
        refused(acme.send(victim, "/sign-in/local", fields, headers), "request.cross_site")
        refused(acme.send(victim, "/root", {"password": PASSWORD, "reason": REASON}, headers))
    # The attacker's own challenge, brought to the victim's browser with the right code.
    theirs = acme.browser()
    challenge = handle(acme.password(theirs, mallory))
    refused(acme.prove(victim, challenge, phone), "mfa.over")
    acme.outside(victim)
    acme.signed_in(lena, browser=victim)


# --- where one is sent ------------------------------------------------------------------------------------

NEXTS = [
    EVIL,
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    " //evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\r\nSet-Cookie: daypass=x",
    "/" + "a" * 3000,
    "?next=//evil.example",
    "evil.example",
    "/é",
]


@pytest.mark.parametrize("target", NEXTS)
def test_next_leads_nowhere_else(acme: PeopleCompany, target: str) -> None:
    user = acme.user()
    phone = acme.phone(user)
    browser = acme.browser()
    challenge = handle(acme.password(browser, user, next_path=target))
    acme.new_step()
    answer = acme.prove(browser, challenge, phone)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert token_of(browser) != "x"
    asked = browser.get(
        f"{acme.base_url}/step-up", params={"next": target}, allow_redirects=False, timeout=30
    )
    again = acme.prove(browser, handle(asked), phone, text=phone.code(1))
    assert (again.status_code, again.headers["Location"]) == (303, "/")
    for path in ("/sign-in/local", "/root", "/security/prove"):
        page = acme.browser().get(
            f"{acme.base_url}{path}", params={"next": target}, allow_redirects=False, timeout=30
        )
        assert "evil" not in page.text and "javascript:" not in page.text
        assert not urlsplit(page.headers.get("Location", "/")).netloc
    assert acme.password(acme.browser(), acme.user(), next_path="/why?role=x").headers["Location"] == (
        "/why?role=x"
    )


def test_no_host_but_ours_is_believed(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    evil |= {"Forwarded": "host=evil.example", "X-Original-Host": "evil.example"}
    browser = acme.browser()
    browser.headers.update({name: value for name, value in evil.items() if name != "Host"})
    answer = acme.password(browser, user)
    assert answer.headers["Location"].startswith("/challenge?c=")
    acme.new_step()
    done = acme.prove(browser, handle(answer), phone)
    assert done.headers["Location"] == "/"
    asked = requests.post(
        f"{acme.base_url}/sign-in/passkey",
        headers={**evil, "Origin": acme.base_url},
        data={"next": "/"},
        timeout=30,
    )
    assert asked.json()["options"]["rpId"] == "localhost"
    for path in ("/sign-in/local", "/forgot", "/root", f"/link?t={acme.link(user)}"):
        page = requests.get(f"{acme.base_url}{path}", headers=evil, timeout=30, allow_redirects=False)
        assert "evil.example" not in page.text + str(page.headers)
    elsewhere = {**evil, "Origin": EVIL}
    refused(
        acme.send(acme.browser(), "/sign-in/local", {"username": "x", "password": "y"}, elsewhere),
        "request.cross_site",
    )
    url = acme.door.password_link(user.id, by=acme.operator_on_host)
    assert url.startswith(f"{acme.base_url}/link?t=")


# --- what others write, on pages --------------------------------------------------------------------------


def harmless(answer: requests.Response) -> None:
    assert answer.status_code in (200, 401, 422), answer.text
    assert "<script>alert" not in answer.text and "<img src=x" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "script-src 'self'" in policy and "default-src 'none'" in policy


def test_what_others_write_is_text_on_every_page(acme: PeopleCompany, boss: requests.Session) -> None:
    nasty = f"{SCRIPT}<img src=x onerror=alert(1)>"
    user = acme.user(name=nasty)
    phone = acme.phone(user)
    browser = acme.browser()
    browser.headers.update({"User-Agent": nasty, "Accept": "text/html"})
    for path, fields in (
        ("/sign-in/local", {"username": nasty, "password": OTHER}),
        ("/root", {"password": OTHER, "reason": nasty}),
        ("/forgot", {"username": nasty}),
    ):
        harmless(acme.send(browser, path, fields))
    acme.signed_in(user, phone, browser)
    browser.headers["Accept"] = "text/html"
    (device,) = acme.devices(user)
    renamed = acme.own(browser, "/security/factor", id=device, do="rename", name=nasty[:60])
    assert renamed.status_code == 303
    for path in ("/", "/security", f"/security/factor?id={device}&do=rename", "/security/end?session=all"):
        page = acme.get(browser, path, Accept="text/html")
        harmless(page)
    assert "&lt;script&gt;" in acme.get(browser, "/security", Accept="text/html").text
    named = {"id": user.id, "do": "recover", "reason": f"lost it {nasty}"}
    assert acme.own(boss, "/admin/user", **named).status_code == 303
    for path in (
        "/admin/users",
        f"/admin/users?q={SCRIPT}",
        f"/admin/user?id={user.id}",
        "/admin/recoveries",
    ):
        harmless(acme.get(boss, path, Accept="text/html"))
    assert "&lt;script&gt;" in acme.get(boss, "/admin/recoveries", Accept="text/html").text
    for name in (SCRIPT, "a b", "A'--", "a/b", "../x", "ａna"):
        answer = acme.own(boss, "/admin/users/new", username=name, name=nasty, email=nasty)
        assert answer.status_code == 422
        harmless(answer)


PAGES = [
    row.address
    for row in TABLE
    if "GET" in row.methods and row.address.startswith((*NEW, "/step-up", "/security", "/admin/"))
]


@pytest.mark.parametrize("path", PAGES)
def test_no_new_page_is_framed_kept_or_told_elsewhere(
    acme: PeopleCompany, boss: requests.Session, lena: Any, path: str
) -> None:
    url = f"{path}?t={acme.link(lena)}" if path == "/link" else path
    for browser in (boss, acme.browser()):
        answer = acme.get(browser, url, Accept="text/html")
        assert answer.status_code < 500
        headers = answer.headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "base-uri 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == ("no-referrer" if path == "/link" else "same-origin")


def test_nothing_is_left_after_signing_out(acme: PeopleCompany, lena: Any) -> None:
    browser = acme.signed_in(lena)
    back = acme.copy_of(browser)
    assert acme.own(browser, "/sign-out").status_code in (200, 303)
    for page in ("/security", "/security/enrol", "/security/password", "/admin/users", "/step-up"):
        answer = acme.get(back, page, Accept="text/html")
        assert answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in")


# --- odd passwords ----------------------------------------------------------------------------------------


def test_long_passwords_are_not_hashed(acme: PeopleCompany, lena: Any) -> None:
    before = acme.hashed()
    refused(acme.password(acme.browser(), lena, "a" * 2**20), "request.too_large")
    for long in ("a" * 60_000, "é" * 9_000, "a" * 257, "\U0001f600" * 300):
        assert acme.password(acme.browser(), lena, long).status_code == 401
    refused(
        acme.send(acme.browser(), "/root", {"password": "a" * 2**20, "reason": REASON}), "request.too_large"
    )
    token = acme.link(acme.user())
    for long in ("ab cd " * 50, "é" * 5_000):
        answer = acme.send(acme.browser(), "/link", {"t": token, "new": long, "again": long})
        assert answer.status_code == 422, answer.text
    assert acme.hashed() == before
    acme.signed_in(lena)
    assert acme.hashed() == before + 1


def test_one_password_in_every_unicode_form_is_one_password(acme: PeopleCompany) -> None:
    typed = "Ünïcödé pässwörd für Ångström"
    composed, apart = unicodedata.normalize("NFC", typed), unicodedata.normalize("NFD", typed)
    assert composed != apart
    for chosen in (composed, apart):
        user = acme.user(password=None)
        answer = acme.send(acme.browser(), "/link", {"t": acme.link(user), "new": chosen, "again": chosen})
        assert answer.status_code == 200
        for form in (composed, apart, typed.replace(" ", "\u00a0")):
            browser = acme.browser()
            assert acme.password(browser, user, form).status_code == 303
            acme.inside(browser, user.username)
        for other in (
            typed.casefold(),
            typed.replace("ü", "u"),
            f"{typed} ",
            unicodedata.normalize("NFKD", typed)[:-1],
        ):
            assert acme.password(acme.browser(), user, other).status_code == 401


# --- one-time links ---------------------------------------------------------------------------------------


def use(acme: PeopleCompany, token: str, password: str = OTHER) -> requests.Response:
    return acme.send(acme.browser(), "/link", {"t": token, "new": password, "again": password})


def test_of_twenty_who_use_a_link_at_once_one_does(acme: PeopleCompany) -> None:
    user = acme.user()
    old = acme.signed_in(user)
    token = acme.link(user)
    passwords = [f"a long enough password {at:02}" for at in range(CROWD)]
    answers = at_once([partial(use, acme, token, password) for password in passwords])
    came = Counter(answer.status_code for answer in answers)
    # Whoever finds no place to be hashed in time is told so and may come again: the link is not used up by that.
    assert came[200] == 1 and set(came) <= {200, 401, 503, 429}, came
    acme.outside(old)
    won = passwords[[answer.status_code for answer in answers].index(200)]
    browser = acme.browser()
    assert acme.password(browser, user, won).status_code == 303
    lost = next(each for each in passwords if each != won)
    assert acme.password(acme.browser(), user, lost).status_code == 401
    refused(use(acme, token), "link.invalid")


def test_links_are_good_for_what_they_were_made_for_alone(acme: PeopleCompany, lena: Any) -> None:
    browser = acme.signed_in(lena)
    phone = acme.phone(acme.user())
    challenge = handle(acme.password(acme.browser(), acme.user(groups=("guarded",))))
    for other in (token_of(browser), str(browser.cookies["daypass-device-lax"]), challenge, phone.secret):
        refused(use(acme, other), "link.invalid")
    token = acme.link(lena)
    for path, name in (("/challenge", "c"), ("/challenge/enrol", "c")):
        refused(acme.send(browser, path, {name: token, "kind": "totp", "code": "1"}), "mfa.over")
    thief = acme.browser()
    thief.cookies.set(SESSION, token, domain="localhost.local", path="/")
    acme.outside(thief)
    # A password link never sets root up; and nothing but looking uses it up.
    for _ in range(3):
        assert acme.get(acme.browser(), f"/link?t={token}").status_code == 200
    assert use(acme, token, PASSWORD).status_code == 200
    acme.signed_in(lena)


def test_a_link_does_not_stand_for_the_second_factor(acme: PeopleCompany) -> None:
    user = acme.user()
    phone = acme.phone(user)
    with acme.nobody_in():
        assert use(acme, acme.link(user)).status_code == 200
        browser = acme.browser()
        challenge = handle(acme.password(browser, user, OTHER))
        acme.outside(browser)
    acme.new_step()
    assert acme.prove(browser, challenge, phone).status_code == 303


def test_a_link_is_in_no_log_no_record_and_no_referer(acme: PeopleCompany) -> None:
    user = acme.user()
    url = acme.door.password_link(user.id, by=acme.operator_on_host)
    token = url.partition("?t=")[2]
    page = acme.get(acme.browser(), f"/link?t={token}", Accept="text/html")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert not re.findall(r'(?:href|src|action)="(?:https?:)?//', page.text)
    bad = acme.send(acme.browser(), "/link", {"t": token, "new": "short", "again": "short"})
    assert bad.status_code == 422 and bad.headers["Referrer-Policy"] == "no-referrer"
    assert use(acme, token).status_code == 200
    refused(acme.get(acme.browser(), f"/link?t={token}", Accept="text/html"), "link.invalid")
    assert token not in acme.log()
    assert token not in acme.trail()
    for file in acme.folder.glob("daypass.db*"):
        assert token.encode() not in file.read_bytes()


def test_links_are_not_guessed(acme: PeopleCompany) -> None:
    mallory = acme.browser()
    answers = [acme.get(mallory, f"/link?t={at:043}") for at in range(300)]
    codes = Counter(answer.status_code for answer in answers)
    # 120 a minute and worker, of 2^256.
    assert set(codes) == {401, 429} and codes[401] <= 2 * 2 * 120, codes
    assert acme.get(acme.browser(), f"/link?t={acme.link(acme.user())}").status_code == 200


# --- other kinds of sessions ------------------------------------------------------------------------------


def test_apps_and_guests_reach_neither_factors_nor_administration(acme: PeopleCompany) -> None:
    user = acme.user(groups=("operators",))
    browser = acme.signed_in(user)
    tokens = acme.app().tokens(browser)
    guest = given(acme.call("/oauth/token", {"grant_type": GUEST, "client_id": "photo-app"}))
    shown = [tokens["access_token"], tokens["refresh_token"], guest["access_token"]]
    paths = [row.address for row in TABLE if row.address.startswith(("/security", "/admin", "/step-up"))]
    csrf = acme.csrf(browser)
    for token in shown:
        for path in paths:
            app = acme.browser()
            app.headers["Authorization"] = f"Bearer {token}"
            refused(acme.get(app, path), "session.missing")
            app.cookies.set(SESSION, token[:128], domain="localhost.local", path="/")
            answer = acme.send(app, path, {"csrf": csrf, **FIELDS})
            assert answer.status_code in (401, 405), (path, answer.status_code)
    assert acme.devices(user) == []
    assert acme.get(browser, "/admin/users").status_code == 200
