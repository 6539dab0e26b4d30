"""What an OpenID provider says about itself (OpenID Connect Discovery 1.0), and how far it is believed.

The issuer must be the configured one, to the letter, and every address must be https, or http on loopback
where the issuer is so too. What is announced never widens what we accept: the algorithms come from our own
configuration.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from app.clock import Clock
from app.errors import ProviderFailed
from app.outbound import LONGEST_URL, Fetcher
from app.signin.oidc_json import read_object

LIFE: Final = timedelta(hours=1)
"""How long a document is used. Nothing is used longer because a new one cannot be had: an address or a key
that was withdrawn must be gone after this time, and a provider that is down cannot finish a sign-in anyway."""
PAUSE: Final = timedelta(seconds=5)
"""After a failed fetch, before the next: strangers who click on a dead provider must not hold the workers."""

_BASIC: Final = "client_secret_basic"
_POST: Final = "client_secret_post"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The part of the provider's metadata that we use, checked."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    names_itself: bool
    """It announces `iss` in its authorization responses (RFC 9207 3), so one without it is not its own."""
    secret_in_body: bool
    """It takes the client secret in the form only (`client_secret_post`), not by HTTP Basic."""


class Pause:
    """A failed fetch, remembered for a moment, so that the next callers meet it without waiting again."""

    def __init__(self) -> None:
        self._failure: tuple[ProviderFailed, datetime] | None = None

    def begin(self, now: datetime) -> None:
        """Before a fetch. Raises the failure of a moment ago, if there was one."""
        if self._failure is not None and recent(self._failure[1], now, PAUSE):
            failure = self._failure[0]
            raise type(failure)(f"{failure.detail} (a moment ago; not tried again yet)")
        self._failure = None

    def note(self, failure: ProviderFailed, now: datetime) -> None:
        """After a fetch that failed."""
        self._failure = (failure, now)


class Discovery:
    """The endpoints of one provider, asked for at most once an hour. Safe to use from many threads."""

    def __init__(self, issuer: str, fetch: Fetcher, clock: Clock) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: Endpoints | None = None
        self._fetched: datetime | None = None
        self._pause = Pause()

    def endpoints(self) -> Endpoints:
        """The provider's endpoints. Raises ProviderFailed."""
        # One thread fetches, the others wait for it and share what it found, also when that is a failure.
        with self._lock:
            now = self._clock.now()
            if self._endpoints is not None and recent(self._fetched, now, LIFE):
                return self._endpoints
            self._pause.begin(now)
            try:
                self._endpoints, self._fetched = read(self._document(), self._issuer), now
            except ProviderFailed as failure:
                self._pause.note(failure, self._clock.now())
                raise
            return self._endpoints

    def _document(self) -> bytes:
        # Discovery 4.1: a last slash of the issuer is left out before the path is added.
        answer = self._fetch.get(self._issuer.removesuffix("/") + "/.well-known/openid-configuration")
        if answer.status != 200:
            raise ProviderFailed(f"discovery: the provider answers with status {answer.status}")
        return answer.body


def recent(then: datetime | None, now: datetime, span: timedelta) -> bool:
    """True if `then` lies at most `span` back. A clock that was set back makes nothing live longer."""
    return then is not None and timedelta(0) <= now - then < span


def read(document: bytes, issuer: str) -> Endpoints:
    """The endpoints in a metadata document (Discovery 3). Raises ProviderFailed."""
    try:
        metadata = read_object(document)
    except ValueError as error:
        raise ProviderFailed(f"discovery: the document cannot be read: {error}") from None
    if metadata.get("issuer") != issuer:  # Discovery 4.3: exactly; one slash more is another issuer
        raise ProviderFailed("discovery: the document speaks for another issuer than the configured one")
    loopback = urlsplit(issuer).scheme == "http"
    return Endpoints(
        authorization=_address(metadata, "authorization_endpoint", loopback),
        token=_address(metadata, "token_endpoint", loopback),
        keys=_address(metadata, "jwks_uri", loopback),
        userinfo=_address(metadata, "userinfo_endpoint", loopback)
        if "userinfo_endpoint" in metadata
        else None,
        names_itself=metadata.get("authorization_response_iss_parameter_supported") is True,
        secret_in_body=_secret_in_body(metadata),
    )


def _address(metadata: Mapping[str, object], name: str, loopback: bool) -> str:
    value = metadata.get(name)
    if not isinstance(value, str) or not _acceptable(value, loopback):
        raise ProviderFailed(
            f"discovery: `{name}` is missing or is not an https address (http only on loopback, "
            "where the issuer is so too)"
        )
    return value


def _acceptable(url: str, loopback: bool) -> bool:
    """Safe to send a browser or our secret to: no other scheme, no user name, nothing that splits a header."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _secret_in_body(metadata: Mapping[str, object]) -> bool:
    methods = metadata.get("token_endpoint_auth_methods_supported", [_BASIC])  # Discovery 3: the default
    if not isinstance(methods, list):
        raise ProviderFailed("discovery: `token_endpoint_auth_methods_supported` is not a list")
    return _BASIC not in methods and _POST in methods
