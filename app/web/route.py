"""A row of the table of addresses: which door, behind which guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.errors import Refusal
from app.model import Scope
from app.web.wire import Request, Response

READ = ("GET", "HEAD")
GET_ONLY = ("GET",)
"""For addresses where a GET starts or uses up something, so that a HEAD must not do it."""
POST = ("POST",)

ORDINARY_BODY = 64 * 1024
ASSERTION_BODY = 512 * 1024
"""A form with a SAML response of at most 256 KiB, in base64."""


class Guard(StrEnum):
    """Who gets through to the handler."""

    NONE = "none"
    """Anybody; nobody is looked up."""
    OPTIONAL = "optional"
    """Anybody; who is signed in is known to the handler."""
    PAGE = "page"
    """The signed-in, by cookie; others are led to the sign-in page."""
    API = "api"
    """The signed-in, by cookie, or by access token with the row's scope; others get 401."""
    CLIENT = "client"
    """An OAuth client by its own proof in the request; who is signed in does not count. The broker checks it."""


class Csrf(StrEnum):
    """What keeps another site from doing this with somebody's browser."""

    SAFE = "safe"
    """Nothing is changed or given away."""
    FORM = "form"
    """The session's token in the form, and Origin or Sec-Fetch-Site."""
    ORIGIN = "origin"
    """Origin or Sec-Fetch-Site; JSON only. Not with a token: no browser adds one by itself."""
    PENDING = "pending"
    """Only the answer to a sign-in that this browser started is taken."""
    BROWSER = "browser"
    """With a POST, Origin or Sec-Fetch-Site, one of which must be there: a form before there is a session. What comes
    of it is bound to the secret in the browser's short-lived cookie."""
    PROOF = "proof"
    """No cookie is looked at: what counts is proven in the request itself."""


class Cors(StrEnum):
    """Which other origins may read the answer."""

    NONE = "none"
    CLIENTS = "clients"
    """Those that the client which asks declares; never with a cookie (`app.web.cors`)."""


@dataclass(frozen=True, slots=True)
class Route:
    """One address and its guard."""

    address: str
    methods: tuple[str, ...]
    guard: Guard
    csrf: Csrf
    handler: Callable[..., Response]
    """Takes a `Visit` and the variable parts of the address by name."""
    scope: Scope | None = None
    """What an access token must have been given for; every API row names one."""
    refused: Callable[[Refusal, str, Request], Response] | None = None
    """A refusal (with the request's id, and the request) as this address's clients read it; None: problem+json or a page."""
    cors: Cors = Cors.NONE
    client: Callable[[Request], str] | None = None
    """Which client a request says it is of; for every row with `Guard.CLIENT` that other origins may call."""
    body: int = ORDINARY_BODY
    """Most bytes of a request body, whether or not its length was announced."""

    @property
    def endpoint(self) -> str:
        """`GET /keys`: the row's name."""
        return f"{self.methods[0]} {self.address}"
