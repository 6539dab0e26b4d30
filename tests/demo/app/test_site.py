"""The server of the page: what it sends, and that it sends nothing else."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from demo.app import Settings, serve

STATIC = Path(__file__).parents[3] / "demo" / "app" / "static"
SETTINGS = Settings(
    broker="http://localhost:8000", social="http://127.0.0.1:8003", s3="http://127.0.0.1:8090"
)


@pytest.fixture(scope="module")
def site():
    with serve(SETTINGS) as running:
        yield running


def get(site, path="/", **options):
    return requests.get(f"{site.url}{path}", timeout=5, **options)


def test_the_page_may_run_its_own_script_and_call_three_places(site):
    answer = get(site)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["connect-src"].split() == [
        "'self'",
        "http://localhost:8000",
        "http://127.0.0.1:8003",
        "http://127.0.0.1:8090",
    ]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_in_the_page_is_inline_or_foreign_or_secret(site):
    for path in sorted(STATIC.iterdir()):
        text = get(site, "/" if path.name == "index.html" else f"/static/{path.name}").text
        assert text == path.read_text("utf-8")
        assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", text)
        assert not re.search(r"\binnerHTML\b|\beval\b|document\.write|localStorage|document\.cookie", text)
        assert "secret" not in get(site, "/settings.json").text.lower()
        for url in re.findall(r"https?://[^\s\"'`<]+", text):
            assert url == "http://www.w3.org/2000/svg"


def test_the_settings_say_where_everything_is(site):
    told = get(site, "/settings.json").json()
    assert told["broker"] == "http://localhost:8000" and told["s3"] == "http://127.0.0.1:8090"
    assert told["social"]["authorize"] == "http://127.0.0.1:8003/authorize"
    assert told["role"] == "arn:aws:iam::444455556666:role/AppUploads"


@pytest.mark.parametrize(
    "path",
    ["/static/../site.py", "/static/%2e%2e/site.py", "/site.py", "/static/", "//etc/passwd", "/static/x"],
)
def test_there_is_nothing_else(site, path):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
    connection.request("GET", path)
    assert connection.getresponse().status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_a_name_that_points_here_is_not_answered(site, host):
    assert get(site, headers={"Host": host.format(port=site.port)}).status_code in (400, 421)


def test_there_is_one_origin(site):
    answer = get(site, headers={"Host": f"localhost:{site.port}"}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{site.url}/")


def test_only_reading_is_answered(site):
    assert requests.post(site.url, data="x", timeout=5).status_code == 501
    assert requests.head(site.url, timeout=5).headers["Content-Length"] != "0"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x", "http://", "http://x; script-src *", "http://x 'unsafe-inline'"]
)
def test_an_address_that_would_change_the_policy_is_refused(url):
    with pytest.raises(ValueError, match="is no address"):
        serve(Settings(broker=url, social="http://127.0.0.1:1", s3="http://127.0.0.1:1"))


def test_the_command_serves_and_ends():
    command = [sys.executable, "-m", "demo.app", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=STATIC.parents[2]) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert requests.get(url, timeout=5).status_code == 200
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
