"""The pages of users, groups, recoveries and root in a real browser: accessible, and they fit the screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.everybody import local_identity
from app.model import Authentication
from app.people import LOCAL, RootUse
from tests.home import opened_home
from tests.web.builders import settings
from tests.web.test_admin_people import HOST, REASON, Company, document
from tests.web.test_browser import LOOKS, chromium, look, serve

pytestmark = pytest.mark.interop

__all__ = ["chromium"]  # a fixture


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    with opened_home(tmp_path, monkeypatch) as home:
        yield Company(home)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", LOOKS, ids=look)
def test_every_page_is_accessible_and_fits_the_screen(acme, chromium, options):
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import expect

    acme.mail()
    admin = acme.enter("*")
    at = acme.home.clock.at
    reason = "Both directories are down since 04:10, production is stuck; ticket OPS-4711"
    acme.home.store.root_uses.add(RootUse("u1", at, reason, "2001:db8:85a3::8a2e:370:7334", "s", at))
    acme.door.ask_recovery(LOCAL, acme.nina.id, "nina", REASON, by=HOST)
    acme.user("chiara", name="Chiara Lindqvist-Oyelaran", groups=("finance", "contractors", "engineering"))
    acme.user("emeka")
    server = serve(acme.app)
    base = f"http://localhost:{server.server_port}"
    acme.settings = settings(base_url=base, mail=acme.settings.mail)
    acme.enter_as(local_identity(admin, Authentication(at)))
    context = chromium.new_context(**options)
    context.add_cookies([{"name": "daypass", "value": "c" * 43, "url": base}])
    page = context.new_page()

    def check(name: str) -> None:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    nina = f"/admin/user?id={acme.nina.id}"
    for path in (
        "/admin/users",
        "/admin/users?q=zzz",
        "/admin/users/new",
        nina,
        "/admin/groups",
        "/admin/recoveries",
        "/admin/root",
    ):
        assert page.goto(base + path).status == 200
        check(path)
    page.goto(base + "/admin/users/new")
    page.fill("#username", "Otto")
    page.click("button:has-text('Create')")
    expect(page.locator("[role=alert]")).to_contain_text("The username is not right")
    check("a username that cannot be")
    page.fill("#username", "otto")
    page.click("button:has-text('Create')")
    expect(page.locator("h1")).to_have_text("otto is created")
    check("a link")
    page.goto(base + nina)
    page.click("summary:has-text('New inline policy')")
    page.fill("#policy", "own")
    page.fill("#text", '{"Statement": [{"Effect": "Alow"}]}')
    page.click("button:has-text('Add')")
    expect(page.locator("[role=alert]")).to_contain_text("not valid")
    check("a document that is wrong")
    assert page.input_value("#policy") == "own" and "Alow" in page.input_value("#text")
    page.fill("#text", document("ReadAudit"))
    page.click("button:has-text('Add')")
    page.click("button:has-text('Go back to it')")
    expect(page.locator("main")).to_contain_text("inline: own taken away")
    check("versions")
    page.goto(base + "/admin/root")
    page.fill("input[name=note]", "looked at the record, in order")
    page.click("button:has-text('Sign off')")
    expect(page.locator("main")).to_contain_text("Nothing waits to be signed off.")
    check("signed off")
    page.goto(base + "/admin/recoveries")
    page.click("button:has-text('Approve')")
    expect(page.locator("main")).to_contain_text("No request waits.")
    check("decided")
    context.close()
    server.shutdown()
