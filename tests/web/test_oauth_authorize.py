"""The authorization endpoint: a page, a click, and nothing sent anywhere before the address is known to be right."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from app.errors import AuditUnavailable, ClientNotAllowed, StoreUnavailable, TooMany
from tests.web.builders import BASE, EVIL, World, code_of, https_settings
from tests.web.grants import CHALLENGE, LOOPBACK

ASK = {
    "response_type": "code",
    "client_id": "cli",
    "redirect_uri": LOOPBACK,
    "state": "st~/+ &=1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "scope": "credentials roles",
    "device": "ana-laptop",
}


def asked(**changes: str | None) -> dict[str, str]:
    return {name: value for name, value in {**ASK, **changes}.items() if value is not None}


def signed_in(**more) -> tuple[World, object]:
    world = World(**more)
    return world, world.signed_in()


def form_of(page: str) -> list[tuple[str, str]]:
    """The hidden fields, as a browser would send them."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return [(unescape(name), unescape(value)) for name, value in found if name != "csrf"]


def click(world: World, made, decision: str = "allow", ask: dict[str, str] | None = None, **more):
    page = world.browser.get("/oauth/authorize", query_string=ask or ASK)
    assert page.status_code == 200
    data = [*form_of(page.text), ("csrf", made.csrf), ("decision", decision)]
    body = {name: [value for key, value in data if key == name] for name, _ in data}
    return world.browser.post("/oauth/authorize", data=body, **more)


def answer_of(response) -> dict[str, str]:
    assert response.status_code == 303
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query, strict_parsing=True))


# --- the page -------------------------------------------------------------------------------------


def test_the_page_says_who_asks_for_what_until_when_and_gives_nothing():
    world, _ = signed_in()
    answer = world.browser.get("/oauth/authorize", query_string=ASK)
    for words in ("daypass command line", "ana-laptop", "18:30 UTC", "which roles you have", "Take AWS keys"):
        assert words in answer.text
    assert LOOPBACK in answer.text
    assert "Any program on this machine can open this page" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert world.broker.codes == {}


def test_a_narrower_scope_is_said_to_be_narrower():
    world, _ = signed_in()
    page = world.browser.get("/oauth/authorize", query_string=asked(scope="roles")).text
    assert "which roles you have" in page
    assert "Take AWS keys" not in page


def test_strangers_sign_in_first_and_come_back_with_every_parameter():
    answer = World().browser.get("/oauth/authorize", query_string=ASK)
    assert answer.status_code == 303
    target = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    assert dict(parse_qsl(urlsplit(target).query)) == ASK


def test_the_click_gives_a_code_with_state_and_iss_and_by_303():
    world, made = signed_in()
    response = click(world, made)
    answer = answer_of(response)
    assert response.headers["Location"].startswith(LOOPBACK + "?")
    assert (answer["state"], answer["iss"]) == (ASK["state"], BASE)
    assert list(world.broker.codes) == [answer["code"]]
    ask = world.broker.codes[answer["code"]]
    assert (ask.client, ask.redirect_uri, ask.challenge) == ("cli", LOOPBACK, CHALLENGE)
    assert (ask.scope, ask.device) == (("credentials", "roles"), "ana-laptop")
    assert response.data == b""


def test_refusing_tells_the_client_and_is_on_record():
    world, made = signed_in()
    answer = answer_of(click(world, made, "refuse"))
    assert (answer["error"], answer["state"], answer["iss"]) == ("access_denied", ASK["state"], BASE)
    assert "code" not in answer
    assert world.broker.times("authorize") == 0
    assert world.broker.records == ["oauth.access_denied"]


@pytest.mark.parametrize("decision", [None, "", "yes", "ALLOW"])
def test_only_the_two_buttons_decide(decision):
    world, made = signed_in()
    body = {**ASK, "csrf": made.csrf} | ({} if decision is None else {"decision": decision})
    answer = world.browser.post("/oauth/authorize", data=body)
    assert (answer.status_code, code_of(answer.text)) == (400, "request.malformed")
    assert world.broker.codes == {}


def test_a_get_never_decides():
    world, made = signed_in()
    page = world.browser.get("/oauth/authorize", query_string={**ASK, "decision": "allow", "csrf": made.csrf})
    assert page.status_code == 200
    assert world.broker.codes == {}


@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_site_cannot_click(headers):
    world, made = signed_in()
    answer = click(world, made, headers=headers)
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert world.broker.codes == {}


@pytest.mark.parametrize("token", ["", "another"])
def test_a_click_needs_this_sessions_token(token):
    world, _ = signed_in()
    answer = world.browser.post("/oauth/authorize", data={**ASK, "csrf": token, "decision": "allow"})
    assert (answer.status_code, code_of(answer.text)) == (403, "request.cross_site")
    assert world.broker.codes == {}


def test_what_the_form_says_is_checked_again():
    world, made = signed_in()
    body = {**asked(redirect_uri=f"{EVIL}/cb"), "csrf": made.csrf, "decision": "allow"}
    answer = world.browser.post("/oauth/authorize", data=body)
    assert (answer.status_code, code_of(answer.text)) == (400, "oauth.redirect")
    assert "Location" not in answer.headers


# --- nothing goes to an address that is not the client's ---------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "cli\n"},
        {"redirect_uri": None},
        {"redirect_uri": f"{EVIL}/callback"},
        {"redirect_uri": "http://127.0.0.1:43117/callback/../evil"},
        {"redirect_uri": "http://127.0.0.1:43117/callback\r\nX: y"},
        {"redirect_uri": "http://127.0.0.1:43117@evil.example/callback"},
        {"redirect_uri": "http://localhost:43117/callback"},
        {"redirect_uri": "//evil.example"},
    ],
)
@pytest.mark.parametrize("wrong", [{}, {"response_type": "token"}, {"prompt": "none"}, {"state": "\x00"}])
def test_an_unknown_client_or_address_is_a_page_and_no_redirect(changes, wrong):
    world, made = signed_in()
    ask = asked(**changes, **wrong)
    for answer in (
        world.browser.get("/oauth/authorize", query_string=ask),
        world.browser.post("/oauth/authorize", data={**ask, "csrf": made.csrf, "decision": "refuse"}),
    ):
        assert (answer.status_code, code_of(answer.text)) == (400, "oauth.redirect")
        assert "Location" not in answer.headers
        assert "evil" not in answer.headers["Content-Security-Policy"]
    assert world.broker.records == ["oauth.redirect"] * 2


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_two_clients_or_two_addresses_are_none(name):
    world, _ = signed_in()
    query = [*ASK.items(), (name, ASK[name])]
    answer = world.browser.get("/oauth/authorize", query_string=dict_of(query))
    assert (answer.status_code, code_of(answer.text)) == (400, "oauth.redirect")


def dict_of(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {name: [value for key, value in pairs if key == name] for name, _ in pairs}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": "roles admin"}, "invalid_scope"),
        ({"scope": "roles\x00"}, "invalid_request"),
        ({"resource": "é"}, "invalid_request"),
    ],
)
def test_any_other_error_goes_back_to_the_client_with_state_and_iss(changes, error):
    world, made = signed_in()
    ask = asked(**changes)
    for response in (
        world.browser.get("/oauth/authorize", query_string=ask),
        world.browser.post("/oauth/authorize", data={**ask, "csrf": made.csrf, "decision": "allow"}),
    ):
        answer = answer_of(response)
        assert response.headers["Location"].startswith(LOOPBACK + "?")
        assert (answer["error"], answer["state"], answer["iss"]) == (error, ASK["state"], BASE)
        assert answer["error_description"].isascii()
    assert world.broker.codes == {}
    assert len(world.broker.records) == 2


@pytest.mark.parametrize("name", ["scope", "state", "code_challenge", "response_type"])
def test_a_doubled_parameter_goes_back_as_an_error(name):
    world, _ = signed_in()
    query = dict_of([*ASK.items(), (name, ASK[name])])
    answer = answer_of(world.browser.get("/oauth/authorize", query_string=query))
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == f"`{name}` stands more than once here."
    assert ("state" in answer) == (name != "state")


def test_two_resources_are_one_too_many():
    world, _ = signed_in()
    query = dict_of([*ASK.items(), ("resource", f"{BASE}/v1"), ("resource", "https://other.example")])
    assert answer_of(world.browser.get("/oauth/authorize", query_string=query))["error"] == "invalid_target"


def test_unknown_and_empty_parameters_are_as_if_they_were_not_there():
    world, _ = signed_in()
    ask = {**ASK, "login_hint": "bo", "response_mode": "", "prompt": "", "resource": "", "x": "\x00"}
    assert world.browser.get("/oauth/authorize", query_string=ask).status_code == 200
    assert world.browser.get("/oauth/authorize", query_string={**ask, "x": ["1", "2"]}).status_code == 200


def test_without_a_state_none_comes_back():
    world, made = signed_in()
    assert "state" not in answer_of(click(world, made, ask=asked(state=None)))


def test_a_client_that_may_not_hears_so():
    world, _ = signed_in()
    world.broker.fail["consent"] = ClientNotAllowed()
    answer = answer_of(world.browser.get("/oauth/authorize", query_string=ASK))
    assert answer["error"] == "unauthorized_client"


@pytest.mark.parametrize("error", [TooMany(), StoreUnavailable("disk")])
def test_what_is_no_oauth_error_is_a_page(error):
    world, made = signed_in()
    world.broker.fail["authorize"] = error
    answer = click(world, made)
    assert (answer.status_code, code_of(answer.text)) == (error.status, error.code)
    assert "Location" not in answer.headers


def test_an_error_that_cannot_be_recorded_is_not_sent():
    world, _ = signed_in()
    world.broker.fail["refused"] = AuditUnavailable()
    answer = world.browser.get("/oauth/authorize", query_string=asked(response_type="token"))
    assert (answer.status_code, code_of(answer.text)) == (503, "audit.unavailable")


def test_a_very_long_request_is_refused():
    world, _ = signed_in()
    answer = world.browser.get("/oauth/authorize", query_string=asked(state="s" * 20_000))
    assert (answer.status_code, code_of(answer.text)) == (400, "oauth.invalid_request")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("ana\nlaptop\u202e", "ana laptop"), ("x" * 300, "x" * 64), ("  büro  ", "büro"), ("<b>", "&lt;b&gt;")],
)
def test_what_a_machine_calls_itself_is_one_short_line(sent, shown):
    world, _ = signed_in()
    page = world.browser.get("/oauth/authorize", query_string=asked(device=sent)).text
    assert f"<strong>{shown}</strong>" in page


# --- where the answer may go -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "address", "source"),
    [
        ("cli", LOOPBACK, "http://127.0.0.1:43117"),
        ("wiki", "https://wiki.acme.test/cb?from=daypass", "https://wiki.acme.test"),
        ("app", "com.acme.pocket:/signed-in", "com.acme.pocket:"),
        ("six", "http://[::1]:43117/cb", "http:"),
    ],
)
def test_this_page_alone_may_lead_on_to_the_app(client, address, source):
    world, made = signed_in(settings=https_settings())
    answer = world.browser.get("/oauth/authorize", query_string=asked(client_id=client, redirect_uri=address))
    form_action = re.search(r"form-action ([^;]*)", answer.headers["Content-Security-Policy"])[1].split()
    assert form_action == ["'self'", "https://*.aws.amazon.com", source]
    for path in ("/", "/sign-in", "/device"):
        elsewhere = world.browser.get(path).headers["Content-Security-Policy"]
        assert f" {source} " not in elsewhere.replace(";", " ; ")
    body = {**asked(client_id=client, redirect_uri=address), "csrf": made.csrf, "decision": "allow"}
    assert (
        "form-action 'self' https://*.aws.amazon.com;"
        in (world.browser.post("/oauth/authorize", data=body).headers["Content-Security-Policy"])
    )


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("wiki", "https://wiki.acme.test/cb?from=daypass"),
        ("app", "com.acme.pocket:/signed-in"),
        ("odd", "com.acme.odd:///a//b"),
        ("odd", "https://odd.acme.test/%7euser/%2F;a=1?x=a%20b&y"),
    ],
)
def test_the_address_stays_as_it_was_declared_to_the_letter(client, address):
    world, made = signed_in()
    world.broker.clients["odd"] = world.broker.clients["wiki"].__class__(
        "odd", "Odd", world.broker.clients["cli"].grants, (address,)
    )
    location = click(world, made, ask=asked(client_id=client, redirect_uri=address)).headers["Location"]
    assert location.startswith(address + ("&" if "?" in address else "?"))
    assert f"iss={BASE.replace(':', '%3A').replace('/', '%2F')}" in location
