"""Signed-in sessions: found by the digest of their token, revocable, sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, or_, select, update

from app.model import Session, SourceId
from app.sealing import Sealer
from app.store.codec import (
    dump_authentication,
    dump_claims,
    findable,
    load_authentication,
    load_identity,
    person_key,
)
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import SESSIONS

_COLUMNS: Final = (
    SESSIONS.c.id,
    SESSIONS.c.token,
    SESSIONS.c.created_at,
    SESSIONS.c.expires_at,
    SESSIONS.c.idle_at,
    SESSIONS.c.document,
)
_FIND: Final = select(*_COLUMNS).where(
    SESSIONS.c.token == bindparam("wanted"),
    SESSIONS.c.ended_at.is_(None),
    SESSIONS.c.expires_at > bindparam("now"),
    SESSIONS.c.idle_at > bindparam("now"),
)
_TOUCH: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("wanted"), SESSIONS.c.ended_at.is_(None))
    .where(SESSIONS.c.idle_at < bindparam("idle"))
    .values(idle_at=bindparam("idle"))
)


class Sessions:
    """The seal covers id, token digest and end: a row put together from two others opens for nobody."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "sessions")

    def add(self, token: str, session: Session) -> None:
        """Begin a session. Of `token`, the secret of its cookie, only the SHA-256 is kept."""
        identity = session.identity
        hashed = _hash(token)
        document = {
            "claims": dump_claims(identity),
            "authentication": dump_authentication(identity.authentication),
            "csrf": session.csrf,
            "revision": session.revision,
            "trust": session.trust,
        }
        row = {
            "id": session.id,
            "token": hashed,
            "person": person_key(identity.source, identity.subject),
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "idle_at": session.idle_at,
            "document": self._sealed.close(_row(session.id, hashed, session.expires_at), document),
        }
        with self._database.write() as connection:
            connection.execute(SESSIONS.insert(), row)

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of that token, unless it is over (ended, expired or idle too long) at `now`."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"wanted": _hash(token), "now": now}).one_or_none()
        return None if row is None else self._session(row)

    def touch(self, id: str, idle_at: datetime) -> None:
        """Move the end of idleness to `idle_at`, never backwards; the caller limits how often."""
        if findable(id):
            with self._database.write() as connection:
                connection.execute(_TOUCH, {"wanted": id, "idle": idle_at})

    def end(self, id: str, now: datetime) -> bool:
        """End a session; True if this call did it."""
        if not findable(id):
            return False
        with self._database.write() as connection:
            ending = update(SESSIONS).where(SESSIONS.c.id == id, SESSIONS.c.ended_at.is_(None))
            return connection.execute(ending.values(ended_at=now)).rowcount == 1

    def end_all(self, source: SourceId, subject: str, now: datetime) -> int:
        """End all sessions of a person; how many this call ended."""
        theirs = SESSIONS.c.person == person_key(source, subject)
        with self._database.write() as connection:
            ending = update(SESSIONS).where(theirs, SESSIONS.c.ended_at.is_(None))
            return connection.execute(ending.values(ended_at=now)).rowcount

    def of(self, source: SourceId, subject: str) -> Sequence[Session]:
        """A person's sessions that were not ended, newest first; some may be past their time."""
        query = (
            select(*_COLUMNS)
            .where(SESSIONS.c.person == person_key(source, subject), SESSIONS.c.ended_at.is_(None))
            .order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [session for row in rows if (session := self._session(row)) is not None]

    def expire(self, now: datetime) -> int:
        """Forget the sessions that are over; how many those were."""
        over = or_(SESSIONS.c.expires_at <= now, SESSIONS.c.idle_at <= now, SESSIONS.c.ended_at <= now)
        with self._database.write() as connection:
            return connection.execute(delete(SESSIONS).where(over)).rowcount

    def _session(self, row: Row[*tuple[Any, ...]]) -> Session | None:
        document = self._sealed.open(_row(row.id, row.token, row.expires_at), row.document)
        if document is None:
            return None
        return Session(
            id=row.id,
            identity=load_identity(document["claims"], load_authentication(document["authentication"])),
            created_at=row.created_at,
            expires_at=row.expires_at,
            idle_at=row.idle_at,
            csrf=document["csrf"],
            revision=document["revision"],
            trust=document.get("trust", ""),  # a row from before it was kept: sign in again
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _row(id: str, hashed: str, expires_at: datetime) -> str:
    return f"{id}/{hashed}/{expires_at.isoformat()}"
