"""Signing in: the loopback port and what may answer there, the pasted address, the device code, what is remembered."""

from __future__ import annotations

import http.client
import os
import pty
import re
import select
import socket
import stat
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from daypass import loopback, settings, signin
from daypass.errors import Fail, Usage
from tests.cli.contexts import context
from tests.cli.fake_broker import ADMIN, Broker
from tests.cli.machine import Machine

ISSUER = "https://daypass.example.com"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def browse(url: str) -> str:
    """Sign in at the broker by hand; where it sends the browser to."""
    try:
        urllib.request.build_opener(NoRedirect(), urllib.request.ProxyHandler({})).open(url)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError("no redirect")


# --- the loopback port ----------------------------------------------------------------------------


@pytest.fixture
def port() -> Any:
    with loopback.listening(ISSUER, "the-state") as (answers, at):
        yield answers, at


def get(at: int, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    link = http.client.HTTPConnection("127.0.0.1", at, timeout=10)
    link.putrequest("GET", path, skip_host=bool(headers))
    for name, value in headers.items():
        link.putheader(name, value)
    link.endheaders()
    answer = link.getresponse()
    return answer.status, dict(answer.headers), answer.read().decode()


def good(**changed: str | None) -> str:
    fields = {"code": "the-code", "state": "the-state", "iss": ISSUER, **changed}
    return "/callback?" + urlencode({name: value for name, value in fields.items() if value is not None})


def test_the_code_arrives_and_the_page_shows_none_of_it(port: Any) -> None:
    answers, at = port
    status, headers, page = get(at, good())
    assert status == 200 and answers.get(timeout=5) == "the-code"
    assert "the-code" not in page and "the-state" not in page
    assert (
        headers["Cache-Control"] == "no-store" and "default-src 'none'" in headers["Content-Security-Policy"]
    )


@pytest.mark.parametrize(
    "path",
    [
        good(state="another"),
        good(state=None),
        good(code=None),
        good() + "&code=second",
        good() + "&state=the-state",
        "/callback",
        "/",
        "/callback/../callback?" + good().partition("?")[2],
    ],
)
def test_what_is_not_the_answer_is_turned_away_and_the_wait_goes_on(port: Any, path: str) -> None:
    answers, at = port
    assert get(at, path)[0] in (400, 404)
    assert answers.empty()
    assert get(at, good())[0] == 200
    assert answers.get(timeout=5) == "the-code"


@pytest.mark.parametrize("host", ["localhost:{}", "evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:{}"])
def test_another_host_name_is_turned_away(port: Any, host: str) -> None:
    answers, at = port
    assert get(at, good(), Host=host.format(at))[0] == 421
    assert get(at, good(), Host=f"127.0.0.1:{at}")[0] == 200
    assert answers.get(timeout=5) == "the-code"


def test_only_one_answer_is_taken(port: Any) -> None:
    answers, at = port
    assert get(at, good())[0] == 200
    assert get(at, good(code="second"))[0] == 409
    assert answers.get(timeout=5) == "the-code" and answers.empty()


def test_whoever_connects_and_says_nothing_keeps_nobody_waiting(port: Any) -> None:
    answers, at = port
    silent = [socket.create_connection(("127.0.0.1", at)) for _ in range(5)]
    assert get(at, good())[0] == 200
    assert answers.get(timeout=5) == "the-code"
    for one in silent:
        one.close()


def test_no_name_service_is_asked_for_the_name_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback.socketserver.socket, "getfqdn", lambda *_: pytest.fail("asked"))
    with loopback.listening(ISSUER, "the-state") as (_answers, at):
        assert get(at, good())[0] == 200


def test_it_listens_on_this_machine_only(port: Any) -> None:
    _, at = port
    with open("/proc/net/tcp", encoding="ascii") as table:
        listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert f"0100007F:{at:04X}" in listening and f"00000000:{at:04X}" not in listening


@pytest.mark.parametrize("issuer", ["https://evil.example", "http://daypass.example.com", "", None])
def test_an_answer_of_another_broker_ends_the_sign_in(port: Any, issuer: str | None) -> None:
    answers, at = port
    assert "Not signed in" in get(at, good(iss=issuer))[2]
    found = answers.get(timeout=5)
    assert isinstance(found, Fail) and found.code == 5 and "another broker" in found.what


def test_the_issuer_may_be_spelled_differently(port: Any) -> None:
    answers, at = port
    assert get(at, good(iss="https://Daypass.example.com:443/"))[0] == 200
    assert answers.get(timeout=5) == "the-code"


def test_a_refusal_comes_back_as_one() -> None:
    query = urlencode(
        {"error": "access_denied", "state": "s", "iss": ISSUER, "error_description": "You said no."}
    )
    found = loopback.read_answer(query, ISSUER, "s")
    assert isinstance(found, Fail) and found.code == 4 and found.why == "You said no."
    assert loopback.read_answer(query, ISSUER, "other") is None


# --- the whole way --------------------------------------------------------------------------------


def test_the_address_is_printed_and_what_it_asks_for(machine: Machine, broker: Broker) -> None:
    done = machine.run("login", environ={"USER": "ana"})
    [url] = machine.opened
    assert done.code == 0 and url in done.err and done.out == ""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert url.startswith(f"{broker.url}/oauth/authorize?")
    assert asked["response_type"] == "code" and asked["client_id"] == "cli"
    assert asked["scope"] == "roles credentials" and asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", asked["redirect_uri"])
    assert asked["device"].startswith("ana@") and len(asked["device"]) <= 64
    assert len(asked["state"]) >= 32 and len(asked["code_challenge"]) == 43
    assert 43 <= len(broker.forms[-1]["code_verifier"]) <= 128


def test_a_second_login_ends_the_first_at_the_broker(signed_in: Machine, broker: Broker) -> None:
    [first] = broker.refresh
    assert signed_in.run("login").code == 0
    assert first not in broker.refresh and len(broker.refresh) == 1


def test_a_browser_that_cannot_be_started_is_said_and_the_address_still_works(
    machine: Machine, broker: Broker, tmp_path: Path
) -> None:
    with machine.start("login", "--browser", str(tmp_path / "nothing")) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(3)]
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(lines[1].strip()).read()
        assert process.wait(30) == 0
    assert "could not be started" in lines[2]


def test_a_state_that_is_not_ours_in_the_browser_signs_nobody_in(machine: Machine, broker: Broker) -> None:
    with machine.start("login", "--no-browser") as process:
        assert process.stderr is not None
        url = [process.stderr.readline() for _ in range(2)][1].strip()
        back = urlsplit(browse(url))
        link = f"{back.scheme}://{back.netloc}{back.path}?"
        wrong = {name: values[0] for name, values in parse_qs(back.query).items()}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with pytest.raises(urllib.error.HTTPError):
            opener.open(link + urlencode({**wrong, "state": "x" * 32}))
        assert process.poll() is None
        opener.open(link + back.query).read()
        assert process.wait(30) == 0


@pytest.mark.parametrize("whole", [True, False])
def test_a_browser_elsewhere_takes_a_pasted_answer(machine: Machine, broker: Broker, whole: bool) -> None:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [machine.program, "login", "--no-browser"],
        env=machine.environ,
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = read_until(master, "Paste")
    url = re.search(r"http://\S+/oauth/authorize\S+", shown)
    assert url is not None
    back = browse(url[0])
    for other in (b"y", b"not a code at all", b"http://127.0.0.1:1/callback?code=x&state=y"):
        os.write(master, other + b"\n")
        read_until(master, "not it")
    pasted = back if whole else parse_qs(urlsplit(back).query)["code"][0]
    os.write(master, pasted.encode() + b"\n")
    read_until(master, "Signed in as ana")
    assert process.wait(30) == 0
    os.close(master)


def read_until(handle: int, words: str) -> str:
    shown = ""
    ends = time.monotonic() + 60
    while words not in shown:
        assert time.monotonic() < ends, shown
        if select.select([handle], [], [], 1)[0]:
            shown += os.read(handle, 4096).decode()
    return shown


# --- device code ----------------------------------------------------------------------------------


def decide(broker: Broker, how: str) -> None:
    """As soon as a device waits and has asked once, the person decides."""

    def wait() -> None:
        while not broker.asked["POST /oauth/token"]:
            time.sleep(0.02)
        with broker.lock:
            broker.devices.update(dict.fromkeys(broker.devices, how))

    threading.Thread(target=wait, daemon=True).start()


def test_over_ssh_a_code_is_shown_and_both_addresses(machine: Machine, broker: Broker) -> None:
    decide(broker, "approved")
    done = machine.run("login", environ={"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "BROWSER": ""})
    assert done.code == 0, done
    assert "BCDF-GHJK" in done.err and f"{broker.url}/device\n" in done.err
    assert f"{broker.url}/device?user_code=BCDF-GHJK" in done.err
    assert machine.opened == [] and broker.forms[0]["device"]
    assert machine.run("credentials", ADMIN).code == 0


def test_a_refusal_on_the_other_device_is_exit_4(machine: Machine, broker: Broker) -> None:
    decide(broker, "denied")
    assert machine.run("login", "--device").code == 4


def test_a_code_that_ran_out_is_exit_8(machine: Machine, broker: Broker) -> None:
    decide(broker, "expired")
    done = machine.run("login", "--device")
    assert done.code == 8 and "in time" in done.err


def test_a_command_that_was_ended_goes_on_with_the_same_code(machine: Machine, broker: Broker) -> None:
    first = machine.start("login", "--device")
    while not broker.asked["POST /oauth/token"]:
        time.sleep(0.05)
    first.kill()
    first.communicate()
    kept = next(machine.state.glob("brokers/*/device"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    decide(broker, "approved")
    assert machine.run("login", "--device").code == 0
    assert broker.asked["POST /oauth/device_authorization"] == 1
    assert not kept.exists()


def test_the_pace_is_the_brokers(monkeypatch: pytest.MonkeyPatch, machine: Machine, broker: Broker) -> None:
    from daypass import device

    pauses: list[float] = []
    told = iter(["authorization_pending", "slow_down", "authorization_pending", "approve"])

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        error = next(told)
        if error == "approve":
            broker.refusals.clear()
            broker.devices.update(dict.fromkeys(broker.devices, "approved"))
        else:
            broker.refusals["/oauth/token"] = (400, {"error": error})

    monkeypatch.setattr(device.time, "sleep", sleep)
    broker.interval = 5
    assert device.tokens(context(machine)).status == 200
    assert pauses == [5, 5, 10, 10]


# --- what is remembered ---------------------------------------------------------------------------


def test_the_way_is_remembered_for_this_kind_of_place(machine: Machine, broker: Broker) -> None:
    desktop = {"DISPLAY": ":0", "BROWSER": "", "PATH": "/usr/bin:/bin"}
    decide(broker, "approved")
    assert machine.run("login", "--device", environ=desktop).code == 0
    assert machine.run("login", environ=desktop | {"BROWSER": str(machine.browser)}).code == 0
    broker.asked.clear()
    decide(broker, "approved")
    again = machine.run("login", environ=desktop)
    assert again.code == 0 and "BCDF-GHJK" in again.err
    machine.configure(f"browser = {machine.browser}\n")
    assert machine.run("login", "--browser", "auto", environ=desktop).code == 0
    assert "BCDF" not in machine.run("login", environ=desktop).err


def test_the_device_name_is_cut_and_plain(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin.socket, "gethostname", lambda: "h" * 90 + "\n")
    name = signin.device_name(context(machine, environ={"HOME": str(machine.home), "USER": "a\x1bna"}))
    assert name.startswith("ana@hhh") and len(name) == 64


# --- addresses and settings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("https://Daypass.Example.com/", "https://daypass.example.com"),
        ("HTTPS://a.example:443", "https://a.example"),
        ("https://a.example:8443/Base", "https://a.example:8443/Base"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost:80", "http://localhost"),
    ],
)
def test_an_address_has_one_spelling(given: str, spelled: str) -> None:
    assert settings.address(given) == spelled


@pytest.mark.parametrize(
    "given",
    [
        "http://a.example",
        "a.example",
        "https://u:p@a.example",
        "https://a.example/?x",
        "https://a.example/#x",
        "https://a.example/../b",
        "file:///x",
        "http://127.0.0.1.evil.example",
        "https://a\nb",
        "https://" + "a" * 200,
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(Usage):
        settings.address(given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("urll = x", "did you mean `url`"),
        ("cache = perhaps", "`yes` or `no`"),
        ("cache", "key = value"),
        ("cache = on\ncache = off", "twice"),
        ("url = http://a.example", "https"),
    ],
)
def test_a_wrong_line_is_named(machine: Machine, text: str, words: str) -> None:
    machine.configure(f"# first\n{text}\n")
    done = machine.run("whoami")
    assert done.code == 7 and words in done.err and "config:" in done.err


def test_a_configuration_that_others_can_write_is_refused(machine: Machine) -> None:
    machine.configure("login = yes\n")
    path = machine.home / ".config" / "daypass" / "config"
    path.chmod(0o644)
    assert machine.run("whoami").code == 3
    path.chmod(0o666)
    assert machine.run("whoami").code == 7


# --- a network that is not the broker's -----------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (302, {"Location": "https://portal.example/login"}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>Sign in to the hotel's network</html>"),
        (200, {"Content-Type": "application/json"}, b"[1]"),
        (503, {"Content-Type": "text/html"}, b"<html>"),
    ],
)
def test_an_answer_that_is_no_brokers_is_exit_5(
    signed_in: Machine, broker: Broker, status: int, headers: dict[str, str], body: bytes
) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    at = broker.server.server_address
    broker.close()
    with HTTPServer(("127.0.0.1", at[1]), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = signed_in.run("credentials", ADMIN)
        server.shutdown()
    assert (done.code, done.out) == (5, ""), done
    assert "Traceback" not in done.err


def test_a_loopback_broker_is_never_asked_by_a_proxy(machine: Machine, broker: Broker) -> None:
    proxies = {
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "all_proxy": "http://127.0.0.1:9",
    }
    assert machine.run("login", environ=proxies).code == 0
