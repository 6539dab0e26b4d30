"""The guards of the table of addresses, made real. Each either lets a visit through or raises."""

from __future__ import annotations

from dataclasses import replace

from flask import Request

from app.errors import NotSignedIn, TokenInvalid
from app.web import cookies, forms, origin
from app.web.route import Csrf, Guard, Route
from app.web.visit import Visit


def identify(route: Route, visit: Visit) -> Visit:
    """The visit with whom the guard found.

    Raises:
        NotSignedIn, TokenInvalid, and what the broker raises.
    """
    if route.guard is Guard.NONE:
        return visit
    if route.guard is Guard.API:
        _no_token(visit.request)
    token = cookies.session_token(visit.request, visit.settings)
    try:
        if not token:
            raise NotSignedIn
        return replace(visit, session=visit.broker.session(token, caller=visit.caller))
    except NotSignedIn:
        if route.guard is not Guard.OPTIONAL:
            raise
        return replace(visit, ended=bool(token))


def protect(route: Route, visit: Visit) -> None:
    """See to it that no other site is behind this.

    Raises:
        CrossSite, and what reading the form raises.
    """
    if route.csrf is Csrf.ORIGIN:
        origin.check_api(visit.request, visit.settings)
    elif route.csrf is Csrf.FORM:
        origin.check_form(visit.request, visit.settings)
        if visit.session is not None:
            given = forms.form(visit.request, ("csrf",)).get("csrf", "")
            origin.check_token(given, visit.session.csrf)


def _no_token(request: Request) -> None:
    # Somebody who shows a token is asking as its holder, and never falls back to whose cookie is there.
    if "Authorization" in request.headers:
        raise TokenInvalid("no kind of token is known")
