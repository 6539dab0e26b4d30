"""The next proof: a code, a key, a recovery code; wrong ones, other browsers, and what comes then."""

from __future__ import annotations

import pytest

from app.errors import MfaRequired, SessionUnknown, TooManyGuesses
from app.people import StepUpAsk
from tests.web.builders import ARN, ROLES, World, code_of, session
from tests.web.local_people import CODE, KEY, RECOVERY, step_up_members
from tests.web.people_steps import as_lena, asked, cookies, handle, hidden, post, token, world
from tests.web.test_local_sign_in import ODD
from tests.web.test_portal import SCRIPT


def test_the_page_says_what_it_is_for_and_offers_what_the_person_has():
    made = world()
    page = made.browser.get(asked(made)).text
    for words in (
        "A second factor is needed",
        "You are signed in",
        "lena",
        'inputmode="numeric"',
        'autocomplete="one-time-code"',
        'data-webauthn="get"',
        "Use a recovery code",
        "need JavaScript",
    ):
        assert words in page


def test_only_what_the_person_has_is_offered():
    made = world()
    made.broker.has(made.broker.lena(), "totp")
    made.broker.recovery.clear()
    page = made.browser.get(asked(made)).text
    assert 'autocomplete="one-time-code"' in page
    assert "data-webauthn" not in page and "recovery code" not in page.partition("<dl")[0]
    assert "portal-webauthn" not in page


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "totp", "code": f" {CODE} "},
        {"kind": "webauthn", "response": KEY},
        {"kind": "recovery", "code": RECOVERY[3]},
    ],
)
def test_each_of_them_finishes_the_sign_in(answer):
    made = world()
    c = handle(asked(made, "/why"))
    done = post(made, "/challenge", c=c, **answer)
    assert (done.status_code, done.headers["Location"]) == (303, "/why")
    assert made.broker.cookies[token(made)].identity.username == "lena"
    assert {"daypass", "daypass-device"} <= set(cookies(done))
    assert "Max-Age=0" in cookies(done)["daypass-signin"]


def test_a_wrong_code_says_how_to_go_on_and_five_end_it():
    made = world()
    c = handle(asked(made))
    for _ in range(4):
        answer = post(made, "/challenge", c=c, kind="totp", code="000000")
        assert answer.status_code == 401
        assert "Wait for the next code" in answer.text and hidden(answer.text)["c"] == c
    over = post(made, "/challenge", c=c, kind="totp", code="000000")
    assert (over.status_code, code_of(over.text)) == (401, "mfa.over")
    assert 'href="/sign-in"' in over.text
    assert post(made, "/challenge", c=c, kind="totp", code=CODE).status_code == 401
    assert token(made) == ""


def test_too_many_guesses_are_told_with_the_time_to_wait():
    made = world()
    c = handle(asked(made))
    made.broker.fail["answer"] = TooManyGuesses(retry_after=600)
    answer = post(made, "/challenge", c=c, kind="totp", code="1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "600")
    assert "too many wrong answers" in answer.text


def test_a_challenge_is_worth_nothing_in_another_browser():
    made = world()
    address = asked(made)
    stranger = made.new_browser()
    assert code_of(stranger.get(address).text) == "mfa.over"
    answer = post(made, "/challenge", stranger, c=handle(address), kind="totp", code=CODE)
    assert code_of(answer.text) == "mfa.over"
    assert made.broker.times("answer") == 1 and token(made, stranger) == ""
    assert post(made, "/challenge", c=handle(address), kind="totp", code=CODE).status_code == 303


def test_a_directorys_person_is_asked_after_the_directory():
    made = world()
    made.broker.factor_after_directory = True
    made.broker.has(session().identity, "totp")
    made.browser.get("/sign-in/partner?next=/why")
    state = next(iter(made.broker.pending))
    answer = made.browser.get(f"/oidc/partner/callback?code=c&state={state}")
    assert answer.headers["Location"].startswith("/challenge?c=")
    assert "daypass" not in cookies(answer) and "daypass-signin" in cookies(answer)
    done = post(made, "/challenge", c=handle(answer.headers["Location"]), kind="totp", code=CODE)
    assert done.headers["Location"] == "/why"
    assert made.broker.cookies[token(made)].identity.username == "ana"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["c", "kind", "code", "response"])
def test_odd_answers_are_never_a_defect(odd, name):
    made = world()
    c = handle(asked(made))
    for kind in ("totp", "webauthn", "recovery"):
        fields = {"c": c, "kind": kind, "code": "1", "response": "{}", name: odd}
        answer = post(made, "/challenge", **fields)
        assert answer.status_code in (400, 401)
        assert "<script>alert" not in answer.text
    assert made.browser.get("/challenge", query_string={"c": odd}).status_code in (401, 404)


def test_an_answer_that_is_too_long_is_not_looked_at():
    made = world()
    c = handle(asked(made))
    post(made, "/challenge", c=c, kind="webauthn", response="x" * 17_000)
    post(made, "/challenge", c=c, kind="totp", code="1" * 65)
    assert made.broker.times("answer") == 0


def test_a_head_changes_nothing():
    made = world()
    assert made.browser.head(asked(made)).status_code == 405


# --- step-up --------------------------------------------------------------------------------------


def step_up(made: World, **query: str) -> str:
    answer = made.browser.get("/step-up", query_string=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_a_step_up_renews_the_cookie_and_lands_where_the_person_was():
    made = world()
    mine = as_lena(made, "totp")
    before = token(made)
    address = step_up(made, role=ARN, next="/console?role=x")
    page = made.browser.get(address).text
    assert "Prove that it is you" in page and ARN in page and "You open the console" in page
    done = post(made, "/challenge", c=handle(address), kind="totp", code=CODE)
    assert (done.status_code, done.headers["Location"]) == (303, "/console?role=x")
    assert token(made) not in ("", before)
    assert made.broker.cookies[token(made)].id == mine.id
    # Another tab may still be in the middle of one.
    assert "daypass-signin" not in cookies(done)


def test_without_a_next_a_role_lands_on_its_keys():
    made = world()
    as_lena(made, "totp")
    step_up(made, role=ARN)
    ask = next(what for name, what in made.broker.asked if name == "begin_step_up")
    assert ask.role == ARN and ask.next.startswith("/keys?role=arn")


def test_a_helpers_step_up_ends_with_go_back_to_your_terminal():
    made = world()
    as_lena(made, "totp")
    made.broker.others = [session(id="c-1", client="cli", device="lenas-laptop")]
    address = step_up(made, role=ARN, session="c-1")
    assert "Go back to your terminal" in made.browser.get(address).text
    done = post(made, "/challenge", c=handle(address), kind="totp", code=CODE)
    assert done.headers["Location"] == "/step-up/done?session=c-1"
    assert "Done: go back to your terminal" in made.browser.get(done.headers["Location"]).text


def test_somebody_elses_helper_is_unknown():
    made = world()
    as_lena(made, "totp")
    answer = made.browser.get(f"/step-up?role={ARN}&session=not-mine")
    assert (answer.status_code, code_of(answer.text)) == (404, SessionUnknown.code)


def test_a_stranger_signs_in_first_and_comes_back():
    answer = world().browser.get(f"/step-up?role={ARN}&session=c-1")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in?next=/step-up")
    assert "session%3Dc-1" in answer.headers["Location"]


@pytest.mark.parametrize("odd", [*ODD[1:], "//evil.example", "https://evil.example"])
@pytest.mark.parametrize("name", ["role", "session", "next"])
def test_odd_step_ups_lead_nowhere_else(odd, name):
    made = world()
    as_lena(made, "totp")
    answer = made.browser.get("/step-up", query_string={"role": ARN, name: odd})
    assert answer.status_code in (303, 404, 422)
    if answer.status_code == 303:
        asks = [what for method, what in made.broker.asked if method == "begin_step_up"]
        assert isinstance(asks[-1], StepUpAsk)
        assert asks[-1].next.startswith("/") and not asks[-1].next.startswith("//")


def test_whoever_may_add_nothing_here_signs_in_again_first():
    made = world()
    as_lena(made)
    address = step_up(made, role=ARN, session="")
    real = made.broker.challenge

    def nothing(c, browser, *, caller):
        from dataclasses import replace

        return replace(
            real(c, browser, caller=caller), kinds=(), enrol=(), role=ARN, next="/step-up/done?session=c-1"
        )

    made.broker.challenge = nothing
    page = made.browser.get(address).text
    assert 'href="/sign-in/local?next=/step-up%3Frole' in page and "session%3Dc-1" in page


# --- met in the middle of something ---------------------------------------------------------------


def needs() -> MfaRequired:
    refusal = MfaRequired("needs one")
    refusal.members = step_up_members(ARN, "http://localhost:8000")
    return refusal


def test_getting_keys_leads_through_the_step_up_and_back_with_all_that_was_chosen():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.fail["credentials"] = needs()
    answer = post(made, "/keys", csrf=mine.csrf, role=ARN, duration="900", reason="INC 7")
    assert answer.headers["Location"].startswith("/step-up?role=arn")
    address = made.browser.get(answer.headers["Location"]).headers["Location"]
    done = post(made, "/challenge", c=handle(address), kind="totp", code=CODE)
    page = made.browser.get(done.headers["Location"]).text
    assert 'value="INC 7"' in page
    assert 'value="900" checked' in page


def test_the_console_leads_through_the_step_up_to_its_button():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.fail["console_link"] = needs()
    answer = post(made, "/console", csrf=mine.csrf, role=ARN)
    address = made.browser.get(answer.headers["Location"]).headers["Location"]
    done = post(made, "/challenge", c=handle(address), kind="totp", code=CODE)
    assert done.headers["Location"].startswith("/console?role=")
    made.broker.fail.clear()
    page = made.browser.get(done.headers["Location"]).text
    assert "Open the console" in page
    opened = post(made, "/console", **{**hidden(page), "role": ARN})
    assert opened.headers["Location"].startswith(made.broker.console)


def test_the_refusal_is_on_record_once():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.fail["credentials"] = needs()
    post(made, "/keys", csrf=mine.csrf, role=ARN)
    assert made.broker.records == ["mfa_required"]


def test_elsewhere_it_is_a_page_whose_button_leads_there():
    made = world()
    as_lena(made, "totp")
    made.broker.fail["roles"] = needs()
    answer = made.browser.get("/")
    assert (answer.status_code, code_of(answer.text)) == (403, "mfa_required")
    assert f'href="/step-up?role={ARN}"' in answer.text and "Prove it and go on" in answer.text


def test_programs_read_the_address_and_the_kinds():
    made = world()
    as_lena(made, "totp")
    refusal = needs()
    refusal.members = {**refusal.members, "status": 200, "code": "fine"}
    made.broker.fail["roles"] = refusal
    answer = made.browser.get("/v1/roles")
    assert (answer.status_code, answer.json["status"], answer.json["code"]) == (403, 403, "mfa_required")
    assert answer.json["step_up"] == {
        "url": f"http://localhost:8000/step-up?role={ARN}",
        "kinds": ["totp", "webauthn"],
    }


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "//evil.example/step-up?x", "javascript:alert(1)", ""]
)
def test_no_refusal_leads_to_another_site(url):
    made = world()
    as_lena(made, "totp")
    refusal = MfaRequired()
    refusal.members = {"step_up": {"url": url}}
    made.broker.fail["roles"] = refusal
    page = made.browser.get("/").text
    assert "evil.example" not in page and "javascript:" not in page


def test_names_are_only_text():
    made = world()
    who = made.broker.lena()
    made.broker.has(who, "totp")
    real = made.broker.challenge

    def named(c, browser, *, caller):
        from dataclasses import replace

        return replace(real(c, browser, caller=caller), why=f"On `{SCRIPT}`", username=SCRIPT)

    made.broker.challenge = named
    page = made.browser.get(asked(made)).text
    assert "<script>alert" not in page and "<img" not in page


def test_the_roles_page_leads_through_the_step_up():
    from app.model import Entitlement

    made = world()
    made.broker.entitlements = (Entitlement(ROLES[0], {"mfa": {"kinds": ["totp"]}}), Entitlement(ROLES[1]))
    as_lena(made, "totp")
    page = made.browser.get("/").text
    assert page.count("Needs a second factor") == 1
    assert page.count('href="/step-up?role=') == 2
    # No button of a form, which would ask AWS at once.
    assert f'value="{ROLES[0].arn}"' not in page
    keys = made.browser.get(f"/keys?role={ROLES[0].arn}").text
    assert "needs a second factor" in keys and "/step-up?role=" in keys and "Get keys" not in keys
    why = made.browser.get(f"/console?role={ROLES[0].arn}").text
    assert "needs a second factor" in why


@pytest.mark.parametrize("odd", [*ODD[1:], "899", "-1", "1e3"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/keys", "role"),
        ("/keys", "duration"),
        ("/keys", "reason"),
        ("/console", "role"),
        ("/console", "destination"),
    ],
)
def test_odd_landings_are_never_a_defect(path, name, odd):
    made = world()
    as_lena(made, "totp")
    answer = made.browser.get(path, query_string={"role": ARN, name: odd})
    assert answer.status_code in (200, 404, 422)
    assert "<script>alert" not in answer.text


def test_a_long_reason_gives_way_to_the_address():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.fail["credentials"] = needs()
    answer = post(made, "/keys", csrf=mine.csrf, role=ARN, duration="900", reason="\u00fc" * 256)
    made.browser.get(answer.headers["Location"])
    ask = next(what for name, what in made.broker.asked if name == "begin_step_up")
    assert ask.next.startswith("/keys?role=") and len(ask.next) <= 2048
