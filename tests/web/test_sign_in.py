"""The browser legs of a sign-in: binding, fixation, where to land; each attack beside its honest twin."""

from __future__ import annotations

import string
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ProviderFailed, SignInDenied, StoreUnavailable, TooMany
from app.web.paths import own_path
from tests.web.builders import BASE, EVIL, World, code_of, https_settings


def start(world: World, source: str = "corp", target: str | None = None, browser=None) -> str:
    """Start a sign-in; returns the handle that the other side will send back."""
    query = "" if target is None else f"?next={quote(target, safe='')}"
    answer = (browser or world.browser).get(f"/sign-in/{source}{query}")
    assert answer.status_code == 303
    return parse_qs(urlsplit(answer.headers["Location"]).query)["RelayState"][0]


def acs(world: World, handle: str, source: str = "corp", browser=None, **more):
    data = {"SAMLResponse": "PHNhbWw+", "RelayState": handle, **more.pop("fields", {})}
    headers = {"Origin": "http://127.0.0.1:8001", "Sec-Fetch-Site": "cross-site"}
    return (browser or world.browser).post(f"/saml/{source}/acs", data=data, headers=headers, **more)


def set_cookies(answer) -> dict[str, str]:
    return {line.partition("=")[0]: line for line in answer.headers.getlist("Set-Cookie")}


# --- honest ---------------------------------------------------------------------------------------


def test_a_saml_sign_in_ends_with_a_session_where_the_person_wanted_to_go():
    world = World()
    answer = acs(world, start(world, target="/keys?role=x"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/keys?role=x")
    assert world.browser.get("/").status_code == 200


def test_an_openid_sign_in_ends_the_same_way():
    world = World()
    handle = start(world, "partner")
    answer = world.browser.get(f"/oidc/partner/callback?code=abc&state={handle}&session_state=ignored")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert world.browser.get("/").status_code == 200


def test_the_broker_gets_exactly_what_the_other_side_sent():
    world = World()
    handle = start(world, "partner")
    world.browser.get(f"/oidc/partner/callback?code=a%2Bb&state={handle}&iss=https%3A%2F%2Fidp&x=1")
    proof = next(what for name, what in world.broker.asked if name == "sign_in")
    assert proof.fields == {"code": "a+b", "state": handle, "iss": "https://idp"}


def test_our_metadata_is_served_as_the_source_made_it():
    answer = World().browser.get("/saml/corp/metadata")
    assert (answer.status_code, answer.mimetype) == (200, "application/samlmetadata+xml")
    assert answer.data == b"<EntityDescriptor/>"


def test_the_sign_in_page_offers_every_source_and_keeps_where_to_go():
    page = World().browser.get("/sign-in?next=/keys%3Frole%3Dx").text
    assert 'href="/sign-in/corp?next=/keys%3Frole%3Dx"' in page
    assert 'href="/sign-in/partner?next=/keys%3Frole%3Dx"' in page
    assert "Acme staff" in page


def test_with_one_source_the_page_still_lets_the_person_choose():
    world = World()
    world.broker.ways = world.broker.ways[:1]
    answer = world.browser.get("/sign-in")
    assert answer.status_code == 200
    assert 'href="/sign-in/corp"' in answer.text


def test_a_page_that_needs_a_sign_in_is_where_the_person_lands_after_it():
    world = World()
    answer = world.browser.get("/keys?role=arn:aws:iam::111122223333:role/Read%20Only&x=%C3%A9")
    target = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    assert target == "/keys?role=arn:aws:iam::111122223333:role/Read%20Only&x=%C3%A9"


def test_an_ended_session_is_said_and_its_cookie_taken_back():
    world = World()
    world.signed_in()
    world.broker.cookies.clear()
    answer = world.browser.get("/")
    assert answer.headers["Location"] == "/sign-in?ended=1"
    assert "Max-Age=0" in set_cookies(answer)["daypass"]
    assert "Your session has ended" in world.browser.get(answer.headers["Location"]).text


# --- cookies --------------------------------------------------------------------------------------


def test_on_https_cookies_are_host_bound_secure_and_hidden_from_scripts():
    world = World(settings=https_settings())
    first = world.browser.get("/sign-in/corp")
    assert set(set_cookies(first)) == {"__Host-daypass-signin"}
    binding = set_cookies(first)["__Host-daypass-signin"]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=None", "Max-Age=600"):
        assert part in binding
    assert "Domain" not in binding
    handle = parse_qs(urlsplit(first.headers["Location"]).query)["RelayState"][0]
    session = set_cookies(acs(world, handle))["__Host-daypass"]
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in session
    assert "Domain" not in session


def test_on_loopback_http_the_binding_has_a_lax_twin_for_clients_that_are_no_browsers():
    cookies = set_cookies(World().browser.get("/sign-in/corp"))
    assert set(cookies) == {"daypass-signin", "daypass-signin-lax"}
    assert "SameSite=None" in cookies["daypass-signin"]
    assert "Secure" in cookies["daypass-signin"]
    assert "SameSite=Lax" in cookies["daypass-signin-lax"]
    assert "Secure" not in cookies["daypass-signin-lax"]


def test_the_twin_alone_is_enough():
    world = World()
    handle = start(world)
    world.browser.delete_cookie("daypass-signin", domain="localhost")
    assert acs(world, handle).status_code == 303


def test_a_sign_in_started_in_two_tabs_can_end_in_either():
    world = World()
    first, _second = start(world), start(world)
    assert acs(world, first).status_code == 303


def test_the_binding_is_taken_back_after_the_sign_in():
    world = World()
    cookies = set_cookies(acs(world, start(world)))
    assert "Max-Age=0" in cookies["daypass-signin"]
    assert "Max-Age=0" in cookies["daypass-signin-lax"]


# --- attacks --------------------------------------------------------------------------------------


def test_an_answer_in_another_browser_is_refused():
    world = World()
    handle = start(world)
    stranger = world.new_browser()
    start(world, browser=stranger)
    refused = acs(world, handle, browser=stranger)
    assert (refused.status_code, code_of(refused.text)) == (401, "signin.not_started_here")
    assert "daypass=" not in "".join(refused.headers.getlist("Set-Cookie"))
    assert acs(world, handle).status_code == 303


def test_an_answer_without_the_binding_cookie_is_refused():
    world = World()
    refused = acs(world, start(world), browser=world.new_browser())
    assert code_of(refused.text) == "signin.not_started_here"


def test_an_answer_at_another_sources_address_is_refused():
    world = World()
    handle = start(world)
    refused = world.browser.get(f"/oidc/partner/callback?code=x&state={handle}")
    assert code_of(refused.text) == "signin.not_started_here"
    assert acs(world, handle).status_code == 303


def test_a_used_answer_is_refused():
    world = World()
    handle = start(world)
    assert acs(world, handle).status_code == 303
    start(world)
    assert code_of(acs(world, handle).text) == "signin.not_started_here"


@pytest.mark.parametrize("handle", ["", "x" * 81, "x" * 100_000, "//evil", "/\\evil", "https:evil", "a\r\nb"])
def test_a_foreign_relay_state_is_refused_and_never_followed(handle):
    world = World()
    start(world)
    refused = acs(world, handle)
    assert refused.status_code in (401, 413)
    assert "Location" not in refused.headers


def test_a_planted_session_cookie_is_replaced_and_ended():
    world = World()
    world.signed_in()
    planted = world.browser.get_cookie("daypass", domain="localhost").value
    answer = acs(world, start(world))
    fresh = world.browser.get_cookie("daypass", domain="localhost").value
    assert answer.status_code == 303
    assert fresh != planted
    assert planted not in world.broker.cookies
    assert fresh in world.broker.cookies


def test_a_planted_value_never_becomes_a_session():
    world = World()
    world.browser.set_cookie("daypass", "a" * 43, domain="localhost")
    assert acs(world, start(world)).status_code == 303
    assert "a" * 43 not in world.broker.cookies


@pytest.mark.parametrize(
    "value", ["", "short", "a" * 129, "a" * 40 + ";", "a" * 40 + "é", "../" * 20, "a b" * 20]
)
def test_a_cookie_of_another_form_never_reaches_the_broker(value):
    world = World()
    answer = world.browser.get("/", headers={"Cookie": f"daypass={value}"})
    assert answer.status_code == 303
    assert world.broker.times("session") == 0


def test_each_browser_has_its_own_secret():
    world = World()
    start(world)
    start(world, browser=world.new_browser())
    one, two = (ask.browser for _, ask in world.broker.pending.values())
    assert one != two
    assert len(one) == len(two) == 43


@pytest.mark.parametrize("field", ["SAMLResponse", "RelayState"])
def test_a_doubled_form_field_is_refused(field):
    world = World()
    handle = start(world)
    body = f"SAMLResponse=PHNhbWw%2B&RelayState={handle}&{field}={handle}"
    form = "application/x-www-form-urlencoded"
    assert (
        code_of(world.browser.post("/saml/corp/acs", data=body, content_type=form).text)
        == "request.malformed"
    )
    assert acs(world, handle).status_code == 303


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description"])
def test_a_doubled_query_parameter_is_refused(name):
    world = World()
    handle = start(world, "partner")
    refused = world.browser.get(f"/oidc/partner/callback?code=c&state={handle}&iss=i&{name}=1&{name}=2")
    assert code_of(refused.text) == "request.malformed"
    assert world.browser.get(f"/oidc/partner/callback?code=c&state={handle}").status_code == 303


def test_the_assertion_consumer_service_takes_only_a_form():
    world = World()
    handle = start(world)
    for kind, code in (
        ("application/json", "request.media_type"),
        ("multipart/form-data", "request.media_type"),
    ):
        refused = world.browser.post("/saml/corp/acs", data="{}", content_type=kind)
        assert code_of(refused.text) == code
    assert (
        code_of(world.browser.post("/saml/corp/acs", data={"RelayState": handle}).text) == "request.malformed"
    )


@pytest.mark.parametrize("address", ["/saml/corp/acs", "/saml/nobody/acs"])
def test_a_form_at_its_cap_is_read_and_a_larger_one_is_not(address):
    world = World()
    handle = start(world)
    large = world.browser.post(address, data={"SAMLResponse": "A" * (512 * 1024), "RelayState": handle})
    assert (large.status_code, code_of(large.text)) == (413, "request.too_large")
    assert acs(world, handle, fields={"SAMLResponse": "A" * (500 * 1024)}).status_code == 303


def test_the_cap_holds_for_a_body_whose_length_is_not_announced():
    world = World()

    class Endless:
        read_bytes = 0

        def read(self, size: int = -1) -> bytes:
            assert size != -1, "would read without end"
            self.read_bytes += size
            return b"A" * size

        def readinto(self, buffer) -> int:
            self.read_bytes += len(buffer)
            return len(buffer)

    endless = Endless()
    answer = world.browser.open(
        "/saml/corp/acs",
        method="POST",
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"wsgi.input": endless, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert (answer.status_code, code_of(answer.text)) == (413, "request.too_large")
    assert endless.read_bytes <= 1024 * 1024


@pytest.mark.parametrize("source", ["nobody", "CORP", "corp%2f..", "a" * 5000, "%00", "é"])
@pytest.mark.parametrize("address", ["/sign-in/{}", "/saml/{}/metadata"])
def test_an_unknown_source_is_a_clear_404(source, address):
    answer = World().browser.get(address.format(source))
    assert answer.status_code == 404
    assert code_of(answer.text) in ("signin.source_unknown", "unknown")


@pytest.mark.parametrize(
    ("method", "error", "status"),
    [
        ("begin", ProviderFailed("down"), 502),
        ("begin", TooMany(retry_after=31), 429),
        ("begin", StoreUnavailable(), 503),
        ("sign_in", SignInDenied("the directory's <script> words"), 401),
        ("sign_in", ProviderFailed("garbage"), 502),
    ],
)
def test_a_refusal_of_the_broker_is_a_page_with_its_code_and_request_id(method, error, status):
    world = World()
    handle = start(world)
    world.broker.fail[method] = error
    answer = world.browser.get("/sign-in/corp") if method == "begin" else acs(world, handle)
    assert (answer.status_code, code_of(answer.text)) == (status, error.code)
    assert answer.headers["X-Request-Id"] in answer.text
    assert str(error.detail) not in answer.text or not error.detail
    assert answer.headers.get("Retry-After") == ("31" if status == 429 else None)


# --- open redirect --------------------------------------------------------------------------------

FOREIGN = [
    EVIL,
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "evil.example",
    "/x\r\nSet-Cookie: a=b",
    "/\x00",
    "/é",
    "/" + "a" * 2048,
    "",
]


@pytest.mark.parametrize("target", FOREIGN)
def test_a_foreign_target_becomes_the_home_page(target):
    world = World()
    handle = start(world, target=target)
    assert next(ask.next for _, ask in world.broker.pending.values()) == "/"
    assert acs(world, handle).headers["Location"] == "/"
    assert "evil" not in World().browser.get(f"/sign-in?next={quote(target, safe='')}").text


@pytest.mark.parametrize(
    "target", ["/", "/keys?role=a&b=%2F%2Fevil", "/a//b", "/?next=https://evil.example", "/" + "a" * 1023]
)
def test_a_path_of_our_own_is_kept(target):
    world = World()
    assert acs(world, start(world, target=target)).headers["Location"] == target


def test_what_the_broker_remembers_is_checked_again_on_the_way_out():
    world = World()
    handle = start(world)
    source, ask = world.broker.pending[handle]
    world.broker.pending[handle] = (source, type(ask)(next=EVIL, browser=ask.browser))
    assert acs(world, handle).headers["Location"] == "/"


@given(st.text(alphabet=string.printable + "\\/é\u2028\x00:@", max_size=40))
def test_an_own_path_never_leaves_the_site(asked):
    path = own_path(asked)
    # What a browser does first (WHATWG URL): drop tabs and line ends, read backslashes as slashes.
    seen = path.replace("\t", "").replace("\n", "").replace("\r", "").replace("\\", "/").strip()
    assert seen.startswith("/")
    assert not seen.startswith("//")
    assert path.isascii()
    assert path.isprintable()


# --- Host -----------------------------------------------------------------------------------------

HOSTS = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "Forwarded": "host=evil.example",
}


def test_no_header_moves_our_addresses():
    world = World(settings=https_settings())
    world.signed_in()
    for path in (
        "/sign-in",
        "/sign-in/corp",
        "/saml/corp/metadata",
        "/v1/openapi.json",
        "/nowhere",
        "/healthz",
    ):
        answer = world.browser.get(path, headers=HOSTS)
        assert "evil.example" not in answer.text + str(answer.headers)


def test_on_a_developers_machine_another_name_of_loopback_leads_to_ours():
    world = World()
    answer = world.browser.get("/sign-in?next=/keys", headers={"Host": "127.0.0.1:8000"})
    assert (answer.status_code, answer.headers["Location"]) == (303, BASE + "/sign-in?next=/keys")
    for host in ("evil.example", "evil.example:8000", "127.0.0.1:9999", "localhost:8000"):
        assert world.browser.get("/sign-in", headers={"Host": host}).status_code == 200
    assert world.browser.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "\x7f", "[", "x" * 5000, "localhost:8000:8000", "localhost:x"]
)
def test_an_odd_host_header_is_no_defect(host):
    assert World().browser.get("/sign-in", headers={"Host": host}).status_code in (200, 400)
