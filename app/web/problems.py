"""Refusals as answers: problem+json (RFC 9457) for programs, a page for people. Rendered once, here."""

from __future__ import annotations

import json
from dataclasses import dataclass

from werkzeug.exceptions import HTTPException

from app.errors import (
    AccessRefused,
    AskRefused,
    ChallengeOver,
    CrossSite,
    Internal,
    Malformed,
    MediaType,
    MethodNotAllowed,
    MfaRequired,
    NotSignedIn,
    ProofNotRecent,
    ProofRefused,
    Refusal,
    ScopeTooNarrow,
    TokenInvalid,
    TooLarge,
    Unknown,
)
from app.model import Scope
from app.web import page, paths
from app.web.wire import Request, Response

MEDIA = "application/problem+json"
_HTTP: dict[int, type[Refusal]] = {
    404: Unknown,
    405: MethodNotAllowed,
    413: TooLarge,
    414: TooLarge,
    415: MediaType,
    431: TooLarge,
}


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A refusal for a person."""

    title: str
    words: str
    code: str
    status: int
    request_id: str
    at: str
    """When, for those who look it up."""
    action: str
    """What the one button says."""
    href: str
    """Where it leads."""
    why_href: str | None = None
    """Where more is told about a refused role."""


def of_exception(error: Exception) -> Refusal:
    """Any exception as a refusal; the unexpected is `Internal`."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        return _HTTP.get(error.code or 400, Malformed)()
    return Internal()


def wants_json(request: Request) -> bool:
    """True for the API, and for clients that would rather have JSON than a page."""
    if request.path == "/v1" or request.path.startswith("/v1/"):
        return True
    accept = request.accept_mimetypes
    json_quality = max(accept["application/json"], accept[MEDIA])
    return bool(json_quality > accept["text/html"])


def as_problem(refusal: Refusal, request_id: str, scope: Scope | None = None) -> Response:
    """RFC 9457, with the members that SURFACE promises; `scope` is what a token would have needed.

    What a refusal adds (3.2, "Extension Members") never takes the place of those.
    """
    body = {
        **refusal.members,
        "type": f"urn:daypass:error:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.words,
        "code": refusal.code,
        "request_id": request_id,
    }
    return _finish(Response(json.dumps(body), status=refusal.status, content_type=MEDIA), refusal, scope)


def as_page(
    refusal: Refusal, frame: page.Frame, at: str, back: str | None = None, why: str | None = None
) -> Response:
    """The same for a person: what happened, what to do, and what to quote when asking for help."""
    action, href = _way_on(refusal, back, signed_in=frame.person is not None)
    shown = ErrorPage(
        refusal.title, refusal.words, refusal.code, refusal.status, frame.request_id, at, action, href, why
    )
    return _finish(page.render("error.html", shown, frame, refusal.status), refusal)


def last_resort(request_id: str) -> Response:
    """When even the error page fails: nothing that could fail too."""
    internal = Internal()
    text = f"{internal.title}: {internal.words}\nCode: {internal.code}\nRequest id: {request_id}\n"
    return Response(text, status=internal.status, content_type="text/plain; charset=utf-8")


def _way_on(refusal: Refusal, back: str | None, *, signed_in: bool) -> tuple[str, str]:
    if back is not None and isinstance(refusal, AskRefused | CrossSite):
        return "Go back", back
    if isinstance(refusal, MfaRequired) and (href := paths.step_up(refusal.members)):
        return "Prove it and go on", href
    if isinstance(refusal, ProofNotRecent):
        return "Prove that it is you", "/security/prove"
    if isinstance(refusal, ChallengeOver) and signed_in:
        return "Go to my roles", "/"
    if isinstance(refusal, ProofRefused) or (isinstance(refusal, AccessRefused) and not signed_in):
        return "Go to the sign-in page", "/sign-in"
    return "Go to my roles", "/"


def _finish(response: Response, refusal: Refusal, scope: Scope | None = None) -> Response:
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    challenge = 'Bearer realm="daypass"'  # RFC 6750, 3
    if isinstance(refusal, TokenInvalid):
        response.headers["WWW-Authenticate"] = f'{challenge}, error="invalid_token"'
    elif isinstance(refusal, ScopeTooNarrow):
        wanted = f', scope="{scope}"' if scope else ""
        response.headers["WWW-Authenticate"] = f'{challenge}, error="insufficient_scope"{wanted}'
    elif isinstance(refusal, NotSignedIn):
        response.headers["WWW-Authenticate"] = challenge
    return response
