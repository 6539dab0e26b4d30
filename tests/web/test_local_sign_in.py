"""Signing in by name and password, and by a passkey alone: words, cookies, other sites, and what never shows."""

from __future__ import annotations

import json
import logging
import re

import pytest

from app.errors import (
    Busy,
    CredentialsWrong,
    MfaMissing,
    SignInNotAllowed,
    StoreUnavailable,
    TooMany,
    TooManyGuesses,
)
from tests.web.builders import BASE, EVIL, HTTPS, World, code_of, https_settings
from tests.web.local_people import KEY, PASSWORD
from tests.web.people_steps import OURS, asked, cookies, give_password, hidden, post, token, world
from tests.web.test_portal import SCRIPT


def test_the_sign_in_page_offers_local_users_last_and_only_where_they_are_on():
    made = world()
    page = made.browser.get("/sign-in?next=/why").text
    assert 'href="/sign-in/local?next=/why"' in page and "Contractors" in page
    assert page.index("Acme staff") < page.index("Contractors")
    made.broker.label = ""
    page = made.browser.get("/sign-in").text
    assert "/sign-in/local" not in page
    for answer in (
        made.browser.get("/sign-in/local"),
        give_password(made),
        post(made, "/sign-in/passkey", next="/"),
        made.browser.get("/forgot"),
        post(made, "/forgot", username="lena"),
    ):
        assert answer.status_code == 404
    assert made.broker.times("password_sign_in") == made.broker.times("ask_password_link") == 0


def test_name_and_password_sign_in_and_land_where_the_person_wanted_to_go():
    made = world()
    page = made.browser.get("/sign-in/local?next=/why").text
    for words in ('autocomplete="username"', 'autocomplete="current-password"', 'href="/forgot"'):
        assert words in page
    answer = post(made, "/sign-in/local", username="lena", password=PASSWORD, **hidden(page))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/why")
    assert made.broker.cookies[token(made)].identity.username == "lena"
    assert "Lena" in made.browser.get("/").text


def test_the_browser_is_known_from_then_on_and_keeps_its_name():
    made = world()
    first = cookies(give_password(made))
    assert "Max-Age=15552000" in first["daypass-device"] and "HttpOnly" in first["daypass-device"]
    give_password(made)
    assert len(set(made.broker.devices_seen)) == 1
    stranger = made.new_browser()
    give_password(made, browser=stranger)
    assert len(set(made.broker.devices_seen)) == 2


def test_off_loopback_the_cookies_cannot_be_planted_by_another_host():
    made = World(settings=https_settings(local="Contractors"))
    answer = made.browser.post(
        "/sign-in/local", data={"username": "lena", "password": PASSWORD}, headers={"Origin": HTTPS}
    )
    given = cookies(answer)
    for name in ("__Host-daypass", "__Host-daypass-device"):
        assert "Secure" in given[name] and "HttpOnly" in given[name] and "Domain" not in given[name]
    assert "SameSite=Lax" in given["__Host-daypass"]


def test_a_wrong_password_says_how_to_go_on_and_keeps_the_name_only():
    made = world()
    answer = give_password(made, "/why", password="not-it-at-all")
    assert answer.status_code == 401
    assert "That name and password do not fit" in answer.text
    assert 'value="lena"' in answer.text and 'value="/why"' in answer.text
    assert "not-it-at-all" not in answer.text
    assert "daypass" not in cookies(answer) and "daypass-device" not in cookies(answer)


def test_nobody_can_tell_whether_a_name_is_known():
    made = world()
    known = give_password(made, password="x")
    unknown = give_password(made, username="nobody", password="x")
    for answer in (known, unknown):
        assert answer.status_code == 401

    def bare(text: str) -> str:
        return re.sub(r'value="(lena|nobody)"', "", text)

    assert bare(known.text) == bare(unknown.text)


@pytest.mark.parametrize(
    ("refusal", "status"),
    [(TooManyGuesses(retry_after=900), 429), (Busy(retry_after=2), 429), (CredentialsWrong(), 401)],
)
def test_what_can_be_tried_again_is_told_at_the_form(refusal, status):
    made = world()
    made.broker.fail["password_sign_in"] = refusal
    answer = give_password(made)
    assert answer.status_code == status and refusal.words in answer.text
    assert 'name="password"' in answer.text
    assert answer.headers.get("Retry-After") == (str(refusal.retry_after) if refusal.retry_after else None)


@pytest.mark.parametrize("refusal", [SignInNotAllowed(), MfaMissing(), TooMany(), StoreUnavailable()])
def test_what_cannot_is_a_page_of_its_own(refusal):
    made = world()
    made.broker.fail["password_sign_in"] = refusal
    answer = give_password(made)
    assert (answer.status_code, code_of(answer.text)) == (refusal.status, refusal.code)
    assert "daypass" not in cookies(answer)


def test_a_second_factor_is_asked_for_before_there_is_a_session():
    made = world()
    address = asked(made, "/why")
    assert re.fullmatch(r"/challenge\?c=[A-Za-z0-9_-]{43}", address)
    assert token(made) == ""
    assert made.browser.get("/").status_code == 303


def test_a_session_that_was_there_ends_and_its_cookie_is_replaced():
    made = world()
    made.signed_in()
    planted = token(made)
    give_password(made)
    assert token(made) not in ("", planted)
    assert planted not in made.broker.cookies


# --- other sites ----------------------------------------------------------------------------------

FORMS = (
    ("/sign-in/local", {"username": "lena", "password": PASSWORD}),
    ("/sign-in/passkey", {"next": "/"}),
    ("/challenge", {"c": "x" * 43, "kind": "totp", "code": "1"}),
    ("/challenge/enrol", {"c": "x" * 43, "kind": "totp"}),
    ("/link", {"t": "l" * 43, "new": PASSWORD, "again": PASSWORD}),
    ("/forgot", {"username": "lena"}),
    ("/root", {"password": PASSWORD, "reason": "all is lost"}),
)


@pytest.mark.parametrize(("path", "fields"), FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": f"{BASE}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": BASE},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": EVIL},
    ],
)
def test_another_site_signs_nobody_in_and_asks_for_nothing(path, fields, headers):
    made = world()
    answer = made.browser.post(path, data=fields, headers=headers)
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    for method in ("password_sign_in", "begin_passkey", "answer", "use_one_time_link", "root_sign_in"):
        assert made.broker.times(method) == 0
    assert made.broker.times("ask_password_link") == made.broker.times("begin_enrolment") == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": BASE},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
def test_our_own_page_is_let_through_by_either_header(headers):
    made = world()
    answer = made.browser.post(
        "/sign-in/local", data={"username": "lena", "password": PASSWORD}, headers=headers
    )
    assert answer.status_code == 303


# --- a passkey ------------------------------------------------------------------------------------


def begin(made: World, target: str = "/") -> str:
    answer = post(made, "/sign-in/passkey", next=target)
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    assert answer.json["options"]["rpId"] == "localhost"
    return answer.json["challenge"]


def test_a_passkey_alone_signs_in():
    made = world()
    answer = post(made, "/challenge", c=begin(made, "/why"), kind="webauthn", response=KEY)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/why")
    assert made.broker.cookies[token(made)].identity.username == "lena"


def test_a_passkey_that_is_not_known_leads_back_to_the_form():
    made = world()
    answer = post(made, "/challenge", c=begin(made, "/why"), kind="webauthn", response="{}")
    assert answer.status_code == 401
    assert 'name="password"' in answer.text and "That was not accepted" in answer.text
    assert 'name="next" value="/why"' in answer.text


def test_a_passkey_of_another_browser_is_not_taken():
    made = world()
    handle = begin(made)
    stranger = made.new_browser()
    begin_elsewhere = post(made, "/sign-in/passkey", stranger, next="/")
    assert begin_elsewhere.status_code == 200
    answer = post(made, "/challenge", stranger, c=handle, kind="webauthn", response=KEY)
    assert (answer.status_code, code_of(answer.text)) == (401, "mfa.over")
    assert post(made, "/challenge", c=handle, kind="webauthn", response=KEY).status_code == 303


def test_the_script_may_ask_our_server_on_that_page_only():
    made = world()
    policy = made.browser.get("/sign-in/local").headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy and "script-src 'self'" in policy
    assert "connect-src" not in made.browser.get("/sign-in").headers["Content-Security-Policy"]


def test_a_refusal_reaches_the_script_as_problem_json():
    made = world()
    made.broker.fail["begin_passkey"] = TooMany(retry_after=60)
    answer = made.browser.post(
        "/sign-in/passkey", data={"next": "/"}, headers={**OURS, "Accept": "application/json"}
    )
    assert (answer.status_code, answer.json["code"]) == (429, TooMany.code)


# --- odd input ------------------------------------------------------------------------------------

ODD = ("", "\0", SCRIPT, "x" * 5000, "ü" * 300, "a\r\nb", "{}", "../..", "\u202e", "%00", "lena\0")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["username", "password", "next"])
def test_odd_input_is_never_a_defect(odd, name):
    made = world()
    answer = give_password(made, **{name: odd})
    assert answer.status_code in (303, 401)
    assert "<script>alert" not in answer.text
    assert answer.headers.get("Location", "/").startswith("/")


def test_a_name_that_nobody_can_have_is_not_looked_up():
    made = world()
    for odd in ("\0", "x" * 300, "a\r\nb"):
        give_password(made, username=odd)
    names = [what[0] for name, what in made.broker.asked if name == "password_sign_in"]
    assert names == ["", "", ""]


def test_a_body_that_is_too_long_twice_or_of_another_kind_is_refused():
    made = world()
    for data, status in (
        ({"username": "l" * 100_000, "password": "x"}, 413),
        ("username=a&username=b", 400),
        (json.dumps({"username": "lena"}), 415),
    ):
        kind = {415: "application/json"}.get(status, "application/x-www-form-urlencoded")
        answer = made.browser.post("/sign-in/local", data=data, headers=OURS, content_type=kind)
        assert answer.status_code == status
    assert made.browser.head("/sign-in/local").status_code == 200


def test_no_secret_reaches_the_log(caplog):
    made = world()
    with caplog.at_level(logging.DEBUG):
        give_password(made)
        give_password(made, password="S3CRET-not-the-one")
        address = asked(made)
        made.browser.get(address)
    lines = "\n".join(str(vars(record)) for record in caplog.records)
    for secret in (PASSWORD, "S3CRET-not-the-one", address.partition("c=")[2], token(made) or "-"):
        assert secret == "-" or secret not in lines
