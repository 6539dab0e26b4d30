"""The endpoints that clients post to, and what they may know beforehand."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from app.errors import AuditUnavailable, GrantInvalid, PollTooFast, StoreUnavailable, TooMany
from app.model import DEVICE_CODE, SCOPES, ClientProof, CodeProof, DeviceProof, GrantAsk, RefreshProof
from app.web import TABLE
from app.web.oauth.metadata import document
from app.web.route import Guard
from tests.web.builders import BASE, EVIL, HTTPS, SECRET, World, https_settings, session
from tests.web.grants import CHALLENGE, KEYS, LOOPBACK
from tests.web.grants import SECRET as WIKI

CODE = {
    "grant_type": "authorization_code",
    "code": "c" * 43,
    "redirect_uri": LOOPBACK,
    "code_verifier": "v" * 43,
    "client_id": "cli",
}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "r" * 43, "client_id": "cli"}
LINK = {
    "client_id": "photo-app",
    "subject_token": "social-ana",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "link_token": "corp-ana",
    "link_token_type": "urn:ietf:params:oauth:token-type:saml2",
}
DEVICE = {"grant_type": DEVICE_CODE, "device_code": "d" * 43, "client_id": "cli"}
ENDPOINTS = {
    "/oauth/token": REFRESH,
    "/oauth/device_authorization": {"client_id": "cli"},
    "/oauth/revoke": {"client_id": "cli", "token": "x"},
    "/oauth/introspect": {"client_id": "wiki", "client_secret": WIKI, "token": "x"},
    "/oauth/identity/link": LINK,
}
LARGE = {"/oauth/token": 530_000, "/oauth/identity/link": 530_000}
"""More than a body may have where an assertion has room."""
METHODS = {
    "/oauth/token": "redeem",
    "/oauth/device_authorization": "begin_device",
    "/oauth/revoke": "revoke",
    "/oauth/introspect": "introspect",
    "/oauth/identity/link": "link",
}
every = pytest.mark.parametrize("path", ENDPOINTS)


def post(world: World, data, path: str = "/oauth/token", **more):
    body = urlencode(data, doseq=True)
    return world.browser.post(path, data=body, content_type="application/x-www-form-urlencoded", **more)


def basic(name: str, password: str) -> dict[str, str]:
    text = f"{quote(name)}:{quote(password)}"
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def world_with_code() -> World:
    world = World()
    world.broker.codes[CODE["code"]] = GrantAsk("cli", LOOPBACK)
    return world


def sent(world: World, method: str = "redeem"):
    return next(what for name, what in world.broker.asked if name == method)


# --- grants ---------------------------------------------------------------------------------------


def test_a_code_gives_tokens_that_nobody_keeps():
    answer = post(world_with_code(), CODE)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json == {
        "access_token": "eyJ.FAKEACCESS",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "roles credentials",
        "session_expires_at": "2026-11-24T18:30:00Z",
        "refresh_token": "FAKEREFRESH" + "r" * 32,
    }
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("form", "proof"),
    [
        (
            {**CODE, "resource": f"{BASE}/v1"},
            CodeProof(CODE["code"], LOOPBACK, CODE["code_verifier"], f"{BASE}/v1"),
        ),
        (REFRESH, RefreshProof("r" * 43)),
        (
            {**REFRESH, "scope": "roles  roles", "resource": f"{BASE}/v1"},
            RefreshProof("r" * 43, ("roles",), f"{BASE}/v1"),
        ),
        ({**DEVICE, "code": "x", "refresh_token": "y"}, DeviceProof("d" * 43)),
    ],
)
def test_each_grant_is_read_as_its_rfc_says(form, proof):
    world = world_with_code()
    post(world, form)
    assert sent(world) == (ClientProof("cli"), proof)


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        *((CODE, name) for name in ("code", "redirect_uri", "code_verifier", "grant_type")),
        *((REFRESH, name) for name in ("refresh_token", "grant_type")),
        *((DEVICE, name) for name in ("device_code", "grant_type")),
    ],
)
@pytest.mark.parametrize("how", ["left out", "empty"])
def test_what_must_be_there_is_named_when_it_is_not(form, missing, how):
    world = world_with_code()
    left = {name: value for name, value in form.items() if name != missing}
    answer = post(world, left if how == "left out" else {**left, missing: ""})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert f"`{missing}`" in answer.json["error_description"]
    assert world.broker.times("redeem") == 0


@pytest.mark.parametrize(
    "kind", ["password", "client_credentials", "implicit", "AUTHORIZATION_CODE", "authorization_code x"]
)
def test_other_grants_do_not_exist(kind):
    answer = post(World(), {**CODE, "grant_type": kind})
    assert (answer.status_code, answer.json["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    ("state", "error"),
    [("waiting", "authorization_pending"), ("denied", "access_denied"), ("gone", "expired_token")],
)
def test_a_device_hears_how_it_stands(state, error):
    world = World()
    user_code = world.broker.waits()
    code, request, _ = world.broker.devices[user_code]
    world.broker.devices[user_code] = (code, request, state)
    asked = "x" if state == "gone" else code
    answer = post(world, {**DEVICE, "device_code": asked})
    assert (answer.status_code, answer.json["error"]) == (400, error)


def test_polling_too_fast_is_slow_down():
    world = World()
    world.broker.fail["redeem"] = PollTooFast(retry_after=10)
    answer = post(world, DEVICE)
    assert (answer.status_code, answer.json["error"]) == (400, "slow_down")
    assert answer.headers["Retry-After"] == "10"


# --- a device asks ----------------------------------------------------------------------------------


def test_a_device_gets_a_code_to_show_and_where_to_type_it():
    world = World()
    form = {"client_id": "cli", "scope": "roles", "device": "build-7\x1b[31m"}
    answer = post(world, form, "/oauth/device_authorization")
    (user_code,) = world.broker.devices
    assert answer.json == {
        "device_code": world.broker.devices[user_code][0],
        "user_code": user_code,
        "verification_uri": f"{BASE}/device",
        "verification_uri_complete": f"{BASE}/device?user_code={user_code}",
        "expires_in": 600,
        "interval": 5,
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert sent(world, "begin_device") == (("roles",), "", "build-7 [31m")


# --- ending and looking -------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["live", "never was one"])
def test_revoking_says_nothing_of_what_there_was(token):
    world = World()
    world.broker.tokens["live"] = (session(), SCOPES)
    answer = post(world, {"client_id": "cli", "token": token, "token_type_hint": "nonsense"}, "/oauth/revoke")
    assert (answer.status_code, answer.data) == (200, b"")
    assert ("live" in world.broker.tokens) == (token != "live")


def test_a_client_with_a_secret_may_look_at_a_token():
    world = World()
    world.broker.tokens["live"] = (session(), ("roles",))
    form = {"client_id": "wiki", "client_secret": WIKI, "token": "live"}
    assert post(world, form, "/oauth/introspect").json == {
        "active": True,
        "iss": BASE,
        "client_id": "wiki",
        "scope": "roles",
        "sub": "p-1",
        "username": "ana",
        "aud": "x/v1",
        "jti": "j-1",
        "iat": 1795515000,
        "exp": 1795518600,
    }
    assert post(world, {**form, "token": "dead"}, "/oauth/introspect").json == {"active": False}


def test_a_client_without_a_secret_may_not():
    answer = post(World(), {"client_id": "cli", "token": "x"}, "/oauth/introspect")
    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")


# --- who the client is --------------------------------------------------------------------------------


@every
def test_basic_and_form_show_the_same_client(path):
    plain = {name: value for name, value in ENDPOINTS[path].items() if not name.startswith("client_")}
    for form, headers in (
        ({**plain, "client_id": "wiki", "client_secret": WIKI}, {}),
        (plain, basic("wiki", WIKI)),
        ({**plain, "client_id": "wiki"}, basic("wiki", WIKI)),
    ):
        assert post(World(), form, path, headers=headers).status_code == 200


@every
@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"client_id": "nobody"}, {}),
        ({"client_id": "wiki"}, {}),
        ({"client_id": "wiki", "client_secret": "wrong"}, {}),
        ({"client_id": "cli", "client_secret": "cli"}, {}),
        ({}, basic("wiki", "wrong")),
        ({}, basic("wiki", "")),
        ({}, {"Authorization": "Basic wiki"}),
        ({}, {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()}),
        ({}, {"Authorization": "Basic " + base64.b64encode(b"wiki:%C3%A9").decode()}),
        ({}, {"Authorization": "Basic " + base64.b64encode(b"wiki:" + b"x" * 9000).decode()}),
        ({}, {"Authorization": "Basic"}),
        ({}, {"Authorization": ""}),
        ({"client_id": "cli"}, {"Authorization": "Bearer abc"}),
    ],
)
def test_a_client_that_is_not_believed_gets_401_and_the_way_to_show_itself(path, form, headers):
    plain = {name: value for name, value in ENDPOINTS[path].items() if not name.startswith("client_")}
    answer = post(World(), {**plain, **form}, path, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="daypass"'
    assert WIKI not in answer.text


@every
@pytest.mark.parametrize("form", [{"client_id": "wiki", "client_secret": WIKI}, {"client_id": "cli"}])
def test_two_ways_or_two_names_at_once_are_refused(path, form):
    world = World()
    answer = post(world, {**ENDPOINTS[path], **form}, path, headers=basic("wiki", WIKI))
    if "client_secret" not in form and path == "/oauth/introspect":
        return  # its own form has a secret already
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert world.broker.times(METHODS[path]) == 0


def test_a_secret_in_the_address_does_not_count():
    world = World()
    answer = post(world, REFRESH | {"client_id": "wiki"}, f"/oauth/token?client_secret={WIKI}")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    answer = world.browser.post("/oauth/token", query_string=REFRESH, data={"x": "y"})
    assert answer.json["error"] == "invalid_request"


# --- what is no proper request ------------------------------------------------------------------------


@every
def test_a_parameter_twice_is_refused(path):
    for name in ENDPOINTS[path]:
        form = {**ENDPOINTS[path], name: [ENDPOINTS[path][name]] * 2}
        world = World()
        answer = post(world, form, path)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), name
        assert world.broker.times(METHODS[path]) == 0


@every
def test_unknown_parameters_are_not_looked_at(path):
    form = {**ENDPOINTS[path], "audience": ["a", "b"], "\x00": "é"}
    assert post(World(), form, path).status_code == 200


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/device_authorization"])
def test_a_token_is_for_one_resource(path):
    answer = post(World(), {**ENDPOINTS[path], "resource": [f"{BASE}/v1", "https://x.example"]}, path)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


@every
@pytest.mark.parametrize("value", ["\x00", "a\nb", "é", "\u202e", "\x7f"])
def test_values_are_printable_ascii(path, value):
    for name in ENDPOINTS[path]:
        answer = post(World(), {**ENDPOINTS[path], name: value}, path)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), name


@every
def test_bytes_that_are_no_text_are_a_clients_fault(path):
    for name in ENDPOINTS[path]:
        assert post(World(), {**ENDPOINTS[path], name: b"\xff\xfe"}, path).status_code in (200, 400, 401)


@every
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps(REFRESH), "application/json"),
        ("grant_type=refresh_token", "text/plain"),
        ("grant_type=refresh_token", ""),
        ("--x\r\n", "multipart/form-data; boundary=x"),
    ],
)
def test_only_forms_are_taken(path, body, kind):
    answer = World().browser.post(path, data=body, content_type=kind)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@every
def test_a_large_body_is_413_in_the_clients_shape(path):
    answer = post(World(), {**ENDPOINTS[path], "x": "y" * LARGE.get(path, 70_000)}, path)
    assert (answer.status_code, answer.json["error"]) == (413, "invalid_request")


@every
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken(path, method):
    answer = World().browser.open(path, method=method)
    assert (answer.status_code, answer.json["error"], answer.headers["Allow"]) == (
        405,
        "invalid_request",
        "POST",
    )


# --- refusals -----------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (GrantInvalid(SECRET), 400, "invalid_grant"),
        (GrantInvalid(words='Say “no”, not "yes"\\\u202e'), 400, "invalid_grant"),
        (TooMany(retry_after=12), 429, "temporarily_unavailable"),
        (StoreUnavailable(SECRET), 503, "temporarily_unavailable"),
        (AuditUnavailable(), 503, "temporarily_unavailable"),
        (RuntimeError(SECRET), 503, "server_error"),
    ],
)
def test_every_refusal_is_json_as_clients_read_it(path, error, status, word):
    world = World()
    world.broker.fail[METHODS[path]] = error
    answer = post(world, ENDPOINTS[path], path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.json["error"] == word
    assert set(answer.json) == {"error", "error_description", "code", "request_id"}
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    said = answer.json["error_description"]
    assert said.isascii() and said.isprintable() and '"' not in said and "\\" not in said
    assert SECRET not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == ("12" if status == 429 else None)


@every
def test_who_is_signed_in_does_not_count(path):
    world = World()
    world.signed_in()
    post(world, ENDPOINTS[path], path, headers={"Origin": EVIL})
    assert world.broker.times("session") == 0


def test_secrets_of_clients_stay_out_of_the_log(caplog):
    world = world_with_code()
    with caplog.at_level("DEBUG"):
        post(world, {**CODE, "client_id": "wiki", "client_secret": WIKI})
        post(world, {"grant_type": "refresh_token", "refresh_token": "SECRETREFRESH", "client_id": "x"})
        post(world, REFRESH, headers=basic("wiki", "SECRETWRONG"))
    written = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("daypass"))
    assert "answered" in written
    for secret in (WIKI, CODE["code"], CODE["code_verifier"], "SECRETREFRESH", "SECRETWRONG", "FAKEREFRESH"):
        assert secret not in written


# --- what clients may know -----------------------------------------------------------------------------


def test_the_metadata_are_valid_and_name_what_is_there():
    answer = World(settings=https_settings()).browser.get("/.well-known/oauth-authorization-server")
    assert answer.content_type == "application/json"
    AuthorizationServerMetadata(answer.json).validate()
    assert answer.json["issuer"] == HTTPS
    assert answer.json["authorization_response_iss_parameter_supported"] is True
    assert answer.json["response_modes_supported"] == ["query"]
    addresses = {row.address for row in TABLE}
    named = [value for name, value in answer.json.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(named) == 8
    for value in named:
        assert value.startswith(HTTPS)
        assert value.removeprefix(HTTPS) in addresses


def test_the_metadata_name_every_endpoint_of_the_table():
    named = set(map(str, document("").values()))
    assert {row.address for row in TABLE if row.guard is Guard.CLIENT} <= named


def test_a_secret_is_needed_to_introspect_and_said_to_be():
    told = document(BASE)
    assert told["introspection_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
    ]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "openid" not in json.dumps(told)


def test_the_public_keys_may_be_kept_for_a_little_while():
    world = World()
    answer = world.browser.get("/oauth/jwks")
    assert (answer.json, answer.content_type) == (KEYS, "application/jwk-set+json")
    age = int(answer.headers["Cache-Control"].rpartition("max-age=")[2])
    assert timedelta(seconds=age) <= timedelta(hours=1)
    world.broker.fail["signing_keys"] = StoreUnavailable()
    assert world.browser.get("/oauth/jwks").status_code == 503


def test_the_openid_document_is_not_there_yet():
    assert World().browser.get("/.well-known/openid-configuration").status_code == 404


def test_the_whole_story_over_the_wire():
    world = World()
    made = world.signed_in()
    ask = {
        "response_type": "code",
        "client_id": "cli",
        "redirect_uri": LOOPBACK,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    back = world.browser.post("/oauth/authorize", data={**ask, "csrf": made.csrf, "decision": "allow"})
    code = back.headers["Location"].partition("code=")[2].partition("&")[0]
    assert post(world, {**CODE, "code": code}).status_code == 200
    again = post(world, {**CODE, "code": code})
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
