"""Chirp, the social network: plain OAuth 2.0 by plain requests, its token check, its apps and their pages."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from app.clock import SystemClock
from app.model import ClaimMap, GroupMap, OAuth2Provider, Pending, Proof, SourceId, TokenCheck
from app.outbound import Fetcher
from app.signin.oauth2 import OAuth2Source
from app.signin.seam import SubjectToken
from tests.demo.directory.builders import APP_SECRET, VERIFIER, Browser, Site, World, came_back, start

ROBIN = 7203685477580001
PAGE = "http://localhost:8123/app.html"
NATIVE = "http://127.0.0.1:49152/callback"


@dataclass
class Chirp:
    """The network, and the broker's address."""

    world: World
    browser: Browser

    @property
    def url(self) -> str:
        return self.world.directory.social_url

    @property
    def callback(self) -> str:
        return f"{self.world.site.url}/oidc/social/callback"

    def authorize(self, redirect_uri: str, **changed: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "acme-app",
            "redirect_uri": redirect_uri,
            "scope": "profile email",
            "state": "a state",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changed,
        }
        return f"{self.url}/authorize?{urlencode({k: v for k, v in asked.items() if v})}"

    def code(self, redirect_uri: str, username: str = "robin", **changed: str) -> str:
        browser = Browser()  # with nobody signed in
        form = browser.get(self.authorize(redirect_uri, **changed))
        address, query = came_back(browser.sign_in(form, username, f"demo-{username}"))
        assert (address, query["state"]) == (redirect_uri, "a state")
        return query["code"]

    def redeem(self, code: str, redirect_uri: str, **changed: str | None) -> requests.Response:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": VERIFIER,
            "client_id": "acme-app",
            **changed,
        }
        return requests.post(f"{self.url}/token", data=fields, timeout=5)

    def token(self, redirect_uri: str = NATIVE, app: str = "acme-app") -> str:
        code = self.code(redirect_uri, client_id=app)
        return self.redeem(code, redirect_uri, client_id=app).json()["access_token"]

    def debug(self, token: str, asker: str = f"acme-app|{APP_SECRET}") -> requests.Response:
        query = {"input_token": token, "access_token": asker}
        return requests.get(f"{self.url}/debug_token", params=query, timeout=5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    site = Site()
    directory = start(tmp_path_factory.mktemp("chirp"), site, pages=(PAGE,))
    yield World(directory, site)
    directory.stop()
    site.close()


@pytest.fixture
def chirp(alone: World, browser: Browser) -> Iterator[Chirp]:
    yield Chirp(alone, browser)
    requests.delete(f"{alone.directory.social_url}/_demo/fault", timeout=5)


# --- the broker's sign-in -------------------------------------------------------------------------


def source(chirp: Chirp, secret: str = APP_SECRET) -> OAuth2Source:
    provider = OAuth2Provider(
        SourceId("social"),
        "Chirp",
        f"{chirp.url}/authorize",
        f"{chirp.url}/token",
        f"{chirp.url}/me",
        "acme-app",
        secret,
        ClaimMap("id", "handle", "email", "name"),
        GroupMap({}),
        scopes=("profile", "email"),
        check=TokenCheck("facebook_debug_token", f"{chirp.url}/debug_token"),
    )
    return OAuth2Source(provider, chirp.world.site.url, Fetcher(True))


def test_the_brokers_source_signs_a_person_in(chirp: Chirp):
    ours, now = source(chirp), datetime.now(UTC)
    started = ours.start(now)
    form = chirp.browser.get(started.outbound.url)
    address, fields = came_back(chirp.browser.sign_in(form, "robin", "demo-robin"))
    assert address == chirp.callback
    pending = Pending(
        started.key, ours.id, "b", "/", 1, "192.0.2.1", now, now + timedelta(minutes=9), started.secrets
    )
    person = ours.finish(pending, Proof(ours.id, fields), now).identity
    assert (person.subject, person.username, person.name) == (str(ROBIN), "robin", "Robin Rossi")
    assert person.email == "robin@chirp.test"


def test_an_apps_token_is_believed_and_another_apps_is_not(chirp: Chirp):
    ours, now = source(chirp), SystemClock().now()
    proven = ours.believe(SubjectToken("access_token", chirp.token()), ["acme-app"], now)
    assert (proven.identity.subject, proven.audience) == (str(ROBIN), "acme-app")
    assert timedelta(minutes=119) < proven.expires_at - now <= timedelta(hours=2)
    foreign = SubjectToken("access_token", chirp.token(app="other-app"))
    with pytest.raises(Exception) as refused:
        ours.believe(foreign, ["acme-app", "other-app"], now)
    assert refused.value.code == "exchange.audience"


# --- codes and secrets ----------------------------------------------------------------------------


def test_a_page_or_a_program_needs_no_secret_and_the_server_does(chirp: Chirp):
    for address in (PAGE, NATIVE):
        assert chirp.redeem(chirp.code(address), address).status_code == 200
    without = chirp.redeem(chirp.code(chirp.callback), chirp.callback)
    assert (without.status_code, without.json()["error"]) == (400, "invalid_grant")
    wrong = chirp.redeem(chirp.code(chirp.callback), chirp.callback, client_secret="wrong")
    assert wrong.json()["error"] == "invalid_client"
    right = chirp.redeem(chirp.code(chirp.callback), chirp.callback, client_secret=APP_SECRET)
    assert (right.status_code, right.json()["token_type"]) == (200, "Bearer")


def test_a_code_works_once_for_its_app_address_and_verifier(chirp: Chirp):
    for changed in ({"client_id": "other-app"}, {"code_verifier": "w" * 64}):
        assert chirp.redeem(chirp.code(NATIVE), NATIVE, **changed).json()["error"] in (
            "invalid_grant",
            "invalid_request",
        )
    assert chirp.redeem("x", NATIVE).json()["error"] == "invalid_grant"
    code = chirp.code(NATIVE)
    token = chirp.redeem(code, NATIVE).json()["access_token"]
    assert chirp.debug(token).json()["data"]["is_valid"] is True
    assert chirp.redeem(code, NATIVE).status_code == 400
    assert chirp.debug(token).json()["data"]["is_valid"] is False


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://localhost:8123/other.html",
        "http://127.0.0.1:49152/other",
        "http://127.0.0.1.evil.example:80/callback",
        "http://evil@127.0.0.1/callback",
        "https://127.0.0.1/callback",
        "https://evil.example/",
    ],
)
def test_an_unknown_address_gets_no_code(chirp: Chirp, redirect_uri: str):
    page = chirp.browser.get(chirp.authorize(redirect_uri))
    assert page.status_code == 400
    assert "cannot go on" in page.text


@pytest.mark.parametrize("changed", [{"code_challenge": ""}, {"code_challenge_method": "plain"}])
def test_pkce_is_not_left_out(chirp: Chirp, changed: dict):
    answer = chirp.browser.get(chirp.authorize(NATIVE, **changed))
    assert came_back(answer)[1]["error"] == "invalid_request"


# --- what it says ---------------------------------------------------------------------------------


def test_the_profile_has_a_number_for_an_id_and_the_address_only_by_scope(chirp: Chirp):
    bearer = {"Authorization": f"Bearer {chirp.token()}"}
    assert requests.get(f"{chirp.url}/me", headers=bearer, timeout=5).json() == {
        "id": ROBIN,
        "handle": "robin",
        "name": "Robin Rossi",
        "email": "robin@chirp.test",
        "email_verified": True,
    }
    narrow = chirp.redeem(chirp.code(NATIVE, scope=""), NATIVE).json()["access_token"]
    bearer = {"Authorization": f"Bearer {narrow}"}
    assert "email" not in requests.get(f"{chirp.url}/me", headers=bearer, timeout=5).json()
    for header in ("", "Bearer x", f"Basic {narrow}"):
        answer = requests.get(f"{chirp.url}/me", headers={"Authorization": header}, timeout=5)
        assert answer.status_code == 401


def test_the_token_check_speaks_as_facebooks_does(chirp: Chirp):
    data = chirp.debug(chirp.token()).json()["data"]
    assert data["expires_at"] - data.pop("issued_at") == 7200
    assert abs(data.pop("expires_at") - datetime.now(UTC).timestamp() - 7200) < 60
    assert data == {
        "app_id": "acme-app",
        "application": "Acme's app",
        "type": "USER",
        "is_valid": True,
        "scopes": ["profile", "email"],
        "user_id": str(ROBIN),
    }


def test_the_token_check_answers_an_app_about_its_own_tokens_only(chirp: Chirp):
    foreign = chirp.debug(chirp.token(app="other-app"))
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (400, 100)
    for asker in ("", "acme-app", "acme-app|", "acme-app|wrong", f"other-app|{APP_SECRET}", "|"):
        answer = chirp.debug(chirp.token(), asker)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)


def test_a_token_ends(chirp: Chirp):
    token = chirp.token()
    requests.post(f"{chirp.url}/_demo/fault", json={"clock": 7201}, timeout=5)
    assert chirp.debug(token).json()["data"]["is_valid"] is False


# --- pages of other origins -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"), [("http://localhost:8123", True), ("https://evil.example", False)]
)
def test_a_page_of_the_app_may_call_and_another_may_not(chirp: Chirp, origin: str, allowed: bool):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for path in ("/token", "/me"):
        preflight = requests.options(f"{chirp.url}{path}", headers=asked, timeout=5)
        assert preflight.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert "Access-Control-Allow-Credentials" not in preflight.headers
    code = chirp.code(PAGE)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": PAGE, "client_id": "acme-app"}
    form["code_verifier"] = VERIFIER
    answer = requests.post(f"{chirp.url}/token", data=form, headers={"Origin": origin}, timeout=5)
    assert answer.status_code == (200 if allowed else 403)
    check = requests.get(f"{chirp.url}/debug_token", headers={"Origin": origin}, timeout=5)
    assert "Access-Control-Allow-Origin" not in check.headers


def test_a_foreign_page_cannot_move_the_test_controls(chirp: Chirp):
    for origin, status in (("http://localhost:8123", 403), (chirp.url, 200)):
        moved = requests.post(f"{chirp.url}/_demo/fault", json={}, headers={"Origin": origin}, timeout=5)
        assert moved.status_code == status


def test_only_chirps_people_are_there(chirp: Chirp):
    form = chirp.browser.get(chirp.authorize(NATIVE))
    assert chirp.browser.sign_in(form, "ana", "demo-ana").status_code == 401


def test_its_state_folder_is_the_directorys(tmp_path: Path):
    site = Site()
    directory = start(tmp_path, site)
    try:
        assert requests.get(f"{directory.social_url}/", timeout=5).status_code == 200
    finally:
        directory.stop()
        site.close()
