"""The OpenID provider against authlib's client, joserfc and plain requests, over HTTP."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from lxml import html

from tests.demo.directory.builders import SECRET, VERIFIER, Browser, World, came_back, start


def discovery(world: World) -> dict:
    return requests.get(f"{world.directory.oidc_url}/.well-known/openid-configuration", timeout=5).json()


def code(world: World, browser: Browser, username: str = "piotr", **more: str) -> str:
    form = browser.get(world.authorize_url())
    _, query = came_back(browser.sign_in(form, username, f"demo-{username}", **more))
    return query["code"]


def redeem(world: World, value: str, **changed: str | None) -> requests.Response:
    fields = {
        "grant_type": "authorization_code",
        "code": value,
        "redirect_uri": f"{world.site.url}/oidc/partner/callback",
        "code_verifier": VERIFIER,
        "client_id": "daypass",
        "client_secret": SECRET,
    }
    fields = {name: text for name, text in {**fields, **changed}.items() if text is not None}
    return requests.post(f"{world.directory.oidc_url}/token", data=fields, timeout=5)


def id_claims(world: World, tokens: dict) -> tuple[dict, dict]:
    keys = KeySet.import_key_set(requests.get(discovery(world)["jwks_uri"], timeout=5).json())
    token = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    return token.header, token.claims


def test_a_person_signs_in_and_the_client_reads_who_it_is(world: World, browser: Browser):
    client = world.openid()
    form = browser.get(world.authorize_url(client))
    address, query = came_back(browser.sign_in(form, "piotr", "demo-piotr"))
    assert address == f"{world.site.url}/oidc/partner/callback"
    assert query["state"] == "a state"
    assert query["iss"] == world.directory.oidc_url
    tokens = client.fetch_token(
        f"{world.directory.oidc_url}/token", code=query["code"], code_verifier=VERIFIER
    )
    header, claims = id_claims(world, tokens)
    keys = requests.get(f"{world.directory.oidc_url}/jwks", timeout=5).json()["keys"]
    assert header["alg"] == "RS256"
    assert header["kid"] == keys[0]["kid"]
    assert not {"d", "p", "q"} & set(keys[0])
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims.pop("at_hash") == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert claims.pop("exp") - claims["iat"] == 600
    assert 0 <= claims.pop("iat") - claims.pop("auth_time") <= 5
    assert claims == {
        "iss": world.directory.oidc_url,
        "aud": "daypass",
        "nonce": "a nonce",
        "sub": "kX3vQ0mZ7tJr1yLbN8sWfA",
        "preferred_username": "piotr",
        "name": "Piotr Piątek",
        "email": "piotr@partner.test",
        "email_verified": True,
        "groups": ["contractors"],
        "cost_center": "7100",
        "acr": "https://refeds.org/profile/mfa",
        "amr": ["pwd", "swk", "mfa"],
    }
    info = client.get(f"{world.directory.oidc_url}/userinfo").json()
    assert info["sub"] == claims["sub"]
    assert info["groups"] == ["contractors"]


def test_discovery_names_this_issuer_and_what_it_takes(world: World):
    found = discovery(world)
    assert found["issuer"] == world.directory.oidc_url
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert all(
        found[name].startswith(f"{world.directory.oidc_url}/")
        for name in found
        if name.endswith(("_endpoint", "_uri"))
    )


@pytest.mark.parametrize(
    ("username", "more", "amr"),
    [
        ("piotr", {}, ["pwd", "swk", "mfa"]),
        ("piotr", {"password_only": "1"}, ["pwd"]),
        ("quinn", {}, ["pwd"]),
    ],
)
def test_the_id_token_says_how_the_person_signed_in(world, browser, username, more, amr):
    _, claims = id_claims(world, redeem(world, code(world, browser, username, **more)).json())
    assert claims["amr"] == amr
    assert claims["acr"] == f"https://refeds.org/profile/{'mfa' if 'mfa' in amr else 'sfa'}"


def test_claims_follow_the_scope(world: World, browser: Browser):
    form = browser.get(world.authorize_url(world.openid(scope="openid email")))
    _, query = came_back(browser.sign_in(form, "quinn", "demo-quinn"))
    _, claims = id_claims(world, redeem(world, query["code"]).json())
    assert claims["email"] == "quinn@partner.test"
    assert not {"groups", "name", "preferred_username"} & set(claims)


def test_a_second_request_is_answered_without_a_form(world: World, browser: Browser):
    code(world, browser, "quinn")
    _, query = came_back(browser.get(world.authorize_url(state="second")))
    assert query["state"] == "second"
    assert redeem(world, query["code"]).status_code == 200


def test_a_wrong_password_shows_the_form_again(world: World, browser: Browser):
    page = browser.sign_in(browser.get(world.authorize_url()), "piotr", "no")
    assert page.status_code == 401
    assert 'name="password"' in page.text


def test_the_client_may_also_authenticate_by_basic(world: World, browser: Browser):
    basic = {"Authorization": f"Basic {base64.b64encode(f'daypass:{SECRET}'.encode()).decode()}"}
    fields = {
        "grant_type": "authorization_code",
        "code": code(world, browser),
        "redirect_uri": f"{world.site.url}/oidc/partner/callback",
        "code_verifier": VERIFIER,
    }
    answer = requests.post(f"{world.directory.oidc_url}/token", data=fields, headers=basic, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("asks", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}])
def test_a_fresh_sign_in_is_asked_for_and_then_answers(asks: dict, world: World, browser: Browser):
    code(world, browser, "piotr")
    requests.post(f"{world.directory.oidc_url}/_demo/fault", json={"clock": 2}, timeout=5)
    form = browser.get(world.authorize_url(**asks))
    assert 'name="password"' in form.text
    _, query = came_back(browser.sign_in(form, "quinn", "demo-quinn"))
    _, claims = id_claims(world, redeem(world, query["code"]).json())
    assert claims["preferred_username"] == "quinn"


def test_prompt_none_without_a_session_is_login_required(world: World, browser: Browser):
    _, query = came_back(browser.get(world.authorize_url(prompt="none")))
    assert query["error"] == "login_required"
    assert query["state"] == "a state"
    assert query["iss"] == world.directory.oidc_url


# --- refused at /authorize: shown where the redirect address is not known, else sent back -----------


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://localhost:1/oidc/partner/callback"},
        {"redirect_uri": "{good}/"},
        {"redirect_uri": "{good}?x=1"},
        {"redirect_uri": "{good}\u00e9\x00"},
        {"redirect_uri": "http://evil.example@localhost/oidc/partner/callback"},
        {"client_id": "somebody"},
    ],
)
def test_an_unknown_client_or_address_gets_a_page_and_no_redirect(changed, world, browser):
    good = f"{world.site.url}/oidc/partner/callback"
    client = world.openid(**{name: text.format(good=good) for name, text in changed.items()})
    page = browser.get(world.authorize_url(client))
    assert page.status_code == 400
    assert "This sign-in cannot go on" in page.text


def test_a_missing_redirect_address_gets_a_page(world: World, browser: Browser):
    asked = urlencode({"response_type": "code", "client_id": "daypass", "scope": "openid"})
    assert browser.get(f"{world.directory.oidc_url}/authorize?{asked}").status_code == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "openid payroll"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
)
def test_a_request_is_sent_back_with(changed, error, world: World, browser: Browser):
    asked = {
        "response_type": "code",
        "client_id": "daypass",
        "redirect_uri": f"{world.site.url}/oidc/partner/callback",
        "scope": "openid",
        "state": "a state",
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
    }
    assert "Sign in" in browser.get(f"{world.directory.oidc_url}/authorize?{urlencode(asked)}").text
    asked = {name: text for name, text in {**asked, **changed}.items() if text is not None}
    response = browser.get(f"{world.directory.oidc_url}/authorize?{urlencode(asked)}")
    address, query = came_back(response)
    assert address == f"{world.site.url}/oidc/partner/callback"
    assert query["error"] == error
    assert query["state"] == "a state"
    assert query["iss"] == world.directory.oidc_url
    assert "code" not in query


# --- refused at /token ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 400, "invalid_client"),
        ({"client_secret": None, "client_id": None}, 401, "invalid_client"),
        ({"code_verifier": "w" * 64}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"redirect_uri": "http://localhost:1/other"}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_grant"),
        ({"code": "guessed"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_code_is_not_redeemed_with(changed, status, error, world: World, browser: Browser):
    answer = redeem(world, code(world, browser), **changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "access_token" not in answer.text


def test_a_code_works_once_and_its_second_use_ends_the_token(world: World, browser: Browser):
    value = code(world, browser)
    token = redeem(world, value).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    userinfo = f"{world.directory.oidc_url}/userinfo"
    assert requests.get(userinfo, headers=bearer, timeout=5).status_code == 200
    assert redeem(world, value).json()["error"] == "invalid_grant"
    assert requests.get(userinfo, headers=bearer, timeout=5).status_code == 401


def test_of_twenty_at_once_one_redeems_the_code(world: World, browser: Browser):
    value = code(world, browser)
    with ThreadPoolExecutor(20) as pool:
        answers = [one.status_code for one in pool.map(lambda _: redeem(world, value), range(20))]
    assert sorted(answers) == [200] + [400] * 19


def test_an_old_code_is_refused(world: World, browser: Browser):
    value = code(world, browser)
    requests.post(f"{world.directory.oidc_url}/_demo/fault", json={"clock": 61}, timeout=5)
    assert redeem(world, value).json()["error"] == "invalid_grant"


def test_userinfo_without_a_token_is_refused(world: World):
    userinfo = f"{world.directory.oidc_url}/userinfo"
    assert requests.get(userinfo, timeout=5).status_code == 401
    made_up = {"Authorization": "Bearer made-up"}
    assert requests.get(userinfo, headers=made_up, timeout=5).status_code == 401


def test_a_moved_clock_shows_in_the_id_token(world: World, browser: Browser):
    requests.post(f"{world.directory.oidc_url}/_demo/fault", json={"clock": -7200}, timeout=5)
    _, claims = id_claims(world, redeem(world, code(world, browser)).json())
    requests.delete(f"{world.directory.oidc_url}/_demo/fault", timeout=5)
    _, later = id_claims(world, redeem(world, code(world, Browser())).json())
    assert 7195 <= later["iat"] - claims["iat"] <= 7230
    assert later["auth_time"] - claims["auth_time"] >= 7195


NAMES = ["response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "prompt", "max_age"]
NAMES += ["code_challenge", "code_challenge_method", "code", "grant_type", "code_verifier", "client_secret"]
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["code", "daypass", "openid", "S256", "authorization_code", "login", "none", "c" * 43]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=10), st.binary(max_size=20))
def test_nothing_that_is_sent_is_a_server_error(world: World, pairs, junk: bytes):
    query = urlencode(pairs, errors="surrogatepass")
    session = Browser().session
    for answer in (
        session.get(f"{world.directory.oidc_url}/authorize?{query}", allow_redirects=False, timeout=5),
        session.post(f"{world.directory.oidc_url}/token", data=query.encode() + junk, timeout=5),
        session.post(
            f"{world.directory.oidc_url}/token",
            data=query,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Authorization": f"Basic {base64.b64encode(junk).decode()}",
            },
            timeout=5,
        ),
        session.get(
            f"{world.directory.oidc_url}/userinfo",
            headers={"Authorization": b"Bearer " + junk.hex().encode()},
            timeout=5,
        ),
    ):
        assert answer.status_code < 500, answer.text


def test_keys_outlive_a_restart_and_are_private(world: World, tmp_path):
    first = start(tmp_path / "state", world.site)
    keys = requests.get(f"{first.oidc_url}/jwks", timeout=5).json()
    metadata = requests.get(f"{first.saml_url}/metadata", timeout=5).text.split("X509Certificate>")[1]
    first.stop()
    second = start(tmp_path / "state", world.site)
    try:
        assert requests.get(f"{second.oidc_url}/jwks", timeout=5).json() == keys
        assert metadata in requests.get(f"{second.saml_url}/metadata", timeout=5).text
    finally:
        second.stop()
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}


def test_the_form_page_has_one_form_with_one_button(world: World, browser: Browser):
    page = html.fromstring(browser.get(world.authorize_url()).text)
    assert len(page.forms) == 1
    assert len(page.forms[0].xpath(".//button")) == 1
    assert len(page.xpath('//input[@name="username"]')) == 1
