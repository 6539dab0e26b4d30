"""Pages of other origins that call us (Fetch Standard, "CORS protocol"): only a client's own, and only as that client.

A preflight names no client. It gives nothing, so it is enough that some client declares the origin. The call is
refused unless the client that makes it does; until that client is known, the pages of any client may read what is
refused. Cookies are not looked at in such calls, so `Access-Control-Allow-Credentials` is never said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.errors import OriginRefused
from app.model import Settings
from app.web.route import Cors, Guard, Route
from app.web.visit import Visit
from app.web.wire import Request, Response

MAX_AGE: Final = 600
"""Seconds for which a browser need not ask again; a client that declares less is obeyed at the call itself."""
_MAY_SEND: Final = "Authorization, Content-Type"
_MAY_READ: Final = "Retry-After, WWW-Authenticate, X-Request-Id"
"""Beyond the body, and the headers that every page may read."""


def elsewhere(route: Route, request: Request, settings: Settings) -> str:
    """The origin of a page that is not ours and makes this call.

    Empty where no browser says one, where it is our own, and for rows and calls that are nothing for other
    origins: one with a cookie is for `origin.check_api` to refuse.
    """
    if route.cors is Cors.NONE or (route.guard is Guard.API and "HTTP_AUTHORIZATION" not in request.environ):
        return ""
    origin: str = request.environ.get("HTTP_ORIGIN", "")
    return "" if origin == settings.base_url else origin


def check_declared(visit: Visit, origin: str) -> None:
    """Some client declares it. Raises OriginRefused, Unavailable."""
    if not visit.broker.origin_known(origin):
        raise OriginRefused(f"no client declares the origin {origin[:200]!r}")


def check_own(route: Route, visit: Visit, origin: str) -> None:
    """The client that makes this call declares it.

    Raises:
        OriginRefused, Unavailable, and what reading the client's name raises.
    """
    client = visit.session.client if visit.session is not None else None
    if route.client is not None:
        client = route.client(visit.request)
    if not client or not visit.broker.origin_known(origin, client):
        raise OriginRefused(f"client {str(client)[:64]!r} does not declare the origin {origin[:200]!r}")


def preflight(rows: Sequence[Route], visit: Visit) -> Response | None:
    """The answer to a browser that asks before a call; None if it is no such question, or one about nothing here.

    `rows`: those of the address. Raises OriginRefused, Unavailable.
    """
    asked = visit.request.headers
    methods = sorted({method for row in rows if row.cors is Cors.CLIENTS for method in row.methods})
    if "Origin" not in asked or asked.get("Access-Control-Request-Method") not in methods:
        return None
    check_declared(visit, asked["Origin"])
    response = Response(status=204)
    del response.headers["Content-Type"]  # there is nothing that could have one
    response.headers["Access-Control-Allow-Methods"] = ", ".join(methods)
    response.headers["Access-Control-Allow-Headers"] = _MAY_SEND
    response.headers["Access-Control-Max-Age"] = str(MAX_AGE)
    return response


def let_read(response: Response, origin: str) -> None:
    """Let the pages of this origin read the answer; it was found declared."""
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Expose-Headers"] = _MAY_READ
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
