"""Whether a session that the store still has counts, by the revision that is active now; and until when. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from app.active import Running
from app.errors import NotSignedIn
from app.model import EXCHANGE, GUEST, Client, Revision, Session, Settings
from app.people import LOCAL, ROOT, ROOT_LIFE


def living(session: Session, running: Running, now: datetime, epoch: str | None = None) -> Session:
    """The session, with the end that it has by the active revision, as people are told it.

    `epoch` is that of the account of a local user who may sign in, or of root: no source vouches for them. None: there
    is no such account, or it may not.

    Raises:
        NotSignedIn, with why in its detail: the active revision has ended it.
    """
    client = _client(session, running.revision)
    if session.identity.source == GUEST:
        # No source vouches for a guest: the client that let it in does, as long as it has guests.
        if client is None or not client.guests or session.trust:
            raise NotSignedIn(f"client {session.client} has no guests any more")
    elif session.identity.source in (LOCAL, ROOT):
        if epoch is None or epoch != session.trust:
            raise NotSignedIn("the account is no more, may not sign in, or all its sessions were ended")
        if session.identity.source == ROOT and client is not None:
            raise NotSignedIn("root has no sessions of clients")
    elif running.trust.get(session.identity.source) != session.trust:
        raise NotSignedIn(f"source {session.identity.source} is gone, or is not the one it was")
    end = ends_at(session, running.revision.settings)
    if now >= end:
        raise NotSignedIn("the session is older than sessions may be by now")
    return session if end == session.expires_at else replace(session, expires_at=end)


def _client(session: Session, revision: Revision) -> Client | None:
    """The client of a session; None of a browser's own. Raises NotSignedIn where it may not have it any more."""
    if session.client is None:
        return None
    client = revision.clients.get(session.client)
    if client is None:
        raise NotSignedIn(f"client {session.client} is not in revision {revision.number}")
    source = session.identity.source
    # Where nobody let it in at a page, the session rests on a token that the client brought.
    brought = session.approved_by is None and source != GUEST
    if brought and (EXCHANGE not in client.grants or source not in client.accepts):
        raise NotSignedIn(f"client {client.id} may not bring people of {source} any more")
    return client


def ends_at(session: Session, settings: Settings) -> datetime:
    """When the session ends, whatever is done with it: a lifetime that was shortened meanwhile counts."""
    longest = ROOT_LIFE if session.identity.source == ROOT else settings.session_lifetime
    end = min(session.expires_at, session.began + longest)
    return end if session.client is None else min(end, session.created_at + settings.refresh_token)


def client_ends_at(approver: Session, client: Client, settings: Settings, now: datetime) -> datetime:
    """When the session of a client would end that this person lets in at `now`.

    Never later than the person's own, whose sign-in it rests on. A client that may not refresh has no use for it
    beyond its one access token.
    """
    longest = settings.refresh_token if "refresh_token" in client.grants else settings.access_token
    return min(ends_at(approver, settings), now + longest)
