"""Pages of other origins: a client's own may call as that client, no other may, and none with a cookie."""

from __future__ import annotations

import pytest

from app.errors import StoreUnavailable, SubjectTokenExpired
from app.model import SCOPES, Entitlement
from app.web import TABLE
from app.web.cors import MAX_AGE
from app.web.route import Cors, Guard
from tests.web.apps import NOTES, PHOTOS, UPLOADS
from tests.web.builders import BASE, EVIL, World, role, session
from tests.web.test_exchange import AWS, BROUGHT, LINK, UNLINK, post
from tests.web.test_table import named, path_of

OPEN = [row for row in TABLE if row.cors is Cors.CLIENTS]
REVOKE = {"client_id": "photo-app", "token": "x"}
FORMS = {
    "/oauth/token": BROUGHT,
    "/oauth/revoke": REVOKE,
    "/oauth/identity/link": LINK,
    "/oauth/identity/unlink": {**UNLINK, "source": "social"},
}
METHODS = {
    "/oauth/token": "exchange",
    "/oauth/revoke": "revoke",
    "/oauth/identity/link": "link",
    "/oauth/identity/unlink": "unlink",
}
every_row = pytest.mark.parametrize("row", OPEN, ids=named)
foreign = pytest.mark.parametrize(
    "origin",
    [
        EVIL,
        "null",
        "http://photos.example",
        f"{PHOTOS}:443",
        f"{PHOTOS}/",
        f"{PHOTOS}.evil.example",
        f"{PHOTOS}, {EVIL}",
    ],
)


def asks_before(world: World, row, origin: str = PHOTOS, **headers: str):
    asked = {"Origin": origin, "Access-Control-Request-Method": row.methods[0], **headers}
    return world.browser.options(path_of(row), headers=asked)


def calls(world: World, row, origin: str = PHOTOS, **more):
    """The call itself, as the client `photo-app` or with its token."""
    headers = {"Origin": origin}
    if row.guard is Guard.CLIENT:
        return post(world, {**FORMS[row.address], **more}, row.address, headers=headers)
    world.broker.tokens["good"] = (session(client="photo-app", **more), SCOPES)
    return by_token(world, row, headers | {"Authorization": "Bearer good"})


def by_token(world: World, row, headers):
    body = {"json": {"role": UPLOADS}} if "POST" in row.methods else {}
    query = f"?role={UPLOADS}" if row.address == "/v1/explain" else ""
    return world.browser.open(path_of(row) + query, method=row.methods[0], headers=headers, **body)


def about_cors(answer) -> set[str]:
    return {name for name in dict(answer.headers) if name.lower().startswith("access-control-")}


def test_the_rows_are_those_that_a_page_of_an_app_needs():
    assert {row.address for row in OPEN} == {
        *FORMS,
        *(f"/v1/{name}" for name in ("me", "roles", "explain", "credentials", "console-link")),
    }
    assert all((row.client is not None) == (row.guard is Guard.CLIENT) for row in OPEN)
    assert all(row.guard in (Guard.CLIENT, Guard.API) for row in OPEN)


# --- preflight ------------------------------------------------------------------------------------


@every_row
def test_a_preflight_of_a_declared_origin_is_answered(row):
    world = World()
    world.signed_in()
    answer = asks_before(world, row, **{"Access-Control-Request-Headers": "authorization,content-type"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PHOTOS
    assert answer.headers["Access-Control-Allow-Methods"] == ", ".join(sorted(row.methods))
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert answer.headers["Access-Control-Max-Age"] == str(MAX_AGE)
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert world.broker.asked == [("origin_known", (PHOTOS, None))]


@every_row
@foreign
def test_a_preflight_of_another_is_refused(row, origin):
    answer = asks_before(World(), row, origin)
    assert (answer.status_code, answer.json["code"]) == (403, "oauth.origin")
    assert about_cors(answer) == set()
    assert answer.headers["Vary"] == "Origin"


@every_row
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": PHOTOS},
        {"Access-Control-Request-Method": "POST"},
        {"Origin": PHOTOS, "Access-Control-Request-Method": "PUT"},
        {"Origin": PHOTOS, "Access-Control-Request-Method": "post"},
    ],
)
def test_options_that_is_no_preflight_for_what_is_there_is_405(row, headers):
    answer = World().browser.options(path_of(row), headers=headers)
    assert answer.status_code == 405
    assert about_cors(answer) == set()


@pytest.mark.parametrize("row", [row for row in TABLE if row.cors is Cors.NONE], ids=named)
def test_other_addresses_answer_no_preflight(row):
    if any(other.address == row.address for other in OPEN):
        return
    answer = asks_before(World(), row)
    assert answer.status_code == 405
    assert about_cors(answer) == set()
    assert "Vary" not in answer.headers


def test_when_it_cannot_be_known_the_preflight_is_503():
    world = World()
    world.broker.fail["origin_known"] = StoreUnavailable()
    answer = asks_before(world, OPEN[0])
    assert answer.status_code == 503 and about_cors(answer) == set()


# --- the call -------------------------------------------------------------------------------------


@every_row
def test_a_page_of_the_clients_own_origin_may_read_the_answer(row):
    world = World()
    world.broker.logins["x"] = [("social", "4711"), ("corp", "u-1")]
    world.broker.entitlements = (Entitlement(role("AppUploads", "444455556666", "sandbox")),)
    answer = calls(world, row)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PHOTOS
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Vary"] == "Origin"
    assert about_cors(answer) == {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert "Set-Cookie" not in answer.headers


@every_row
@foreign
def test_a_page_of_another_origin_gets_nothing(row, origin):
    world = World()
    answer = calls(world, row, origin)
    assert (answer.status_code, answer.json["code"]) == (403, "oauth.origin")
    assert about_cors(answer) == set()
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert {name for name, _ in world.broker.asked} == {"origin_known"}


@every_row
def test_a_page_of_another_clients_origin_gets_nothing_as_this_client(row):
    world = World()
    answer = calls(world, row, NOTES)
    assert (answer.status_code, answer.json["code"]) == (403, "oauth.origin")
    assert about_cors(answer) == set()
    assert world.broker.times(METHODS.get(row.address, "credentials")) == 0


@every_row
def test_without_an_origin_it_is_no_page_and_nothing_is_said(row):
    world = World()
    world.broker.logins["x"] = [("social", "4711"), ("corp", "u-1")]
    if row.guard is Guard.CLIENT:
        answer = post(world, FORMS[row.address], row.address)
    else:
        world.broker.tokens["good"] = (session(client="photo-app"), SCOPES)
        answer = by_token(world, row, {"Authorization": "Bearer good"})
    assert about_cors(answer) == set()
    assert answer.headers["Vary"] == "Origin"  # a cache must not give this to a page
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert world.broker.times("origin_known") == 0


@every_row
def test_our_own_pages_are_no_others(row):
    world = World()
    world.broker.logins["x"] = [("social", "4711"), ("corp", "u-1")]
    answer = calls(world, row, BASE)
    assert answer.status_code == 200 or answer.json["code"] == "role.unknown"
    assert about_cors(answer) == set()
    assert world.broker.times("origin_known") == 0


@every_row
def test_a_refusal_may_be_read_by_the_pages_that_it_is_for(row):
    world = World()
    method = METHODS.get(row.address, "bearer")
    world.broker.fail[method] = SubjectTokenExpired() if row.guard is Guard.CLIENT else StoreUnavailable()
    answer = calls(world, row)
    assert answer.status_code in (400, 503)
    assert answer.headers["Access-Control-Allow-Origin"] == PHOTOS


@pytest.mark.parametrize("row", [row for row in OPEN if row.guard is Guard.CLIENT], ids=named)
@pytest.mark.parametrize("origin", [PHOTOS, NOTES])
def test_until_the_client_is_known_the_pages_of_any_may_read_what_is_wrong(row, origin):
    form = {name: value for name, value in FORMS[row.address].items() if name != "client_id"}
    answer = post(World(), form, row.address, headers={"Origin": origin})
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    answer = post(World(), {**form, "client_id": "nobody"}, row.address, headers={"Origin": origin})
    assert (answer.status_code, answer.json["code"]) == (403, "oauth.origin")
    assert about_cors(answer) == set()


@pytest.mark.parametrize("row", [row for row in OPEN if row.guard is Guard.API], ids=named)
def test_a_token_that_is_over_is_told_to_the_page(row):
    answer = by_token(World(), row, {"Origin": PHOTOS, "Authorization": "Bearer gone"})
    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")
    assert answer.headers["Access-Control-Allow-Origin"] == PHOTOS
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]


def test_the_client_that_counts_is_the_one_that_the_broker_is_asked_for():
    world = World()
    secret = world.broker.clients["notes-app"].secret
    form = {**BROUGHT, "client_id": "notes-app", "client_secret": secret}
    assert post(world, form, headers={"Origin": PHOTOS}).json["code"] == "oauth.origin"
    assert post(world, form, headers={"Origin": NOTES}).status_code == 200
    twice = post(World(), {**BROUGHT, "client_id": ["notes-app", "photo-app"]}, headers={"Origin": NOTES})
    assert (twice.status_code, twice.json["error"]) == (400, "invalid_request")
    in_address = post(World(), BROUGHT, "/oauth/token?client_id=notes-app", headers={"Origin": NOTES})
    assert in_address.json["code"] == "oauth.origin"


# --- cookies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in OPEN if row.guard is Guard.API], ids=named)
@pytest.mark.parametrize("origin", [PHOTOS, EVIL])
def test_a_cookie_opens_nothing_to_another_origin(row, origin):
    world = World()
    world.signed_in(client=None)
    answer = by_token(world, row, {"Origin": origin})
    assert (answer.status_code, answer.json["code"]) == (403, "request.cross_site")
    assert about_cors(answer) == set()
    assert world.broker.times("credentials") == world.broker.times("console_link") == 0


@every_row
def test_cookies_are_not_looked_at_in_what_a_page_asks(row):
    world = World()
    world.signed_in()
    calls(world, row)
    asks_before(world, row)
    assert world.broker.times("session") == 0


def test_aws_credentials_reach_the_page():
    answer = post(World(), {**BROUGHT, **AWS}, headers={"Origin": PHOTOS})
    assert answer.json["AccessKeyId"] and answer.headers["Access-Control-Allow-Origin"] == PHOTOS


def test_a_refused_origin_of_a_tokens_holder_is_on_record():
    world = World()
    calls(world, next(row for row in OPEN if row.address == "/v1/me"), NOTES)
    assert world.broker.records == ["oauth.origin"]
