"""Adding a device: within the sign-in that wants one, on /security, and at root's set-up."""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.errors import FactorsFull, ProofNotRecent, TooManyGuesses
from app.mfa import qr
from tests.web.builders import ARN, EVIL, World, code_of
from tests.web.local_people import CODE, KEY, PASSWORD, RECOVERY, ROOT_LINK, SECRET, URI
from tests.web.people_steps import OURS, as_lena, cookies, give_password, handle, hidden, post, token, world
from tests.web.test_local_sign_in import ODD
from tests.web.test_portal import SCRIPT


def wanted(made: World, target: str = "/") -> str:
    """A sign-in that wants a device: the address of the choice."""
    made.broker.must_enrol = True
    address = give_password(made, target).headers["Location"]
    answer = made.browser.get(address)
    assert answer.status_code == 303
    return answer.headers["Location"]


def begin(made: World, c: str, kind: str) -> str:
    answer = post(made, "/challenge/enrol", c=c, kind=kind, step="begin")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_whoever_must_have_one_and_has_none_chooses_a_kind():
    made = world()
    page = made.browser.get(wanted(made)).text
    for words in ("Add a second factor", "Authenticator app", "Security key or passkey", "you are signed in"):
        assert words in page
    assert token(made) == ""


def test_an_app_is_added_by_qr_code_or_typed_key_and_a_code_and_signs_in():
    made = world()
    c = handle(wanted(made, "/why"))
    page = begin(made, c, "totp")
    assert qr.svg(URI, "QR code for the authenticator app") in page
    typed = re.search(r'id="typed-key">([^<]*)<', page)
    assert typed is not None and typed[1].replace(" ", "") == SECRET
    done = post(made, "/challenge/enrol", **{**hidden(page), "code": CODE, "name": "My phone"})
    assert done.status_code == 200
    for code in RECOVERY:
        assert code in done.text
    assert "data-print" in done.text and 'data-copy="codes"' in done.text and 'href="/why"' in done.text
    assert made.broker.cookies[token(made)].identity.username == "lena"
    assert {"daypass", "daypass-device"} <= set(cookies(done))
    assert [each.name for each in made.broker.factors["local", "lena"]] == ["My phone"]


def test_a_security_key_is_added_by_the_browsers_answer():
    made = world()
    page = begin(made, handle(wanted(made)), "webauthn")
    options = re.search(r'data-webauthn="create" data-options="([^"]*)"', page)
    assert options is not None and '"pubKeyCredParams"' in unescape(options[1])
    assert "portal-webauthn" in page and "need JavaScript" in page
    done = post(made, "/challenge/enrol", **{**hidden(page), "response": KEY, "name": ""})
    assert [each.name for each in made.broker.factors["local", "lena"]] == ["Security key"]
    assert RECOVERY[0] in done.text


def test_a_wrong_code_shows_the_same_key_again():
    made = world()
    page = begin(made, handle(wanted(made)), "totp")
    again = post(made, "/challenge/enrol", **{**hidden(page), "code": "000000", "name": "Mine"})
    assert again.status_code == 401
    assert "That code does not fit" in again.text and SECRET[:4] in again.text
    assert 'value="Mine"' in again.text and hidden(again.text)["enrolment"] == hidden(page)["enrolment"]
    assert made.broker.times("begin_enrolment") == 1
    assert post(made, "/challenge/enrol", **{**hidden(again.text), "code": CODE}).status_code == 200


def test_a_wrong_key_is_asked_a_new_question():
    made = world()
    page = begin(made, handle(wanted(made)), "webauthn")
    again = post(made, "/challenge/enrol", **{**hidden(page), "response": "{}"})
    assert again.status_code == 401
    assert hidden(again.text)["enrolment"] != hidden(page)["enrolment"]


def test_a_key_that_our_page_did_not_show_is_not_shown_again():
    made = world()
    page = begin(made, handle(wanted(made)), "totp")
    for name, odd in (("secret", SCRIPT), ("uri", SCRIPT), ("uri", "https://evil.example"), ("secret", "")):
        again = post(made, "/challenge/enrol", **{**hidden(page), "code": "1", name: odd})
        assert again.status_code == 401
        assert "<script>alert" not in again.text and "evil.example" not in again.text


def test_a_name_that_is_none_is_asked_again_and_costs_nothing():
    made = world()
    page = begin(made, handle(wanted(made)), "totp")
    again = post(made, "/challenge/enrol", **{**hidden(page), "code": CODE, "name": "x" * 65})
    assert again.status_code == 422 and "64 characters" in again.text
    assert post(made, "/challenge/enrol", **{**hidden(again.text), "code": CODE}).status_code == 200


def test_it_says_when_it_counts_later_only():
    made = world()
    made.broker.counts_later = True
    c = handle(wanted(made))
    words = "counts for roles of level admin from your next sign-in"
    assert words in made.browser.get(f"/challenge/enrol?c={c}").text
    page = begin(made, c, "totp")
    assert words in page
    assert words in post(made, "/challenge/enrol", **{**hidden(page), "code": CODE}).text


def test_whoever_has_a_device_is_asked_for_it_instead():
    made = world()
    address = wanted(made)
    made.broker.has(made.broker.lena(), "totp")
    answer = made.browser.get(address)
    assert answer.headers["Location"].startswith("/challenge?c=")


def test_another_browser_adds_nothing():
    made = world()
    c = handle(wanted(made))
    stranger = made.new_browser()
    for path in (f"/challenge/enrol?c={c}", f"/challenge?c={c}"):
        assert code_of(stranger.get(path).text) == "mfa.over"
    answer = post(made, "/challenge/enrol", stranger, c=c, kind="totp", step="begin")
    assert code_of(answer.text) == "mfa.over"
    assert made.broker.factors == {}


def test_a_step_up_without_a_device_adds_one_and_goes_on():
    made = world()
    as_lena(made)
    address = made.browser.get(f"/step-up?role={ARN}").headers["Location"]
    c = handle(made.browser.get(address).headers["Location"])
    page = begin(made, c, "totp")
    done = post(made, "/challenge/enrol", **{**hidden(page), "code": CODE})
    assert 'href="/keys?role=arn' in done.text and RECOVERY[9] in done.text


def test_root_adds_two_devices_before_it_is_set_up():
    made = world()
    page = made.browser.get(f"/link?t={ROOT_LINK}").text
    answer = post(made, "/link", **{**hidden(page), "new": PASSWORD, "again": PASSWORD})
    address = answer.headers["Location"]
    for step in (1, 2):
        choice = made.browser.get(address)
        assert choice.headers["Location"].startswith("/challenge/enrol")
        page = begin(made, handle(choice.headers["Location"]), "totp")
        done = post(made, "/challenge/enrol", **{**hidden(page), "code": CODE})
        if step == 1:
            assert f'href="{address}"' in done.text
    assert "Root is set up" in done.text and "/root" in done.text
    assert any("-device" in each for each in done.headers.getlist("Set-Cookie")), (
        "the browser is known from now on"
    )
    assert token(made) == ""


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["c", "kind", "step", "enrolment", "code", "name", "secret", "uri"])
def test_odd_input_is_never_a_defect(odd, name):
    made = world()
    page = begin(made, handle(wanted(made)), "totp")
    answer = post(made, "/challenge/enrol", **{**hidden(page), "code": CODE, name: odd})
    assert answer.status_code in (200, 400, 401, 422)
    assert "<script>alert" not in answer.text


# --- on /security ---------------------------------------------------------------------------------


def own(made: World, mine, kind: str) -> str:
    return post(made, "/security/enrol", csrf=mine.csrf, kind=kind, step="begin").text


def test_a_first_device_gives_codes_and_a_second_none():
    made = world()
    mine = as_lena(made)
    assert "Add a second factor" in made.browser.get("/security/enrol").text
    page = own(made, mine, "totp")
    done = post(made, "/security/enrol", **{**hidden(page), "code": CODE, "name": "Phone"})
    assert RECOVERY[0] in done.text and 'href="/security"' in done.text
    page = own(made, mine, "webauthn")
    done = post(made, "/security/enrol", **{**hidden(page), "response": KEY, "name": "Blue key"})
    assert (done.status_code, done.headers["Location"]) == (303, "/security")
    page = made.browser.get("/security").text
    assert "Blue key" in page and "Phone" in page


def test_people_of_a_directory_add_devices_too():
    made = world()
    mine = made.signed_in()
    page = own(made, mine, "totp")
    post(made, "/security/enrol", **{**hidden(page), "code": CODE})
    assert [each.kind for each in made.broker.factors["corp", "u-1"]] == ["totp"]


def test_without_a_recent_proof_it_is_asked_for_first():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.recent = False
    assert made.browser.get("/security/enrol").headers["Location"] == "/security/prove?next=/security/enrol"
    answer = post(made, "/security/enrol", csrf=mine.csrf, kind="totp", step="begin")
    assert answer.headers["Location"] == "/security/prove?next=/security/enrol"
    assert made.broker.records == [ProofNotRecent.code]
    proof = made.browser.get(answer.headers["Location"]).headers["Location"]
    done = post(made, "/challenge", c=handle(proof), kind="totp", code=CODE)
    assert done.headers["Location"] == "/security/enrol"


def test_eight_are_enough():
    made = world()
    as_lena(made, *["totp"] * 8)
    answer = made.browser.get("/security/enrol")
    assert (answer.status_code, code_of(answer.text)) == (409, FactorsFull.code)
    assert "/security/enrol" not in made.browser.get("/security").text


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_adds_nothing(headers):
    made = world()
    mine = as_lena(made)
    answer = made.browser.post(
        "/security/enrol", data={"csrf": mine.csrf, "kind": "totp", "step": "begin"}, headers=headers
    )
    assert answer.status_code == 403
    answer = made.browser.post("/security/enrol", data={"kind": "totp"}, headers=OURS)
    assert answer.status_code == 403
    assert made.broker.times("begin_enrolment") == 0


def test_too_many_wrong_codes_are_told_at_the_form():
    made = world()
    mine = as_lena(made)
    page = own(made, mine, "totp")
    made.broker.fail["finish_enrolment"] = TooManyGuesses(retry_after=60)
    answer = post(made, "/security/enrol", **{**hidden(page), "code": CODE})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert SECRET[:4] in answer.text


def test_the_pages_secrets_are_kept_nowhere():
    made = world()
    mine = as_lena(made)
    answer = post(made, "/security/enrol", csrf=mine.csrf, kind="totp", step="begin")
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy and "data:" not in policy
    assert "style=" not in answer.text and "<script>" not in answer.text
