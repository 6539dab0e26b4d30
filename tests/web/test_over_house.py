"""The whole way over the wire, with the real broker and store behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.model import DEVICE_CODE
from app.web import make_app
from tests.house import BASE, READ_ONLY, House, opened
from tests.web.browser import Browser

VERIFIER = "v" * 43
LOOPBACK = "http://127.0.0.1:43117/callback"


class Wire:
    """The application over a house, a browser that somebody is signed in with, and a helper's requests."""

    def __init__(self, house: House) -> None:
        self.house = house
        parts = house.parts
        self.app = make_app(parts.broker, parts.delegation, parts.current_settings, house.clock)
        self.browser = self.client()
        self.csrf = self.sign_in()

    def client(self) -> Browser:
        return Browser(self.app, BASE)

    def sign_in(self) -> str:
        self.house.clock.at += timedelta(seconds=10)
        token, session = self.house.browser()
        self.browser.set_cookie("daypass", token, domain="localhost", path="/")
        return session.csrf

    def post(self, path: str, **form: str):
        return self.client().post(path, data={"client_id": "cli", **form})

    def code(self) -> str:
        ask = {
            "response_type": "code",
            "client_id": "cli",
            "redirect_uri": LOOPBACK,
            "state": "s",
            "code_challenge": create_s256_code_challenge(VERIFIER),
            "code_challenge_method": "S256",
            "device": "ana-laptop",
        }
        page = self.browser.get(f"/oauth/authorize?{urlencode(ask)}")
        assert page.status_code == 200
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text))
        back = self.browser.post("/oauth/authorize", data={**fields, "decision": "allow"})
        answer = dict(parse_qsl(urlsplit(back.headers["Location"]).query))
        assert (answer["state"], answer["iss"]) == ("s", BASE)
        return answer["code"]

    def redeem(self, code: str):
        form = {"code": code, "redirect_uri": LOOPBACK, "code_verifier": VERIFIER}
        return self.post("/oauth/token", grant_type="authorization_code", **form)

    def api(self, token: str, path: str = "/v1/me", **more):
        method = "POST" if more else "GET"
        return self.client().open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **more)


@pytest.fixture
def wire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with opened(tmp_path, monkeypatch) as house:
        yield Wire(house)


def test_from_a_click_to_credentials_to_the_end(wire):
    tokens = wire.redeem(wire.code()).json
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "roles credentials")
    assert wire.api(tokens["access_token"]).json["username"] == "ana"
    given = wire.api(tokens["access_token"], "/v1/credentials", json={"role": READ_ONLY})
    assert given.json["AccessKeyId"] == "ASIAEXAMPLE000000001"
    assert wire.browser.post("/sign-out", data={"csrf": wire.csrf}).status_code == 303
    assert wire.api(tokens["access_token"]).status_code == 200  # a helper outlives the browser's sign-out
    newer = wire.post("/oauth/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json
    assert wire.api(newer["access_token"]).status_code == 200
    assert wire.post("/oauth/revoke", token=newer["refresh_token"]).status_code == 200
    over = wire.api(newer["access_token"])
    assert (over.status_code, over.json["code"]) == (401, "token.invalid")


def test_a_code_that_comes_twice_ends_what_it_gave(wire):
    code = wire.code()
    tokens = wire.redeem(code).json
    again = wire.redeem(code)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    assert wire.api(tokens["access_token"]).status_code == 401


def test_a_device_waits_until_its_person_has_signed_in_anew_and_approved(wire):
    started = wire.post("/oauth/device_authorization", device="build-7").json
    poll = {"grant_type": DEVICE_CODE, "device_code": started["device_code"]}
    assert wire.post("/oauth/token", **poll).json["error"] == "authorization_pending"
    page_of = started["verification_uri_complete"].removeprefix(BASE)
    page = wire.browser.get(page_of).text
    assert "build-7" in page and "Sign in again" in page and 'value="approve"' not in page
    form = {"csrf": wire.csrf, "user_code": started["user_code"], "decision": "approve"}
    assert wire.browser.post("/device", data=form).status_code == 403
    form["csrf"] = wire.sign_in()
    assert 'value="approve"' in wire.browser.get(page_of).text
    assert "Done" in wire.browser.post("/device", data=form).text
    tokens = wire.post("/oauth/token", **poll)
    assert tokens.status_code == 200
    page = wire.browser.get("/security").text
    assert "daypass command line on build-7" in page


def test_ending_a_helper_on_the_security_page_takes_effect_at_once(wire):
    tokens = wire.redeem(wire.code()).json
    page = wire.browser.get("/security").text
    assert "daypass command line on ana-laptop" in page and "This one" in page
    href = re.search(r'href="/security/end\?session=([0-9a-f]+)">End<', page)[1]
    wire.browser.post("/security/end", data={"csrf": wire.csrf, "session": href})
    assert wire.api(tokens["access_token"]).status_code == 401
    refused = wire.post("/oauth/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (refused.status_code, refused.json["error"]) == (400, "invalid_grant")
    assert wire.browser.get("/").status_code == 200


def test_a_token_for_roles_gives_no_credentials(wire):
    first = wire.redeem(wire.code()).json["refresh_token"]
    narrow = wire.post("/oauth/token", grant_type="refresh_token", refresh_token=first, scope="roles").json
    assert wire.api(narrow["access_token"], "/v1/roles").status_code == 200
    refused = wire.api(narrow["access_token"], "/v1/credentials", json={"role": READ_ONLY})
    assert (refused.status_code, refused.json["code"]) == (403, "token.scope")
    assert 'scope="credentials"' in refused.headers["WWW-Authenticate"]


def test_the_keys_that_are_published_are_those_that_sign(wire):
    token = wire.redeem(wire.code()).json["access_token"]
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set(wire.client().get("/oauth/jwks").json)
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    assert (decoded.claims["iss"], decoded.claims["aud"]) == (BASE, f"{BASE}/v1")
