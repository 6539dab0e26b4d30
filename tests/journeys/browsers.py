"""What a person does in a browser, and what is looked at on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS: Final = [
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"),
    # Nothing leaves this machine: oidc-provider-mock's pages take their looks from a host in the internet.
    # Not by Playwright's routes, which switch the cache off, and with it what the back button may show.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(browser: Browser, base_url: str, **options: object) -> Iterator[Page]:
    """A browser of its own for one person; what our pages complain about (a policy, a script) fails the test."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []

    def listen(to: Page) -> None:
        to.on("pageerror", lambda error: complaints.append(str(error)))
        to.on(
            "console",
            lambda line: (
                complaints.append(line.text)
                if line.type in ("error", "warning")
                and line.location.get("url", "").startswith(base_url)
                # The answer to a refused form is an error to the console too; it is what the test asked for.
                and "the server responded with a status of" not in line.text
                else None
            ),
        )

    listen(page)
    context.on("page", listen)
    try:
        yield page
        assert complaints == []
    finally:
        context.close()


def assert_accessible(page: Page, name: str) -> None:
    """axe finds nothing, and nothing has to be scrolled sideways."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


def says(page: Page) -> str:
    """The text of the page's own part."""
    return page.inner_text("main")
