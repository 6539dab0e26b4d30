"""The broker as it stands in production: https by a proxy in front, `__Host-` cookies, no double of AWS.

Its names and its clock are those of the SAML unit tests, so that every attack of theirs can be mounted over
HTTP as it is.

    with Production(tmp_path) as acme:
        acme.post(acme.begin(), document)
"""

from __future__ import annotations

import ipaddress
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.attacks.directories import SamlCompany, Started, corp
from tests.company import Process
from tests.signin.saml.builders import BASE, IDP, NOW, Idp, rsa_key, signed

LABS = Idp(entity_id="https://labs.acme.test/saml", key=rsa_key("labs"))
"""The directory of a second SAML source, `labs`."""
SESSION = "__Host-daypass"
BINDING = "__Host-daypass-signin"


class Proxy(HTTPAdapter):
    """Ends TLS in front of the broker, as far as the broker can see it, and says who the client is."""

    def __init__(self, port: int, client: str) -> None:
        super().__init__()
        self._port = port
        self._client = client

    def send(self, request: requests.PreparedRequest, *rest: Any, **how: Any) -> requests.Response:
        """Pass a request for https://… on to the broker's port."""
        asked = str(request.url)
        parts = urlsplit(asked)
        inner = request.copy()
        inner.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self._port}").geturl()
        inner.headers.setdefault("Host", parts.netloc)
        inner.headers["X-Forwarded-For"] = ", ".join(
            filter(None, (inner.headers.get("X-Forwarded-For"), self._client))
        )
        answer = super().send(inner, *rest, **how)
        answer.url = asked
        return answer


class Production(SamlCompany):
    """Two workers behind a trusted proxy; each browser has an address of its own unless it is given one."""

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        self._clients = count(int(ipaddress.IPv4Address("198.18.0.1")))
        super().__init__(folder, Idp(entity_id=IDP), workers=workers)

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        self.base_url = BASE
        labs = corp("labs-metadata.xml").replace("Acme staff", "Labs")
        super()._configure(
            {**(providers or {}), "labs": labs}, {**files, "labs-metadata.xml": LABS.metadata()}
        )
        daypass = self.config / "daypass.yaml"
        lines = [line for line in daypass.read_text().splitlines() if "_endpoint" not in line]
        daypass.write_text(
            "\n".join(lines).replace("trusted_proxies: []", "trusted_proxies: [127.0.0.1]") + "\n"
        )
        partner = self.config / "providers" / "partner.yaml"
        partner.write_text(partner.read_text().replace("http://127.0.0.1:8002", "https://partner.acme.test"))
        social = self.config / "providers" / "social.yaml"
        social.write_text(social.read_text().replace("http://127.0.0.1:8003", "https://social.acme.test"))

    def start_aws(self) -> None:
        """Nothing: off loopback a double is refused."""

    def start_broker(self) -> None:
        """With the port that the proxy knows."""
        served = (
            "import sys; from app.serve import main; sys.exit(main(sys.argv[1:], target='tests.served:app'))"
        )
        where = ["--workers", str(self._workers), "--host", "127.0.0.1", "--port", str(self.port)]
        self.broker = Process("broker", [sys.executable, "-c", served, *where], self.folder, self.env)
        self.broker.wait_for(f"http://127.0.0.1:{self.port}/readyz")

    def browser(self, client: str | None = None) -> requests.Session:
        """A browser at a client's address."""
        session = requests.Session()
        session.trust_env = False
        session.mount(BASE, Proxy(self.port, client or str(ipaddress.IPv4Address(next(self._clients)))))
        return session

    def begin(
        self, browser: requests.Session | None = None, next_path: str = "/", source: str = "corp"
    ) -> Started:
        """As any company does, with a browser that comes through the proxy."""
        return super().begin(browser or self.browser(), next_path, source)

    def at(self, then: datetime) -> None:
        """Set the broker's clock."""
        self.ahead = (then - datetime.now(UTC)).total_seconds()
        self.move_clock(self.ahead)


class Mounted:
    """What an attack of the unit tests is given: a provider and a sign-in under way, here over HTTP."""

    def __init__(self, idp: Idp, request_id: str) -> None:
        self.idp = idp
        self.request_id = request_id

    def document(self, **knobs: object) -> str:
        """An honest response at `NOW`, not yet signed."""
        return self.idp.document(self.request_id, **{"now": NOW, **knobs})  # type: ignore[arg-type]

    def response(
        self, knobs: dict[str, object] | None = None, document: str | None = None, **how: object
    ) -> bytes:
        """The same, signed."""
        text = document if document is not None else self.document(**(knobs or {}))
        return signed(text, self.idp.key, **how)  # type: ignore[arg-type]
