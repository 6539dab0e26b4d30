"""Attacks on the pages and the JSON API through somebody's browser, against two running workers."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest
import requests
from lxml import etree

from tests.attacks.answers import refused
from tests.attacks.directories import SamlCompany, corp
from tests.signin.saml.builders import PERSON, Attribute, posted

READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
EVIL = "https://evil.test"
SESSION = "daypass"
BINDING = ("daypass-signin", "daypass-signin-lax")
DEVICE = ("daypass-device", "daypass-device-lax")


def keeping() -> str:
    """A source like corp whose groups all come in under its own name, so that pages show what it says."""
    text, rows = re.subn(
        r"groups:  .*?\nsession_tags", 'groups: {"*": keep}\nsession_tags', corp(), flags=re.S
    )
    assert rows == 1
    return text


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlCompany]:
    folder = tmp_path_factory.mktemp("acme")
    with SamlCompany(folder, workers=2, more_providers={"kept": keeping()}) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture(scope="module")
def ana(acme: SamlCompany) -> requests.Session:
    """Somebody signed in who stays so."""
    return acme.sign_in()


def get(acme: SamlCompany, browser: requests.Session, path: str, **headers: str) -> requests.Response:
    return browser.get(f"{acme.base_url}{path}", headers=headers, allow_redirects=False, timeout=20)


def post(
    acme: SamlCompany, browser: requests.Session, path: str, fields: dict[str, str], **headers: str
) -> requests.Response:
    return browser.post(
        f"{acme.base_url}{path}",
        data=fields,
        headers={k.replace("_", "-"): v for k, v in headers.items()},
        allow_redirects=False,
        timeout=20,
    )


def csrf(acme: SamlCompany, browser: requests.Session) -> str:
    """The token in the session's own pages."""
    found = re.search(r'name="csrf" value="([^"]{43})"', get(acme, browser, "/").text)
    assert found
    return found[1]


def token(browser: requests.Session) -> str:
    return str(browser.cookies[SESSION])


def issued(acme: SamlCompany) -> int:
    """How many times anything was given out."""
    trail = acme.audit("search", "--json", "--limit", "100000").stdout
    return sum(trail.count(f'"kind": "{kind}.issued"') for kind in ("credentials", "console"))


# --- other sites ------------------------------------------------------------------------------------------

FORMS = ("/sign-out", "/keys", "/console")
FROM_ELSEWHERE: dict[str, dict[str, str]] = {
    "Origin is another site": {"Origin": EVIL},
    "Origin is null": {"Origin": "null"},
    "Origin is ours as a prefix": {"Origin": "{ours}.evil.test"},
    "Origin is ours by another scheme": {"Origin": "{https}"},
    "Origin is ours with a slash": {"Origin": "{ours}/"},
    "Origin is another port": {"Origin": "http://localhost:1"},
    "the browser says another site": {"Sec_Fetch_Site": "cross-site"},
    "the browser says a sibling": {"Sec_Fetch_Site": "same-site"},
    "the browser says typed by hand": {"Sec_Fetch_Site": "none"},
    "both, and they differ": {"Origin": "{ours}", "Sec_Fetch_Site": "cross-site"},
}


def filled(headers: dict[str, str], ours: str) -> dict[str, str]:
    https = ours.replace("http:", "https:")
    return {name: value.format(ours=ours, https=https) for name, value in headers.items()}


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("headers", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE)
def test_a_form_from_elsewhere_is_refused_even_with_the_right_token(
    acme: SamlCompany, ana: requests.Session, path: str, headers: dict[str, str]
) -> None:
    fields = {"csrf": csrf(acme, ana), "role": READ_ONLY}
    refused(post(acme, ana, path, fields, **filled(headers, acme.base_url)), "request.cross_site")
    assert acme.me(ana).status_code == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_this_sessions_token_is_refused(
    acme: SamlCompany, ana: requests.Session, path: str
) -> None:
    other = csrf(acme, acme.sign_in())
    own = csrf(acme, ana)
    for given in ("", "x", other, own[:-1], own + "A", own.swapcase(), token(ana), "é", "\0"):
        answer = post(acme, ana, path, {"csrf": given, "role": READ_ONLY}, Origin=acme.base_url)
        refused(answer, "request.cross_site")
    refused(post(acme, ana, path, {"role": READ_ONLY}, Origin=acme.base_url), "request.cross_site")
    in_query = post(acme, ana, f"{path}?csrf={own}", {"role": READ_ONLY}, Origin=acme.base_url)
    refused(in_query, "request.cross_site")
    assert acme.me(ana).status_code == 200


def test_our_own_forms_are_taken_and_nothing_was_given_out_before(acme: SamlCompany) -> None:
    browser = acme.sign_in()
    before = issued(acme)
    fields = {"csrf": csrf(acme, browser), "role": READ_ONLY}
    refused(post(acme, browser, "/keys", fields, Origin=EVIL), "request.cross_site")
    refused(post(acme, browser, "/console", {**fields, "csrf": ""}), "request.cross_site")
    assert issued(acme) == before
    ours = {"Origin": acme.base_url, "Sec_Fetch_Site": "same-origin"}
    keys = post(acme, browser, "/keys", fields, **ours)
    assert keys.status_code == 200 and "AWS_SESSION_TOKEN" in keys.text
    console = post(acme, browser, "/console", fields, **ours)
    assert console.status_code == 303 and console.headers["Location"].startswith(f"{acme.aws_url}/federation")
    assert issued(acme) == before + 2
    out = post(acme, browser, "/sign-out", fields, **ours)
    assert out.headers["Location"] == "/signed-out"
    refused(acme.me(browser), "session.missing")


@pytest.mark.parametrize("path", FORMS)
def test_a_link_or_an_image_does_nothing(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    where = f"{path}?role={quote(READ_ONLY)}&csrf={csrf(acme, ana)}"
    given = issued(acme)
    before = get(acme, ana, where)
    # `/keys` and `/console` show a page with a button, nothing more.
    assert before.status_code == (200 if path in ("/keys", "/console") else 405)
    assert "AWS_SESSION_TOKEN" not in before.text and issued(acme) == given
    assert acme.me(ana).status_code == 200


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/console-link"])
@pytest.mark.parametrize("headers", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE)
def test_a_json_call_from_elsewhere_is_refused(
    acme: SamlCompany, ana: requests.Session, path: str, headers: dict[str, str]
) -> None:
    sent = {name.replace("_", "-"): value for name, value in filled(headers, acme.base_url).items()}
    answer = ana.post(f"{acme.base_url}{path}", json={"role": READ_ONLY}, headers=sent, timeout=20)
    refused(answer, "request.cross_site")
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_json_of_a_type_that_needs_no_preflight_is_refused(
    acme: SamlCompany, ana: requests.Session, kind: str
) -> None:
    answer = ana.post(
        f"{acme.base_url}/v1/credentials",
        data=f'{{"role": "{READ_ONLY}"}}',
        headers={"Content-Type": kind},
        timeout=20,
    )
    refused(answer, "request.media_type")


@pytest.mark.parametrize("path", ["/v1/me", "/v1/roles"])
def test_another_site_cannot_read_what_is_mine(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    for headers in ({"Origin": EVIL}, {"Sec-Fetch-Site": "cross-site"}):
        refused(get(acme, ana, path, **headers), "request.cross_site")
    for method, code in (("GET", "oauth.origin"), ("POST", "request.method")):
        preflight = ana.options(
            f"{acme.base_url}{path}",
            headers={"Origin": EVIL, "Access-Control-Request-Method": method},
            timeout=20,
        )
        refused(preflight, code)
        assert not any(name.lower().startswith("access-control") for name in preflight.headers)
    assert get(acme, ana, path, Origin=acme.base_url).status_code == 200


def test_a_token_never_falls_back_to_the_cookie_that_came_along(
    acme: SamlCompany, ana: requests.Session
) -> None:
    for value in ("Bearer x", "Basic YTpi", "AWS4-HMAC-SHA256 x", "", "Bearer " + token(ana)):
        refused(get(acme, ana, "/v1/me", Authorization=value), "token.invalid")
    assert acme.me(ana).status_code == 200


# --- planted and old cookies ------------------------------------------------------------------------------


def me_with(acme: SamlCompany, value: str) -> requests.Response:
    return requests.get(f"{acme.base_url}/v1/me", headers={"Cookie": f"{SESSION}={value}"}, timeout=20)


def finish(acme: SamlCompany, browser: requests.Session) -> None:
    started = acme.begin(browser)
    assert acme.post(started, acme.response(started)).status_code == 303


def plant(browser: requests.Session, value: str) -> None:
    browser.cookies.set(SESSION, value, domain="localhost.local", path="/")


def test_a_planted_value_never_becomes_a_session(acme: SamlCompany) -> None:
    for planted in ("A" * 43, "x", "", "A" * 128, "../..", "%00"):
        browser = requests.Session()
        plant(browser, planted)
        finish(acme, browser)
        assert token(browser) != planted
        assert acme.me(browser).status_code == 200
        refused(me_with(acme, planted), "session.missing")


def test_an_attackers_own_session_in_the_victims_browser_ends_when_the_victim_signs_in(
    acme: SamlCompany,
) -> None:
    attacker = acme.sign_in(name_id="mallory-1", attributes=[("uid", None, ["mallory"]), *PERSON[1:]])
    planted = token(attacker)
    assert me_with(acme, planted).json()["username"] == "mallory"
    victim = requests.Session()
    plant(victim, planted)
    finish(acme, victim)
    assert token(victim) != planted
    assert acme.me(victim).json()["username"] == "ana"
    refused(me_with(acme, planted), "session.missing")
    refused(acme.me(attacker), "session.missing")


def test_every_sign_in_has_a_new_token_and_ends_the_old_one(acme: SamlCompany) -> None:
    browser = acme.sign_in()
    tokens = [token(browser)]
    for _ in range(3):
        finish(acme, browser)
        refused(me_with(acme, tokens[-1]), "session.missing")
        tokens.append(token(browser))
    assert len(set(tokens)) == 4
    assert me_with(acme, tokens[-1]).status_code == 200


def test_a_refused_sign_in_leaves_the_session_that_was_there(acme: SamlCompany) -> None:
    browser = acme.sign_in()
    before = token(browser)
    started = acme.begin(browser)
    refused(acme.post(started, acme.response(started, after=[("ana-4f1c", "mallory")])), "saml.signature")
    assert token(browser) == before
    assert acme.me(browser).status_code == 200


def test_after_signing_out_the_cookie_is_worth_nothing_anywhere(acme: SamlCompany) -> None:
    browser = acme.sign_in()
    kept = token(browser)
    answer = post(acme, browser, "/sign-out", {"csrf": csrf(acme, browser)}, Origin=acme.base_url)
    assert SESSION not in browser.cookies
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    for _ in range(8):  # both workers
        refused(me_with(acme, kept), "session.missing")


def test_cookies_are_hidden_from_scripts_and_bound_to_this_host(acme: SamlCompany) -> None:
    browser = requests.Session()
    start = get(acme, browser, "/sign-in/corp")
    started = acme.begin(browser)
    done = acme.post(started, acme.response(started))
    lines = [*start.raw.headers.getlist("Set-Cookie"), *done.raw.headers.getlist("Set-Cookie")]
    given = [line for line in lines if "Max-Age=0" not in line]
    assert {line.partition("=")[0] for line in given} == {SESSION, *BINDING, *DEVICE}
    for line in given:
        attributes = {part.strip() for part in line.split(";")[1:]}
        assert {"HttpOnly", "Path=/"} <= attributes
        assert not any(part.startswith("Domain") for part in attributes)
        name = line.partition("=")[0]
        none = name in (BINDING[0], DEVICE[0])
        assert ("SameSite=None" in attributes, "Secure" in attributes) == (none, none)
        assert none or "SameSite=Lax" in attributes
        # A known device's opens nothing: it lives for half a year.
        longest = {SESSION: 12 * 3600, **dict.fromkeys(DEVICE, 180 * 86400)}.get(name, 600)
        assert any(part.startswith("Max-Age=") and int(part[8:]) <= longest for part in attributes)


# --- where a sign-in leads --------------------------------------------------------------------------------

NEXT = {
    "another site": "//evil.test",
    "three slashes": "///evil.test",
    "backslash": "/\\evil.test",
    "two backslashes": "\\\\evil.test",
    "backslash and slash": "\\/evil.test",
    "whole address": "https://evil.test/",
    "no slashes": "https:evil.test",
    "one slash": "https:/evil.test",
    "a name": "evil.test",
    "script": "javascript:alert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "tab": "/\t/evil.test",
    "line end": "/\n/evil.test",
    "return": "/\r/evil.test",
    "tab first": "\t//evil.test",
    "blank first": " //evil.test",
    "null": "/\0/evil.test",
    "header": "/x\r\nSet-Cookie: a=b\r\nLocation: //evil.test",
    "user info": "//localhost@evil.test",
    "wide slash": "/／evil.test",
    "wide backslash": "/＼evil.test",
    "line separator": "/\u2028/evil.test",
    "ideographic stop": "//evil。test",
    "encoded slashes": "%2f%2fevil.test",
    "encoded twice": "%252f%252fevil.test",
    "encoded backslash": "%5c%5cevil.test",
    "too long": "/" + "a" * 2_100,
    "nothing": "",
}


def as_browsers_read(base: str, location: str) -> str:
    """Scheme and host that a browser goes to (WHATWG URL: tabs and line ends dropped, backslash is a slash)."""
    cleaned = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    parts = urlsplit(urljoin(f"{base}/", cleaned))
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize("asked", NEXT.values(), ids=NEXT)
def test_a_sign_in_never_leads_to_another_site(acme: SamlCompany, asked: str) -> None:
    started = acme.begin(next_path=asked)
    answer = acme.post(started, acme.response(started))
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    page = get(acme, requests.Session(), f"/sign-in?next={quote(asked, safe='')}").text
    for href in re.findall(r'href="([^"]*)"', page):
        assert as_browsers_read(acme.base_url, href) == acme.base_url
        assert "evil" not in href


@pytest.mark.parametrize(
    "asked",
    [
        "/",
        "/keys?role=arn%3Aaws",
        "/?q=https://evil.test",
        "/%2f/evil.test",
        "/%5cevil.test",
        "/%09/evil.test",
        "/a//evil.test",
        "/;//evil.test",
        "/@evil.test",
        "/.//evil.test",
    ],
)
def test_a_path_of_our_own_is_kept_and_stays_ours(acme: SamlCompany, asked: str) -> None:
    started = acme.begin(next_path=asked)
    answer = acme.post(started, acme.response(started))
    assert answer.headers["Location"] == asked
    assert as_browsers_read(acme.base_url, asked) == acme.base_url


@pytest.mark.parametrize(
    "path", ["//evil.test/", "//evil.test/%2e%2e", "/\\evil.test", "/%5cevil.test", "/%2f/evil.test"]
)
def test_no_address_of_ours_redirects_to_another_site(acme: SamlCompany, path: str) -> None:
    request = requests.Request("GET", acme.base_url).prepare()
    request.url = f"{acme.base_url}{path}"
    with requests.Session() as browser:
        answer = browser.send(request, allow_redirects=False, timeout=20)
    refused(answer, "unknown")


# --- what the request says of us --------------------------------------------------------------------------

LYING: dict[str, dict[str, str]] = {
    "Host": {"Host": "evil.test"},
    "Host with our name in it": {"Host": "localhost.evil.test"},
    "Host with a port": {"Host": "evil.test:443"},
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.test"},
    "X-Forwarded-Proto": {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"},
    "X-Forwarded-Prefix": {"X-Forwarded-Prefix": "//evil.test", "X-Script-Name": "//evil.test"},
    "Forwarded": {"Forwarded": "for=192.0.2.1;host=evil.test;proto=https"},
    "X-Original-URL": {"X-Original-URL": "//evil.test/", "X-Rewrite-URL": "//evil.test/"},
    "all with underscores": {"X_Forwarded_Host": "evil.test", "X_Forwarded_For": "192.0.2.1"},
    "Origin and Referer": {"Referer": "https://evil.test/"},
}


def request_of(location: str) -> etree._Element:
    query = parse_qs(urlsplit(location).query)
    return etree.fromstring(zlib.decompress(b64decode(query["SAMLRequest"][0]), -15))


@pytest.mark.parametrize("headers", LYING.values(), ids=LYING)
def test_no_header_moves_our_addresses(acme: SamlCompany, headers: dict[str, str]) -> None:
    browser = requests.Session()
    start = get(acme, browser, "/sign-in/corp", **headers)
    assert start.headers["Location"].startswith("https://idp.acme.test/sso?")
    asked = request_of(start.headers["Location"])
    assert asked.get("AssertionConsumerServiceURL") == acme.acs
    assert asked.findtext("{*}Issuer") == f"{acme.base_url}/saml/corp/metadata"
    cookie = [
        line for line in start.raw.headers.getlist("Set-Cookie") if line.startswith("daypass-signin-lax")
    ]
    assert "Secure" not in cookie[0] and "Domain" not in cookie[0]
    for path in ("/", "/sign-in", "/nowhere", "/saml/corp/metadata", "/v1/openapi.json", "/v1/me"):
        answer = get(acme, browser, path, **headers)
        assert answer.status_code < 500
        assert "evil.test" not in answer.text + str(answer.headers)
        assert "Strict-Transport-Security" not in answer.headers


def test_an_answer_for_another_host_is_refused_under_that_hosts_name(acme: SamlCompany) -> None:
    """python3-saml by itself takes the address to compare with from the request's Host."""
    started = acme.begin()
    document = acme.response(started, {"acs": "http://evil.test/saml/corp/acs"}, response=True)
    answer = started.browser.post(
        acme.acs,
        data={"SAMLResponse": posted(document), "RelayState": started.handle},
        headers={
            "Host": "evil.test",
            "X-Forwarded-Host": "evil.test",
            "Cookie": f"{BINDING[1]}={started.browser.cookies[BINDING[1]]}",
        },
        allow_redirects=False,
        timeout=20,
    )
    refused(answer, "saml.destination")
    refused(acme.me(started.browser), "session.missing")


def test_nobody_chooses_their_own_address_or_request_id(acme: SamlCompany) -> None:
    headers = {"X-Forwarded-For": "192.0.2.77", "X-Real-IP": "192.0.2.77", "X-Request-Id": "feedfacefeedface"}
    answer = get(acme, requests.Session(), "/nowhere", **headers)
    assert answer.headers["X-Request-Id"] != headers["X-Request-Id"]
    lines = [line for line in acme.log().splitlines() if answer.headers["X-Request-Id"] in line]
    assert lines and all("192.0.2.77" not in line and "feedface" not in line for line in lines)
    assert any('"address": "127.0.0.1"' in line for line in lines)


# --- script in what others name ---------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}${7*7}</title>&lt;"


class Page(HTMLParser):
    """What a browser would make of a page: script, handlers, style and addresses in it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.dangerous: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        own_script = tag == "script" and (given.get("src") or "").startswith("/static/")
        if tag in ("img", "iframe", "object", "embed", "style", "base") or (
            tag == "script" and not own_script
        ):
            self.dangerous.append(tag)
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.dangerous.append(f"{tag} {name}")
            if name in ("href", "src", "action") and not re.match(r"/(?!/)|#", value or ""):
                self.dangerous.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(**claims: str) -> list[Attribute]:
    """ana with other values."""
    return [(name, None, [claims[name]] if name in claims else values) for name, _, values in PERSON]


def test_script_in_names_and_groups_is_only_text_on_every_page(acme: SamlCompany) -> None:
    started = acme.begin(source="kept")
    knobs: dict[str, object] = {
        "attributes": hostile(uid=SCRIPT, displayName=SCRIPT, mail=SCRIPT, memberOf=SCRIPT),
        "name_id": SCRIPT,
        "entity": f"{acme.base_url}/saml/kept/metadata",
        "acs": f"{acme.base_url}/saml/kept/acs",
    }
    answer = started.browser.post(
        f"{acme.base_url}/saml/kept/acs",
        data={"SAMLResponse": posted(acme.response(started, knobs)), "RelayState": started.handle},
        allow_redirects=False,
        timeout=20,
    )
    assert answer.status_code == 303, answer.text
    me = acme.me(started.browser)
    assert (me.json()["username"], me.json()["groups"]) == (SCRIPT, [f"kept/{SCRIPT}"])
    assert me.headers["Content-Type"] == "application/json"
    home = get(acme, started.browser, "/")
    assert "no role is open to you" in home.text
    for path in ("/", "/sign-in", f"/{quote(SCRIPT)}", f"/sign-in/{quote(SCRIPT, safe='')}"):
        shown = get(acme, started.browser, path)
        page = Page(shown.text)
        assert page.dangerous == []
        assert (SCRIPT in page.text) == (path in ("/", "/sign-in"))
        assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
        assert "unsafe" not in shown.headers["Content-Security-Policy"]


def test_script_in_a_name_is_only_text_beside_roles_and_keys(acme: SamlCompany) -> None:
    browser = acme.sign_in(attributes=hostile(uid=SCRIPT, displayName=SCRIPT))
    fields = {"csrf": csrf(acme, browser), "role": READ_ONLY, "duration": "900", "reason": SCRIPT}
    pages = [
        get(acme, browser, "/"),
        get(acme, browser, f"/?q={quote(SCRIPT)}"),
        get(acme, browser, f"/keys?role={quote(READ_ONLY)}"),
        post(acme, browser, "/keys", fields),
        post(acme, browser, "/keys", {**fields, "duration": SCRIPT}),
        post(acme, browser, "/keys", {**fields, "csrf": SCRIPT}),
        post(acme, browser, "/keys", {**fields, "role": SCRIPT}),
    ]
    assert [page.status_code for page in pages] == [200, 200, 200, 200, 422, 403, 422]
    for page in pages:
        read = Page(page.text)
        assert read.dangerous == []
        assert SCRIPT in read.text


@pytest.mark.parametrize(
    "path",
    [
        "/oidc/partner/callback?state=x&error={}",
        "/oidc/partner/callback?state={}&code={}",
        "/oidc/partner/callback?error=access_denied&error_description={}",
        "/sign-in/{}",
        "/sign-in?next={}",
        "/?q={}",
        "/keys?role={}",
        "/?cursor={}",
        "/static/{}",
        "/{}",
    ],
)
def test_script_in_an_address_is_in_no_page(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    where = path.replace("{}", quote("<script>alert(7)</script>\"onload='alert(7)'", safe=""))
    for browser in (ana, requests.Session()):
        answer = get(acme, browser, where)
        assert answer.status_code < 500
        assert "<script>alert" not in answer.text
        assert Page(answer.text).dangerous == []


# --- frames and caches ------------------------------------------------------------------------------------

ADDRESSES = [
    "/",
    "/sign-in",
    "/sign-in/corp",
    "/sign-in/nowhere",
    "/signed-out",
    f"/keys?role={READ_ONLY}",
    "/keys?role=x",
    "/keys",
    "/sign-out",
    "/console",
    "/saml/corp/metadata",
    "/saml/corp/acs",
    "/oidc/partner/callback",
    "/v1/me",
    "/v1/roles",
    "/v1/credentials",
    "/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/nowhere",
    "/v1/nowhere",
    "/static/nowhere",
]


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_answer_can_be_framed_sniffed_or_kept(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    for browser in (ana, requests.Session()):
        headers = get(acme, browser, path).headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["form-action"] == f"'self' {acme.aws_url}"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Set-Cookie" not in headers or path in ("/sign-in/corp", "/")


def test_keys_and_console_are_kept_by_nobody(acme: SamlCompany, ana: requests.Session) -> None:
    fields = {"csrf": csrf(acme, ana), "role": READ_ONLY}
    for path in ("/keys", "/console"):
        answer = post(acme, ana, path, fields, Origin=acme.base_url)
        assert answer.status_code in (200, 303)
        assert answer.headers["Cache-Control"] == "no-store"
    for path in ("/v1/credentials", "/v1/console-link"):
        answer = ana.post(f"{acme.base_url}{path}", json={"role": READ_ONLY}, timeout=20)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
