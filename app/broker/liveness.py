"""Whether a session that the store still has counts, by the revision that is active now; and until when. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.active import Running
from app.errors import NotSignedIn
from app.model import Client, Session, Settings


def living(session: Session, running: Running, now: datetime) -> Session:
    """The session, with the end that it has by the active revision, as people are told it.

    Raises:
        NotSignedIn, with why in its detail: the active revision has ended it.
    """
    if running.trust.get(session.identity.source) != session.trust:
        raise NotSignedIn(f"source {session.identity.source} is gone, or is not the one it was")
    if session.client is not None and session.client not in running.revision.clients:
        raise NotSignedIn(f"client {session.client} is not in revision {running.revision.number}")
    end = ends_at(session, running.revision.settings)
    if now >= end:
        raise NotSignedIn("the session is older than sessions may be by now")
    return session if end == session.expires_at else replace(session, expires_at=end)


def ends_at(session: Session, settings: Settings) -> datetime:
    """When the session ends, whatever is done with it: a lifetime that was shortened meanwhile counts."""
    end = min(session.expires_at, session.began + settings.session_lifetime)
    return end if session.client is None else min(end, session.created_at + settings.refresh_token)


def client_ends_at(approver: Session, client: Client, settings: Settings, now: datetime) -> datetime:
    """When the session of a client would end that this person lets in at `now`.

    Never later than the person's own, whose sign-in it rests on. A client that may not refresh has no use for it
    beyond its one access token.
    """
    longest = settings.refresh_token if "refresh_token" in client.grants else settings.access_token
    return min(ends_at(approver, settings), now + longest)
