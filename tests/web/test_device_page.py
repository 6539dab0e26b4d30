"""The page on which a person lets a device in: who asks is plain, and nobody is talked into it."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from app.errors import SignInNotFresh, TooMany
from tests.web.builders import BASE, EVIL, World, code_of
from tests.web.test_portal import SCRIPT

HERE = "127.0.0.1"


def waiting(**changes: object) -> tuple[World, object, str]:
    world = World()
    made = world.signed_in()
    return world, made, world.broker.waits(**changes)


def decide(world: World, made, code: str, decision: str = "approve", **more):
    return world.browser.post("/device", data=world.form(made, user_code=code, decision=decision), **more)


def state(world: World, code: str) -> str:
    return world.broker.devices[code][2]


def test_without_a_code_the_page_asks_for_it():
    world, _, _ = waiting()
    page = world.browser.get("/device").text
    assert 'name="user_code"' in page
    assert world.broker.times("device") == 0


def test_strangers_sign_in_first_and_come_back_to_the_code():
    answer = World().browser.get("/device?user_code=BCDF-GHJK")
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["next"] == ["/device?user_code=BCDF-GHJK"]


@pytest.mark.parametrize(
    "typed", [str, str.lower, lambda code: code.replace("-", ""), lambda code: f" {code} "]
)
def test_the_page_shows_who_asks_from_where_for_what_and_until_when(typed):
    world, _, code = waiting(scope=("roles",))
    page = world.browser.get("/device", query_string={"user_code": typed(code)}).text
    for words in (
        code,
        "daypass command line",
        "build-7",
        "198.51.100.7",
        "daypass/0.1 (Linux)",
        "10:10 UTC",
    ):
        assert words in page
    assert "18:30 UTC" in page
    assert "which roles you have" in page and "Take AWS keys" not in page
    assert "Does your device show this very code?" in page
    assert "somebody sent you this code" in page
    assert state(world, code) == "waiting"


def test_another_address_than_the_browsers_is_a_warning_and_the_same_is_none():
    world, _, code = waiting()
    page = world.browser.get(f"/device?user_code={code}").text
    assert "from another address than yours" in page
    assert HERE in page
    world, _, code = waiting(address=HERE)
    page = world.browser.get(f"/device?user_code={code}").text
    assert "from another address than yours" not in page
    assert "the same address as yours" in page
    assert "somebody sent you this code" in page


def test_approving_lets_the_device_in_and_says_until_when():
    world, made, code = waiting()
    answer = decide(world, made, code)
    assert answer.status_code == 200
    assert "signed in until" in answer.text and "18:30 UTC" in answer.text
    assert state(world, code) == "approved"
    again = decide(world, made, code)
    assert again.status_code == 404


def test_refusing_gives_it_nothing():
    world, made, code = waiting(fresh=False)
    answer = decide(world, made, code, "refuse")
    assert "was given nothing" in answer.text
    assert state(world, code) == "denied"


@pytest.mark.parametrize("decision", [None, "", "allow", "yes"])
def test_only_the_two_buttons_decide(decision):
    world, made, code = waiting()
    form = world.form(made, user_code=code) | ({} if decision is None else {"decision": decision})
    answer = world.browser.post("/device", data=form)
    assert (answer.status_code, code_of(answer.text)) == (400, "request.malformed")
    assert state(world, code) == "waiting"


def test_with_an_old_sign_in_there_is_a_button_to_sign_in_and_come_back_instead_of_approve():
    world, _, code = waiting(fresh=False)
    page = world.browser.get(f"/device?user_code={code}").text
    assert 'value="approve"' not in page
    assert 'value="refuse"' in page
    href = unescape(re.search(r'<a class="button primary" href="([^"]*)"', page)[1])
    assert href == f"/sign-in/corp?next=/device%3Fuser_code%3D{code}"
    start = world.browser.get(href)
    assert start.status_code == 303
    assert next(iter(world.broker.pending.values()))[1].next == f"/device?user_code={code}"


def test_an_approval_that_is_not_fresh_is_refused_and_says_what_to_do():
    world, made, code = waiting()
    refusal = SignInNotFresh()
    refusal.recorded = True
    world.broker.fail["decide_device"] = refusal
    answer = decide(world, made, code)
    assert answer.status_code == 403
    assert "Sign in again" in answer.text and 'value="approve"' not in answer.text
    assert state(world, code) == "waiting"
    assert world.broker.records == []


@pytest.mark.parametrize(
    "typed", ["ZZZZ-ZZZZ", "x", "AAAAAAAA", "BCDF-GHJK\n0", "x" * 33, "é", "\u202eBCDFGHJK", SCRIPT, "%00"]
)
def test_an_unknown_code_is_a_form_that_says_so(typed):
    world, made, _ = waiting()
    for answer in (
        world.browser.get("/device", query_string={"user_code": typed}),
        decide(world, made, typed),
    ):
        assert answer.status_code == 404
        assert "No device is waiting under this code" in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert "<script>alert" not in answer.text
    assert world.broker.records == ["device.unknown"] * 2


def test_what_is_no_code_at_all_is_not_looked_up():
    world, _, _ = waiting()
    world.browser.get("/device", query_string={"user_code": "x" * 33})
    assert world.broker.times("device") == 0


def test_guessing_is_slowed_down():
    world, made, code = waiting()
    world.broker.fail["device"] = TooMany(retry_after=60)
    for answer in (world.browser.get(f"/device?user_code={code}"), decide(world, made, code)):
        assert (answer.status_code, code_of(answer.text)) == (429, "rate.limited")
        assert answer.headers["Retry-After"] == "60"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": BASE, "Sec-Fetch-Site": "none"}],
)
def test_another_site_cannot_approve(headers):
    world, made, code = waiting()
    answer = decide(world, made, code, headers=headers)
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert state(world, code) == "waiting"


def test_a_link_alone_approves_nothing():
    world, made, code = waiting()
    world.browser.get(f"/device?user_code={code}&decision=approve&csrf={made.csrf}")
    assert state(world, code) == "waiting"


def test_what_a_device_calls_itself_is_only_text():
    world, made, code = waiting(device=SCRIPT, user_agent=SCRIPT, address=SCRIPT)
    for page in (world.browser.get(f"/device?user_code={code}").text, decide(world, made, code).text):
        assert "<script>alert" not in page and "<img" not in page
        assert "&lt;script&gt;" in page
