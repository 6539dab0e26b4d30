"""A company whose people let helpers and apps in, over real HTTP: two workers, each caller at an address of its own.

with OauthCompany(tmp_path) as acme:
    cli = acme.app()
    tokens = cli.tokens(acme.person())
    acme.bearer(tokens["access_token"])

Beside the helper `cli` there are `pocket`, another app without a secret, and `wiki`, which has one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.attacks.answers import documented, refused
from tests.attacks.oidc_company import OidcCompany, at_once

VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"
WIKI_SECRET = "s3cr3t-of-the-wiki-0123456789"
WIKI_REDIRECT = "https://wiki.acme.test/cb"
CLIENTS = {
    "wiki": f"name: Wiki\ngrants: [code, device, refresh]\nredirect_uris: ['{WIKI_REDIRECT}']\n"
    "secret: {env: WIKI_CLIENT_SECRET}\n",
    "pocket": "name: Pocket\ngrants: [code, device, refresh]\n"
    "redirect_uris: ['http://127.0.0.1/pocket', 'http://[::1]/pocket']\n",
}
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EVERYWHERE = 16
"""Connections of their own, so that both workers get some."""
_HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


def challenge(verifier: str) -> str:
    """Its S256 (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def hidden(page: requests.Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    assert page.status_code == 200, page.text
    return {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}


def sent_to(answer: requests.Response) -> dict[str, str]:
    """What a redirect to a client tells it."""
    assert answer.status_code == 303, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def ungranted(answer: requests.Response, error: str | None = None) -> str:
    """`error` of a refusal, after a look at all that is promised of one to OAuth's clients."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"error", "error_description", "code", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert (answer.status_code, body["code"]) in documented(), body
    assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    assert error is None or body["error"] == error, body
    return str(body["error"])


def outcomes(answers: Sequence[requests.Response]) -> Counter[str]:
    """How many were `in`, and what the others heard."""
    return Counter("in" if answer.status_code == 200 else ungranted(answer) for answer in answers)


class OauthCompany(OidcCompany):
    """The company with more clients than the helper."""

    def __init__(self, folder: Path, *, workers: int = 2) -> None:
        super().__init__(folder, workers=workers)
        self.secrets["WIKI_CLIENT_SECRET"] = WIKI_SECRET
        self.began = self._clock.now()

    def _configure(self, providers: dict[str, str] | None, files: dict[str, bytes]) -> None:
        super()._configure(providers, files)
        (self.config / "clients").mkdir(exist_ok=True)
        for name, text in CLIENTS.items():
            (self.config / "clients" / f"{name}.yaml").write_text(text)

    def clock_now(self) -> datetime:
        """By the broker's clock."""
        return self._clock.now()

    def at(self, then: datetime) -> None:
        """Set the broker's clock, and everybody's with it."""
        self.later(then - self._clock.now())

    def new_minute(self) -> None:
        """The beginning of the next minute, in which nothing was counted yet."""
        self.at(self._clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1))

    def person(self, browser: requests.Session | None = None, **knobs: object) -> requests.Session:
        """Somebody signs in, ana if not said otherwise: a browser at an address of its own."""
        started = self.begin(browser or self.browser())
        answer = self.post(started, self.response(started, dict(knobs)))
        assert answer.status_code == 303, answer.text
        return started.browser

    def named(self, name: str) -> requests.Session:
        """Another person."""
        rows = (("uid", None, [name]), ("memberOf", None, ["sre"]))
        return self.person(name_id=f"{name}-9c2e", attributes=rows)

    def app(self, client: str = "cli") -> App:
        """One of the clients, honest as far as it is asked to be."""
        if client == "wiki":
            return App(self, client, WIKI_REDIRECT, WIKI_SECRET)
        return App(self, client, f"http://127.0.0.1:49152/{'callback' if client == 'cli' else client}")

    def call(self, path: str, fields: Mapping[str, str], client: str | None = None) -> requests.Response:
        """A form as a client posts it, from an address of its own or the given one."""
        wire = self.browser()
        if client is not None:
            wire.headers["X-Forwarded-For"] = client
        with wire:
            return wire.post(f"{self.base_url}{path}", data=fields, allow_redirects=False, timeout=60)

    def bearer(self, token: str, **headers: str) -> requests.Response:
        """`GET /v1/me` with an access token, over a connection of its own."""
        with self.browser() as wire:
            return wire.get(
                f"{self.base_url}/v1/me", headers={"Authorization": f"Bearer {token}", **headers}, timeout=60
            )

    def everywhere(self, token: str) -> list[requests.Response]:
        """The same many times at once, so that both workers say what they think of it."""
        return at_once([lambda: self.bearer(token)] * EVERYWHERE)

    def good(self, token: str, username: str = "ana") -> None:
        """Every worker takes it, as that person's."""
        for answer in self.everywhere(token):
            assert answer.status_code == 200, answer.text
            assert answer.json()["username"] == username

    def bad(self, token: str) -> None:
        """No worker takes it."""
        for answer in self.everywhere(token):
            refused(answer, "token.invalid")
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    def session_of(self, tokens: Mapping[str, Any]) -> str:
        """The public id of the session that an access token is of."""
        body = tokens["access_token"].split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=="))["sid"])

    def trail(self) -> str:
        """Everything on record, as text."""
        return self.audit("search", "--json", "--limit", "100000").stdout


@dataclass
class App:
    """A client and what it sends when it is honest; every change is an attack."""

    acme: OauthCompany
    client: str
    redirect: str
    secret: str | None = None

    @property
    def proof(self) -> dict[str, str]:
        """Who it is."""
        return {"client_id": self.client, **({"client_secret": self.secret} if self.secret else {})}

    def ask(self, **changes: str | None) -> dict[str, str]:
        """An authorization request; None leaves a parameter out."""
        asked = {
            "response_type": "code",
            "client_id": self.client,
            "redirect_uri": self.redirect,
            "code_challenge": challenge(VERIFIER),
            "code_challenge_method": "S256",
            "state": "the-apps-own-state",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def open(self, browser: requests.Session, **changes: str | None) -> requests.Response:
        """The page that asks, or what stands in its place."""
        return browser.get(
            f"{self.acme.base_url}/oauth/authorize",
            params=self.ask(**changes),
            allow_redirects=False,
            timeout=60,
        )

    def open_as_page(self, browser: requests.Session, **changes: str | None) -> requests.Response:
        """The same, as a person's browser asks for it."""
        return browser.get(
            f"{self.acme.base_url}/oauth/authorize",
            params=self.ask(**changes),
            headers={"Accept": "text/html"},
            allow_redirects=False,
            timeout=60,
        )

    def click(
        self, browser: requests.Session, decision: str = "allow", **changes: str | None
    ) -> requests.Response:
        """The person's click; the page was an honest one, the form has the changes."""
        fields = hidden(self.open(browser))
        return browser.post(
            f"{self.acme.base_url}/oauth/authorize",
            data={"csrf": fields["csrf"], **self.ask(**changes), "decision": decision},
            headers={"Origin": self.acme.base_url},
            allow_redirects=False,
            timeout=60,
        )

    def code(self, browser: requests.Session, **changes: str | None) -> str:
        """A code, by the person's click."""
        told = sent_to(self.click(browser, **changes))
        assert (told["state"], told["iss"]) == ("the-apps-own-state", self.acme.base_url)
        return told["code"]

    def token(self, *, address: str | None = None, **fields: str | None) -> requests.Response:
        """`POST /oauth/token`; None leaves a parameter out."""
        sent = {name: value for name, value in {**self.proof, **fields}.items() if value is not None}
        return self.acme.call("/oauth/token", sent, address)

    def redeem(self, code: str, **changes: str | None) -> requests.Response:
        """A code for tokens."""
        return self.token(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": self.redirect,
                "code_verifier": VERIFIER,
                **changes,
            }
        )

    def refresh(self, token: str, **changes: str | None) -> requests.Response:
        """A refresh token for its successor."""
        return self.token(**{"grant_type": "refresh_token", "refresh_token": token, **changes})

    def tokens(self, browser: requests.Session, **changes: str | None) -> dict[str, Any]:
        """Let in by a person, whole."""
        return given(self.redeem(self.code(browser, **changes)))

    def device(self, *, address: str | None = None, **fields: str) -> dict[str, Any]:
        """A device of this client's asks to be let in."""
        answer = self.acme.call("/oauth/device_authorization", {**self.proof, **fields}, address)
        assert answer.status_code == 200, answer.text
        begun: dict[str, Any] = answer.json()
        return begun

    def poll(self, device_code: str, **changes: str | None) -> requests.Response:
        """A device asks whether it is let in."""
        return self.token(**{"grant_type": DEVICE_CODE, "device_code": device_code, **changes})

    def decide(
        self, browser: requests.Session, user_code: str, decision: str = "approve", **headers: str
    ) -> requests.Response:
        """The person's click on the device's page."""
        page = browser.get(
            f"{self.acme.base_url}/device", params={"user_code": user_code}, allow_redirects=False, timeout=60
        )
        fields = {**hidden(page), "decision": decision}
        return browser.post(
            f"{self.acme.base_url}/device",
            data=fields,
            headers={"Origin": self.acme.base_url, **headers},
            allow_redirects=False,
            timeout=60,
        )


def given(answer: requests.Response) -> dict[str, Any]:
    """The tokens that an answer gives, which nobody may keep."""
    assert answer.status_code == 200, answer.text
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    body: dict[str, Any] = answer.json()
    assert body["token_type"] == "Bearer"
    return body
