"""How a client shows who it is (RFC 6749, 2.3): Basic, in the form, or not at all; never in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from authlib.oauth2.rfc6749.util import extract_basic_authorization

from app.errors import ClientRefused, GrantError
from app.model import ClientProof
from app.web.oauth import parameters
from app.web.wire import Request

FIELDS: Final = ("client_id", "client_secret")
METHODS: Final = ("client_secret_basic", "client_secret_post", "none")
"""As the metadata names them (RFC 7591, 2)."""
_LONGEST: Final = 2048


def named(request: Request) -> str:
    """The client that the request says it is of: the very one that `proof` finds. Raises as it, and TooLarge."""
    return proof(request, parameters.of_form(request, FIELDS)).id


def proof(request: Request, values: Mapping[str, str]) -> ClientProof:
    """What the request shows of its client, not yet believed.

    Raises:
        ClientRefused (nothing, or nothing that can be read), GrantError (two ways at once, two names).
    """
    named, secret = values.get("client_id"), values.get("client_secret")
    if "HTTP_AUTHORIZATION" not in request.environ:
        if named is None:
            raise ClientRefused("no client is named", words="The request does not say which client asks.")
        return ClientProof(named, secret)
    if secret is not None:
        raise GrantError("Basic and client_secret", words="Show the client's secret in one way, not in two.")
    shown, password = _basic(request)
    if named is not None and named != shown:
        raise GrantError("Basic and client_id differ", words="The request names two different clients.")
    return ClientProof(shown, password)


def _basic(request: Request) -> tuple[str, str | None]:
    if len(request.headers["Authorization"]) > _LONGEST:
        raise ClientRefused("Authorization is too long")
    try:
        shown, password = extract_basic_authorization(request.headers)
    except ValueError:  # not UTF-8 inside
        shown = password = None
    if not shown or password is None or not (shown + password).isascii():
        raise ClientRefused("Authorization is not Basic with a name and a password")
    return shown, password or None
