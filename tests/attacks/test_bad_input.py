"""What nobody should send, sent to two running workers: a clear refusal each time, never a defect.

Also here: what a hostile directory or person could get into log and audit trail, what a configuration could
make the broker fetch, and secrets looked for wherever something is kept.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from app.configuration import load, read_folder
from app.web import TABLE
from tests.attacks.answers import documented, refused
from tests.attacks.directories import SamlCompany
from tests.company import ROOT, SECRETS
from tests.signin.saml.builders import PERSON, Attribute, posted

READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
BILLING = "arn:aws:iam::111122223333:role/Billing"
"""A role that exists and that ana may not use."""
SOON_ENOUGH = 2.0
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlCompany]:
    with SamlCompany(tmp_path_factory.mktemp("acme"), workers=2) as company:
        yield company
        assert '"defect"' not in company.log()


@pytest.fixture(scope="module")
def ana(acme: SamlCompany) -> requests.Session:
    return acme.sign_in()


def honest(acme: SamlCompany, browser: requests.Session) -> None:
    """The person beside it is served, at once."""
    began = time.perf_counter()
    assert acme.ask(browser, READ_ONLY, duration=900).status_code == 200
    assert time.perf_counter() - began < SOON_ENOUGH


def call(acme: SamlCompany, browser: requests.Session, path: str, body: str | bytes) -> requests.Response:
    return browser.post(f"{acme.base_url}{path}", data=body, headers=JSON, timeout=30)


def raw(acme: SamlCompany, request: bytes, seconds: float = 10) -> tuple[int, bytes]:
    """Status and whole answer to bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", acme.port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(answer.split(b" ", 2)[1]), answer


def get_raw(acme: SamlCompany, target: bytes, *headers: bytes, method: bytes = b"GET") -> tuple[int, bytes]:
    lines = (
        method + b" " + target + b" HTTP/1.1",
        f"Host: localhost:{acme.port}".encode(),
        b"Connection: close",
        *headers,
    )
    return raw(acme, b"\r\n".join(lines) + b"\r\n\r\n")


# --- roles and durations ----------------------------------------------------------------------------------


def test_a_forbidden_role_cannot_be_told_from_one_that_does_not_exist(
    acme: SamlCompany, ana: requests.Session
) -> None:
    bodies = []
    for role in (
        BILLING,
        "arn:aws:iam::111122223333:role/Nobody",
        "arn:aws:iam::999999999999:role/ReadOnly",
        "arn:aws:iam::111122223333:role/readonly",
        "arn:aws-cn:iam::111122223333:role/ReadOnly",
        "arn:aws:iam::111122223333:role/ReadOnly/",
        "arn:aws:iam::111122223333:role/Hub",
        "arn:aws:iam::111122223333:role/" + "x" * 500,
    ):
        for path in ("/v1/credentials", "/v1/console-link"):
            answer = ana.post(f"{acme.base_url}{path}", json={"role": role}, timeout=30)
            refused(answer, "role.unknown")
            body = answer.json()
            body.pop("request_id")
            bodies.append((body, {name for name in answer.headers if name != "X-Request-Id"}))
        page = ana.get(f"{acme.base_url}/keys", params={"role": role}, timeout=30)
        refused(page, "role.unknown")
    assert all(body == bodies[0] for body in bodies)
    honest(acme, ana)


def test_a_wrong_duration_says_the_same_whatever_the_role(acme: SamlCompany, ana: requests.Session) -> None:
    """Else the order of the checks would tell which roles exist."""
    said = set()
    for role in (READ_ONLY, BILLING, "arn:aws:iam::111122223333:role/Nobody"):
        for duration in (899, 3601):
            answer = acme.ask(ana, role, duration=duration)
            refused(answer, "duration.invalid")
            said.add(answer.json()["detail"])
    assert len(said) == 1


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/console-link"])
@pytest.mark.parametrize(
    "duration",
    [
        "899",
        "3601",
        "0",
        "-900",
        "1e9",
        "900.5",
        "1e400",
        "-0",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[900]",
        '"an hour"',
        '"900"',
        '"1h"',
        '"PT1H"',
        '""',
        '"٩٠٠"',
        "1" * 4_000,
    ],
)
def test_a_duration_that_is_none_is_422(
    acme: SamlCompany, ana: requests.Session, path: str, duration: str
) -> None:
    refused(
        call(acme, ana, path, f'{{"role": "{READ_ONLY}", "duration": {duration}}}'.encode()),
        "duration.invalid",
    )


@pytest.mark.parametrize("duration", ["NaN", "Infinity", "0x384", "0900", "+900", "1" * 5_000, "9" * 60_000])
def test_a_number_that_is_no_json_is_400(acme: SamlCompany, ana: requests.Session, duration: str) -> None:
    body = f'{{"role": "{READ_ONLY}", "duration": {duration}}}'
    refused(call(acme, ana, "/v1/credentials", body), "request.malformed")


@pytest.mark.parametrize("duration", ["900", "3600", "900.0", "9e2", "3.6e3"])
def test_the_bounds_are_durations(acme: SamlCompany, ana: requests.Session, duration: str) -> None:
    body = f'{{"role": "{READ_ONLY}", "duration": {duration}}}'
    assert call(acme, ana, "/v1/credentials", body).status_code == 200


def test_a_role_cannot_outlast_its_own_maximum(acme: SamlCompany) -> None:
    finance: list[Attribute] = [
        (name, None, ["CN=Finance,OU=Groups,DC=acme,DC=test"] if name == "memberOf" else values)
        for name, _, values in PERSON
    ]
    chloe = acme.sign_in(attributes=finance, name_id="chloe-1")
    answer = acme.ask(chloe, BILLING, duration=3600)
    assert answer.status_code == 200, answer.text
    until = time.strptime(answer.json()["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
    assert until <= time.gmtime(time.time() + 30 * 60 + 5)


# --- JSON -------------------------------------------------------------------------------------------------

ROLE = f'"role": "{READ_ONLY}"'
NO_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blank": b" ",
    "a word": b"role",
    "half": b'{"role":',
    "100 000 lists": b"[" * 30_000 + b"]" * 30_000,
    "100 000 objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "lists in the duration": b"{" + ROLE.encode() + b', "duration": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "a member twice": f"{{{ROLE}, {ROLE}}}".encode(),
    "a member twice, deeper": f'{{{ROLE}, "reason": {{"a": 1, "a": 1}}}}'.encode(),
    "trailing comma": f"{{{ROLE},}}".encode(),
    "comment": f"{{{ROLE}}} // x".encode(),
    "two documents": f"{{{ROLE}}}{{{ROLE}}}".encode(),
    "single quotes": b"{'role': 'x'}",
    "a byte order mark": b"\xef\xbb\xbf{" + ROLE.encode() + b"}",
    "UTF-16": f"{{{ROLE}}}".encode("utf-16"),
    "no UTF-8": b'{"role": "\xff\xfe"}',
    "half a character in bytes": b'{"role": "\xed\xa0\x80"}',
    "a null byte": b'{"role": "a\x00b"}',
    "a line end in a string": b'{"role": "a\nb"}',
    "NaN": b'{"role": NaN}',
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_400(acme: SamlCompany, ana: requests.Session, body: bytes) -> None:
    began = time.perf_counter()
    refused(call(acme, ana, "/v1/credentials", body), "request.malformed")
    assert time.perf_counter() - began < SOON_ENOUGH


ODD_JSON: dict[str, str] = {
    "a list": "[]",
    "null": "null",
    "a string": '"role"',
    "a number": "1",
    "no role": "{}",
    "a member that nobody knows": f'{{{ROLE}, "policy": "x"}}',
    "a member in another case": f'{{"Role": "{READ_ONLY}"}}',
    "PolicyArns": f'{{{ROLE}, "PolicyArns": []}}',
    "__proto__": f'{{{ROLE}, "__proto__": {{}}}}',
    "half a character as a name": f'{{{ROLE}, "\\ud800": 1}}',
    "role null": '{"role": null}',
    "role a list": f'{{"role": ["{READ_ONLY}"]}}',
    "role empty": '{"role": ""}',
    "role a name": '{"role": "ReadOnly"}',
    "role a wildcard": '{"role": "arn:aws:iam::111122223333:role/*"}',
    "role a variable": '{"role": "arn:aws:iam::111122223333:role/${aws:username}"}',
    "role a user": '{"role": "arn:aws:iam::111122223333:user/ReadOnly"}',
    "role with a line end": f'{{"role": "{READ_ONLY}\\n"}}',
    "role with a null": f'{{"role": "{READ_ONLY}\\u0000"}}',
    "role with half a character": f'{{"role": "{READ_ONLY}\\ud800"}}',
    "role with other digits": '{"role": "arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/ReadOnly"}',
    "role of 50 KB": f'{{"role": "{READ_ONLY}{"x" * 50_000}"}}',
    "reason of two lines": f'{{{ROLE}, "reason": "a\\nb"}}',
    "reason with an escape": f'{{{ROLE}, "reason": "\\u001b[31m"}}',
    "reason turned around": f'{{{ROLE}, "reason": "\\u202eevil"}}',
    "reason with half a character": f'{{{ROLE}, "reason": "\\udfff"}}',
    "reason too long": f'{{{ROLE}, "reason": "{"x" * 257}"}}',
    "reason null": f'{{{ROLE}, "reason": null}}',
    "reason a number": f'{{{ROLE}, "reason": 1}}',
}


@pytest.mark.parametrize("body", ODD_JSON.values(), ids=ODD_JSON)
def test_a_malformed_question_is_422(acme: SamlCompany, ana: requests.Session, body: str) -> None:
    refused(call(acme, ana, "/v1/credentials", body.encode()), "request.invalid")


def test_lists_of_every_depth_are_refused_and_none_is_a_defect(
    acme: SamlCompany, ana: requests.Session
) -> None:
    """Between "parses" and "too deep to parse" lies a depth at which what comes next could fail."""
    codes = set()
    for depth in (*range(10, 900, 89), *range(900, 1_000)):
        deep = "[" * depth + "]" * depth
        codes.add(refused(call(acme, ana, "/v1/credentials", f'{{{ROLE}, "duration": {deep}}}')))
    assert codes == {"duration.invalid", "request.malformed"}
    honest(acme, ana)


@pytest.mark.parametrize("path", ["/v1/credentials", "/v1/console-link"])
def test_a_megabyte_of_json_is_413(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    one_use = requests.Session()
    one_use.cookies.update(ana.cookies)
    body = f'{{{ROLE}, "reason": "{"x" * 1_000_000}"}}'
    refused(call(acme, one_use, path, body), "request.too_large")
    honest(acme, ana)


@pytest.mark.parametrize(
    "destination",
    [
        "https://evil.test/",
        "https://console.aws.amazon.com.evil.test/",
        "https://evil.test/?x=https://console.aws.amazon.com/",
        "https://console.aws.amazon.com@evil.test/",
        "//console.aws.amazon.com/",
        "javascript:alert(1)",
        "http://console.aws.amazon.com/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
def test_the_console_opens_nowhere_but_at_aws(
    acme: SamlCompany, ana: requests.Session, destination: str
) -> None:
    answer = ana.post(
        f"{acme.base_url}/v1/console-link", json={"role": READ_ONLY, "destination": destination}, timeout=30
    )
    refused(answer, "console.destination")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1e3",
        "limit=٩",
        "limit=" + "9" * 5_000,
        "cursor=x",
        "cursor=" + "W" * 8_000,
        "cursor=bnVsbA",
        "cursor=%ff",
        "q=" + "x" * 201,
        "q=%00",
        "q=%0a",
        "q=%e2%80%ae",
        "unknown=1",
    ],
)
def test_a_malformed_question_about_roles_is_422(
    acme: SamlCompany, ana: requests.Session, query: str
) -> None:
    refused(ana.get(f"{acme.base_url}/v1/roles?{query}", timeout=30), "request.invalid")


def test_a_parameter_twice_is_400_and_a_huge_query_413(acme: SamlCompany, ana: requests.Session) -> None:
    refused(ana.get(f"{acme.base_url}/v1/roles?q=a&q=b", timeout=30), "request.malformed")
    refused(ana.get(f"{acme.base_url}/v1/roles?q={'x' * 20_000}", timeout=30), "request.too_large")


# --- addresses and methods --------------------------------------------------------------------------------

NO_PROVIDER = (
    "nobody",
    "Corp",
    "corp%00",
    "%00",
    "..",
    "%2e%2e",
    "corp%20",
    "*",
    "é",
    "a" * 3_000,
    "__proto__",
)


@pytest.mark.parametrize("provider", NO_PROVIDER)
def test_an_unknown_provider_is_a_clear_404_at_every_address(acme: SamlCompany, provider: str) -> None:
    browser = requests.Session()
    started = acme.begin()
    fields = {"SAMLResponse": posted(acme.response(started)), "RelayState": started.handle}
    for method, address, data in (
        ("GET", f"/sign-in/{provider}", None),
        ("GET", f"/saml/{provider}/metadata", None),
        ("POST", f"/saml/{provider}/acs", fields),
        ("GET", f"/oidc/{provider}/callback?code=x&state=x", None),
    ):
        request = requests.Request(method, acme.base_url, data=data, headers={"Accept": "application/json"})
        prepared = browser.prepare_request(request)
        prepared.url = f"{acme.base_url}{address}"
        answer = browser.send(prepared, allow_redirects=False, timeout=30)
        code = refused(answer)
        plain = provider not in ("..", "%2e%2e")
        expected = {"signin.not_started_here" if "callback" in address or data else "signin.source_unknown"}
        assert code in (expected if plain else expected | {"unknown"}), (address, code)
    assert acme.post(started, acme.response(started)).status_code == 303


@pytest.mark.parametrize("address", ["/sign-in/partner", "/saml/partner/metadata", "/saml/partner/acs"])
def test_one_kinds_address_with_anothers_provider_is_refused(acme: SamlCompany, address: str) -> None:
    """The partner's OpenID provider is down here; its SAML addresses do not exist."""
    browser = requests.Session()
    if address.endswith("acs"):
        answer = browser.post(
            f"{acme.base_url}{address}", data={"SAMLResponse": "PHg+", "RelayState": "x"}, timeout=30
        )
        refused(answer, "signin.not_started_here")
        return
    answer = browser.get(f"{acme.base_url}{address}", allow_redirects=False, timeout=30)
    if address.startswith("/sign-in"):
        assert answer.status_code == 502
        assert (502, "provider.failed") in documented()
        assert "provider.failed" in answer.text
    else:
        refused(answer)


METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
)


@pytest.mark.parametrize("address", sorted({row.address for row in TABLE}))
def test_a_wrong_method_is_405_and_says_which_are_right(acme: SamlCompany, address: str) -> None:
    path = re.sub(r"<\w+>", "corp", address)
    # Of every row that takes the path: `/sign-in/passkey` may be a source's name too.
    same = [row for row in TABLE if re.fullmatch(re.sub(r"<\w+>", "[^/]+", row.address), path)]
    right = {method for row in same for method in row.methods}
    for method in METHODS:
        if method in right or method.upper() in right:
            continue
        status, answer = get_raw(acme, path.encode(), b"Accept: application/json", method=method.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert status == 405, (method, status)
        allowed = re.search(rb"(?im)^allow: (.*?)\r?$", head)
        assert allowed and set(allowed[1].decode().split(", ")) == right
        if method != "HEAD":
            problem = json.loads(body)
            assert (problem["code"], len(problem["request_id"])) == ("request.method", 16)


@pytest.mark.parametrize("method", [b"FOO", b"post", b"GET\x00", b"G E T", b"A" * 100_000])
def test_a_method_that_http_does_not_know_reaches_nobody(acme: SamlCompany, method: bytes) -> None:
    for path in (b"/sign-in", b"/oauth/token", b"/nowhere"):
        status, answer = get_raw(acme, path, b"Accept: application/json", method=method)
        assert status == 400
        assert answer.endswith(b"Code: request.malformed\n") and b"connection: close" in answer


@pytest.mark.parametrize("path", ["/", "/sign-in", "/v1/me", "/healthz", "/nowhere", "/saml/corp/metadata"])
def test_head_is_get_without_the_body(acme: SamlCompany, ana: requests.Session, path: str) -> None:
    status, answer = get_raw(acme, path.encode(), method=b"HEAD")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (body, status) == (b"", get_raw(acme, path.encode())[0])
    assert b"x-request-id" in head.lower()


NOWHERE = [
    "/%00",
    "/..",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/..%5c..%5cetc",
    "/static/..%2f..%2fmodel.py",
    "/static/%2e%2e/portal/keys.py",
    "/static/",
    "/static/portal.css",
    "//evil.test/",
    "/sign-in//corp",
    "/sign-in/corp/",
    "/sign-in/corp/..",
    "/v1",
    "/v1/",
    "/v1//me",
    "/V1/me",
    "/v1/me/",
    "/v1/me%00",
    "/v1/me;x=1",
    "/v1/me.json",
    "/%ff%fe",
    "/%c0%ae%c0%ae/",
    "/%e2%80%ae",
    "/%0d%0aSet-Cookie:%20a=b",
    "/.git/config",
    "/.env",
    "/wp-login.php",
    "/" + "a" * 10_000,
    "/" + "a/" * 3_000,
    "/%",
    "/%zz",
    "/;",
    "/*",
    "/é",
]


@pytest.mark.parametrize("path", NOWHERE)
def test_an_address_that_nothing_is_at_is_a_404(acme: SamlCompany, path: str) -> None:
    status, answer = get_raw(acme, path.encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    if path == "/é":  # no byte of an address is beyond ASCII (RFC 9112, 3.2); the server itself says so
        assert status == 400 and body.endswith(b"Code: request.malformed\n")
        return
    assert status == 404
    assert b"location:" not in head.lower()
    assert b"set-cookie:" not in head.lower()
    assert re.search(rb"x-request-id: [0-9a-f]{16}", head)
    assert (b'"code": "unknown"' in body) == path.startswith("/v1")
    assert b"root:" not in body and b"import " not in body


def test_more_slashes_are_the_home_page_of_ours_and_no_other_host(acme: SamlCompany) -> None:
    for target in (b"//", b"///"):
        status, answer = get_raw(acme, target)
        assert status == 303
        assert b"\r\nlocation: /sign-in\r\n" in answer


# --- headers ----------------------------------------------------------------------------------------------

HEADERS: dict[str, bytes] = {
    "a cookie that is no text": b"Cookie: daypass=\xff\xfe",
    "a cookie with a quote": b'Cookie: daypass="\\400',
    "a cookie without a name": b"Cookie: =" + b"A" * 43,
    "many cookies": b"Cookie: " + b"a=b; " * 5_000,
    "a huge cookie": b"Cookie: daypass=" + b"A" * 100_000,
    "a session cookie twice": b"Cookie: daypass=" + b"A" * 43 + b"; daypass=" + b"B" * 43,
    "a huge header": b"X-Anything: " + b"a" * 200_000,
    "Accept of 50 000 commas": b"Accept: " + b"," * 50_000,
    "Accept that is no text": b"Accept: \xff\xfe",
    "Accept with an odd quality": b"Accept: text/html;q=nan, application/json;q=1e999",
    "a range": b"Range: bytes=0-0,1-1,2-2",
    "a condition that is none": b'If-None-Match: "',
    "a date that is none": b"If-Modified-Since: yesterday",
    "an agent that turns text around": "User-Agent: \u202e\x1b[31m".encode().replace(b"\x1b", b"\t"),
    "a forwarded address that is none": b"X-Forwarded-For: " + b"1.2.3.4," * 5_000 + b"\xff",
    "an origin that is no text": b"Origin: \xff",
    "a site that is no text": b"Sec-Fetch-Site: \xff",
    "a language of 50 000 parts": b"Accept-Language: " + b"x-y," * 12_000,
    "a content type that is no text": b"Content-Type: \xff\xfe; charset=\xff",
    "an encoding": b"Content-Encoding: gzip",
    "Expect": b"Expect: 100-continue",
    "an upgrade": b"Upgrade: h2c",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_an_odd_header_is_no_defect(acme: SamlCompany, header: bytes) -> None:
    for path in (b"/v1/me", b"/sign-in", b"/healthz"):
        status, answer = get_raw(acme, path, header)
        assert status in ((401, 403) if path == b"/v1/me" else (200,)), answer[:200]
        assert re.search(rb"x-request-id: [0-9a-f]{16}", answer)


def test_a_connection_carries_one_request_at_a_time(acme: SamlCompany) -> None:
    # HTTP/2 would let each of the bounded number of connections hold 200 bodies.
    with socket.create_connection(("127.0.0.1", acme.port), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        try:
            answer = connection.recv(1000)
        except ConnectionError:
            answer = b""
    assert answer[3:4] != b"\x04", "a SETTINGS frame: HTTP/2 is spoken"


def test_what_is_not_http_is_turned_away_and_the_next_request_served(acme: SamlCompany) -> None:
    host = f"Host: localhost:{acme.port}\r\n".encode()
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + host + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + host + b"\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Cookie: a=\x00\r\n\r\n",
        b"POST /v1/credentials HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
        b"POST /v1/credentials HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"\r\n" * 1_000 + b"x\r\n\r\n",
        b"A" * 1_000_000,
    ):
        try:
            status, _ = raw(acme, request)
        except (ConnectionError, IndexError):
            continue  # hung up on, without a word
        assert 400 <= status < 500, request[:60]
    assert get_raw(acme, b"/healthz")[0] == 200


def test_a_request_cannot_hide_in_anothers_body(acme: SamlCompany, ana: requests.Session) -> None:
    """Request smuggling: two lengths that differ. Whatever is made of it, it is one request or none."""
    inner = (
        b"GET /v1/me HTTP/1.1\r\nHost: x\r\nCookie: daypass="
        + str(ana.cookies["daypass"]).encode()
        + b"\r\n\r\n"
    )
    for first in (
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    ):
        request = (
            b"POST /sign-out HTTP/1.1\r\n"
            + f"Host: localhost:{acme.port}\r\n".encode()
            + first
            + b"Connection: close\r\n\r\n0\r\n\r\n"
            + inner
        )
        _, answer = raw(acme, request)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b'"username"' not in answer


@pytest.mark.alone
def test_idle_connections_keep_nobody_out(acme: SamlCompany, ana: requests.Session) -> None:
    """Browsers keep connections open for half a minute: ten times as many as both workers have threads."""
    request = f"GET /healthz HTTP/1.1\r\nHost: localhost:{acme.port}\r\n\r\n".encode()
    with ExitStack() as opened:
        for _ in range(320):
            connection = opened.enter_context(
                socket.create_connection(("127.0.0.1", acme.port), timeout=SOON_ENOUGH)
            )
            connection.sendall(request)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        fresh = requests.Session()
        fresh.cookies.update(ana.cookies)
        honest(acme, fresh)


@pytest.mark.alone
def test_bodies_that_trickle_in_keep_nobody_out(acme: SamlCompany, ana: requests.Session) -> None:
    """Twice as many as both workers have threads; each is left after ten seconds, and none holds a thread."""
    request = (
        f"POST /saml/corp/acs HTTP/1.1\r\nHost: localhost:{acme.port}\r\nContent-Length: 1000\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\nSAMLResponse="
    ).encode()
    with ExitStack() as opened:
        slow = [
            opened.enter_context(socket.create_connection(("127.0.0.1", acme.port), timeout=15))
            for _ in range(64)
        ]
        for connection in slow:
            connection.sendall(request)
        for _ in range(3):
            for connection in slow:
                connection.sendall(b"A")
            fresh = requests.Session()
            fresh.cookies.update(ana.cookies)
            honest(acme, fresh)
        answer = b"".join(iter(lambda: slow[0].recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"request.malformed" in answer


# --- what gets into log and audit trail -------------------------------------------------------------------


def control_free(text: str) -> bool:
    """No control, escape, line separator or direction mark but the line ends themselves."""
    return all(
        char == "\n" or (unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029") for char in text
    )


NASTY = "evil\r\n{'level': 'INFO'}\x1b[2J\u202e\u2066\u2028\x85\x9b31m\ufeff"
XML_NASTY = "evil&#13;&#10;{}&#x202e;&#x2066;&#x2028;&#x85;&#x9b;31m&#xfeff;"
"""As XML can say it; an escape character it cannot."""


def test_what_strangers_write_reaches_log_and_trail_as_one_harmless_line(acme: SamlCompany) -> None:
    lines = acme.log().count("\n")
    browser = requests.Session()
    # Names by a real sign-in: as user name, subject, group, display name, in every place of the document.
    for place, edit, code in (
        ("user name", (">ana<", f">{XML_NASTY}<"), "identity.incomplete"),
        ("subject", ("ana-4f1c", XML_NASTY), "identity.incomplete"),
        ("group", (">sre<", f">{XML_NASTY}<"), "identity.groups_incomplete"),
        ("display name", ("Ana Ruiz", XML_NASTY), None),
        ("issuer", (acme.idp.entity_id, XML_NASTY), "saml.issuer"),
        ("status", ("status:Success", f"status:{XML_NASTY}"), "signin.denied_by_provider"),
        ("attribute's name", ('Name="mail"', f'Name="{XML_NASTY}"'), None),
        ("destination", (f'Destination="{acme.acs}"', f'Destination="{XML_NASTY}"'), "saml.destination"),
        ("audience", (f"{acme.base_url}/saml/corp/metadata<", f"{XML_NASTY}<"), "saml.audience"),
        ("session tag", (">4711<", f">{XML_NASTY}<"), None),
    ):
        started = acme.begin()
        answer = acme.post(started, acme.response(started, before=[edit], response=True))
        if code is None:
            assert answer.status_code == 303, (place, answer.text)
            told = acme.me(started.browser)
            assert control_free(json.dumps(told.json(), ensure_ascii=False))
            asked = acme.ask(started.browser, READ_ONLY)
            if place == "session tag":  # AWS would not take it
                refused(asked, "request.not_possible")
            else:
                assert asked.status_code == 200, (place, asked.text)
        else:
            assert refused(answer, code), place
    # Names by address and by header.
    for target in (
        "/%0d%0aevil%1b[2J",
        "/sign-in/%e2%80%aeevil%0a",
        "/oidc/partner/callback?error=%0aevil&state=%0a",
    ):
        refused(browser.get(f"{acme.base_url}{target}", allow_redirects=False, timeout=30))
    get_raw(acme, b"/sign-in", "User-Agent: evil\u202e\u2028".encode(), b"X-Forwarded-For: \xc2\x85evil")
    ana = acme.sign_in()
    ana.headers["User-Agent"] = "evil\u202e\u2028\x85".encode()
    assert acme.ask(ana, "arn:aws:iam::111122223333:role/Evil", reason="r").status_code == 404
    refused(acme.ask(ana, READ_ONLY, reason=NASTY), "request.invalid")
    refused(acme.ask(ana, NASTY), "request.invalid")

    log = acme.log()
    assert control_free(log)
    new = log.splitlines()[lines:]
    assert len(new) > 40
    for line in new:
        entry = json.loads(line)
        # Granian's: its second worker may still be starting.
        assert entry["logger"].startswith(("daypass.", "uvicorn")), line
    assert "evil" in log  # it is on record, only harmless
    for how in ((), ("--json",)):
        found = acme.audit("search", *how).stdout
        assert found.count("\n") >= 5
        assert control_free(found)
    assert acme.audit("verify").returncode == 0


# --- secrets ----------------------------------------------------------------------------------------------


def test_no_secret_is_in_log_database_or_trail(acme: SamlCompany) -> None:
    started = acme.begin()
    binding = started.browser.cookies["daypass-signin-lax"]
    document = acme.response(started)
    refused(acme.post(started, document.replace(b"ana-4f1c", b"mallory")), "saml.signature")
    started = acme.begin(started.browser)
    document = acme.response(started)
    assert acme.post(started, document).status_code == 303
    browser = started.browser
    page = browser.get(f"{acme.base_url}/", timeout=30).text
    found = re.search(r'name="csrf" value="([^"]{43})"', page)
    assert found
    given = acme.ask(browser, READ_ONLY).json()
    link = browser.post(f"{acme.base_url}/v1/console-link", json={"role": READ_ONLY}, timeout=30).json()[
        "url"
    ]
    planted = "PLANTED-9f3c-"
    browser.get(
        f"{acme.base_url}/oidc/partner/callback",
        params={"code": f"{planted}code", "state": f"{planted}state", "error_description": f"{planted}words"},
        timeout=30,
    )
    browser.get(f"{acme.base_url}/v1/me?access_token={planted}query", timeout=30)
    browser.get(f"{acme.base_url}/v1/me", headers={"Authorization": f"Bearer {planted}bearer"}, timeout=30)
    browser.get(
        f"{acme.base_url}/v1/me", headers={"Cookie": f"daypass={planted}cookie-{'A' * 20}"}, timeout=30
    )
    call(acme, browser, "/v1/credentials", f'{{{ROLE}, "{planted}member": "{planted}value"}}')
    call(acme, browser, "/v1/credentials", f'{{{ROLE}, "password": "{planted}password"')

    secrets = {
        "session cookie": browser.cookies["daypass"],
        "binding cookie": binding,
        "form token": found[1],
        "RelayState": started.handle,
        "secret access key": given["SecretAccessKey"],
        "session token": given["SessionToken"][:60],
        "console link": link[link.index("SigninToken=") :][:80],
        "assertion": posted(document)[200:260],
        "assertion, plain": document.decode()[document.decode().index("<ds:SignatureValue>") :][:80],
        "authorization code": f"{planted}code",
        "state": f"{planted}state",
        "query": f"{planted}query",
        "bearer token": f"{planted}bearer",
        "cookie": f"{planted}cookie",
        "value in a body": f"{planted}value",
        "password in a body": f"{planted}password",
        **{f"client secret {name}": value for name, value in SECRETS.items()},
        "broker's AWS key": "demo-secret-access-key-of-the-broker",
    }
    places = {
        **{path.name: path.read_bytes() for path in acme.folder.glob("daypass.db*")},
        "log": acme.log().encode(),
        "audit search": acme.audit("search", "--json", "--limit", "100000").stdout.encode(),
    }
    assert {"daypass.db", "daypass.db-wal"} <= set(places)
    assert given["AccessKeyId"].encode() in places["audit search"]  # the search itself works
    for place, content in places.items():
        for name, secret in secrets.items():
            assert secret.encode() not in content, (name, place)


# --- what a configuration could make the broker fetch -----------------------------------------------------

FETCHED = {
    "metadata": ("corp", "metadata: {url: http://127.0.0.1:8001/metadata}", "metadata: {{url: {}}}"),
    "issuer": ("partner", "issuer: http://127.0.0.1:8002", "issuer: {}"),
    "authorize": ("social", "authorize_url: http://127.0.0.1:8003/authorize", "authorize_url: {}"),
    "token": ("social", "token_url: http://127.0.0.1:8003/token", "token_url: {}"),
    "user info": ("social", "userinfo_url: http://127.0.0.1:8003/me", "userinfo_url: {}"),
    "token check": ("social", "url: http://127.0.0.1:8003/debug_token", "url: {}"),
    "STS": ("../daypass", "sts_endpoint: http://127.0.0.1:8090", "sts_endpoint: {}"),
    "console": ("../daypass", "console_endpoint: http://127.0.0.1:8090", "console_endpoint: {}"),
}
INSIDE = [
    "http://169.254.169.254/latest/meta-data/",
    "https://169.254.169.254/",
    "https://169.254.170.2/v2/credentials",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1]/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://224.0.0.1/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "file:///etc/passwd",
    "gopher://directory.acme.test/",
    "https://user:secret@directory.acme.test/",
    "https://directory.acme.test:0/",
    "//directory.acme.test/",
    "ldap://directory.acme.test/",
]


Edit = tuple[str, str, str]
"""File, what stands there, what shall."""
OFF_LOOPBACK: Edit = (
    "../daypass",
    "base_url: http://localhost:8000",
    "base_url: https://daypass.acme.test",
)


def pointed(fetched: Edit, address: str) -> Edit:
    file, old, new = fetched
    return file, old, new.format(f'"{address}"')


def problems_with(folder: Path, *edits: Edit) -> list[str]:
    """What the check says of the shipped configuration with these edits."""
    where = folder / "config"
    shutil.copytree(ROOT / "config", where)
    for file, old, new in edits:
        path = where / "providers" / f"{file}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    loaded = load(read_folder(where), SECRETS, where)
    return [str(problem) for problem in loaded.problems if problem.level == "error"]


@pytest.mark.parametrize("address", INSIDE)
@pytest.mark.parametrize("fetched", FETCHED.values(), ids=FETCHED)
def test_the_configuration_cannot_point_the_broker_at_the_inside(
    tmp_path: Path, fetched: Edit, address: str
) -> None:
    problems = problems_with(tmp_path, pointed(fetched, address))
    assert len(problems) == 1
    assert Path(fetched[0]).name in problems[0]


@pytest.mark.parametrize("fetched", FETCHED.values(), ids=FETCHED)
def test_an_honest_address_is_taken(tmp_path: Path, fetched: Edit) -> None:
    assert problems_with(tmp_path, pointed(fetched, "https://directory.acme.test")) == []


def test_off_loopback_neither_loopback_nor_plain_http_is_taken(tmp_path: Path) -> None:
    assert len(problems_with(tmp_path / "shipped", OFF_LOOPBACK)) == len(FETCHED)
    for number, address in enumerate(("http://10.0.0.1", "http://directory.acme.test", "https://localhost")):
        edits = [pointed(fetched, address) for fetched in FETCHED.values()]
        assert len(problems_with(tmp_path / str(number), OFF_LOOPBACK, *edits)) == len(FETCHED)
    honest = [pointed(fetched, "https://directory.acme.test") for fetched in FETCHED.values()]
    assert problems_with(tmp_path / "honest", OFF_LOOPBACK, *honest) == []


def test_a_configuration_that_points_inside_does_not_start(acme: SamlCompany, tmp_path: Path) -> None:
    """`config check` says so with status 1, and `serve` ends before it listens."""
    problems_with(tmp_path, pointed(FETCHED["metadata"], "https://169.254.169.254/metadata"))
    asked = acme.config
    acme.config = tmp_path / "config"
    try:
        check, serve = acme.operator("config", "check"), acme.operator("serve", "--port", "1")
    finally:
        acme.config = asked
    assert check.returncode == serve.returncode == 1
    assert "corp.yaml" in check.stdout and "never called" in check.stdout
    assert "Nothing was started" in serve.stderr
