"""A company whose SAML directory is the tests' own, so that its answers can be forged, over real HTTP."""

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from lxml import etree

from tests.company import ROOT, Company
from tests.signin.saml.builders import Idp, posted, signed


def corp(metadata: str = "corp-metadata.xml") -> str:
    """The shipped SAML provider, its metadata from a file."""
    text = (ROOT / "config" / "providers" / "corp.yaml").read_text()
    return text.replace("{url: http://127.0.0.1:8001/metadata}", f"{{file: {metadata}}}")


@dataclass(frozen=True)
class Started:
    """A sign-in under way in one browser."""

    browser: requests.Session
    request_id: str
    handle: str
    """RelayState."""


class SamlCompany(Company):
    """The shipped company with a directory whose key the tests hold."""

    def __init__(self, folder: Path, idp: Idp | None = None, **options: object) -> None:
        self.idp = idp or Idp()
        super().__init__(
            folder,
            providers={"corp": corp(), **options.pop("more_providers", {})},  # type: ignore[dict-item]
            files={"corp-metadata.xml": self.idp.metadata()},
            **options,  # type: ignore[arg-type]
        )
        self.ahead = 0.0

    @property
    def acs(self) -> str:
        return f"{self.base_url}/saml/corp/acs"

    def now(self) -> datetime:
        """By the broker's clock."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def begin(
        self, browser: requests.Session | None = None, next_path: str = "/", source: str = "corp"
    ) -> Started:
        """Start a sign-in as a browser does, as far as the directory's door."""
        browser = browser or requests.Session()
        answer = browser.get(
            f"{self.base_url}/sign-in/{source}", params={"next": next_path}, allow_redirects=False, timeout=20
        )
        assert answer.status_code in (302, 303), answer.text
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        request = zlib.decompress(base64.b64decode(query["SAMLRequest"][0]), -15)
        return Started(browser, str(etree.fromstring(request).get("ID")), query["RelayState"][0])

    def document(self, started: Started, **knobs: object) -> str:
        """An honest response to it, not yet signed."""
        given = {
            "now": self.now(),
            "entity": f"{self.base_url}/saml/corp/metadata",
            "acs": self.acs,
            "assertion_id": f"_a{started.request_id}",
            "response_id": f"_r{started.request_id}",
            **knobs,
        }
        return self.idp.document(started.request_id, **given)  # type: ignore[arg-type]

    def response(self, started: Started, knobs: dict[str, object] | None = None, **how: object) -> bytes:
        """The same, signed; `how` as `signed` in the SAML builders."""
        return signed(self.document(started, **(knobs or {})), self.idp.key, **how)  # type: ignore[arg-type]

    def post(
        self, started: Started, document: bytes | str, to: str | None = None, **form: str
    ) -> requests.Response:
        """The directory's answer, posted by the same browser; `to` another server than the company's first."""
        text = document if isinstance(document, str) else posted(document)
        return started.browser.post(
            self.acs if to is None else f"{to}/saml/corp/acs",
            data={"SAMLResponse": text, "RelayState": started.handle, **form},
            headers={"Origin": "https://idp.acme.test", "Accept": "application/json"},
            allow_redirects=False,
            timeout=30,
        )

    def sign_in(self, **knobs: object) -> requests.Session:
        """An honest sign-in; the browser that holds the session."""
        started = self.begin()
        answer = self.post(started, self.response(started, dict(knobs)))
        assert answer.status_code == 303, answer.text
        return started.browser

    def me(self, browser: requests.Session) -> requests.Response:
        return browser.get(f"{self.base_url}/v1/me", timeout=20)

    def ask(self, browser: requests.Session, role: str, **members: object) -> requests.Response:
        """`POST /v1/credentials` as a program does."""
        return browser.post(f"{self.base_url}/v1/credentials", json={"role": role, **members}, timeout=30)
