"""What happens around every handler: ids, addresses, the log, and no 500."""

from __future__ import annotations

import json
import logging
from wsgiref.validate import validator

import pytest

from app.errors import Refusal, StoreUnavailable
from app.model import Settings
from app.web import TABLE, headers, problems
from app.web.addresses import Addresses
from app.web.application import Application
from app.web.caller import client_address
from app.web.gate import Gate
from app.web.wire import Response
from tests.web.browser import Browser
from tests.web.builders import ARN, BASE, SECRET, TOKEN, World, code_of, settings


def all_refusals(kind: type[Refusal] = Refusal) -> list[type[Refusal]]:
    return [kind, *(leaf for sub in kind.__subclasses__() for leaf in all_refusals(sub))]


@pytest.mark.parametrize("kind", all_refusals())
@pytest.mark.parametrize("path", ["/", "/v1/me"])
def test_every_refusal_has_its_page_and_its_problem(kind, path):
    world = World()
    world.signed_in()
    world.broker.fail["session"] = kind("for operators")
    answer = world.browser.post("/keys") if path == "/" else world.browser.get(path)
    assert answer.status_code == kind.status < 600 and kind.status != 500
    assert "for operators" not in answer.text
    if path == "/":
        assert code_of(answer.text) == kind.code
    else:
        assert (answer.json["code"], answer.json["status"]) == (kind.code, kind.status)


@pytest.mark.parametrize(
    "error", [KeyError(SECRET), RuntimeError(TOKEN), RecursionError(), UnicodeError(SECRET), MemoryError()]
)
@pytest.mark.parametrize("method", ["session", "roles", "sources", "begin", "metadata"])
def test_a_defect_is_a_503_with_a_request_id_and_without_a_trace(method, error, caplog):
    world = World()
    world.signed_in()
    world.broker.fail[method] = error
    path = {"begin": "/sign-in/corp", "metadata": "/saml/corp/metadata"}.get(method, "/")
    with caplog.at_level(logging.INFO, "daypass"):
        answer = world.browser.get(path)
    assert answer.status_code == 503
    assert "internal" in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.headers["Content-Security-Policy"]
    assert "Traceback" not in answer.text
    defects = [record for record in caplog.records if record.message == "defect"]
    assert type(error).__name__ in {record.error for record in defects}
    assert all("builders.py" in record.at for record in defects)


def test_when_even_the_error_page_fails_plain_text_is_left(monkeypatch):
    world = World()

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(problems, "as_page", fail)
    answer = world.browser.get("/nowhere")
    assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert answer.headers["X-Request-Id"] in answer.text


@pytest.mark.parametrize("path", ["/nowhere", "/", "/v1/me", "/static/none.css"])
def test_when_not_even_the_headers_can_be_put_on_plain_text_is_left(monkeypatch, caplog, path):
    world = World()

    def fail(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(headers, "secure", fail)
    with caplog.at_level(logging.INFO, "daypass"):
        answer = world.browser.get(path)
    assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert "RuntimeError" in {getattr(record, "error", "") for record in caplog.records}
    assert SECRET not in answer.text


def test_without_settings_nothing_is_given_out():
    def fail() -> Settings:
        raise StoreUnavailable(SECRET)

    world = World()
    answer = Browser(
        Application(Gate(world.broker, world.administration, fail, world.clock, Addresses(TABLE))), BASE
    ).get("/")
    assert (answer.status_code, answer.mimetype) == (503, "text/plain")
    assert SECRET not in answer.text


@pytest.mark.parametrize("host", ["a..b", ".", ".example", "x" * 64 + ".example", "a..b:80"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/oauth/token", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_host_that_can_be_no_name_is_refused(host, path, method):
    answer = World().browser.open(path, method=method, environ_overrides={"HTTP_HOST": host})
    assert answer.status_code == 400
    assert "request.malformed" in answer.text


@pytest.mark.parametrize(
    "host", ["localhost:8000", "", "[::1]:8000", "pass.example.", "x" * 63 + ".example", "\xff"]
)
def test_any_other_host_is_all_the_same(host):
    answer = World().browser.get("/healthz", environ_overrides={"HTTP_HOST": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/healthz", "/keys", "/oauth/token", "/nowhere", "/cli/daypass.sha256"]
)
def test_it_is_a_wsgi_application_by_the_book(method, path):
    world = World()
    browser = Browser(validator(world.app), BASE)
    fields = world.form(world.signed_in())
    with browser.open(path, method=method, data=fields) as answer:
        assert answer.headers["X-Request-Id"] and answer.status_code < 500
        tag = answer.headers.get("ETag", '"none"')
    with browser.open(path, method=method, data=fields, headers={"If-None-Match": tag}) as again:
        assert (again.status_code == 304) == ("ETag" in answer.headers)
        assert again.status_code != 304 or again.data == b""


def test_where_a_redirect_leads_is_written_in_ascii():
    answer = Browser(Response(status=303, headers={"Location": "/k\u00fc"}), BASE).get("/")
    assert (answer.headers["Location"], answer.content_length, answer.data) == ("/k%C3%BC", 0, b"")


def test_secrets_stay_out_of_the_log(caplog):
    world = World()
    made = world.signed_in()
    token = world.browser.get_cookie("daypass", domain="localhost").value
    with caplog.at_level(logging.DEBUG):
        world.browser.post("/keys", data=world.form(made, role=ARN))
        world.browser.post("/console", data=world.form(made, role=ARN))
        start = world.browser.get("/sign-in/partner")
        state = start.headers["Location"].partition("RelayState=")[2]
        world.browser.get(f"/oidc/partner/callback?code=SECRETCODE&state={state}")
        world.browser.post("/saml/corp/acs", data={"SAMLResponse": "SECRETASSERTION", "RelayState": "x"})
        for error in (KeyError(SECRET), StoreUnavailable()):
            world.broker.fail["roles"] = error
            world.browser.get("/")
    written = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("daypass"))
    assert "answered" in written
    for secret in (SECRET, TOKEN, "FAKESIGNIN", token, made.csrf, "SECRETCODE", state, "SECRETASSERTION"):
        assert secret not in written


def test_one_line_per_request_without_the_query(caplog):
    world = World()
    with caplog.at_level(logging.INFO, "daypass.web"):
        answer = world.browser.get("/sign-in?next=/secret")
    (line,) = [record for record in caplog.records if record.message == "answered"]
    assert (line.method, line.path, line.status, line.address) == ("GET", "/sign-in", 200, "127.0.0.1")
    assert line.request_id == answer.headers["X-Request-Id"]
    assert isinstance(line.ms, float)
    assert "secret" not in str(vars(line))


def test_a_strangers_request_id_is_not_taken_over():
    world = World()
    ids = {
        world.browser.get("/healthz", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"]
        for _ in range(5)
    }
    assert len(ids) == 5
    assert "mine" not in ids


PROXIES = ("10.0.0.1", "10.1.0.0/16", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", "", (), "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", (), "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", PROXIES, "203.0.113.9"),
        ("10.0.0.1", "1.2.3.4", PROXIES, "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", PROXIES, "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.1.2.3", PROXIES, "1.2.3.4"),
        ("10.0.0.1", "10.1.2.3, 10.1.2.4", PROXIES, "10.1.2.3"),
        ("10.0.0.1", "nonsense", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, nonsense", PROXIES, "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4:5678", PROXIES, "1.2.3.4"),
        ("10.0.0.1", "[2001:db8::1]:443", PROXIES, "2001:db8::1"),
        ("::ffff:10.0.0.1", "1.2.3.4", PROXIES, "1.2.3.4"),
        ("fd00::1", "2001:db8::7", PROXIES, "2001:db8::7"),
        ("", "1.2.3.4", PROXIES, ""),
        ("10.0.0.1", " " * 200 + "1.2.3.4", PROXIES, "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer, forwarded, trusted, address):
    assert client_address(peer, forwarded, trusted) == address


def test_the_broker_hears_where_a_request_came_from():
    world = World(settings=settings(trusted_proxies=("127.0.0.1",)))
    world.signed_in()
    world.browser.get(
        "/", headers={"X-Forwarded-For": "198.51.100.7", "User-Agent": "Agent\x1b[31m" + "x" * 999}
    )
    seen = world.broker.callers[-1]
    assert seen.address == "198.51.100.7"
    assert seen.user_agent.startswith("Agent?[31m")
    assert len(seen.user_agent) == 256


def test_healthy_and_ready():
    world = World()
    assert world.browser.get("/healthz").json == {"status": "ok"}
    assert world.broker.asked == []
    answer = world.browser.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")


@pytest.mark.parametrize("failing", [{"database": False, "keys": True, "revision": True}, {}])
def test_not_ready_is_503(failing):
    world = World()
    world.broker.checks = failing
    answer = world.browser.get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "not ready", "checks": failing})


def test_not_ready_when_the_store_refuses():
    world = World()
    world.broker.fail["ready"] = StoreUnavailable()
    assert world.browser.get("/readyz").status_code == 503
    assert world.browser.get("/healthz").status_code == 200


def test_problem_members_are_json_even_with_odd_words():
    answer = World().browser.get("/v1/%E2%80%AE%22")
    assert json.loads(answer.data)["code"] == "unknown"
