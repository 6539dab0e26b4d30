"""What every page shows around its own content, and how a page becomes an answer."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import Refusal
from app.people import LOCAL, ROOT
from app.web import times
from app.web.templates import TEMPLATES
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, for the head of the page."""

    name: str
    username: str
    source: str
    """The source's label."""
    ends: str
    """`22:10 UTC`"""
    ends_at: str
    """The same for programs."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """Signed in as root: every page says so."""

    reason: str
    """As it was written at the sign-in."""
    ends: str
    ends_at: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The head and foot of a page."""

    company: str
    request_id: str
    person: Person | None = None
    csrf: str = ""
    administers: bool = False
    """Something under /admin is open to this person."""
    emergency: Emergency | None = None


def frame_of(visit: Visit) -> Frame:
    """The frame for this visit."""
    session = visit.session
    if session is None:
        return Frame(visit.settings.name, visit.caller.request_id)
    who = session.identity
    ends, ends_at = times.clock_time(session.expires_at, visit.now), times.wire(session.expires_at)
    person = Person(
        name=who.name or who.username,
        username=who.username,
        source=source_label(visit, who.source),
        ends=ends,
        ends_at=ends_at,
    )
    emergency = None
    if who.source == ROOT:
        emergency = Emergency(" ".join(who.claims.get("reason", ())), ends, ends_at)
    return Frame(
        visit.settings.name, visit.caller.request_id, person, session.csrf, _administers(visit), emergency
    )


def source_label(visit: Visit, source: str) -> str:
    """What people call a source; its id where it is gone."""
    labels: dict[str, str] = {known: label for known, label, _ in visit.broker.sources()}
    labels |= {LOCAL: visit.settings.local or "Local users", ROOT: "Break-glass"}
    return labels.get(source, source)


def _administers(visit: Visit) -> bool:
    try:
        return bool(visit.administration.rights(visit.person, caller=visit.caller))
    except Refusal:  # what is wrong is told by the page itself, or by the next one
        return False


def render(template: str, page: object, frame: Frame, status: int = 200) -> Response:
    """A page from its template; `page` is a frozen dataclass, and the template decides nothing."""
    text = TEMPLATES.get_template(template).render(page=page, frame=frame)
    return Response(text, status=status, content_type="text/html; charset=utf-8")


def show(template: str, page: object, visit: Visit) -> Response:
    """A page for this visit."""
    return render(template, page, frame_of(visit))


def refused(response: Response, refusal: Refusal) -> Response:
    """A page that is shown again because of a refusal, with that one's status."""
    response.status_code = refusal.status
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def see_other(target: str) -> Response:
    """303: go there with GET, so that no form and no code is sent along (RFC 9700, 4.12)."""
    return Response(status=303, headers={"Location": target})
