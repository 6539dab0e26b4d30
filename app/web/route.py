"""A row of the table of addresses: which door, behind which guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flask import Response

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
    """The signed-in, by cookie or `Authorization`; others get 401."""


class Csrf(StrEnum):
    """What keeps another site from doing this with somebody's browser."""

    SAFE = "safe"
    """Nothing is changed or given away."""
    FORM = "form"
    """The session's token in the form, and Origin or Sec-Fetch-Site."""
    ORIGIN = "origin"
    """Origin or Sec-Fetch-Site; JSON only."""
    PENDING = "pending"
    """Only the answer to a sign-in that this browser started is taken."""


class Cors(StrEnum):
    """Which other origins may read the answer."""

    NONE = "none"


@dataclass(frozen=True, slots=True)
class Route:
    """One address and its guard."""

    address: str
    methods: tuple[str, ...]
    guard: Guard
    csrf: Csrf
    handler: Callable[..., Response]
    """Takes a `Visit` and the variable parts of the address by name."""
    cors: Cors = Cors.NONE
    body: int = ORDINARY_BODY
    """Most bytes of a request body, whether or not its length was announced."""

    @property
    def endpoint(self) -> str:
        """`GET /keys`: the row's name."""
        return f"{self.methods[0]} {self.address}"
