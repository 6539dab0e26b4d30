"""axe on every page of the real broker, and every page fits the screen."""

import pytest
from playwright.sync_api import expect

from tests.journeys import steps
from tests.journeys.browsers import assert_accessible

pytestmark = pytest.mark.interop

LOOKS = [
    {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    {"color_scheme": "dark", "viewport": {"width": 320, "height": 640}},
]


@pytest.mark.parametrize("page", LOOKS, ids=["desktop, light", "320 px, dark"], indirect=True)
def test_axe_finds_nothing_on_any_page(page, acme):
    page.goto(acme.base_url)
    assert_accessible(page, "sign-in")
    steps.sign_in_as_staff(page, acme)
    assert_accessible(page, "my roles")
    page.get_by_role("searchbox").fill("zebra")
    assert_accessible(page, "no role matches")
    page.get_by_role("searchbox").fill("")
    steps.ask_for_keys(page, "Admin in production")
    assert_accessible(page, "how long")
    page.get_by_role("button", name="Get keys").click()
    expect(page.locator("pre:visible")).to_have_count(1)
    for shell in ("bash, zsh", "PowerShell", "cmd", "fish", "Credentials file"):
        page.locator(".tab", has_text=shell).click()
        assert_accessible(page, f"keys, {shell}")
    steps.sign_out(page)
    assert_accessible(page, "signed out")
    page.goto(f"{acme.base_url}/oidc/partner/callback?state=nobodys&code=x")
    assert_accessible(page, "a refused sign-in")
    steps.sign_in_as_staff(page, acme, "dan")
    assert_accessible(page, "no roles")
    page.goto(f"{acme.base_url}/keys?role=arn:aws:iam::111122223333:role/Admin")
    assert_accessible(page, "a role that is not for dan")
