"""The table of addresses is what is served, and every guard does what its row says."""

from __future__ import annotations

import pytest

from app.web import TABLE
from app.web.addresses import Addresses
from app.web.route import Csrf, Guard, Route
from tests.web.builders import ARN, EVIL, World

PARTS = {"<source>": "corp", "<name>": "nothing.css"}


def path_of(row: Route) -> str:
    path = row.address
    for part, value in PARTS.items():
        path = path.replace(part, value)
    return path


def fits(row: Route, path: str) -> bool:
    pattern, parts = row.address.split("/"), path.split("/")
    return len(pattern) == len(parts) and all(
        one.startswith("<") or one == other for one, other in zip(pattern, parts, strict=True)
    )


def named(row: Route) -> str:
    return row.endpoint


@pytest.mark.parametrize("row", TABLE, ids=named)
def test_every_row_of_the_table_is_served_and_no_other_in_its_place(row):
    addresses = Addresses(TABLE)
    for method in row.methods:
        found, parts = addresses.find(path_of(row), method)
        assert found is row
        assert [f"<{name}>" for name in parts] == [each for each in row.address.split("/") if each in PARTS]
    assert row in addresses.rows(path_of(row))


def test_no_two_rows_are_for_the_same():
    named_twice = [(row.address, method) for row in TABLE for method in row.methods]
    assert len(set(named_twice)) == len(named_twice)


@pytest.mark.parametrize("path", ["", "*", "/saml//acs", "/saml/a/b/acs", "/static/", "/keys/", "/KEYS"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_in_the_table_is_not_found(path, method):
    addresses = Addresses(TABLE)
    assert addresses.find(path, method) == (None, {})
    assert addresses.rows(path) == []


def test_an_address_as_it_stands_goes_before_one_with_a_variable_part():
    addresses = Addresses(TABLE)
    assert addresses.find("/sign-in/local", "GET")[1] == {}
    assert addresses.find("/sign-in/passkey", "GET")[1] == {"source": "passkey"}
    assert [row.address for row in addresses.rows("/sign-in/passkey")] == [
        "/sign-in/passkey",
        "/sign-in/<source>",
    ]


def test_no_row_lets_another_origin_read():
    for row in TABLE:
        answer = World().browser.open(path_of(row), method=row.methods[0], headers={"Origin": EVIL})
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("row", [row for row in TABLE if "POST" in row.methods], ids=named)
def test_a_post_has_a_defence_against_other_sites(row):
    assert row.csrf is not Csrf.SAFE


@pytest.mark.parametrize("row", [row for row in TABLE if row.guard is Guard.PAGE], ids=named)
def test_a_page_behind_the_guard_leads_strangers_to_the_sign_in_page(row):
    world = World()
    answer = world.browser.open(
        path_of(row), method=row.methods[0], data={} if "POST" in row.methods else None
    )
    if "POST" in row.methods:
        assert answer.status_code == 401
        assert "session.missing" in answer.text
    else:
        assert (answer.status_code, answer.headers["Location"][:8]) == (303, "/sign-in")
    assert world.broker.times("roles") == world.broker.times("credentials") == 0


@pytest.mark.parametrize("row", [row for row in TABLE if row.guard is Guard.API], ids=named)
def test_the_api_tells_strangers_401_and_how_to_authenticate(row):
    answer = World().browser.open(path_of(row), method=row.methods[0])
    assert (answer.status_code, answer.json["code"]) == (401, "session.missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("row", [row for row in TABLE if row.guard is Guard.API], ids=named)
@pytest.mark.parametrize("value", ["Bearer abc", "bearer", "Basic YTpi", "AWS4-HMAC-SHA256 x", ""])
def test_a_token_is_never_ignored_in_favour_of_a_cookie(row, value):
    world = World()
    world.signed_in()
    answer = world.browser.open(path_of(row), method=row.methods[0], headers={"Authorization": value})
    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("row", TABLE, ids=named)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_is_405_and_says_which_are_taken(row, method):
    allowed = {m for other in TABLE if fits(other, path_of(row)) for m in other.methods}
    if method in allowed:
        return
    world = World()
    answer = world.browser.open(path_of(row), method=method)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert world.broker.times("begin") == world.broker.times("sign_in") == 0


def test_a_head_does_not_start_or_use_up_a_sign_in():
    world = World()
    world.browser.get("/sign-in/partner")
    state = next(iter(world.broker.pending))
    assert world.browser.head("/sign-in/partner").status_code == 405
    assert world.browser.head(f"/oidc/partner/callback?code=c&state={state}").status_code == 405
    assert list(world.broker.pending) == [state]
    assert world.browser.get(f"/oidc/partner/callback?code=c&state={state}").status_code == 303


def test_head_is_get_without_the_body():
    world = World()
    world.signed_in()
    for path in ("/", "/sign-in", f"/keys?role={ARN}", "/v1/me", "/healthz"):
        answer = world.browser.head(path)
        assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/nowhere", "/sign-in/", "/keys/", "/x//y", "//evil.example/x", "/%00", "/static/", "*", ""]
)
def test_an_unknown_address_is_a_404_page_without_redirect(path):
    answer = World().browser.get("/x", environ_overrides={"PATH_INFO": path.replace("%00", "\0")})
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert "unknown" in answer.text


@pytest.mark.parametrize("path", ["//", "//sign-in", "///evil.example/..", "/static//x"])
def test_more_slashes_lead_nowhere_else(path):
    answer = World().browser.get("/x", environ_overrides={"PATH_INFO": path, "HTTP_HOST": "evil.example"})
    assert answer.status_code in (200, 303, 404)
    assert answer.headers.get("Location", "/").startswith("/")
    assert not answer.headers.get("Location", "/").startswith("//")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nowhere", "/v1/me/"])
def test_below_v1_an_unknown_address_is_problem_json(path):
    answer = World().browser.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
        ("nonsense", "text/html"),
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, text/html;q=0.5", "application/problem+json"),
    ],
)
def test_the_error_comes_in_the_shape_that_the_client_likes(accept, kind):
    answer = World().browser.get("/nowhere", headers={"Accept": accept})
    assert answer.content_type.partition(";")[0] == kind
