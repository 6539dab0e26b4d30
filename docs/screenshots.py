"""Pictures for the README and the docs, taken of the demo company: `python -m docs.screenshots [--port 8000]`.

Needs Chromium. Starts the demo, walks through it as ana, writes `docs/img/*.png`, and stops the demo.
What keys.png shows are the AWS double's keys: they open nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from demo.running.relocate import Ports
from tests.journeys.browsers import chromium
from tests.journeys.make_run import Demo

FOLDER: Final = Path(__file__).resolve().parent / "img"
DESKTOP: Final = {"viewport": {"width": 960, "height": 600}, "device_scale_factor": 1.5}
PHONE: Final = {"viewport": {"width": 320, "height": 640}, "device_scale_factor": 2}
ZONE: Final = {"timezone_id": "Europe/Berlin", "locale": "en-GB"}

FONTS: Final = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match target="pattern">
    <test name="family"><string>system-ui</string><string>sans</string><string>sans-serif</string></test>
    <edit name="family" mode="prepend_first" binding="strong"><string>Inter</string><string>Liberation Sans</string></edit>
  </match>
</fontconfig>
"""
"""A bare Debian draws `system-ui` in DejaVu Sans, wider than what people's machines use."""


@contextmanager
def visit(browser: Browser, **options: Any) -> Iterator[Page]:
    """A browser of its own."""
    context = browser.new_context(**{**ZONE, **DESKTOP, **options})
    try:
        yield context.new_page()
    finally:
        context.close()


@contextmanager
def fonts(folder: Path) -> Iterator[None]:
    """Chromium that starts within draws with them."""
    file = folder / "fonts.conf"
    file.write_text(FONTS)
    os.environ["FONTCONFIG_FILE"] = str(file)
    try:
        yield
    finally:
        del os.environ["FONTCONFIG_FILE"]


def sign_in(page: Page, demo: Demo, username: str) -> None:
    """Through the demo's directory."""
    person = demo.person(username)
    page.goto(f"{demo.base_url}/sign-in/{person['provider']}")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(person["password"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{demo.base_url}/**")


def shoot(page: Page, name: str) -> None:
    """The window, the pointer and the focus out of the way."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    page.screenshot(path=FOLDER / f"{name}.png")


def sign_in_page(browser: Browser, demo: Demo) -> None:
    with visit(browser) as page:
        page.goto(demo.base_url)
        shoot(page, "sign-in")


def roles_keys_and_console(browser: Browser, demo: Demo) -> None:
    with visit(browser) as page:
        sign_in(page, demo, "ana")
        shoot(page, "roles")
        page.get_by_role("link", name="Keys for ReadOnly in production").click()
        page.get_by_text("15 min", exact=True).click()
        page.get_by_role("button", name="Get keys").click()
        page.locator("pre:visible").wait_for()
        shoot(page, "keys")
        page.get_by_role("link", name="My roles").click()
        with page.context.expect_page() as opened:
            page.get_by_role("button", name="Console with ReadOnly in production").click()
        opened.value.wait_for_url("**/console/**")
        shoot(opened.value, "console")


def refused_sign_in(browser: Browser, demo: Demo) -> None:
    demo.break_directory(demo.ports.saml_url, clock=120)
    with visit(browser) as page:
        sign_in(page, demo, "ana")
        shoot(page, "error")
    demo.mend_directory(demo.ports.saml_url)


def other_looks(browser: Browser, demo: Demo) -> None:
    for name, options in (("roles-dark", {"color_scheme": "dark"}), ("roles-phone", PHONE)):
        with visit(browser, **options) as page:
            sign_in(page, demo, "ana")
            shoot(page, name)


SCENES: Final[Mapping[str, Callable[[Browser, Demo], None]]] = {
    "sign-in": sign_in_page,
    "roles, keys, console": roles_keys_and_console,
    "error": refused_sign_in,
    "dark, phone": other_looks,
}


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8000, help="as in `make run`")
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder), Ports(given.port)) as demo,
        fonts(Path(folder)),
        chromium() as browser,
    ):
        for name, scene in SCENES.items():
            print(name)
            scene(browser, demo)


if __name__ == "__main__":
    main()
