"""Where this person is signed in: browsers, helpers and apps, and how to end each of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flask import Response

from app.errors import SessionUnknown
from app.model import Session
from app.web import forms, times
from app.web.page import see_other, show
from app.web.portal.session import leave
from app.web.visit import Visit

OTHERS: Final = "others"
"""In place of a session's id: all but this one."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One of them."""

    id: str
    name: str
    """`Browser`, or what the client is called."""
    device: str
    """What the machine calls itself; may be empty."""
    here: bool
    """The one that is looking at the page."""
    since: str
    since_at: str
    used: str
    """Empty where it is not known."""
    used_at: str
    address: str
    ends: str
    ends_at: str


@dataclass(frozen=True, slots=True)
class SecurityPage:
    """All of them."""

    sessions: tuple[SessionView, ...]
    others: int
    name: str


@dataclass(frozen=True, slots=True)
class EndPage:
    """Sure?"""

    target: str
    """A session's id, or `others`."""
    sessions: tuple[SessionView, ...]
    """What would end."""
    here: bool
    """This browser is among them."""


def security(visit: Visit) -> Response:
    """`GET /security`. Raises Unavailable."""
    mine = visit.broker.sessions(visit.person, caller=visit.caller)
    views = tuple(_view(visit, session) for session in mine)
    others = sum(1 for view in views if not view.here)
    return show("security.html", SecurityPage(views, others, visit.person.identity.username), visit)


def ask_end(visit: Visit) -> Response:
    """`GET /security/end?session=ID`, or `others`: what would end, before it does.

    Raises:
        SessionUnknown, Malformed, Unavailable.
    """
    target = forms.query(visit.request, ("session",)).get("session", "")
    wanted = _wanted(visit, target)
    if not wanted:
        return see_other("/security")  # there are no others any more
    views = tuple(_view(visit, session) for session in wanted)
    return show("security_end.html", EndPage(target, views, any(view.here for view in views)), visit)


def end(visit: Visit) -> Response:
    """`POST /security/end`: end it. Ending this one is signing out.

    Raises:
        SessionUnknown, Malformed, MediaType, Unavailable.
    """
    target = forms.form(visit.request, ("session",)).get("session", "")
    if target == visit.person.id:
        return leave(visit)
    for session in _wanted(visit, target):
        with suppress(SessionUnknown):  # it has ended meanwhile, as was wanted
            visit.broker.end_session(visit.person, session.id, caller=visit.caller)
    return see_other("/security")


def _wanted(visit: Visit, target: str) -> Sequence[Session]:
    mine = visit.broker.sessions(visit.person, caller=visit.caller)
    if target == OTHERS:
        return [session for session in mine if session.id != visit.person.id]
    found = [session for session in mine if session.id == target]
    if not found:
        raise SessionUnknown(f"session {target[:60]!r}")
    return found


def _view(visit: Visit, session: Session) -> SessionView:
    used = session.last_used
    return SessionView(
        id=session.id,
        name="Browser" if session.client is None else visit.broker.client_name(session.client),
        device=session.device or "",
        here=session.id == visit.person.id,
        since=times.clock_time(session.created_at, visit.now),
        since_at=times.wire(session.created_at),
        used="" if used is None else times.clock_time(used, visit.now),
        used_at="" if used is None else times.wire(used),
        address=session.last_address,
        ends=times.clock_time(session.expires_at, visit.now),
        ends_at=times.wire(session.expires_at),
    )
