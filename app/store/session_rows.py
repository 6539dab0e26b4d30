"""A session as a row: what is in the open, what is sealed, and what the seal covers."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam

from app.model import Identity, Session
from app.sealing import Sealer
from app.store.codec import (
    Document,
    dump_authentication,
    dump_claims,
    load_authentication,
    load_identity,
    person_key,
)
from app.store.sealed import Sealed
from app.store.tables import SESSIONS
from app.store.times import from_micros, to_micros

COLUMNS: Final = (
    SESSIONS.c.id,
    SESSIONS.c.token,
    SESSIONS.c.created_at,
    SESSIONS.c.expires_at,
    SESSIONS.c.idle_at,
    SESSIONS.c.document,
    SESSIONS.c.last_used,
    SESSIONS.c.last_address,
)
ALIVE: Final[ColumnElement[bool]] = and_(
    SESSIONS.c.ended_at.is_(None),
    SESSIONS.c.expires_at > bindparam("now"),
    SESSIONS.c.idle_at > bindparam("now"),
)
"""Not ended, not expired, not idle too long at `now`."""
LONGEST_ADDRESS: Final = 64
_OPENED: Final = 512
"""Sessions whose documents are kept opened in memory, a few kilobytes each."""


class SessionRows:
    """The seal covers id, token digest and end: a row put together from two others opens for nobody."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealed = Sealed(sealer, "sessions")
        # A sealed text never comes to say something else, and most sessions are asked for again and again.
        self._opened = lru_cache(maxsize=_OPENED)(self._open)

    def row(self, session: Session, hashed: str) -> dict[str, object]:
        """The values of the row. `hashed`: the SHA-256 of its cookie's secret, or a text that is none."""
        identity = session.identity
        return {
            "id": session.id,
            "token": hashed,
            "person": person_key(identity.source, identity.subject),
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "idle_at": session.idle_at,
            "document": self.document(session, hashed),
            "last_used": session.last_used,
            "last_address": session.last_address[:LONGEST_ADDRESS],
        }

    def document(self, session: Session, hashed: str) -> str:
        """What is sealed of it."""
        identity = session.identity
        document = {
            "claims": dump_claims(identity),
            "authentication": dump_authentication(identity.authentication),
            "csrf": session.csrf,
            "revision": session.revision,
            "trust": session.trust,
            "client": session.client,
            "device": session.device,
            "approved_by": session.approved_by,
            "signed_in_at": None if session.signed_in_at is None else to_micros(session.signed_in_at),
            "pool_identity": session.pool_identity,
        }
        return self._sealed.close(_name(session.id, hashed, session.expires_at), document)

    def session(self, row: Any) -> Session | None:
        """The session of a row of COLUMNS; None if it cannot be opened."""
        try:
            document, identity = self._opened(row.id, row.token, row.expires_at, row.document)
        except _UnreadableError:
            return None
        signed_in_at = document.get("signed_in_at")
        return Session(
            id=row.id,
            identity=identity,
            created_at=row.created_at,
            expires_at=row.expires_at,
            idle_at=row.idle_at,
            csrf=document["csrf"],
            revision=document["revision"],
            trust=document.get("trust", ""),  # a row from before it was kept: sign in again
            # Rows from before there were clients are browsers' own.
            client=document.get("client"),
            device=document.get("device"),
            approved_by=document.get("approved_by"),
            signed_in_at=None if signed_in_at is None else from_micros(signed_in_at),
            pool_identity=document.get("pool_identity", ""),
            last_used=row.last_used,
            last_address=row.last_address or "",
        )

    def _open(self, id: str, hashed: str, expires_at: datetime, sealed: str) -> tuple[Document, Identity]:
        document = self._sealed.open(_name(id, hashed, expires_at), sealed)
        if document is None:
            raise _UnreadableError  # which is not kept: each look at it is in the log
        return document, load_identity(document["claims"], load_authentication(document["authentication"]))


class _UnreadableError(Exception):
    """The row cannot be opened."""


def _name(id: str, hashed: str, expires_at: datetime) -> str:
    return f"{id}/{hashed}/{expires_at.isoformat()}"
