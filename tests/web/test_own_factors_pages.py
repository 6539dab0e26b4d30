"""/security: factors, recovery codes, password, history, and the end of all sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import CredentialsWrong, FactorUnknown, PasswordRefused, TooManyGuesses
from app.people import ROOT
from app.web.portal.history import browser
from tests.web.builders import BASE, EVIL, World, code_of
from tests.web.local_people import CODE, PASSWORD, RECOVERY
from tests.web.people_steps import OURS, as_lena, cookies, handle, post, token, world
from tests.web.test_local_sign_in import ODD
from tests.web.test_portal import SCRIPT

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "a-new-one-of-many-words"


def test_the_page_shows_what_a_person_signs_in_with():
    made = world()
    as_lena(made, "totp", "webauthn")
    made.broker.devices_seen = ["a", "b"]
    page = made.browser.get("/security").text
    for words in (
        "Phone",
        "Blue key",
        "Authenticator app",
        "10 left",
        "Change it",
        "2 are known",
        "21 Nov, 10:10 UTC",
    ):
        assert words in page


def test_somebody_without_any_is_told_what_one_is_good_for():
    made = world()
    made.signed_in()
    page = made.browser.get("/security").text
    assert "You have none here" in page and "Add one" in page
    assert "Change it" not in page  # a directory's password is not kept here
    assert "Recovery codes" not in page


def test_the_history_says_when_where_and_with_what():
    made = world()
    as_lena(made)
    made.broker.event("signin.succeeded", f'{{"methods":["pwd","otp","mfa"],"user_agent":"{FIREFOX}"}}')
    made.broker.event("mfa.refused", '{"kind":"totp"}', "203.0.113.9")
    made.broker.event("mfa.proven", '{"kind":"webauthn","methods":["hwk","user","mfa"]}')
    made.broker.event("factor.enrolled", '{"kind":"totp","name":"Phone"}')
    page = made.browser.get("/security").text
    for words in (
        "password, code of an app",
        "Firefox on Linux",
        "203.0.113.9",
        "by security key or passkey",
        "Second factor added: Phone",
    ):
        assert words in page
    assert page.count(">Refused</span>") == 1
    made.broker.history.clear()
    assert "Nothing is on record yet" in made.browser.get("/security").text


def test_a_long_history_is_folded():
    made = world()
    as_lena(made)
    for _ in range(60):
        made.broker.event("signin.succeeded")
    page = made.browser.get("/security").text
    assert "42 earlier" in page


@pytest.mark.parametrize(
    "detail", ["", "[]", "nonsense", '{"methods": 3, "kind": [], "user_agent": {}}', "null"]
)
def test_a_record_of_any_shape_is_shown(detail):
    made = world()
    as_lena(made)
    made.broker.event("signin.succeeded", detail)
    made.broker.event("kind.to.come", f'{{"user_agent": "{SCRIPT.replace(chr(34), "")}"}}', SCRIPT)
    page = made.browser.get("/security")
    assert page.status_code == 200 and "<script>alert" not in page.text and "kind.to.come" in page.text


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("daypass/1.0 Python/3.11", "daypass/1.0"),
        ("", ""),
        ("x" * 300, "x" * 40),
    ],
)
def test_browsers_are_called_by_their_names(agent, name):
    assert browser(agent) == name


# --- changing one ---------------------------------------------------------------------------------

FIRST = f"{0:016x}"


def test_renaming_keeps_the_device():
    made = world()
    mine = as_lena(made, "totp")
    assert 'value="Phone"' in made.browser.get(f"/security/factor?id={FIRST}&do=rename").text
    answer = post(made, "/security/factor", csrf=mine.csrf, id=FIRST, do="rename", name="Old phone")
    assert answer.headers["Location"] == "/security"
    assert "Old phone" in made.browser.get("/security").text


def test_removing_asks_first_and_says_what_is_lost():
    made = world()
    mine = as_lena(made, "totp")
    page = made.browser.get(f"/security/factor?id={FIRST}&do=remove").text
    assert "Remove Phone?" in page and "It is your last" in page
    assert made.broker.times("remove_factor") == 0
    assert post(made, "/security/factor", csrf=mine.csrf, id=FIRST, do="remove").status_code == 303
    assert made.broker.factors["local", "lena"] == []


@pytest.mark.parametrize("do", ["rename", "remove"])
def test_a_change_without_recent_proof_leads_there_and_back(do):
    made = world()
    mine = as_lena(made, "totp")
    made.broker.recent = False
    here = f"/security/factor?id={FIRST}&do={do}"
    answer = post(made, "/security/factor", csrf=mine.csrf, id=FIRST, do=do, name="x")
    assert answer.headers["Location"].startswith("/security/prove?next=/security/factor")
    assert made.browser.get(here).headers["Location"] == answer.headers["Location"]
    proof = made.browser.get(answer.headers["Location"]).headers["Location"]
    done = post(made, "/challenge", c=handle(proof), kind="totp", code=CODE)
    assert done.headers["Location"] == here


def test_without_a_device_the_proof_is_a_fresh_sign_in_of_the_same_kind():
    made = world()
    made.broker.recent = False
    for change, href in (({}, "/sign-in/corp"), ({"identity": made.broker.lena()}, "/sign-in/local")):
        made.signed_in(**change)
        page = made.browser.get("/security/prove?next=/security/enrol").text
        assert f'href="{href}?next=/security/enrol"' in page and "Sign in again" in page
    assert made.broker.times("begin_step_up") == 0


@pytest.mark.parametrize("odd", [*ODD, "nobodys"])
def test_what_is_not_mine_cannot_be_changed(odd):
    made = world()
    mine = as_lena(made, "totp")
    for answer in (
        made.browser.get("/security/factor", query_string={"id": odd}),
        post(made, "/security/factor", csrf=mine.csrf, id=odd, do="remove"),
    ):
        assert (answer.status_code, code_of(answer.text)) == (404, FactorUnknown.code)
    assert len(made.broker.factors["local", "lena"]) == 1


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "\u202e", "\0"])
def test_a_name_that_is_none_is_told_at_the_form(name):
    made = world()
    mine = as_lena(made, "totp")
    answer = post(made, "/security/factor", csrf=mine.csrf, id=FIRST, do="rename", name=name)
    assert answer.status_code == 422 and 'name="name"' in answer.text
    assert post(made, "/security/factor", csrf=mine.csrf, id=FIRST, do="burn").status_code == 400


POSTS = (
    ("/security/factor", {"id": FIRST, "do": "remove"}),
    ("/security/factor", {"id": FIRST, "do": "rename", "name": "x"}),
    ("/security/recovery-codes", {"x": "1"}),
    ("/security/password", {"old": PASSWORD, "new": NEW, "again": NEW}),
    ("/security/end", {"session": "all"}),
)


@pytest.mark.parametrize(("path", "fields"), POSTS)
def test_another_site_or_a_form_without_the_token_changes_nothing(path, fields):
    made = world()
    mine = as_lena(made, "totp")
    for data, headers in (
        ({**fields, "csrf": mine.csrf}, {"Origin": EVIL}),
        ({**fields, "csrf": mine.csrf}, {"Sec-Fetch-Site": "cross-site"}),
        (fields, OURS),
        ({**fields, "csrf": "x" * 43}, OURS),
    ):
        answer = made.browser.post(path, data=data, headers=headers)
        assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    for method in (
        "remove_factor",
        "rename_factor",
        "new_recovery_codes",
        "change_password",
        "end_all_sessions",
    ):
        assert made.broker.times(method) == 0


# --- recovery codes -------------------------------------------------------------------------------


def test_new_codes_are_asked_for_and_shown_once():
    made = world()
    mine = as_lena(made, "totp")
    page = made.browser.get("/security/recovery-codes").text
    assert "The 10 that you have left are worth nothing then" in page and RECOVERY[0] not in page
    answer = post(made, "/security/recovery-codes", csrf=mine.csrf)
    assert answer.headers["Cache-Control"] == "no-store"
    assert all(code in answer.text for code in RECOVERY)


def test_without_a_device_there_are_none():
    made = world()
    mine = as_lena(made)
    for answer in (
        made.browser.get("/security/recovery-codes"),
        post(made, "/security/recovery-codes", csrf=mine.csrf),
    ):
        assert (answer.status_code, code_of(answer.text)) == (403, "mfa.missing")


def test_codes_need_a_recent_proof():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.recent = False
    for answer in (
        made.browser.get("/security/recovery-codes"),
        post(made, "/security/recovery-codes", csrf=mine.csrf),
    ):
        assert answer.headers["Location"] == "/security/prove?next=/security/recovery-codes"


# --- the password ---------------------------------------------------------------------------------


def change(made: World, mine, **fields: str):
    given = {"old": PASSWORD, "new": NEW, "again": NEW, **fields}
    return post(made, "/security/password", csrf=mine.csrf, **given)


def test_a_new_password_for_the_old_one():
    made = world()
    mine = as_lena(made)
    page = made.browser.get("/security/password").text
    assert page.count('autocomplete="new-password"') == 2 and "All your other sessions end" in page
    answer = change(made, mine)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/security")
    assert made.broker.passwords["lena"] == NEW
    # The session goes on, by another cookie than the one that somebody may have stolen.
    assert made.browser.get("/security").status_code == 200
    assert any(token(made) in each for each in answer.headers.getlist("Set-Cookie"))


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"again": "another"}, 422, "not the same"),
        ({"old": "wrong"}, 401, "That is not your password"),
        ({"new": "short", "again": "short"}, 422, "at least 12 characters"),
    ],
)
def test_what_does_not_do_is_told_and_nothing_of_it_shows(fields, status, words):
    made = world()
    mine = as_lena(made)
    answer = change(made, mine, **fields)
    assert answer.status_code == status and words in answer.text
    assert PASSWORD not in answer.text and NEW not in answer.text
    assert made.broker.passwords["lena"] == PASSWORD
    # Still signed in: that a password was wrong is no end of the session.
    assert made.browser.get("/").status_code == 200


def test_a_person_with_a_device_proves_it_before_they_change_the_password():
    made = world()
    mine = as_lena(made, "totp")
    made.broker.recent = False
    for answer in (made.browser.get("/security/password"), change(made, mine)):
        assert answer.headers["Location"] == "/security/prove?next=/security/password"
    assert made.broker.passwords["lena"] == PASSWORD


def test_guesses_at_the_old_one_are_limited():
    made = world()
    mine = as_lena(made)
    made.broker.fail["change_password"] = TooManyGuesses(retry_after=900)
    answer = change(made, mine)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")


def test_people_of_a_directory_have_none_here():
    made = world()
    made.signed_in()
    answer = made.browser.get("/security/password")
    assert answer.status_code == 404 and "in your directory" in answer.text


def test_refusals_are_on_record_but_for_a_wrong_password_which_the_broker_counts():
    made = world()
    mine = as_lena(made)
    change(made, mine, new="short", again="short")
    assert made.broker.records == [PasswordRefused.code]
    change(made, mine, old="wrong")
    assert CredentialsWrong.code not in made.broker.records


# --- the end --------------------------------------------------------------------------------------


def test_ending_all_sessions_asks_first_ends_this_one_and_forgets_the_browser():
    made = world()
    mine = as_lena(made)
    assert "End all your sessions?" in made.browser.get("/security/end?session=all").text
    answer = post(made, "/security/end", csrf=mine.csrf, session="all")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-out")
    given = cookies(answer)
    assert "Max-Age=0" in given["daypass"] and "Max-Age=0" in given["daypass-device"]
    assert made.browser.get("/security").status_code == 303
    assert made.broker.times("end_all_sessions") == 1


# --- root -----------------------------------------------------------------------------------------


def test_root_sees_on_every_page_that_it_is_root_until_when_and_why():
    made = world()
    who = replace(
        made.broker.lena(),
        source=ROOT,
        subject="root",
        username="root",
        claims={"reason": (f"INC-9 {SCRIPT}",)},
    )
    made.broker.has(who, "totp", "webauthn")
    made.signed_in(identity=who)
    for path in ("/", "/security", "/why", "/keys?role=none"):
        page = made.browser.get(path).text
        assert "You are root" in page and "22:10 UTC" in page and "INC-9" in page
        assert "<script>alert" not in page
    assert "Recovery codes" not in made.browser.get("/security").text
    assert "Break-glass" in made.browser.get("/").text
    assert "You are root" not in world().browser.get("/sign-in").text
    assert made.browser.get(f"{BASE}/security/prove").status_code == 303
