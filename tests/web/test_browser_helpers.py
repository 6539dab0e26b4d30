"""Letting helpers and devices in, and ending them, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from werkzeug.wrappers import Response

from tests.web.builders import session
from tests.web.grants import CHALLENGE
from tests.web.test_browser import LOOKS, chromium, enter, look, page, serve, site

pytestmark = pytest.mark.interop

__all__ = ["chromium", "page", "site"]  # fixtures
WITHOUT_SCRIPTS = {"java_script_enabled": False}


def consent(site, redirect_uri: str, client: str = "cli") -> str:
    ask = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect_uri,
        "state": "s t",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "device": "ana-laptop",
    }
    return f"{site.base}/oauth/authorize?{urlencode(ask)}"


def helpers(site) -> None:
    at = site.world.clock.at
    site.world.broker.others = [
        session(
            id="c-1",
            client="cli",
            device="a-machine-with-a-very-long-name.of-some-department.acme.test"[:64],
            created_at=at - timedelta(days=1),
            expires_at=at + timedelta(hours=3),
            last_used=at - timedelta(minutes=3),
            last_address="2001:db8:85a3::8a2e:370:7334",
        ),
        session(id="b-2", created_at=at, expires_at=at + timedelta(hours=12)),
    ]


@pytest.fixture(scope="module")
def listening() -> Iterator[str]:
    """A helper that waits on a port of its own, which no page's policy knows beforehand."""
    server = serve(Response("Go back to your terminal.", content_type="text/html"))
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("page", LOOKS, ids=look, indirect=True)
def test_every_page_is_accessible_and_fits_the_screen(page, site):
    from axe_playwright_python.sync_playwright import Axe

    enter(page, site)
    helpers(site)
    waits = site.world.broker.waits
    paths = [
        consent(site, f"{site.other}/callback"),
        consent(site, "https://wiki.acme.test/cb?from=daypass", "wiki"),
        "/device",
        "/device?user_code=ZZZZ-ZZZZ",
        f"/device?user_code={waits(asked_at=site.world.clock.at)}",
        f"/device?user_code={waits(fresh=False, device='x' * 64, user_agent='y' * 200)}",
        f"/device?user_code={waits(address='127.0.0.1', device='', user_agent='')}",
        "/security",
        "/security/end?session=c-1",
        "/security/end?session=others",
        "/security/end?session=s-1",
        "/terminal",
        "/signed-out",
    ]
    for path in paths:
        page.goto(path if path.startswith("http") else site.base + path)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.goto(f"{site.base}/terminal")
    page.click(".tab:has-text('Windows')")
    assert page.locator(".snippet:visible").count() == 1
    assert Axe().run(page).violations_count == 0
    assert page.complaints == [
        "Failed to load resource: the server responded with a status of 404 (NOT FOUND)"
    ]


@pytest.mark.parametrize("page", [{}, WITHOUT_SCRIPTS], ids=["scripts", "no scripts"], indirect=True)
@pytest.mark.parametrize(("button", "word"), [("Allow", "code"), ("Refuse", "error")])
def test_the_browser_follows_the_answer_to_a_helper_on_loopback(page, site, listening, button, word):
    enter(page, site)
    page.goto(consent(site, f"{listening}/callback"))
    page.click(f"button:has-text('{button}')")
    page.wait_for_url(f"{listening}/callback?{word}=*&state=s+t&iss=*")
    assert page.complaints == []


def test_the_browser_hands_the_answer_to_an_apps_own_scheme(page, site):
    enter(page, site)
    page.goto(consent(site, "com.acme.pocket:/signed-in", "app"))
    with page.expect_request(lambda asked: asked.method == "POST"):
        page.click("button:has-text('Allow')")
    page.wait_for_timeout(500)
    assert page.complaints == []  # nobody here knows the scheme, but the policy let it go


@pytest.mark.parametrize("page", [WITHOUT_SCRIPTS], ids=["no scripts"], indirect=True)
def test_a_device_is_let_in_by_typing_its_code(page, site):
    enter(page, site)
    code = site.world.broker.waits(asked_at=site.world.clock.at)
    page.goto(f"{site.base}/device")
    page.fill("#user_code", code.lower().replace("-", " "))
    page.click("button:has-text('Go on')")
    assert page.inner_text(".user-code").endswith(code)
    assert "from another address than yours" in page.inner_text("main")
    page.click("button:has-text('Approve')")
    assert "Done" in page.inner_text("h1")
    assert site.world.broker.devices[code][2] == "approved"


@pytest.mark.parametrize("page", [WITHOUT_SCRIPTS], ids=["no scripts"], indirect=True)
def test_a_helper_is_ended_in_two_clicks(page, site):
    enter(page, site)
    helpers(site)
    page.goto(f"{site.base}/security")
    page.click("a:has-text('End daypass command line')")
    page.click("button:has-text('End it')")
    page.wait_for_url(f"{site.base}/security")
    assert [each.id for each in site.world.broker.others] == ["b-2"]


def test_the_paste_is_copied_whole(page, site):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.base)
    enter(page, site)
    page.goto(f"{site.base}/terminal")
    page.click("button:has-text('Copy'):visible >> nth=0")
    page.wait_for_selector("text=Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("sh -c '\n") and copied.endswith("\n'")
