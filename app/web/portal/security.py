"""What a person signs in with, where they are signed in, and what became of their sign-ins."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from app.errors import SessionUnknown
from app.model import Session
from app.people import ROOT
from app.web import cookies, forms, times
from app.web.page import see_other, show
from app.web.portal import own_factors
from app.web.portal.history import EventView, views
from app.web.portal.own_factors import FactorView
from app.web.portal.session import leave, left
from app.web.visit import Visit
from app.web.wire import Response

OTHERS: Final = "others"
"""In place of a session's id: all but this one."""
ALL: Final = "all"
"""In place of a session's id: all, this one too, and known devices are forgotten."""
_FIRST: Final = 8
"""Lines of the history that are shown at once."""


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
    """All of it."""

    name: str
    factors: tuple[FactorView, ...]
    can_add: bool
    recovery: bool
    """There may be recovery codes; root has none."""
    recovery_left: int
    has_password: bool
    known_devices: int
    sessions: tuple[SessionView, ...]
    others: int
    history: tuple[EventView, ...]
    earlier: tuple[EventView, ...]
    """The rest of it."""


@dataclass(frozen=True, slots=True)
class EndPage:
    """Sure?"""

    target: str
    """A session's id, `others` or `all`."""
    sessions: tuple[SessionView, ...]
    """What would end."""
    here: bool
    """This browser is among them."""


def security(visit: Visit) -> Response:
    """`GET /security`. Raises Unavailable."""
    sessions = visit.broker.sessions(visit.person, caller=visit.caller)
    mine = visit.broker.own_factors(visit.person, caller=visit.caller)
    events = views(visit, visit.broker.sign_in_history(visit.person, caller=visit.caller))
    shown = SecurityPage(
        name=visit.person.identity.username,
        factors=tuple(own_factors.view(visit, factor) for factor in mine.factors),
        can_add=bool(mine.enrolable),
        recovery=visit.person.identity.source != ROOT,
        recovery_left=mine.recovery_left,
        has_password=mine.has_password,
        known_devices=mine.known_devices,
        sessions=tuple(_view(visit, session) for session in sessions),
        others=sum(1 for session in sessions if session.id != visit.person.id),
        history=events[:_FIRST],
        earlier=events[_FIRST:],
    )
    return show("security.html", shown, visit)


def ask_end(visit: Visit) -> Response:
    """`GET /security/end?session=ID`, or `others`, or `all`: what would end, before it does.

    Raises:
        SessionUnknown, Malformed, Unavailable.
    """
    target = forms.query(visit.request, ("session",)).get("session", "")
    wanted = _wanted(visit, target)
    if not wanted:
        return see_other("/security")  # there are no others any more
    sessions = tuple(_view(visit, session) for session in wanted)
    return show("security_end.html", EndPage(target, sessions, any(each.here for each in sessions)), visit)


def end(visit: Visit) -> Response:
    """`POST /security/end`: end it. Ending this one is signing out.

    Raises:
        SessionUnknown, Malformed, MediaType, Unavailable.
    """
    target = forms.form(visit.request, ("session",)).get("session", "")
    if target == visit.person.id:
        return leave(visit)
    if target == ALL:
        visit.broker.end_all_sessions(visit.person, caller=visit.caller)
        response = left(visit)
        cookies.clear_device(response, visit.settings)
        return response
    for session in _wanted(visit, target):
        with suppress(SessionUnknown):  # it has ended meanwhile, as was wanted
            visit.broker.end_session(visit.person, session.id, caller=visit.caller)
    return see_other("/security")


def _wanted(visit: Visit, target: str) -> Sequence[Session]:
    mine = visit.broker.sessions(visit.person, caller=visit.caller)
    if target == ALL:
        return mine
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
