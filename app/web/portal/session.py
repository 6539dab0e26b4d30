"""Choosing a source, and signing out."""

from __future__ import annotations

from dataclasses import dataclass

from app.people import LOCAL
from app.web import cookies, forms, paths
from app.web.page import see_other, show
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class SourceView:
    """One way to sign in."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The sign-in page."""

    sources: tuple[SourceView, ...]
    ended: bool
    """The last session has ended; say so."""
    next: str


@dataclass(frozen=True, slots=True)
class SignedOutPage:
    """Good-bye."""


def sign_in(visit: Visit) -> Response:
    """`GET /sign-in?next=PATH`: choose a source."""
    fields = forms.query(visit.request, ("next", "ended"))
    target = paths.own_path(fields.get("next"))
    ways = [(source, label) for source, label, _ in visit.broker.sources()]
    if label := visit.broker.local_label():
        ways.append((LOCAL, label))
    sources = tuple(
        SourceView(label, paths.with_next(f"/sign-in/{source}", target)) for source, label in ways
    )
    ended = visit.session is None and (visit.ended or fields.get("ended") == "1")
    return show("sign_in.html", SignInPage(sources, ended, target), visit)


def sign_out(visit: Visit) -> Response:
    """`POST /sign-out`: end the session; without one there is nothing to end."""
    return leave(visit)


def leave(visit: Visit) -> Response:
    """End this browser's session and show the way out. Raises Unavailable."""
    if visit.session is not None:
        visit.broker.sign_out(visit.session, caller=visit.caller)
    return left(visit)


def left(visit: Visit) -> Response:
    """The way out, after the session has ended."""
    response = see_other("/signed-out")
    cookies.clear_session(response, visit.settings)
    # The page before this one must not come back with the back button.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def signed_out(visit: Visit) -> Response:
    """`GET /signed-out`."""
    return show("signed_out.html", SignedOutPage(), visit)
