"""Pictures for the README and the docs, taken of the demo company: `python -m docs.screenshots [--port 8000]`.

Needs what `make interop` installs. Starts the demo, walks through it as ana, lena, administrators and root, and through its
app as robin and sasha, writes `docs/img/*.png`, and stops the demo. What keys.png shows are the AWS double's keys: they open
nothing. QR codes and recovery codes are of people who end with the demo. terminal.png and step-up-terminal.png are the text
of a real terminal, drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, Final

import pyotp
from playwright.sync_api import Browser, Page

from demo.running.relocate import Ports
from tests.journeys import local_steps, shoebox
from tests.journeys.aws_clients import V2
from tests.journeys.browsers import chromium
from tests.journeys.local_steps import Phone
from tests.journeys.make_run import Demo
from tests.journeys.terminal import Terminal
from tests.journeys.workplace import Workplace

FOLDER: Final = Path(__file__).resolve().parent / "img"
DESKTOP: Final = {"viewport": {"width": 960, "height": 600}, "device_scale_factor": 1.5}
APP: Final = {"viewport": {"width": 480, "height": 800}}
PHONE: Final = {"viewport": {"width": 320, "height": 640}, "device_scale_factor": 2}
ZONE: Final = {"timezone_id": "Europe/Berlin", "locale": "en-GB"}
POSIX_ZONE: Final = "CET-1CEST,M3.5.0,M10.5.0/3"
"""The same for a terminal, on a machine without zone files too."""

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


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """The window, or all of a longer page; the pointer and the focus out of the way."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=whole)


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


def whole(page: Page) -> bytes:
    """All of a page, the pointer and the focus out of the way."""
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    return page.screenshot(full_page=True)


def side_by_side(browser: Browser, name: str, *windows: bytes) -> None:
    """Several pages in one picture, each as in a window of its own."""
    shown = "".join(f'<img src="data:image/png;base64,{b64encode(each).decode()}">' for each in windows)
    with visit(browser, viewport={"width": 24 + 504 * len(windows), "height": 600}) as frame:
        frame.set_content(
            "<style>body{margin:0;padding:24px;display:flex;gap:24px;align-items:flex-start;background:#d8d2ca}"
            f"img{{width:480px;border-radius:12px}}</style>{shown}"
        )
        frame.screenshot(path=FOLDER / f"{name}.png", full_page=True)


def drawn(browser: Browser, colours: str) -> bytes:
    """A picture of somebody's, of no place in particular."""
    with visit(browser, viewport={"width": 240, "height": 180}, device_scale_factor=1) as canvas:
        canvas.set_content(f"<body style='background:linear-gradient({colours})'>")
        return canvas.screenshot()


def app_guest(browser: Browser, demo: Demo) -> None:
    """Before app_folders: sasha has no folder yet, and so can take over the guest's."""
    with visit(browser, **APP) as page:
        page.goto(demo.ports.app_url)
        shoebox.come_as_guest(page)
        shoebox.add(page, "sunset.png", drawn(browser, "#f7b267, #f25c54 60%, #40304f 61%"))
        page.get_by_role("img", name="sunset.png").wait_for()
        guest = whole(page)
        shoebox.sign_in(page, "sasha", shoebox.CLAIM)
        page.get_by_role("img", name="sunset.png").wait_for()
        side_by_side(browser, "app-guest", guest, whole(page))


def app_folders(browser: Browser, demo: Demo) -> None:
    pictures = {
        "hill.png": drawn(browser, "#8ec5fc 45%, #4f8a4c 46%, #2f5d34"),
        "beach.png": drawn(browser, "#ffd89b 40%, #3a8fb7 41%, #1d6a91 65%, #e8cf9f 66%"),
    }
    with visit(browser, **APP) as robin, visit(browser, **APP) as sasha:
        for page, username in ((robin, "robin"), (sasha, "sasha")):
            page.goto(demo.ports.app_url)
            shoebox.sign_in(page, username)
        for name, picture in pictures.items():
            shoebox.add(robin, name, picture)
        for name in pictures:
            robin.get_by_role("img", name=name).wait_for()
        shoebox.look(sasha, robin.inner_text("#folder"))
        side_by_side(browser, "app", whole(robin), whole(sasha))


SCREEN: Final = """\
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; padding: 24px; background: #d9dee5; }
pre { margin: 0; padding: 18px 22px; border-radius: 10px; background: #14181f; color: #dfe5ee; white-space: pre-wrap;
  overflow-wrap: anywhere; font: 14px/1.5 "JetBrains Mono", "DejaVu Sans Mono", ui-monospace, monospace; }
b { color: #8fd0ff; }
i { font-style: normal; word-break: break-all; }
</style><pre>%s</pre>
"""


def machine(demo: Demo, user: str) -> Workplace:
    """A machine with the helper and the AWS CLI."""
    at = Workplace(demo.var / "homes" / user, demo.base_url, demo.ports.aws_url, user)
    at.install()
    (at.daypass.parent / "aws").symlink_to(V2.command[0])
    return at


def draw(browser: Browser, text: str, name: str) -> None:
    """What stands on a terminal; what was typed stands out."""
    lines = escape(text.rstrip().removesuffix("$").rstrip())
    with visit(browser) as page:
        lines = re.sub(r"^\$ (.+)$", r"$ <b>\1</b>", lines, flags=re.MULTILINE)
        page.set_content(SCREEN % re.sub(r"(https?://\S+)", r"<i>\1</i>", lines))
        page.locator("body").screenshot(path=FOLDER / f"{name}.png")


def helper(browser: Browser, demo: Demo) -> None:
    at = machine(demo, "ana")
    with visit(browser) as page, Terminal(at, TZ=POSIX_ZONE) as terminal:
        sign_in(page, demo, "ana")
        page.get_by_role("link", name="Terminal", exact=True).click()
        shoot(page, "paste")
        terminal.run("daypass login")
        page.goto(at.wait_for_browser())
        shoot(page, "let-in", whole=True)
        page.get_by_role("button", name="Allow").click()
        for line in ("daypass roles", "daypass exec production/ReadOnly -- aws sts get-caller-identity"):
            terminal.wait_for_prompt()
            terminal.run(line)
        terminal.wait_for(r'"Arn"[^}]*}\n\$')
        draw(browser, terminal.screen(), "terminal")
        page.goto(f"{demo.base_url}/security")
        shoot(page, "security")


def device(browser: Browser, demo: Demo) -> None:
    with visit(browser) as page, Terminal(machine(demo, "ana-build")) as terminal:
        terminal.run("daypass login --device")
        asked = terminal.wait_for(r"http://\S+/device\?user_code=\S+")[0]
        sign_in(page, demo, "ana")
        page.goto(asked)
        shoot(page, "device", whole=True)


def lena(page: Page, demo: Demo) -> None:
    """Signs in by name and password, as far as that goes."""
    local = json.loads((demo.var / "demo.json").read_text())["local"]
    local_steps.sign_in(page, demo, local["username"], local["password"])


def type_key(page: Page, phone: Phone, name: str) -> None:
    """On the page of a new authenticator app. At this scale its QR code has no whole pixels for `Phone.scan`."""
    secret = page.locator("#typed-key").text_content() or ""
    phone.key = pyotp.TOTP("".join(secret.split()))
    page.get_by_label("Code", exact=True).fill(phone.code())
    page.get_by_label("Call it").fill(name)
    page.get_by_role("button", name="Add it").click()


def add_app(page: Page, phone: Phone, name: str = "Phone") -> None:
    page.get_by_role("button", name="Authenticator app").click()
    type_key(page, phone, name)


def step_up(browser: Browser, demo: Demo) -> None:
    """A role of lena's wants a second factor, and she has none yet; from her next sign-in on she is asked for it."""
    with visit(browser) as page:
        page.goto(f"{demo.base_url}/sign-in/local")
        shoot(page, "sign-in-local", whole=True)
        lena(page, demo)
        shoot(page, "needs-factor")
        page.get_by_role("link", name="Keys for Release in sandbox").click()
        phone = Phone()
        page.get_by_role("button", name="Authenticator app").click()
        shoot(page, "enrol-app", whole=True)
        type_key(page, phone, "Phone")
        page.locator("#codes").wait_for()
        shoot(page, "recovery-codes", whole=True)
        page.locator("main a.button.primary").click()
        page.get_by_role("heading", name="Keys for Release").wait_for()
        page.goto(f"{demo.base_url}/security/enrol")
        local_steps.authenticator(page)
        local_steps.add_key(page, "Laptop")
        page.get_by_role("link", name="Remove Laptop").wait_for()
        shoot(page, "factors")
    with visit(browser) as page:
        lena(page, demo)
        page.get_by_label("Code of your authenticator app").wait_for()
        shoot(page, "challenge", whole=True)


def step_up_terminal(browser: Browser, demo: Demo) -> None:
    at = machine(demo, "ben")
    with visit(browser) as page, Terminal(at, TZ=POSIX_ZONE) as terminal:
        sign_in(page, demo, "ben")
        terminal.run("daypass login")
        page.goto(at.wait_for_browser())
        page.get_by_role("button", name="Allow").click()
        terminal.clear()
        opened = len(at.opened())
        terminal.run("daypass exec sandbox/Release -- aws sts get-caller-identity")
        page.goto(at.wait_for_browser(opened))
        phone = Phone()
        add_app(page, phone, "Ben's phone")
        page.locator("main a.button.primary").click()
        terminal.wait_for(r'"Arn"[^}]*}\n\$')
        draw(browser, terminal.screen(), "step-up-terminal")
        asked = at.opened()[opened]
        page.goto(asked)
        page.get_by_label("Code of your authenticator app").wait_for()
        shoot(page, "step-up", whole=True)


ADMINISTER: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "daypass:*", "Resource": "*"}],
}


def administrator(page: Page, demo: Demo, name: str, *words: str) -> None:
    """Somebody who may do everything of daypass itself, signed in."""
    policy = demo.var / "administer.json"
    policy.write_text(json.dumps(ADMINISTER))
    local_steps.new_user(demo, page, name, *words)
    local_steps.operator(demo, "user", "put-policy", name, "administer", str(policy))
    local_steps.sign_in(page, demo, name)
    page.wait_for_url(f"{demo.base_url}/")


def administration(browser: Browser, demo: Demo) -> None:
    """vera lost her phone; two administrators let her start anew."""
    with visit(browser) as vera:
        made = local_steps.operator(
            demo, "user", "create", "vera", "--name", "Vera Voss", "--group", "contractors", "--json"
        )
        vera.goto(json.loads(made)["link"])
        shoot(vera, "link", whole=True)
        local_steps.set_password(vera, "Set it")
        local_steps.sign_in(vera, demo, "vera")
        vera.goto(f"{demo.base_url}/security/enrol")
        add_app(vera, Phone())
        vera.locator("#codes").wait_for()
    with visit(browser) as mia, visit(browser) as noah:
        administrator(mia, demo, "mia", "--name", "Mia Moser")
        administrator(noah, demo, "noah", "--name", "Noah Nowak")
        mia.goto(f"{demo.base_url}/admin/users")
        mia.get_by_role("link", name="Open vera").click()
        shoot(mia, "user")
        mia.get_by_text("They lost their device").click()
        mia.get_by_label("How do you know that it is them").fill(
            "Called her back at her desk, she knew her badge number"
        )
        mia.get_by_role("button", name="Ask").click()
        noah.goto(f"{demo.base_url}/admin/recoveries")
        shoot(noah, "recoveries")
        noah.get_by_role("button", name="Approve").click()


def root(browser: Browser, demo: Demo) -> None:
    """Set up, used once, signed off by somebody else."""
    phone = Phone()
    with visit(browser) as page, visit(browser) as nils:
        administrator(nils, demo, "nils", "--name", "Nils Noack")
        page.goto(json.loads(local_steps.operator(demo, "root", "setup", "--json"))["link"])
        local_steps.authenticator(page)
        local_steps.set_password(page, "Go on to the devices")
        add_app(page, phone, "Phone in the safe, second floor")
        local_steps.add_key(page, "Security key in the safe, cellar")
        page.get_by_role("heading", name="Root is set up").wait_for()
        page.goto(f"{demo.base_url}/root")
        page.get_by_label(re.compile("[Ww]hy")).fill("Both directories are down, production is stuck")
        shoot(page, "root", whole=True)
        page.get_by_label("Password").fill(local_steps.PASSWORD)
        page.locator("main form button.primary").click()
        local_steps.give_code(page, phone)
        page.get_by_role("heading", name="My roles").wait_for()
        shoot(page, "root-roles")
        nils.goto(f"{demo.base_url}/admin/root")
        shoot(nils, "root-sign-off")


SCENES: Final[Mapping[str, Callable[[Browser, Demo], None]]] = {
    "sign-in": sign_in_page,
    "roles, keys, console": roles_keys_and_console,
    "helper": helper,
    "device": device,
    "step-up": step_up,
    "step-up in a terminal": step_up_terminal,
    "administration": administration,
    "root": root,
    "error": refused_sign_in,
    "dark, phone": other_looks,
    "app, guest": app_guest,
    "app": app_folders,
}


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=8000, help="as in `make run`")
    parser.add_argument("--only", choices=SCENES, nargs="+", default=list(SCENES), help="not all of them")
    given = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Demo(Path(folder), Ports(given.port)) as demo,
        fonts(Path(folder)),
        chromium() as browser,
    ):
        for name, scene in SCENES.items():
            if name in given.only:
                print(name)
                scene(browser, demo)


if __name__ == "__main__":
    main()
