"""The authorization endpoint (RFC 6749, 3.1): a page that says who asks for what, and a click that decides.

Always a page and a click, for every client: on a machine of many people any program can listen on loopback
and say that it is the helper (RFC 8252, 8.6), so nothing is given out on a bare visit.

Where the answer goes is believed only after the broker has found client and redirect address in order;
until then a refusal is a page for the person, and nothing is sent anywhere (RFC 6749, 4.1.2.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from werkzeug.datastructures import Headers

from app.errors import (
    ClickNeeded,
    GrantDenied,
    GrantError,
    Malformed,
    RedirectRefused,
    ResponseTypeUnknown,
)
from app.model import Consent, GrantAsk
from app.web import forms, headers, scopes, times
from app.web.oauth import parameters
from app.web.oauth.parameters import Given
from app.web.oauth.refusals import description, word
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NAMES: Final = (
    *("client_id", "redirect_uri", "state", "response_type", "response_mode", "prompt"),
    *("scope", "resource", "code_challenge", "code_challenge_method", "device"),
)
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """Who asks, for what, until when; and the request itself, to be sent along with the answer."""

    client: str
    device: str
    """What the machine calls itself; may be empty."""
    username: str
    scopes: tuple[str, ...]
    ends: str
    ends_at: str
    answer_to: str
    """The redirect address, without its query."""
    this_machine: bool
    """The answer goes to a program on the machine that the browser runs on."""
    fields: tuple[tuple[str, str], ...] = field(repr=False)


class _ToClient(Response):
    """A redirect to the very address: Werkzeug would write it anew, `app:///cb` as `app:/cb`."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers as they were set. `Headers` has seen to it that there is no line end in them."""
        made = super().get_wsgi_headers(environ)
        made["Location"] = self.headers["Location"]
        return made


def ask_consent(visit: Visit) -> Response:
    """`GET /oauth/authorize`: the page.

    Raises:
        RedirectRefused, TooMany, Unavailable.
    """
    given = _given(visit)
    try:
        consent = _check(visit, given)
    except RedirectRefused:
        raise
    except GrantError as refusal:
        return _send_back(visit, given, refusal)
    target = urlsplit(consent.redirect_uri)
    page = ConsentPage(
        client=consent.client.name,
        device=consent.device,
        username=visit.person.identity.username,
        scopes=scopes.words(consent.scope),
        ends=times.clock_time(consent.ends_at, visit.now),
        ends_at=times.wire(consent.ends_at),
        answer_to=target._replace(query="").geturl(),
        this_machine=target.hostname in _THIS_MACHINE,
        fields=tuple(given.values.items()),
    )
    response = show("consent.html", page, visit)
    headers.lead_on(response, visit.settings, consent.redirect_uri)
    return response


def decide(visit: Visit) -> Response:
    """`POST /oauth/authorize`: the click, by 303 to the client (RFC 9700, 4.12).

    Raises:
        RedirectRefused, Malformed, TooMany, Unavailable.
    """
    given = _given(visit)
    decision = forms.form(visit.request, ("decision",)).get("decision")
    if decision not in ("allow", "refuse"):
        raise Malformed(f"decision {str(decision)[:40]!r}", words="Choose one of the two buttons.")
    try:
        _check(visit, given)
        if decision == "refuse":
            raise GrantDenied("by the button")
        grant = visit.broker.authorize(visit.person, _ask(given), caller=visit.caller)
    except RedirectRefused:
        raise
    except GrantError as refusal:
        return _send_back(visit, given, refusal)
    return _answer(visit, given, {"code": grant.code})


def _given(visit: Visit) -> Given:
    """The request. Raises RedirectRefused where it does not say once and plainly who asks."""
    given = parameters.of_page(visit.request, _NAMES)
    for name in ("client_id", "redirect_uri"):
        if name not in given.values:
            raise RedirectRefused(f"{name} is missing, doubled or odd")
    return given


def _check(visit: Visit, given: Given) -> Consent:
    """The request, found in order by the broker and by what only this endpoint knows.

    Raises:
        RedirectRefused, and where the client may hear of it another GrantError; TooMany, Unavailable.
    """
    problem = _problem(given)
    try:
        consent = visit.broker.consent(visit.person, _ask(given), caller=visit.caller)
    except RedirectRefused:
        raise
    except GrantError as refusal:
        raise problem or refusal from None
    if problem is not None:
        raise problem
    return consent


def _problem(given: Given) -> GrantError | None:
    values = given.values
    if given.problem is not None:
        return given.problem
    if "response_type" not in values:
        return GrantError("no response_type", words="`response_type` is missing.")
    if values["response_type"] != "code":
        return ResponseTypeUnknown(f"response_type {values['response_type'][:80]!r}")
    if values.get("response_mode", "query") != "query":
        return GrantError("response_mode", words="Only `response_mode=query` is taken.")
    if "none" in values.get("prompt", "").split():
        return ClickNeeded("prompt=none")
    return None


def _ask(given: Given) -> GrantAsk:
    values = given.values
    return GrantAsk(
        client=values["client_id"],
        redirect_uri=values["redirect_uri"],
        scope=parameters.scope(values),
        challenge=values.get("code_challenge", ""),
        challenge_method=values.get("code_challenge_method", ""),
        resource=values.get("resource", ""),
        device=parameters.device(values),
    )


def _send_back(visit: Visit, given: Given, refusal: GrantError) -> Response:
    """The refusal, on record and to the client. Raises Unavailable."""
    if not refusal.recorded:
        visit.broker.refused(visit.person, refusal, caller=visit.caller)
    return _answer(visit, given, {"error": word(refusal), "error_description": description(refusal)})


def _answer(visit: Visit, given: Given, fields: dict[str, str]) -> Response:
    """RFC 6749, 4.1.2; with `iss` (RFC 9207), so that a client of several servers knows whose it is."""
    if "state" in given.values:
        fields["state"] = given.values["state"]
    fields["iss"] = visit.settings.base_url
    target = given.values["redirect_uri"]
    # Added at the end and not parsed anew: the rest must stay as it was declared, character by character.
    location = f"{target}{'&' if '?' in target else '?'}{urlencode(fields)}"
    return _ToClient(status=303, headers={"Location": location})
