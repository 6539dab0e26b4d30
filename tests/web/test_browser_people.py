"""Local people in a real browser: codes read off the screen, passkeys, step-up; accessible, and whole without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyotp
import pytest

from app.model import Endpoint, Entitlement, Mail
from app.people import ROOT, LinkPage
from app.web import make_app
from tests.home import PASSWORD as LENAS
from tests.home import REASON, Home, opened_home
from tests.web import qr_camera
from tests.web.builders import ROLES, World, session, settings
from tests.web.local_people import CODE, LINK, PASSWORD, ROOT_LINK
from tests.web.test_browser import LOOKS, chromium, look, serve

pytestmark = pytest.mark.interop

__all__ = ["chromium"]  # a fixture
WITHOUT_SCRIPTS = {"java_script_enabled": False}
TOKEN = "p" * 43


# --- how the pages look, over the fake broker -------------------------------------------------------


@dataclass
class Pages:
    """The pages over a fake broker, and a browser."""

    world: World
    base: str
    page: object

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def enter(self, **who: object) -> None:
        """Signed in as lena, or as somebody like her."""
        broker = self.world.broker
        identity = replace(broker.lena(), name="Lena Ortiz", **who)
        made = session(created_at=broker.now, expires_at=broker.now + timedelta(hours=12), identity=identity)
        broker.cookies[TOKEN] = replace(made, last_used=broker.now, last_address="127.0.0.1")
        self.page.context.add_cookies([{"name": "daypass", "value": TOKEN, "url": self.base}])

    def fill(self, button: str, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)
        self.page.click(f"button:has-text('{button}') >> nth=0")


@pytest.fixture
def pages(chromium, request) -> Iterator[Pages]:
    world = World()
    world.clock.at = world.broker.now = datetime.now(UTC).replace(microsecond=0)
    server = serve(world.app)
    base = f"http://localhost:{server.server_port}"
    world.settings = settings(
        base_url=base,
        aws=Endpoint("aws", ("eu-west-1",), base, base),
        local="Contractors",
        mail=Mail("localhost", 25, "daypass@acme.test"),
    )
    soon = world.broker.now + timedelta(minutes=15)
    world.broker.links = {
        LINK: LinkPage("password", "lena", soon),
        ROOT_LINK: LinkPage("root", "root", soon),
    }
    context = chromium.new_context(**getattr(request, "param", {}))
    page = context.new_page()
    yield Pages(world, base, page)
    context.close()
    server.shutdown()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pages", LOOKS, ids=look, indirect=True)
def test_every_page_is_accessible_and_fits_the_screen(pages):
    from axe_playwright_python.sync_playwright import Axe

    broker, page = pages.world.broker, pages.page

    def check(name: str) -> None:
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    def at(path: str) -> None:
        pages.go(path)
        check(path)

    for path in ("/sign-in", "/sign-in/local", "/forgot", f"/link?t={LINK}", "/root"):
        at(path)
    pages.go("/sign-in/local")
    pages.fill("Sign in", username="lena", password="not-it")
    check("a wrong password")
    pages.go("/forgot")
    pages.fill("Send me a link", username="lena")
    check("forgotten")
    pages.go("/root")
    pages.fill("Go on", password="x", reason="the directory is down")
    check("a wrong root password")
    pages.go(f"/link?t={LINK}")
    pages.fill("Set it", new=PASSWORD, again="another")
    check("apart")
    pages.fill("Set it", new=PASSWORD, again=PASSWORD)
    check("set")
    pages.go(f"/link?t={ROOT_LINK}")
    pages.fill("Go on to the devices", new=PASSWORD, again=PASSWORD)
    check("choose")
    pages.page.click("text=Security key or passkey")
    check("a key to add")
    page.go_back()
    page.click("text=Authenticator app")
    page.click("summary")
    check("an app to add")
    pages.fill("Add it", code="1")
    check("a wrong code")
    pages.fill("Add it", code=CODE)
    check("codes")
    page.click("text=Go on")
    page.click("text=Authenticator app")
    pages.fill("Add it", code=CODE)
    check("root is ready")

    broker.entitlements = (Entitlement(ROLES[0], {"mfa": {"kinds": ["totp"]}}), Entitlement(ROLES[1]))
    pages.enter()
    broker.event("mfa.refused", '{"kind":"totp"}', "2001:db8:85a3::8a2e:370:7334")
    for _ in range(12):
        broker.event("signin.succeeded", '{"methods":["pwd","otp"],"user_agent":"Firefox/140.0 Linux"}')
    for path in (
        "/security",
        "/security/prove",
        "/security/enrol",
        "/security/password",
        "/security/end?session=all",
    ):
        at(path)
    broker.has(broker.lena(), "totp", "webauthn")
    first = f"{0:016x}"
    arn = quote(ROLES[0].arn, safe="")
    for path in (
        "/",
        f"/keys?role={arn}",
        f"/console?role={arn}",
        f"/console?role={quote(ROLES[1].arn, safe='')}",
        "/security",
        f"/security/factor?id={first}&do=rename",
        f"/security/factor?id={first}&do=remove",
        "/security/recovery-codes",
        "/step-up/done",
        f"/step-up?role={arn}",
    ):
        at(path)
    pages.fill("Go on", code="1")
    page.click("summary")
    check("a wrong answer")
    pages.enter(source=ROOT, subject="root", claims={"reason": ("the directory is down " * 20,)})
    at("/")


@pytest.mark.parametrize("pages", [WITHOUT_SCRIPTS], ids=["no script"], indirect=True)
def test_all_but_security_keys_works_without_scripts(pages):
    page, broker = pages.page, pages.world.broker
    broker.must_enrol = True
    pages.go("/sign-in?next=/security")
    page.click("text=Contractors")
    assert page.locator("text=Sign in with a passkey >> visible=true").count() == 0
    assert "need JavaScript" in page.inner_text("main")
    pages.fill("Sign in", username="lena", password=PASSWORD)
    page.click("text=Authenticator app")
    page.click("summary")
    assert page.locator("#typed-key").is_visible()
    pages.fill("Add it", code=CODE, name="Phone")
    assert page.locator("pre.codes").is_visible() and page.locator("[data-print]:visible").count() == 0
    page.click("text=Go on")
    assert page.url == f"{pages.base}/security" and "Phone" in page.inner_text("main")
    page.click("text=Sign out >> nth=0")
    pages.go("/sign-in/local")
    pages.fill("Sign in", username="lena", password=PASSWORD)
    page.click("summary")
    page.fill("#recovery", "fake3-code3")
    page.click("details button")
    assert page.inner_text("h1") == "My roles"


# --- with the real broker ---------------------------------------------------------------------------


class Served:
    """A home with its pages, and a browser that may have authenticators."""

    def __init__(self, home: Home, chromium) -> None:
        self.home = home
        self.app: Callable[..., object] | None = None
        self.server = serve(lambda environ, start: self.app(environ, start))
        self.base = f"http://localhost:{self.server.server_port}"
        home.edit("daypass.yaml", "base_url: http://localhost:8000", f"base_url: {self.base}")
        home.apply()
        parts = home.parts
        self.app = make_app(parts.broker, parts.delegation, parts.current_settings, home.clock)
        self.context = chromium.new_context()
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def authenticator(self, *, verifies: bool = True):
        """A virtual authenticator of Chromium's (WebAuthn, 11.2)."""
        cdp = self.context.new_cdp_session(self.page)
        cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal" if verifies else "usb",
            "hasResidentKey": verifies,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cdp, made["authenticatorId"]

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def password(self, target: str = "/") -> None:
        self.go(f"/sign-in/local?next={quote(target, safe='')}")
        self.page.fill("#username", "lena")
        self.page.fill("#password", LENAS)
        self.page.click("button:has-text('Sign in') >> nth=0")

    def add_app(self) -> pyotp.TOTP:
        """Add an authenticator app by what its camera sees."""
        self.page.click("text=Authenticator app")
        seen = qr_camera.text(qr_camera.photograph(self.context, self.page.locator(".qr-frame svg")))
        app = pyotp.parse_uri(seen)
        assert isinstance(app, pyotp.TOTP)
        assert app.secret == self.page.text_content("#typed-key").replace(" ", "")
        self.page.fill("#code", app.at(self.home.clock.at))
        self.page.fill("#name", "My phone")
        self.page.click("text=Add it")
        assert self.page.locator("pre.codes").inner_text().count("\n") == 9
        return app

    def add_key(self) -> None:
        self.page.click("text=Security key or passkey")
        self.page.click("button:has-text('Go on')")
        self.page.wait_for_load_state()

    def title(self, words: str) -> None:
        self.page.wait_for_selector(f"h1:has-text('{words}')")

    def sign_out(self) -> None:
        self.page.click("text=Sign out >> nth=0")
        self.title("You are signed out")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chromium) -> Iterator[Served]:
    with opened_home(tmp_path, monkeypatch) as home:
        made = Served(home, chromium)
        yield made
        made.context.close()
        made.server.shutdown()
        assert made.complaints == []


def test_an_app_is_enrolled_by_what_the_qr_code_says_and_signs_in(served):
    served.home.user()
    served.password("/security/enrol")
    app = served.add_app()
    served.page.click("text=Done")
    assert "My phone" in served.page.inner_text("main")
    served.sign_out()
    served.home.later(minutes=1)
    served.password("/security")
    served.title("One more proof")
    served.page.fill("#code", "000000")
    served.page.click("button:has-text('Go on') >> nth=0")
    assert "Wait for the next code" in served.page.inner_text("main")
    served.page.fill("#code", app.at(served.home.clock.at))
    served.page.click("button:has-text('Go on') >> nth=0")
    served.title("Security")
    history = served.page.inner_text("main")
    assert "password, code of an app" in history and "Refused" in history


def test_a_passkey_is_enrolled_and_is_the_whole_sign_in(served):
    served.home.user()
    cdp, authenticator = served.authenticator()
    served.password("/security/enrol")
    served.add_key()
    served.title("Security key is added")
    held = cdp.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})["credentials"]
    assert [each["rpId"] for each in held] == ["localhost"]
    served.page.click("text=Done")
    served.sign_out()
    served.go("/sign-in/local?next=/security")
    served.page.click("text=Sign in with a passkey")
    served.title("Security")
    assert "Lena" in served.page.inner_text(".who")
    assert "Not used yet" not in served.page.inner_text("main")


def test_a_key_is_the_second_factor_after_the_password(served):
    served.home.user()
    served.authenticator(verifies=False)
    served.password("/security/enrol")
    served.add_key()
    served.page.click("text=Done")
    served.sign_out()
    served.password("/security")
    served.title("One more proof")
    served.page.click("text=Use a security key or passkey")
    served.title("Security")


def test_a_key_that_nobody_touches_says_how_to_go_on(served):
    served.home.user()
    cdp, authenticator = served.authenticator()
    served.password("/security/enrol")
    served.add_key()
    served.page.click("text=Done")
    served.sign_out()
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
    served.go("/sign-in/local")
    served.page.click("text=Sign in with a passkey")
    served.page.wait_for_selector("[data-webauthn-wrong]:visible")
    assert "Try again" in served.page.inner_text("[data-webauthn-wrong]")
    cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
    served.page.click("text=Sign in with a passkey")
    served.title("My roles")


def test_a_step_up_in_the_middle_of_getting_keys(served):
    home = served.home
    home.user()
    served.password("/security/enrol")
    app = served.add_app()
    home.later(minutes=40)
    served.go("/")
    row = served.page.locator(".role", has_text="Release")
    assert "Needs a second factor" in row.inner_text()
    before = served.context.cookies(served.base)
    row.locator("a", has_text="Keys").click()
    served.title("Prove that it is you")
    assert "Release" in served.page.inner_text("main")
    served.page.fill("#code", app.at(home.clock.at))
    served.page.click("button:has-text('Go on') >> nth=0")
    served.title("Keys for Release")
    after = served.context.cookies(served.base)
    value = {each["name"]: each["value"] for each in before}, {each["name"]: each["value"] for each in after}
    assert value[0]["daypass"] != value[1]["daypass"]
    # While the page was open, the proof grew old.
    home.later(minutes=20)
    served.page.fill("#reason", "INC-7")
    served.page.click("text=Get keys")
    served.title("Prove that it is you")
    served.page.fill("#code", app.at(home.clock.at))
    served.page.click("button:has-text('Go on') >> nth=0")
    served.title("Keys for Release")
    assert served.page.input_value("#reason") == "INC-7"
    served.page.click("text=Get keys")
    served.page.wait_for_selector("pre:visible")


def test_root_is_set_up_by_its_link_and_used_once_with_a_reason(served):
    home = served.home
    served.authenticator()
    served.go(f"/link?t={home.root_link()}")
    served.page.fill("#new", LENAS)
    served.page.fill("#again", LENAS)
    served.page.click("text=Go on to the devices")
    served.title("Add a second factor")
    served.page.click("text=Authenticator app")
    seen = qr_camera.text(qr_camera.photograph(served.context, served.page.locator(".qr-frame svg")))
    served.page.fill("#code", pyotp.parse_uri(seen).at(home.clock.at))
    served.page.click("text=Add it")
    served.title("Add a second factor")
    served.add_key()
    served.title("Root is set up")
    home.later(minutes=20)
    served.go("/root")
    served.page.fill("#password", LENAS)
    served.page.fill("#reason", REASON)
    served.page.click("text=Go on to the second factor")
    served.title("One more proof")
    served.page.click("text=Use a security key or passkey")
    served.title("My roles")
    banner = served.page.inner_text(".emergency")
    assert "You are root" in banner and REASON in banner
    assert served.page.locator(".role-name").all_inner_texts() == ["Admin"]
    served.go("/security")
    assert "Recovery codes" not in served.page.inner_text("main")
