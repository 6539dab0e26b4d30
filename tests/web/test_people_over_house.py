"""Local people over the wire, with the real broker and store behind the pages."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pyotp
import pytest
from werkzeug.test import TestResponse

from app.people import Link
from app.web import make_app
from tests.helper import Helper
from tests.home import ADMIN, BASE, OTHER, PASSWORD, REASON, RELEASE, Home, opened_home
from tests.house import CALLER
from tests.web.browser import Browser
from tests.web.builders import code_of
from tests.web.people_steps import hidden

OURS = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


class Web:
    """The pages over a home, and a browser."""

    def __init__(self, home: Home) -> None:
        self.home = home
        parts = home.parts
        self.app = make_app(parts.broker, parts.delegation, parts.current_settings, home.clock)
        self.browser = self.new_browser()

    def new_browser(self) -> Browser:
        return Browser(self.app, BASE, "Mozilla/5.0 (X11; Linux) Firefox/140.0")

    def get(self, path: str) -> TestResponse:
        return self.browser.get(path)

    def post(self, path: str, **fields: str) -> TestResponse:
        return self.browser.post(path, data=fields, headers=OURS)

    def follow(self, answer: TestResponse) -> TestResponse:
        """Go on with GET, as often as is asked."""
        while answer.status_code == 303:
            answer = self.get(answer.headers["Location"])
        return answer

    def cookie(self) -> str:
        found = self.browser.get_cookie("daypass", domain="localhost")
        return found.value if found else ""

    def password(self, target: str = "/", password: str = PASSWORD) -> TestResponse:
        return self.post("/sign-in/local", username="lena", password=password, next=target)

    def add_app(self, page: str, path: str = "/security/enrol") -> pyotp.TOTP:
        """From the page with the choice to the recovery codes."""
        begun = self.post(path, **{**hidden(page), "kind": "totp", "step": "begin"}).text
        app = pyotp.parse_uri(hidden(begun)["uri"])
        assert isinstance(app, pyotp.TOTP)
        done = self.post(path, **{**hidden(begun), "code": app.at(self.home.clock.at), "name": "Phone"})
        assert done.status_code == 200 and "recovery" in done.text.lower(), done.text
        self.codes = re.search(r'id="codes">([^<]*)<', done.text)[1].split()  # type: ignore[index]
        self.on = re.search(r'class="button primary wide" href="([^"]*)"', done.text)[1]  # type: ignore[index]
        return app

    def answer(self, answer: TestResponse, app: pyotp.TOTP) -> TestResponse:
        """The code that is wanted there."""
        page = self.follow(answer)
        assert 'autocomplete="one-time-code"' in page.text, page.text
        return self.post("/challenge", c=hidden(page.text)["c"], kind="totp", code=app.at(self.home.clock.at))


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    with opened_home(tmp_path, monkeypatch) as home:
        yield Web(home)


def test_password_app_and_recovery_code_from_the_first_sign_in_to_the_last(web):
    web.home.user()
    assert web.password("/security/enrol").headers["Location"] == "/security/enrol"
    app = web.add_app(web.get("/security/enrol").text)
    assert len(web.codes) == 10 and web.on == "/security"
    web.post("/sign-out", csrf=hidden(web.get("/").text)["csrf"])
    web.home.later(minutes=1)
    done = web.answer(web.password("/why"), app)
    assert done.headers["Location"] == "/why"
    page = web.get("/security").text
    assert "password, code of an app, with Firefox on Linux" in page and "1 is known" in page
    web.browser = web.new_browser()
    page = web.follow(web.password()).text
    done = web.post("/challenge", c=hidden(page)["c"], kind="recovery", code=web.codes[4])
    assert web.follow(done).status_code == 200
    page = web.get("/security").text
    assert "9 left" in page and "2 are known" in page and "New browser" in page


def test_a_group_that_must_have_one_enrols_within_the_sign_in(web):
    home = web.home
    home.write("groups.yaml", "contractors:\n  description: Outside\n  mfa: true\n")
    home.apply()
    home.user()
    page = web.follow(web.password("/why"))
    assert "Add a second factor" in page.text and web.cookie() == ""
    app = web.add_app(page.text, "/challenge/enrol")
    assert web.on == "/why" and web.get("/why").status_code == 200
    home.later(minutes=1)
    web.browser = web.new_browser()
    assert web.follow(web.answer(web.password(), app)).status_code == 200


def test_a_step_up_on_the_way_to_keys_renews_the_cookie(web):
    web.home.user()
    web.password()
    app = web.add_app(web.get("/security/enrol").text)
    web.home.later(minutes=40)
    before = web.cookie()
    row = re.search(r'href="(/step-up[^"]*)">Keys<[^>]*> for Release', web.get("/").text)
    assert row is not None
    done = web.answer(web.get(row[1].replace("&amp;", "&")), app)
    assert web.cookie() not in ("", before)
    page = web.follow(done).text
    keys = web.post("/keys", **hidden(page))
    assert keys.status_code == 200 and "AWS_SECRET_ACCESS_KEY" in keys.text
    # A cookie from before it is worth nothing.
    stale = web.new_browser()
    stale.set_cookie("daypass", before, domain="localhost", path="/")
    assert stale.get("/").status_code == 303


def test_a_proof_that_grew_old_leads_from_the_button_to_the_page_and_back(web):
    web.home.user()
    web.password()
    app = web.add_app(web.get("/security/enrol").text)
    web.home.later(minutes=1)  # each code is good once
    page = web.follow(web.answer(web.get(f"/step-up?role={quote(RELEASE, safe='')}"), app)).text
    assert "How long should they work?" in page
    web.home.later(minutes=20)
    answer = web.post("/keys", **{**hidden(page), "duration": "900", "reason": "INC-7"})
    assert answer.headers["Location"].startswith("/step-up?role=")
    back = web.follow(web.answer(answer, app)).text
    assert 'value="INC-7"' in back and 'value="900" checked' in back
    assert web.post("/keys", **hidden(back), reason="INC-7").status_code == 200


def test_a_stolen_cookie_adds_nothing_and_its_owner_is_led_to_the_proof(web):
    web.home.user()
    web.password()
    csrf = hidden(web.get("/").text)["csrf"]
    web.home.later(minutes=11)
    answer = web.post("/security/enrol", csrf=csrf, kind="totp", step="begin")
    assert answer.headers["Location"] == "/security/prove?next=/security/enrol"
    page = web.follow(answer).text
    assert 'href="/sign-in/local?next=/security/enrol"' in page
    assert web.password("/security/enrol").headers["Location"] == "/security/enrol"
    app = web.add_app(web.get("/security/enrol").text)
    web.home.later(minutes=11)
    answer = web.get("/security/enrol")
    assert web.answer(answer, app).headers["Location"] == "/security/enrol"


def test_a_new_password_by_the_old_one_and_by_a_link(web):
    lena = web.home.user()
    web.password()
    csrf = hidden(web.get("/").text)["csrf"]
    done = web.post("/security/password", csrf=csrf, old=PASSWORD, new=OTHER, again=OTHER)
    assert done.headers["Location"] == "/security" and web.get("/security").status_code == 200
    assert web.password().status_code == 401
    token = "t" * 43
    web.home.store.links.add(
        token, Link("password", lena.id, web.home.clock.at + timedelta(hours=1), "operator test")
    )
    page = web.get(f"/link?t={token}").text
    for weak, words in (("password1234", "password"), ("lena-lena-lena", "name"), ("short", "12")):
        answer = web.post("/link", t=token, new=weak, again=weak)
        assert answer.status_code == 422 and words in answer.text, weak
    fresh = "seven quiet lamps on a hill"
    assert web.post("/link", **hidden(page), new=fresh, again=fresh).status_code == 200
    assert code_of(web.get(f"/link?t={token}").text) == "link.invalid"
    assert web.get("/security").status_code == 303  # its session has ended
    assert web.password(password=fresh).status_code == 303


def test_root_from_its_link_to_its_use(web, caplog):
    home = web.home
    link = home.root_link()
    with caplog.at_level(logging.DEBUG):
        page = web.get(f"/link?t={link}").text
        address = web.post("/link", **hidden(page), new=PASSWORD, again=PASSWORD)
    assert link not in "\n".join(str(vars(record)) for record in caplog.records)
    for number in (1, 2):
        page = web.follow(address).text
        begun = web.post("/challenge/enrol", **{**hidden(page), "kind": "totp", "step": "begin"}).text
        app = pyotp.parse_uri(hidden(begun)["uri"])
        done = web.post(
            "/challenge/enrol", **{**hidden(begun), "code": app.at(home.clock.at), "name": f"App {number}"}
        )
    assert "Root is set up" in web.follow(done).text
    home.later(minutes=20)
    answer = web.post("/root", password=PASSWORD, reason="short")
    assert answer.status_code == 422
    answer = web.post("/root", password=PASSWORD, reason=REASON)
    page = web.follow(web.answer(answer, app)).text
    assert "You are root" in page and REASON in page and page.count('class="role"') == 1
    assert "root.used" in home.heard.kinds()


def test_who_has_forgotten_it_hears_nothing_of_who_exists(web):
    web.home.user()
    answers = [web.post("/forgot", username=name).text for name in ("lena", "nobody")]
    bare = [re.sub(r"[0-9a-f]{16}", "", text) for text in answers]
    assert bare[0] == bare[1]


def test_all_sessions_end_and_the_browser_is_new_again(web):
    web.home.user()
    web.password()
    other = web.new_browser()
    other.post("/sign-in/local", data={"username": "lena", "password": PASSWORD}, headers=OURS)
    assert other.get("/").status_code == 200
    web.post("/security/end", csrf=hidden(web.get("/security").text)["csrf"], session="all")
    assert web.get("/").status_code == other.get("/").status_code == 303
    web.password()
    assert "1 is known" in web.get("/security").text


def api(web: Web, token: str, method: str, path: str, **more: object) -> TestResponse:
    return web.new_browser().open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **more)


def test_a_waiting_helper_reads_where_to_go_and_goes_on_after_the_browser_went_there(web):
    web.home.user()
    web.password()
    app = web.add_app(web.get("/security/enrol").text)
    web.home.later(minutes=1)
    helper = Helper(web.home)
    session = web.home.broker.session(web.cookie(), caller=CALLER)
    token = helper.sign_in(session).access_token
    refused = api(web, token, "POST", "/v1/credentials", json={"role": RELEASE})
    assert (refused.status_code, refused.json["code"]) == (403, "mfa_required")
    assert refused.json["step_up"]["kinds"] == ["totp"]
    assert api(web, token, "GET", "/v1/me").json["authentication"]["mfa_at"] is None
    url = refused.json["step_up"]["url"]
    assert url.startswith(f"{BASE}/step-up?")
    page = web.follow(web.get(url.removeprefix(BASE))).text
    assert "daypass command line on" in page and "Release" in page and "Go back to your terminal" in page
    done = web.answer(web.get(url.removeprefix(BASE)), app)
    assert "Done: go back to your terminal" in web.follow(done).text
    assert api(web, token, "GET", "/v1/me").json["authentication"]["mfa_at"] is not None
    assert api(web, token, "POST", "/v1/credentials", json={"role": RELEASE}).status_code == 200


def test_a_first_factor_opens_no_role_of_level_admin_until_the_next_sign_in(web):
    present = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ADMIN, "Condition": present}
    web.home.user(inline=[{"Version": "2012-10-17", "Statement": [allow]}])
    web.password()
    page = web.follow(web.get(f"/step-up?role={quote(ADMIN, safe='')}")).text
    assert "counts for roles of level admin from your next sign-in" in page
    assert "Then you" not in page
    app = web.add_app(page, "/challenge/enrol")
    here = unescape(web.on)
    refused = web.get(here)
    assert (refused.status_code, code_of(refused.text)) == (403, "role.forbidden")
    assert "sign out, sign in again" in refused.text
    web.home.later(minutes=1)
    assert "Get keys" in web.follow(web.answer(web.password(here), app)).text
