"""What local people and their administrators do: in a browser, with a phone that reads codes, and on the host."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field

import pyotp
from playwright.sync_api import Page, expect

from tests.company import ROOT, environment
from tests.journeys.make_run import Demo
from tests.web import qr_camera

PASSWORD = "a horse that reads novels by night"


@dataclass
class Phone:
    """An authenticator app. Each code is good once, so it shows one of another step each time."""

    key: pyotp.TOTP | None = None
    shown: set[int] = field(default_factory=set)

    def scan(self, page: Page) -> None:
        """The code on the screen, by the camera."""
        seen = qr_camera.text(qr_camera.photograph(page.context, page.locator(".qr-frame svg")))
        self.key = pyotp.parse_uri(seen)  # type: ignore[assignment]

    def code(self) -> str:
        """A code of the step that is now or next; waits where both were shown."""
        assert self.key is not None
        while True:
            step = int(time.time()) // 30
            for each in (step, step + 1):
                if each not in self.shown and (not self.shown or each > max(self.shown)):
                    self.shown.add(each)
                    return self.key.at(each * 30)
            time.sleep(0.5)


def operator(demo: Demo, *words: str, status: int = 0) -> str:
    """`python -m app …` on the host; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "app", *words],
        env=environment(DAYPASS_CONFIG=str(demo.var / "config"), PYTHONPATH=str(ROOT)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def new_user(demo: Demo, page: Page, name: str, *words: str) -> None:
    """Made on the host; the link, opened by the person, takes a password."""
    link = json.loads(operator(demo, "user", "create", name, "--json", *words))["link"]
    page.goto(link)
    set_password(page, "Set it")
    expect(page.get_by_role("heading", level=1)).to_contain_text("password is set")


def set_password(page: Page, button: str) -> None:
    """The same one twice."""
    for label in page.locator("input[type=password]").all():
        label.fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def sign_in(page: Page, demo: Demo, name: str, password: str = PASSWORD) -> None:
    """From the list of sources; what comes next depends on what they have."""
    page.goto(f"{demo.base_url}/sign-in")
    page.get_by_role("link", name="Contractors and others").click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_code(page: Page, phone: Phone) -> None:
    """At a challenge."""
    page.get_by_label("Code of your authenticator app").fill(phone.code())
    page.get_by_role("button", name="Go on").click()


def add_app(page: Page, phone: Phone, name: str = "Phone") -> None:
    """Choose the authenticator app, scan, type what it shows."""
    page.get_by_role("button", name="Authenticator app").click()
    phone.scan(page)
    page.get_by_label("Code", exact=True).fill(phone.code())
    page.get_by_label("Call it").fill(name)
    page.get_by_role("button", name="Add it").click()


def authenticator(page: Page) -> object:
    """Chromium's own: an internal one with user verification (WebAuthn, 11.2)."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return cdp


def add_key(page: Page, name: str) -> None:
    """Choose the security key or passkey; the authenticator answers by itself."""
    page.get_by_role("button", name="Security key or passkey").click()
    page.get_by_label("Call it").fill(name)
    page.get_by_role("button", name="Go on").click()
