"""A company whose two OpenID providers are the tests' own, so that they can lie, over real HTTP.

with OidcCompany(tmp_path) as acme:
    begun = acme.start()
    acme.callback(begun, acme.partner.authorize(begun.url))
"""

from __future__ import annotations

import ipaddress
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import requests

from app.errors import UpstreamFailed
from tests.attacks.directories import SamlCompany
from tests.company import ROOT
from tests.signin.oidc.builders import SECRET, FakeClock, Handler, Provider, public, rsa, running

RIVALS_SECRET = "the-rivals-own-secret"
SESSION = "daypass"
BINDING = "daypass-signin"
BEYOND_CACHES = timedelta(hours=1, seconds=1)
"""After so long, endpoints and keys are fetched anew."""


class HostClock(FakeClock):
    """The host's clock, as far ahead as it was moved."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@dataclass(frozen=True)
class Begun:
    """A sign-in under way in one browser."""

    browser: requests.Session
    source: str
    url: str
    """Where the browser was sent."""


class OidcCompany(SamlCompany):
    """The shipped company behind a trusted proxy, each browser with an address of its own.

    `partner` and `rival` are OpenID providers; the rival is also asked for userinfo. `corp` is the SAML
    directory, to see that one source's trouble is its own. `labs` is one whose metadata would be at the
    partner's `/metadata`, where there is nothing.
    """

    partner: Provider
    rival: Provider

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        self._clients = count(int(ipaddress.IPv4Address("198.18.0.1")))
        self._providers = ExitStack()
        self._clock = HostClock()
        self.partner, self.rival = (self._providers.enter_context(running()) for _ in range(2))
        self.partner.clock = self.rival.clock = self._clock
        self.rival.client_secret = RIVALS_SECRET
        shipped = (ROOT / "config" / "providers" / "partner.yaml").read_text()
        partner = shipped.replace("http://127.0.0.1:8002", self.partner.issuer)
        rival = shipped.replace("http://127.0.0.1:8002", self.rival.issuer).replace(
            "{env: PARTNER_CLIENT_SECRET}", "{env: RIVAL_CLIENT_SECRET}\nuserinfo: true"
        )
        labs = (ROOT / "config" / "providers" / "corp.yaml").read_text()
        labs = labs.replace("http://127.0.0.1:8001", self.partner.issuer).replace("Acme staff", "Labs")
        rival = rival.replace("Partners", "Rivals")
        super().__init__(
            folder,
            workers=workers,
            more_providers={"partner": partner, "rival": rival, "labs": labs},
        )
        self.secrets |= {"PARTNER_CLIENT_SECRET": SECRET, "RIVAL_CLIENT_SECRET": RIVALS_SECRET}

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        super()._configure(providers, files)
        daypass = self.config / "daypass.yaml"
        daypass.write_text(
            daypass.read_text().replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1, '::1']")
        )

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._providers.close()

    def honest(self) -> None:
        """Both providers as they were at first; what they saw stays."""
        for provider in (self.partner, self.rival):
            for name in ("header", "claims", "metadata", "response", "callback", "userinfo"):
                setattr(provider, name, {})
            provider.keys, provider.signing_key, provider.forge = [public(rsa(), kid="k1")], rsa(), None
            provider.__post_init__()

    def later(self, by: timedelta = BEYOND_CACHES) -> None:
        """Move the broker's clock, and the providers' with it."""
        self._clock.ahead += by
        self.ahead = self._clock.ahead.total_seconds()
        self.move_clock(self.ahead)

    def browser(self) -> requests.Session:
        """A browser at an address of its own."""
        session = requests.Session()
        session.trust_env = False
        session.headers["X-Forwarded-For"] = str(ipaddress.IPv4Address(next(self._clients)))
        session.headers["Accept"] = "application/json"
        return session

    def copy_of(self, browser: requests.Session) -> requests.Session:
        """The same cookies at another address, over a connection of its own: either worker may get it."""
        another = self.browser()
        another.cookies.update(browser.cookies)
        return another

    def ask_to_start(
        self, source: str = "partner", browser: requests.Session | None = None, next_path: str = "/"
    ) -> requests.Response:
        """`GET /sign-in/SOURCE`, whatever the answer."""
        return (browser or self.browser()).get(
            f"{self.base_url}/sign-in/{source}", params={"next": next_path}, allow_redirects=False, timeout=30
        )

    def start(
        self, source: str = "partner", browser: requests.Session | None = None, next_path: str = "/"
    ) -> Begun:
        """Start a sign-in as a browser does, as far as the provider's door."""
        browser = browser or self.browser()
        answer = self.ask_to_start(source, browser, next_path)
        assert answer.status_code == 303, answer.text
        return Begun(browser, source, answer.headers["Location"])

    def provider(self, source: str) -> Provider:
        """The provider of a source."""
        return {"partner": self.partner, "rival": self.rival, "labs": self.partner}[source]

    def callback(
        self, begun: Begun, fields: Mapping[str, str] | str | None = None, **headers: str
    ) -> requests.Response:
        """The provider's answer, brought by the same browser; the honest one if none is given."""
        if fields is None:
            fields = self.provider(begun.source).authorize(begun.url)
        return begun.browser.get(
            f"{self.base_url}/oidc/{begun.source}/callback",
            params=fields,
            headers=headers,
            allow_redirects=False,
            timeout=30,
        )

    def attempt(self, source: str = "partner") -> tuple[requests.Session, requests.Response]:
        """A whole sign-in with the provider's knobs as they stand: the browser and the last answer."""
        begun = self.start(source)
        return begun.browser, self.callback(begun)

    def why(self, answer: requests.Response) -> str:
        """What the operator's log says about a refusal."""
        wanted = f'"request_id": "{answer.headers["X-Request-Id"]}"'
        lines = [json.loads(line) for line in self.log().splitlines() if wanted in line]
        return " ".join(str(line["why"]) for line in lines if line["message"] == "refused")


def at_once(calls: Sequence[Callable[[], requests.Response]]) -> list[requests.Response]:
    """All calls in the same instant, each in a thread of its own."""
    gate = threading.Barrier(len(calls))

    def call(one: Callable[[], requests.Response]) -> requests.Response:
        gate.wait()
        return one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def failing(answer: requests.Response, code: str, status: int = UpstreamFailed.status) -> dict[str, Any]:
    """The problem, after a look at all that is promised of a 502 or 503."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["Cache-Control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert (problem["code"], problem["status"]) == (code, status), problem
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["type"] == f"urn:daypass:error:{code}"
    return problem


# --- slower than the tests of the source alone: the deadline is the real one here ----------------------------


def byte_a_second(handler: Handler) -> None:
    """Whole headers at once, then a byte a second for as long as somebody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not _hung_up(handler, 1.0):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def hang(handler: Handler) -> None:
    """Not a word for as long as somebody listens."""
    while not _hung_up(handler, 30.0):
        pass
    handler.close_connection = True


def _hung_up(handler: Handler, seconds: float) -> bool:
    """Wait for the other side to close."""
    handler.connection.settimeout(seconds)
    try:
        return not handler.connection.recv(1)
    except TimeoutError:
        return False
    finally:
        handler.connection.settimeout(None)
