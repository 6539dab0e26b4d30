"""Access tokens at /v1 (RFC 6750): whose they are, for what they are good, and that no cookie mixes in."""

from __future__ import annotations

import pytest

from app.errors import StoreUnavailable, TooMany
from app.model import SCOPES
from app.web import TABLE
from app.web.api.openapi import OPERATIONS
from app.web.guards import identify
from app.web.route import Guard
from tests.web.builders import ARN, BASE, World, person
from tests.web.test_table import named, path_of

API = [row for row in TABLE if row.guard is Guard.API]


def with_token(*scopes: str) -> World:
    world = World()
    bea = person(username="bea", subject="u-2")
    world.broker.tokens["good.token_~+/-="] = (bea, scopes)
    return world


def call(world: World, row, headers=None, token="good.token_~+/-="):
    body = {"json": {"role": ARN}} if "POST" in row.methods else {}
    query = f"?role={ARN}" if row.address == "/v1/explain" else ""
    headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    return world.browser.open(path_of(row) + query, method=row.methods[0], headers=headers, **body)


@pytest.mark.parametrize("row", API, ids=named)
def test_every_row_of_the_api_names_its_scope(row):
    assert (
        row.scope
        == {
            "/v1/me": "roles",
            "/v1/roles": "roles",
            "/v1/explain": "roles",
            "/v1/credentials": "credentials",
            "/v1/console-link": "credentials",
        }[row.address]
    )


def test_the_document_names_the_scopes_of_the_table():
    table = {row.address: row.scope for row in TABLE}
    assert {each.path: each.scope for each in OPERATIONS} == {
        each.path: table[each.path] for each in OPERATIONS
    }
    paths = World().browser.get("/v1/openapi.json").json["paths"]
    assert paths["/v1/credentials"]["post"]["security"] == [{"session": []}, {"bearer": ["credentials"]}]


@pytest.mark.parametrize("row", API, ids=named)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_with_the_scope_is_enough(row, scheme):
    world = with_token(*SCOPES)
    answer = call(world, row, {"Authorization": f"{scheme} good.token_~+/-="})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_the_one_who_asks_is_the_tokens_and_not_the_cookies():
    world = with_token(*SCOPES)
    world.signed_in()
    assert world.browser.get("/v1/me").json["username"] == "ana"
    row = next(row for row in API if row.address == "/v1/me")
    assert call(world, row).json["username"] == "bea"
    assert world.broker.times("session") == 1


@pytest.mark.parametrize("row", API, ids=named)
def test_a_token_for_something_else_is_403_and_says_what_it_lacks(row):
    world = with_token(*(scope for scope in SCOPES if scope != row.scope))
    world.signed_in()
    answer = call(world, row)
    assert (answer.status_code, answer.json["code"]) == (403, "token.scope")
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="daypass", error="insufficient_scope", scope="{row.scope}"'
    )
    assert world.broker.times("credentials") == world.broker.times("roles") == 0


@pytest.mark.parametrize("row", API, ids=named)
@pytest.mark.parametrize("headers", [{"Origin": BASE}, {"Sec-Fetch-Site": "cross-site"}])
def test_with_a_token_nothing_is_asked_of_who_is_no_page_of_another_origin(row, headers):
    answer = call(with_token(*SCOPES), row, headers)
    assert answer.status_code == 200
    assert not [name for name in dict(answer.headers) if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("row", API, ids=named)
@pytest.mark.parametrize(
    "value",
    [
        "Bearer unknown",
        "Bearer",
        "Bearer ",
        "Bearer good.token_~+/-=, Bearer good.token_~+/-=",
        "Bearer good.token_~+/-= x",
        "Bearer tökén",
        "Bearer " + "x" * 5000,
        "Token good.token_~+/-=",
        "Basic Z29vZA==",
        "good.token_~+/-=",
        "",
    ],
)
def test_anything_else_in_authorization_is_401_whoever_is_signed_in(row, value):
    world = with_token(*SCOPES)
    world.signed_in()
    answer = call(world, row, {"Authorization": value})
    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="daypass", error="invalid_token"'
    assert world.broker.times("session") == 0


def test_a_token_elsewhere_than_in_the_header_is_not_seen():
    world = with_token(*SCOPES)
    assert world.browser.get("/v1/me?access_token=good.token_~+/-=").status_code == 401


def test_a_token_opens_no_page():
    world = with_token(*SCOPES)
    for path in ("/", "/security", "/device", "/oauth/authorize", "/terminal"):
        answer = world.browser.get(path, headers={"Authorization": "Bearer good.token_~+/-="})
        assert answer.status_code == 303
    assert world.broker.times("bearer") == 0


def test_when_it_cannot_be_checked_the_answer_is_503():
    world = with_token(*SCOPES)
    world.broker.fail["bearer"] = StoreUnavailable()
    assert call(world, API[0]).status_code == 503


def test_a_row_without_a_scope_takes_no_token():
    from dataclasses import replace

    from app.errors import TokenInvalid
    from app.web.visit import Visit
    from app.web.wire import Request

    world = with_token(*SCOPES)
    asked = Request.from_values("/v1/me", headers={"Authorization": "Bearer good.token_~+/-="})
    visit = Visit(world.broker, world.administration, world.settings, asked, None, world.clock.now())
    with pytest.raises(TokenInvalid):
        identify(replace(API[0], scope=None), visit)


def test_a_refusal_of_a_tokens_holder_is_on_record():
    world = with_token(*SCOPES)
    row = next(row for row in API if row.address == "/v1/credentials")
    headers = {"Authorization": "Bearer good.token_~+/-="}
    assert world.browser.post(row.address, json={"role": "x"}, headers=headers).status_code == 422
    assert world.broker.records == ["request.invalid"]


def test_a_holder_who_is_refused_too_often_is_told_to_wait():
    world = with_token(*SCOPES)
    world.broker.fail["refused"] = TooMany(retry_after=7)
    row = next(row for row in API if row.address == "/v1/credentials")
    headers = {"Authorization": "Bearer good.token_~+/-="}
    answer = world.browser.post(row.address, json={"role": "x"}, headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
