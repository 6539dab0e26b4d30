"""The steps of a journey, as a person takes them: by what is written on the page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.journeys.foreign import PASSWORD_OF_ALL, ForeignCompany


def choose(page: Page, base_url: str, label: str) -> None:
    """From the broker's own address to a directory's."""
    page.goto(base_url)
    page.get_by_role("link", name=label).click()
    page.wait_for_url("http://127.0.0.1:*/**")


def staff_form(page: Page, acme: ForeignCompany, username: str = "ana") -> None:
    """As far as pysaml2's form, filled in."""
    choose(page, acme.base_url, "Acme staff")
    assert page.url.startswith(acme.saml_url)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD_OF_ALL)


def sign_in_as_staff(
    page: Page, acme: ForeignCompany, username: str = "ana", *, scripts: bool = True
) -> None:
    """Through pysaml2's provider; its last page posts itself, or has a button for browsers without scripts."""
    staff_form(page, acme, username)
    page.get_by_role("button", name="Sign in").click()
    if not scripts:
        page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{acme.base_url}/")


def sign_in_as_partner(page: Page, acme: ForeignCompany, subject: str) -> None:
    """Through oidc-provider-mock."""
    choose(page, acme.base_url, "Partners")
    assert page.url.startswith(acme.oidc_url)
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url(f"{acme.base_url}/")


def ask_for_keys(page: Page, role: str) -> None:
    """From my roles to the Keys page; `role` as `ReadOnly in production`."""
    page.get_by_role("link", name=f"Keys for {role}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Keys for {role.split()[0]}")


def get_keys(page: Page, role: str, length: str) -> str:
    """The whole way to the lines for bash."""
    ask_for_keys(page, role)
    page.get_by_text(length, exact=True).click()
    page.get_by_label("What for?").fill("INC-7: disk is full")
    page.get_by_role("button", name="Get keys").click()
    return bash_block(page)


def bash_block(page: Page) -> str:
    """The lines to paste into bash, read off the page."""
    return page.locator("#text-bash").inner_text()


def open_console(page: Page, role: str) -> Page:
    """The tab that the Console button opens, once the console is there."""
    with page.context.expect_page() as opened:
        page.get_by_role("button", name=f"Console with {role}").click()
    opened.value.wait_for_url("**/console/**")
    return opened.value


def console_says(console: Page, fact: str) -> str:
    """One of the facts that the double's console page shows."""
    return console.locator(f"[data-fact={fact}]").inner_text()


def sign_out(page: Page) -> None:
    """Here, not at the directory."""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
