"""The whole story without a mouse; where one is can always be seen."""

import pytest
from playwright.sync_api import expect

from tests.journeys import steps
from tests.journeys.browsers import says
from tests.journeys.shell import who_am_i

pytestmark = pytest.mark.interop

_FOCUSED = """() => {
  const at = document.activeElement;
  const text = (at.labels && at.labels[0] ? at.labels[0] : at).innerText || at.getAttribute("aria-label") || "";
  const ringed = (part) => part && getComputedStyle(part).outlineStyle !== "none"
    && parseFloat(getComputedStyle(part).outlineWidth) >= 2;
  return [text.trim().replace(/\\s+/g, " ").slice(0, 80), Boolean(ringed(at) || ringed(at.nextElementSibling))];
}"""


def tab_to(page, words: str, key: str = "Tab") -> None:
    """Press Tab until the focus is on what is named so; each stop on the way has a ring."""
    stops = []
    for _ in range(30):
        page.keyboard.press(key)
        text, ringed = page.evaluate(_FOCUSED)
        stops.append(text)
        assert ringed or page.evaluate("document.activeElement === document.body"), text
        if words in text:
            return
    raise AssertionError(f"{words!r} is not among {stops}")


def test_from_a_sign_in_to_keys_a_console_and_out_again(page, acme):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=acme.base_url)
    page.goto(acme.base_url)
    tab_to(page, "Acme staff")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{acme.saml_url}/**")
    for text in ("ana", steps.PASSWORD_OF_ALL):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{acme.base_url}/")

    page.keyboard.press("/")
    page.keyboard.type("look touch")
    expect(page.locator(".role:visible")).to_have_count(1)
    page.keyboard.press("Enter")  # to the one that is left
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Keys for ReadOnly")

    tab_to(page, "1 hour")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(_FOCUSED) == ["15 min", True]
    page.keyboard.press("Tab")
    page.keyboard.type("INC-8")
    page.keyboard.press("Enter")
    expect(page.locator("pre:visible")).to_have_count(1)

    tab_to(page, "bash, zsh")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("pre:visible").startswith("$Env:AWS_ACCESS_KEY_ID")
    page.keyboard.press("ArrowLeft")
    tab_to(page, "Copy for bash")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    block = page.evaluate("navigator.clipboard.readText()")
    assert "assumed-role/ReadOnly/ana-" in who_am_i(block, acme.aws_url)["Arn"]

    tab_to(page, "My roles", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{acme.base_url}/")
    tab_to(page, "Console with ReadOnly in production")
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    opened.value.wait_for_url("**/console/**")
    assert "assumed-role/ReadOnly/ana-" in steps.console_says(opened.value, "signed-in-as")
    opened.value.close()

    tab_to(page, "Sign out", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{acme.base_url}/signed-out")
    assert "You are signed out" in says(page)
