"""What a person does to let the helper in: the terminal asks, the browser answers."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.journeys import browsers
from tests.journeys.foreign import PASSWORD_OF_ALL, ForeignCompany
from tests.journeys.workplace import Workplace


def sign_in_on_the_way(page: Page, acme: ForeignCompany, username: str) -> None:
    """From the list of sign-ins, where an address of the broker's has led, back to that address."""
    page.get_by_role("link", name="Acme staff").click()
    at_the_directory(page, acme, username)


def at_the_directory(page: Page, acme: ForeignCompany, username: str) -> None:
    """Its form, filled in and sent."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD_OF_ALL)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{acme.base_url}/**")


def to_the_question(page: Page, acme: ForeignCompany, url: str, username: str = "ana") -> None:
    """Open the address that the helper wants opened, as far as the page with the two buttons."""
    page.goto(url)
    if page.url.startswith(f"{acme.base_url}/sign-in"):
        sign_in_on_the_way(page, acme, username)
    expect(page.get_by_role("heading", level=1)).to_have_text("Let daypass command line in?")


def allow(page: Page, acme: ForeignCompany, url: str, username: str = "ana") -> None:
    """The same, and yes."""
    to_the_question(page, acme, url, username)
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url("http://127.0.0.1:*/callback?*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed in")


def let_in(at: Workplace, browser: Browser, acme: ForeignCompany, username: str = "ana") -> None:
    """`daypass login` without a terminal, through Chromium."""
    already = len(at.opened())
    login = at.start("daypass", "login")
    try:
        with browsers.new_page(browser, acme.base_url) as page:
            allow(page, acme, at.wait_for_browser(already), username)
        out, err = login.communicate(timeout=30)
        assert login.returncode == 0, out + err
    finally:
        login.kill()
        login.wait()


def workplace(folder: Path, acme: ForeignCompany, user: str = "ana") -> Workplace:
    """A machine with the helper, fetched from the broker; nobody is signed in there."""
    at = Workplace(folder / "home", acme.base_url, acme.aws_url, user)
    at.install()
    return at
