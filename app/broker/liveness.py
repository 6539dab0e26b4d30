"""Whether a session that the store still has counts, by the revision that is active now; and until when. Pure."""

from __future__ import annotations

from datetime import datetime

from app.active import Running
from app.errors import NotSignedIn
from app.model import Client, Session, Settings


def living(session: Session, running: Running, now: datetime) -> None:
    """Raises NotSignedIn, with why in its detail, for a session that the active revision has ended."""
    if running.trust.get(session.identity.source) != session.trust:
        raise NotSignedIn(f"source {session.identity.source} is gone, or is not the one it was")
    if session.client is not None and session.client not in running.revision.clients:
        raise NotSignedIn(f"client {session.client} is not in revision {running.revision.number}")
    if now >= ends_at(session, running.revision.settings):
        raise NotSignedIn("the session is older than sessions may be by now")


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
