"""The guards of the table of addresses, made real. Each either lets a visit through or raises."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from app.errors import NotSignedIn, TokenInvalid
from app.web import cookies, forms, origin
from app.web.route import Csrf, Guard, Route
from app.web.visit import Visit

# RFC 6750, 2.1: `Bearer` in any case, one b64token. Longer than any of ours is not worth a look.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,4096}=*)", re.ASCII | re.IGNORECASE)


def identify(route: Route, visit: Visit) -> Visit:
    """The visit with whom the guard found.

    Raises:
        NotSignedIn, TokenInvalid, ScopeTooNarrow, and what the broker raises.
    """
    if route.guard in (Guard.NONE, Guard.CLIENT):
        return visit
    # Somebody who shows a token is asking as its holder, and never falls back to whose cookie is there.
    if route.guard is Guard.API and "Authorization" in visit.request.headers:
        return _by_token(route, visit)
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
        if not visit.by_token:
            origin.check_api(visit.request, visit.settings)
    elif route.csrf is Csrf.FORM:
        origin.check_form(visit.request, visit.settings)
        if visit.session is not None:
            given = forms.form(visit.request, ("csrf",)).get("csrf", "")
            origin.check_token(given, visit.session.csrf)
    elif route.csrf is Csrf.BROWSER and visit.request.method == "POST":
        origin.check_browser(visit.request, visit.settings)


def _by_token(route: Route, visit: Visit) -> Visit:
    found = _BEARER.fullmatch(visit.request.headers["Authorization"])
    if found is None or route.scope is None:
        raise TokenInvalid("no kind of authorization that is known here")
    session = visit.broker.bearer(found[1], route.scope, caller=visit.caller)
    return replace(visit, session=session, by_token=True)
