"""One-time links, the forgotten password, and break-glass: what shows, what is kept, and what never tells."""

from __future__ import annotations

import logging
import re

import pytest

from app.errors import (
    Busy,
    CredentialsWrong,
    LinkInvalid,
    RootOnlyEmergency,
    StoreUnavailable,
    TooManyGuesses,
)
from app.model import Mail
from tests.web.builders import code_of
from tests.web.local_people import CODE, LINK, ROOT_LINK, ROOT_PASSWORD
from tests.web.people_steps import cookies, give_password, handle, hidden, post, token, world
from tests.web.test_local_sign_in import ODD

NEW = "a-new-one-of-many-words"
MAIL = Mail("localhost", 25, "daypass@acme.example")


def set_password(made, **fields: str):
    page = made.browser.get(f"/link?t={fields.pop('t', LINK)}").text
    return post(made, "/link", **{**hidden(page), "new": NEW, "again": NEW, **fields})


def test_a_link_sets_a_password_once():
    made = world()
    page = made.browser.get(f"/link?t={LINK}").text
    assert "lena" in page and "11:10 UTC" in page and page.count('autocomplete="new-password"') == 2
    done = set_password(made)
    assert done.status_code == 200 and "Your password is set" in done.text
    assert token(made) == ""  # sign in now, with the factor if there is one
    assert give_password(made, password=NEW).status_code == 303
    again = made.browser.get(f"/link?t={LINK}")
    assert (again.status_code, code_of(again.text)) == (401, LinkInvalid.code)


def test_looking_at_a_link_does_not_use_it_up():
    made = world()
    for _ in range(3):
        assert made.browser.get(f"/link?t={LINK}").status_code == 200
        assert made.browser.head(f"/link?t={LINK}").status_code == 200
    assert made.broker.times("use_one_time_link") == 0


def test_the_links_address_is_told_nobody_and_kept_nowhere():
    made = world()
    answer = made.browser.get(f"/link?t={LINK}")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert LINK not in answer.headers.get("Set-Cookie", "")
    assert made.browser.get("/sign-in").headers["Referrer-Policy"] == "same-origin"


def test_no_token_reaches_the_log(caplog):
    made = world()
    with caplog.at_level(logging.DEBUG):
        made.browser.get(f"/link?t={LINK}")
        set_password(made)
        made.browser.get(f"/link?t={LINK}")
        made.browser.get(f"/link?t={ROOT_LINK}&t=2")
    lines = "\n".join(str(vars(record)) for record in caplog.records)
    assert LINK not in lines and ROOT_LINK not in lines and NEW not in lines
    assert {record.path for record in caplog.records if hasattr(record, "path")} == {"/link"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"again": "another"}, "not the same"), ({"new": "short", "again": "short"}, "at least 12 characters")],
)
def test_a_password_that_does_not_do_leaves_the_link_good(fields, words):
    made = world()
    answer = set_password(made, **fields)
    assert answer.status_code == 422 and words in answer.text
    assert NEW not in answer.text and answer.headers["Referrer-Policy"] == "no-referrer"
    assert set_password(made).status_code == 200


def test_a_busy_service_leaves_the_link_good():
    made = world()
    made.broker.fail["use_one_time_link"] = Busy(retry_after=2)
    answer = set_password(made)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert hidden(answer.text)["t"] == LINK


@pytest.mark.parametrize("odd", [*ODD, "nobodys"])
def test_an_odd_token_is_an_invalid_link(odd):
    made = world()
    for answer in (
        made.browser.get("/link", query_string={"t": odd}),
        post(made, "/link", t=odd, new=NEW, again=NEW),
    ):
        assert (answer.status_code, code_of(answer.text)) == (401, LinkInvalid.code)


# --- the forgotten password -----------------------------------------------------------------------


def test_the_answer_is_the_same_for_everybody():
    made = world(mail=MAIL)
    assert 'name="username"' in made.browser.get("/forgot").text

    def bare(name: str) -> tuple[int, str]:
        answer = post(made, "/forgot", username=name)
        return answer.status_code, answer.text

    assert bare("lena") == bare("nobody") == bare("\0") == bare("x" * 3000)
    names = [what for name, what in made.broker.asked if name == "ask_password_link"]
    assert names == ["lena", "nobody", "", ""]


def test_where_no_mail_goes_out_the_page_says_whom_to_ask():
    page = world().browser.get("/forgot").text
    assert "sends no mail" in page and 'name="username"' not in page


# --- break-glass ----------------------------------------------------------------------------------

REASON = "the directory is down, INC-2291"


def enter(made, **fields: str):
    return post(made, "/root", **{"password": ROOT_PASSWORD, "reason": REASON, **fields})


def test_root_signs_in_by_password_reason_and_factor():
    made = world()
    page = made.browser.get("/root").text
    assert "Every use raises an alert" in page and "signs it off" in page
    answer = enter(made)
    assert answer.status_code == 303
    root = next(iter(made.broker.wanted.values())).who
    made.broker.has(root, "totp")
    address = answer.headers["Location"]
    page = made.browser.get(address).text
    assert "for a quarter of an hour" in page
    assert "sets root up anew" in page and "Two administrators" not in page
    done = post(made, "/challenge", c=handle(address), kind="totp", code=CODE)
    assert done.headers["Location"] == "/"
    page = made.browser.get("/").text
    assert REASON in page
    assert "/terminal" not in page  # root lets no helper in


def test_root_works_where_local_users_are_off():
    made = world()
    made.broker.label = ""
    assert made.browser.get("/root").status_code == 200
    assert enter(made).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"password": "wrong-one"}, 401, "That is not the password"),
        ({"reason": "short"}, 422, "8 to 500 characters"),
        ({"reason": "x" * 501}, 422, "at most 500 characters"),
        ({"reason": "two\nlines"}, 422, "one line"),
        ({"password": ""}, 401, "That is not the password"),
    ],
)
def test_what_does_not_do_is_told_at_the_form(fields, status, words):
    made = world()
    answer = enter(made, **fields)
    assert answer.status_code == status and words in answer.text
    assert ROOT_PASSWORD not in answer.text and "wrong-one" not in answer.text
    assert "daypass" not in cookies(answer)


@pytest.mark.parametrize("refusal", [TooManyGuesses(retry_after=900), CredentialsWrong()])
def test_the_reason_stays_in_the_form(refusal):
    made = world()
    made.broker.fail["root_sign_in"] = refusal
    answer = enter(made)
    assert answer.status_code == refusal.status
    assert re.search(rf'name="reason"[^>]* value="{REASON}"', answer.text)


@pytest.mark.parametrize("refusal", [RootOnlyEmergency(), StoreUnavailable()])
def test_what_cannot_be_mended_there_is_a_page_of_its_own(refusal):
    made = world()
    made.broker.fail["root_sign_in"] = refusal
    answer = enter(made)
    assert (answer.status_code, code_of(answer.text)) == (refusal.status, refusal.code)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["password", "reason", "next"])
def test_odd_input_is_never_a_defect(odd, name):
    made = world()
    answer = enter(made, **{name: odd})
    assert answer.status_code in (303, 401, 422)
    assert "<script>alert" not in answer.text
    assert made.browser.get("/root", query_string={"next": odd}).status_code in (200, 404)


def test_the_password_never_reaches_the_log(caplog):
    made = world()
    with caplog.at_level(logging.DEBUG):
        enter(made)
        enter(made, password="S3CRET-not-the-one")
    lines = "\n".join(str(vars(record)) for record in caplog.records)
    assert ROOT_PASSWORD not in lines and "S3CRET-not-the-one" not in lines
