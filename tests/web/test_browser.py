"""The pages in a real browser: accessible, whole without scripts, and safe from other sites."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from app.model import Endpoint
from tests.web.builders import FORBIDDEN, ROLES, World, session, settings

pytestmark = pytest.mark.interop

FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
TOKEN = "b" * 43
NOPE = "arn:aws:iam::999999999999:role/Nope"
KEYS = f"/keys?role={ROLES[0].arn}"


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


def serve(app) -> BaseWSGIServer:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@dataclass
class Site:
    """The broker on localhost, and another site on 127.0.0.1 that is directory, console and attacker."""

    world: World
    base: str
    other: str


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    pages: dict[str, str] = {}

    @Request.application
    def elsewhere(request: Request) -> Response:
        return Response(
            pages.get(request.path, "<title>elsewhere</title>elsewhere"), content_type="text/html"
        )

    world = World()
    world.clock.at = world.broker.now = datetime.now(UTC).replace(microsecond=0)
    broker, other = serve(world.app), serve(elsewhere)
    base, away = f"http://localhost:{broker.server_port}", f"http://127.0.0.1:{other.server_port}"
    world.settings = settings(base_url=base, aws=Endpoint("aws", ("eu-west-1",), away, away))
    world.broker.outbound = f"{away}/sso?SAMLRequest=x"
    world.broker.console = f"{away}/federation"
    pages["/frame"] = f'<iframe src="{base}/sign-in"></iframe>'
    pages["/attack"] = (
        f'<form method="post" action="{base}/keys"><input name="role" value="{ROLES[0].arn}"></form>'
        "<script>document.forms[0].submit()</script>"
    )
    pages["/sso"] = (
        f'<form method="post" action="{base}/saml/corp/acs"><input name="SAMLResponse" value="x">'
        '<input name="RelayState"></form><script>const form = document.forms[0];'
        "form.RelayState.value = new URLSearchParams(location.search).get('RelayState'); form.submit()</script>"
    )
    yield Site(world, base, away)
    broker.shutdown()
    other.shutdown()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, site, request):
    options = getattr(request, "param", {})
    context = chromium.new_context(**options)
    site.world.broker.cookies[TOKEN] = session(expires_at=site.world.clock.at + timedelta(hours=12))
    opened = context.new_page()
    opened.complaints = []
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on(
        "console",
        lambda line: opened.complaints.append(line.text) if line.type in ("error", "warning") else None,
    )
    yield opened
    context.close()


def enter(page, site) -> None:
    page.context.add_cookies(
        [{"name": "daypass", "value": TOKEN, "url": site.base, "httpOnly": True, "sameSite": "Lax"}]
    )


LOOKS = [
    {"color_scheme": scheme, "viewport": {"width": width, "height": height}}
    for scheme in ("light", "dark")
    for width, height in ((320, 640), (1280, 800))
]


def look(options) -> str:
    return f"{options['color_scheme']}-{options['viewport']['width']}"


@pytest.mark.parametrize("page", LOOKS, ids=look, indirect=True)
def test_every_page_is_accessible_and_fits_the_screen(page, site):
    from axe_playwright_python.sync_playwright import Axe

    def check(name: str) -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    page.goto(f"{site.base}/sign-in?ended=1")
    check("sign-in")
    page.goto(f"{site.base}/signed-out")
    check("signed out")
    page.goto(f"{site.base}/nowhere")
    check("error")
    enter(page, site)
    page.goto(f"{site.base}/sign-in")
    check("sign-in while signed in")
    for query in ("", "?role=x", f"?role={ROLES[0].arn}", f"?role={FORBIDDEN}", f"?role={NOPE}"):
        page.goto(f"{site.base}/why{query}")
        check(f"why{query}")
    page.goto(f"{site.base}/keys?role={FORBIDDEN}")
    check("a role that is refused for now")
    page.goto(site.base)
    check("roles")
    page.fill("#q", "zebra")
    check("no match")
    page.goto(f"{site.base}/?q=zebra")
    check("no match by the server")
    page.goto(site.base + KEYS)
    check("ask for keys")
    page.click("text=Get keys")
    page.wait_for_selector("pre")
    for shell in ("bash", "powershell", "cmd", "fish", "file"):
        page.check(f"input[value={shell}]", force=True)
        assert page.locator("pre:visible").count() == 1
        check(f"keys, {shell}")
    entitlements, site.world.broker.entitlements = site.world.broker.entitlements, ()
    page.goto(site.base)
    check("no roles")
    site.world.broker.entitlements = entitlements


@pytest.mark.parametrize("page", [{"java_script_enabled": False}], ids=["no script"], indirect=True)
def test_everything_works_without_scripts(page, site):
    enter(page, site)
    page.goto(site.base)
    page.fill("#q", "sandbox")
    page.click("button:has-text('Search')")
    assert page.locator(".role").count() == 1
    page.click("text=Show all")
    page.click("a:has-text('Keys') >> nth=0")
    page.click("text=15 min")
    page.fill("#reason", "INC-7")
    page.click("text=Get keys")
    assert "Good for 15 minutes" in page.inner_text("main")
    assert page.locator("[data-copy]:visible").count() == 0
    page.click("label:has-text('PowerShell')")
    assert page.inner_text("pre:visible").startswith("$Env:AWS_ACCESS_KEY_ID")
    with page.context.expect_page() as opened:
        page.goto(site.base)
        page.click("text=Console >> nth=0")
    opened.value.wait_for_url(f"{site.other}/federation*")
    page.click("text=Sign out")
    assert "You are signed out" in page.inner_text("h1")


def test_scripts_add_comfort(page, site):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.base)
    enter(page, site)
    page.goto(site.base)
    page.keyboard.press("/")
    page.keyboard.type("SAND")
    assert page.locator(".role:visible").count() == page.locator(".account:visible").count() == 1
    assert "1 of 3 roles" in page.inner_text("[data-count]")
    page.keyboard.press("Escape")
    assert page.locator(".role:visible").count() == 3
    page.goto(site.base + KEYS)
    page.click("text=Get keys")
    page.wait_for_selector("text=left")
    page.click("[data-copy=text-bash]")
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.inner_text("#text-bash")
    assert page.complaints == []


def test_the_keyboard_reaches_the_content_first(page, site):
    enter(page, site)
    page.goto(site.base)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_response_posted_by_another_site_signs_in_the_browser_that_asked(page, site):
    page.goto(f"{site.base}{KEYS}")
    page.click("text=Acme staff")
    page.wait_for_url(f"**{KEYS}")
    assert "Keys for Admin" in page.inner_text("h1")
    cookies = {cookie["name"] for cookie in page.context.cookies(site.base)}
    assert cookies == {"daypass", "daypass-device", "daypass-device-lax"}
    # Known again, though this answer comes from another site too.
    page.context.clear_cookies(name="daypass")
    seen = site.world.broker.devices_seen
    page.goto(f"{site.base}{KEYS}")
    page.click("text=Acme staff")
    page.wait_for_url(f"**{KEYS}")
    assert seen[-2] == seen[-1] != ""
    assert page.complaints == []


def test_the_console_button_opens_a_tab_that_our_policy_lets_through(page, site):
    enter(page, site)
    page.goto(site.base)
    with page.context.expect_page() as opened:
        page.click("text=Console >> nth=0")
    opened.value.wait_for_url(f"{site.other}/federation*")
    assert opened.value.evaluate("window.opener") is None
    assert opened.value.evaluate("document.referrer") == ""
    assert page.complaints == []


def test_another_sites_form_issues_nothing(page, site):
    enter(page, site)
    before = site.world.broker.times("credentials")
    page.goto(f"{site.other}/attack")
    page.wait_for_url(f"{site.base}/keys")
    # The session cookie stays at home (SameSite=Lax), so the form arrives as a stranger's.
    assert "session.missing" in page.inner_text("main")
    assert site.world.broker.times("credentials") == before


def test_no_page_can_be_framed(page, site):
    page.goto(f"{site.other}/frame")
    page.wait_for_timeout(300)
    assert all("sign-in" not in frame.content() or frame == page.main_frame for frame in page.frames)
    assert any("frame-ancestors" in line or "X-Frame-Options" in line for line in page.complaints)


def test_after_signing_out_the_back_button_shows_nothing(page, site):
    enter(page, site)
    page.goto(site.base)
    page.goto(site.base + KEYS)
    page.click("text=Get keys")
    page.wait_for_selector("pre")
    page.click("text=Sign out")
    page.wait_for_selector("text=You are signed out")
    from playwright.sync_api import Error

    try:
        page.go_back()
    except Error:  # the browser asks whether to send the form again, since it kept no copy
        page.wait_for_url("chrome-error://**")
    assert "AWS_SECRET_ACCESS_KEY" not in page.content()
    page.goto(site.base)
    assert "/sign-in" in page.url
