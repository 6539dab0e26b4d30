"""What the listeners share: pages, guards, faults, start."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from lxml import html

from demo.directory import people
from demo.directory.faults import Fault
from demo.directory.server import Directory, NotHere, Plan
from tests.demo.directory.builders import APP_SECRET, SECRET, Browser, World, start


@pytest.fixture(params=["saml", "oidc", "social"])
def listener(request: pytest.FixtureRequest, world: World) -> str:
    directory = world.directory
    return {"saml": directory.saml_url, "oidc": directory.oidc_url, "social": directory.social_url}[
        request.param
    ]


def test_the_front_page_says_what_this_is_and_who_is_here(world: World):
    text = requests.get(f"{world.directory.saml_url}/", timeout=5).text
    assert "Demo directory" in text
    for person in people.load():
        assert (person.password in text) == (person.provider == "corp")


def test_a_person_chosen_from_the_list_fills_the_form(world: World, browser: Browser):
    url = world.authorize_url()
    page = html.fromstring(browser.get(url).text)
    link = next(node for node in page.xpath("//table//a") if node.text == "Quinn Quigley")
    filled = html.fromstring(browser.get(world.directory.oidc_url + link.get("href")).text)
    fields = dict(filled.forms[0].form_values())
    assert (fields["username"], fields["password"]) == ("quinn", "demo-quinn")
    assert "fill" not in filled.forms[0].action


def test_pages_run_no_foreign_script_and_are_not_kept(listener: str):
    headers = requests.get(f"{listener}/", timeout=5).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    for part in ("directory.css", "directory.svg", "post.js"):
        assert requests.get(f"{listener}/static/{part}", timeout=5).status_code == 200


def test_another_host_name_is_refused(listener: str):
    honest = requests.get(f"{listener}/", timeout=5)
    rebound = requests.get(f"{listener}/", headers={"Host": "evil.example"}, timeout=5)
    assert (honest.status_code, rebound.status_code) == (200, 421)


def test_a_form_from_another_site_is_refused(listener: str):
    address = f"{listener}/_demo/fault"
    own = requests.post(address, json={}, headers={"Origin": listener}, timeout=5)
    for origin in ("https://evil.example", "null"):
        other = requests.post(address, json={}, headers={"Origin": origin}, timeout=5)
        assert other.status_code == 403
    assert own.status_code == 200


def test_an_unknown_page_is_a_page(listener: str):
    answer = requests.get(f"{listener}/nothing", timeout=5)
    assert answer.status_code == 404
    assert "Demo directory" in answer.text


def test_the_next_answers_fail_and_then_all_is_well(listener: str):
    requests.post(f"{listener}/_demo/fault", json={"kind": "error", "times": 2}, timeout=5)
    assert [requests.get(f"{listener}/", timeout=5).status_code for _ in range(3)] == [500, 500, 200]


def test_garbage_is_served_for_one_path_only(listener: str):
    asked = {"kind": "garbage", "path": "/metadata", "times": 1}
    requests.post(f"{listener}/_demo/fault", json=asked, timeout=5)
    assert requests.get(f"{listener}/", timeout=5).text.startswith("<!doctype html>")
    assert b"not what you asked for" in requests.get(f"{listener}/metadata", timeout=5).content


def test_a_slow_answer_is_right_and_late(listener: str):
    requests.post(f"{listener}/_demo/fault", json={"kind": "slow", "seconds": 0.4}, timeout=5)
    began = time.monotonic()
    assert requests.get(f"{listener}/", timeout=5).status_code == 200
    assert time.monotonic() - began >= 0.4


def test_a_dripping_answer_has_begun_at_once(listener: str):
    requests.post(f"{listener}/_demo/fault", json={"kind": "drip", "seconds": 30}, timeout=5)
    with requests.get(f"{listener}/", timeout=5, stream=True) as answer:
        assert next(answer.iter_content(1)) == b" "


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "flood"},
        {"kind": "error", "times": 0},
        {"kind": "slow", "seconds": 61},
        {"surprise": 1},
        {"clock": "noon"},
        {"clock": 1e30},
        [1],
        "text",
        7,
    ],
)
def test_a_fault_that_cannot_be_is_refused(wrong: object, world: World):
    address = f"{world.directory.saml_url}/_demo/fault"
    assert requests.post(address, json=wrong, timeout=5).status_code == 422
    assert requests.get(address, timeout=5).json() == {"left": 0, "clock": 0.0}


def test_faults_say_what_they_can_be():
    with pytest.raises(ValueError, match="error, garbage, slow, drip"):
        Fault("flood")


@pytest.mark.parametrize(
    "broker",
    ["https://sso.acme.example", "http://192.0.2.1:8000", "http://localhost:8000/path", "localhost:8000", ""],
)
def test_a_broker_off_this_machine_is_refused(broker: str, tmp_path: Path):
    with pytest.raises(NotHere, match="this machine only"):
        Directory(Plan(broker=broker, state=tmp_path, client_secret=SECRET, social_secret=SECRET))


def test_after_a_stop_the_ports_are_free(world: World, tmp_path: Path):
    first = start(tmp_path, world.site)
    ports = [urlsplit(url).port for url in (first.saml_url, first.oidc_url, first.social_url)]
    first.stop()
    second = start(tmp_path, world.site, saml_port=ports[0], oidc_port=ports[1], social_port=ports[2])
    second.stop()


SECRETS = {"PARTNER_CLIENT_SECRET": SECRET, "SOCIAL_CLIENT_SECRET": APP_SECRET}


def command(folder: Path, *arguments: str, secrets: dict[str, str] = SECRETS) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo.directory", "--state", str(folder), *arguments],
        env={**secrets, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_says_where_it_is_and_stops_when_told(tmp_path: Path):
    child = command(tmp_path, "--saml-port", "0", "--oidc-port", "0", "--social-port", "0")
    try:
        assert '"saml": "http://127.0.0.1:' in child.stdout.readline()
    finally:
        child.terminate()
        _, error = child.communicate(timeout=10)
    assert (child.returncode, error) == (0, "")


def test_a_port_in_use_is_named(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        child = command(tmp_path, "--saml-port", "0", "--oidc-port", "0", "--social-port", str(port))
        _, error = child.communicate(timeout=10)
    assert child.returncode == 1
    assert f"port {port}" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_it_does_not_start(name: str, tmp_path: Path):
    child = command(tmp_path, secrets={**SECRETS, name: ""})
    _, error = child.communicate(timeout=10)
    assert child.returncode == 2
    assert name in error and not any(other in error for other in SECRETS if other != name)
