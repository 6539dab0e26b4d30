"""Why can't I use a role: the API's answer, the page, and what a refused role leads to."""

from __future__ import annotations

from dataclasses import replace
from html import unescape

import pytest

from app.errors import TooMany
from app.model import Decision, Effect, StatementRef
from tests.web.builders import ARN, FORBIDDEN, World, code_of, person

NOPE = "arn:aws:iam::999999999999:role/Nope"
EVIL = '<script>alert(1)</script>"onmouseover="x'


def signed_in(**changes: object) -> World:
    world = World()
    world.signed_in(**({"identity": person(**changes).identity} if changes else {}))
    return world


# --- the API --------------------------------------------------------------------------------------


def test_the_answer_has_the_promised_shape():
    answer = signed_in().browser.get(f"/v1/explain?role={FORBIDDEN}")
    assert answer.status_code == 200
    assert answer.json == {
        "role": FORBIDDEN,
        "decision": "implicitDeny",
        "matched": [],
        "why": "`office` (AtWork) would allow it, but needs MFA in the last 15 minutes; yours is 40 minutes old.",
        "nearest": {
            "policy": "office",
            "sid": "AtWork",
            "failed": "needs MFA in the last 15 minutes; yours is 40 minutes old",
        },
        "would_change": "Sign in again with a second factor.",
        "revision": 7,
    }


def test_a_yes_names_its_statements_without_their_place():
    told = signed_in().browser.get(f"/v1/explain?role={ARN}").json
    assert told["decision"] == "allow" and told["nearest"] is None and told["would_change"] == ""
    assert told["matched"] == [{"policy": "office", "sid": "AtWork", "file": None, "line": None}]


def test_what_must_look_unknown_is_404_and_on_record():
    world = signed_in()
    answer = world.browser.get(f"/v1/explain?role={NOPE}")
    assert (answer.status_code, answer.json["code"]) == (404, "role.unknown")
    assert world.broker.records == ["role.unknown"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 422, "request.invalid"),
        ("?role=", 422, "request.invalid"),
        ("?role=Admin", 422, "request.invalid"),
        (f"?role={ARN}&role={ARN}", 400, "request.malformed"),
        (f"?role={ARN}&person=ben", 422, "request.invalid"),
        (f"?role={ARN}%00", 422, "request.invalid"),
    ],
)
def test_a_malformed_question_is_refused(query, status, code):
    answer = signed_in().browser.get(f"/v1/explain{query}")
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_too_many_questions_are_told_when_to_come_back():
    world = signed_in()
    world.broker.fail["explain"] = TooMany(retry_after=30)
    for path in ("/v1/explain", "/why"):
        answer = world.browser.get(f"{path}?role={ARN}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


# --- the page -------------------------------------------------------------------------------------


def test_the_page_says_what_it_needs_what_you_have_and_what_to_do():
    answer = signed_in().browser.get(f"/why?role={FORBIDDEN}")
    page = unescape(answer.text)
    assert answer.status_code == 200
    for words in (
        "Not now",
        "<code>office</code> (AtWork) would allow it, but needs MFA in the last 15 minutes",
        "Sign in again with a second factor.",
        "Acme staff, 10:10 UTC",
        "Second factor",
        "engineering",
    ):
        assert words in page
    assert "Get keys" not in page


def test_a_role_that_is_open_leads_to_its_keys():
    page = signed_in().browser.get(f"/why?role={ARN}").text
    assert "You may use this role" in page
    assert 'href="/keys?role=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FReadOnly"' in page
    assert "<code>office, AtWork</code>" in page


def test_an_unknown_role_is_told_without_saying_whether_there_is_one():
    world = signed_in()
    answer = world.browser.get(f"/why?role={NOPE}")
    assert answer.status_code == 404
    assert "Not open to you" in answer.text and "or there is no such role" in answer.text
    assert world.broker.records == ["role.unknown"]


def test_account_and_name_are_enough():
    world = signed_in()
    assert world.browser.get("/why?role=111122223333/ReadOnly").status_code == 200
    assert world.broker.asked[-2:][0][1] == ARN or ("explain", ARN) in world.broker.asked


def test_without_a_role_there_is_the_form_alone():
    world = signed_in()
    page = world.browser.get("/why").text
    assert 'name="role"' in page and 'id="verdict"' not in page
    assert world.broker.times("explain") == 0


@pytest.mark.parametrize("typed", ["Admin", "production/Admin", EVIL, "a" * 5000, "\u202e\x00"])
def test_what_is_no_role_is_told_beside_the_field_and_escaped(typed):
    world = signed_in()
    answer = world.browser.get("/why", query_string={"role": typed})
    assert answer.status_code == 422
    assert "That is no role." in answer.text and "<script>alert" not in answer.text
    assert 'aria-invalid="true"' in answer.text and "role-wrong" in answer.text
    assert world.broker.times("explain") == 0


def test_hostile_claims_and_words_are_escaped_on_the_page():
    world = signed_in(groups=(EVIL, "a`b"), username=EVIL)
    world.broker.refusal = replace(
        world.broker.refusal,
        why=f"`{EVIL}` needs it",
        would_change=f"Do `{EVIL}`",
        decision=Decision(Effect.EXPLICIT_DENY, (StatementRef(EVIL, 0, EVIL),), 7),
    )
    page = world.browser.get(f"/why?role={FORBIDDEN}").text
    assert "<script>alert" not in page and '"onmouseover' not in page
    assert page.count("&lt;script&gt;") >= 5


def test_what_is_allowed_and_cannot_be_given_here_is_no_yes():
    world = signed_in()
    yes = Decision(Effect.ALLOW, (StatementRef("office", 0, "AtWork"),), 7)
    world.broker.refusal = replace(world.broker.refusal, decision=yes, would_change="Ask in the app.")
    page = world.browser.get(f"/why?role={FORBIDDEN}").text
    assert "Not here" in page and "Ask in the app." in page
    assert "You may use this role" not in page and "/keys?role=" not in page
    world.broker.refusal = replace(world.broker.refusal, would_change="")
    page = world.browser.get(f"/why?role={FORBIDDEN}").text
    assert "You may use this role" in page and "/keys?role=" in page


def test_an_odd_backtick_breaks_no_page():
    world = signed_in()
    world.broker.refusal = replace(world.broker.refusal, why="one ` alone")
    assert "one <code> alone</code>" in world.browser.get(f"/why?role={FORBIDDEN}").text


# --- the ways there -------------------------------------------------------------------------------


def test_my_roles_asks_for_a_missing_one_whether_or_not_there_are_any():
    world = signed_in()
    for entitlements in (world.broker.entitlements, ()):
        world.broker.entitlements = entitlements
        page = world.browser.get("/").text
        assert 'action="/why"' in page and "Missing a role?" in page


def test_a_refused_role_leads_to_its_explanation():
    world = World()
    made = world.signed_in()
    href = f"/why?role={FORBIDDEN.replace(':', '%3A').replace('/', '%2F')}"
    answers = (
        world.browser.get(f"/keys?role={FORBIDDEN}"),
        world.browser.post(
            "/console", data=world.form(made, role=FORBIDDEN), headers={"Origin": "http://localhost:8000"}
        ),
    )
    for answer in answers:
        assert (answer.status_code, code_of(answer.text)) == (403, "role.forbidden")
        assert href in answer.text
    assert "<code>office</code> (AtWork) would allow it" in answers[0].text
    assert "Ask why" not in world.browser.get("/nowhere").text


def test_keys_for_a_role_that_nothing_would_open_are_404_with_the_way_to_ask():
    world = signed_in()
    answer = world.browser.get(f"/keys?role={NOPE}")
    assert (answer.status_code, code_of(answer.text)) == (404, "role.unknown")
    assert "Ask why" in answer.text
    assert world.broker.records == ["role.unknown"]
