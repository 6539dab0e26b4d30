"""Signed-in sessions: found by the digest of their token, or by their id; revocable, sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, case, delete, or_, select, update

from app.model import Authentication, Identity, Session, SourceId
from app.sealing import Sealer
from app.store.codec import findable, person_key
from app.store.database import Database
from app.store.session_rows import ALIVE, COLUMNS, LONGEST_ADDRESS, SessionRows
from app.store.tables import SESSIONS
from app.store.times import Instant

_FIND: Final = select(*COLUMNS).where(SESSIONS.c.token == bindparam("wanted"), ALIVE)
_BY_ID: Final = select(*COLUMNS).where(SESSIONS.c.id == bindparam("wanted"), ALIVE)
_THIS: Final = (SESSIONS.c.id == bindparam("wanted"), SESSIONS.c.ended_at.is_(None))
_TOUCH: Final = (
    update(SESSIONS).where(*_THIS, SESSIONS.c.idle_at < bindparam("idle")).values(idle_at=bindparam("idle"))
)
_IDLE: Final = bindparam("idle", type_=Instant)
_USED: Final = (
    update(SESSIONS)
    .where(*_THIS)
    .values(
        idle_at=case((SESSIONS.c.idle_at < _IDLE, _IDLE), else_=SESSIONS.c.idle_at),
        last_used=bindparam("used"),
        last_address=bindparam("address"),
    )
)
_RENEW: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("wanted"), SESSIONS.c.person == bindparam("whose"), ALIVE)
    # The seal covers the end, so it is that of the row.
    .where(SESSIONS.c.expires_at == bindparam("end"))
    .values(token=bindparam("hashed"), document=bindparam("sealed"))
)
_RESEAL: Final = (
    update(SESSIONS).where(SESSIONS.c.id == bindparam("wanted")).values(document=bindparam("sealed"))
)


class Sessions:
    """Browsers' sessions and clients'; the latter begin with their tokens (`RefreshTokens.begin`)."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._rows = SessionRows(sealer)
        prepare = database.prepare
        self._find, self._by_id = prepare(_FIND), prepare(_BY_ID)
        self._touch, self._used = prepare(_TOUCH), prepare(_USED)

    def add(self, token: str, session: Session) -> None:
        """Begin a session. Of `token`, the secret of its cookie, only the SHA-256 is kept."""
        row = self._rows.row(session, _hash(token))
        with self._database.write() as connection:
            connection.execute(SESSIONS.insert(), row)

    def find(self, token: str, now: datetime) -> Session | None:
        """The session of that token, unless it is over (ended, expired or idle too long) at `now`."""
        with self._database.reading() as line:
            row = self._find.one(line, {"wanted": _hash(token), "now": now})
        return None if row is None else self._rows.session(row)

    def by_id(self, id: str, now: datetime) -> Session | None:
        """The session of that id, a browser's or a client's, unless it is over at `now`."""
        if not findable(id):
            return None
        with self._database.reading() as line:
            row = self._by_id.one(line, {"wanted": id, "now": now})
        return None if row is None else self._rows.session(row)

    def touch(self, id: str, idle_at: datetime, used: datetime | None = None, address: str = "") -> None:
        """Move the end of idleness to `idle_at`, never backwards; the caller limits how often.

        `used`, `address`: when and where from it was last used; left as they are if `used` is None.
        """
        if not findable(id):
            return
        values = {"wanted": id, "idle": idle_at}
        with self._database.writing() as line:
            if used is None:
                self._touch.do(line, values)
            else:
                where = address[:LONGEST_ADDRESS]
                self._used.do(line, values | {"used": used, "address": where})

    def renew(self, id: str, token: str, session: Session, now: datetime) -> bool:
        """Give a living session another token, and seal `session` (same id, person and end) in its place.

        The old token finds nothing from then on. False, and nothing changed, if the session is over.
        """
        if not findable(id) or session.id != id:
            return False
        hashed = _hash(token)
        values = {
            "wanted": id,
            "whose": person_key(session.identity.source, session.identity.subject),
            "end": session.expires_at,
            "now": now,
            "hashed": hashed,
            "sealed": self._rows.document(session, hashed),
        }
        with self._database.write() as connection:
            return connection.execute(_RENEW, values).rowcount == 1

    def prove(self, id: str, authentication: Authentication, now: datetime) -> bool:
        """Put another authentication into a living session, a browser's or a client's; False if it is over."""
        return self._seal_anew(
            id, now, lambda session: replace(session, identity=_proven(session.identity, authentication))
        )

    def trust(self, id: str, trust: str, now: datetime) -> bool:
        """Let a living session rest on something else that it is believed by (a new password); False if it is over."""
        return self._seal_anew(id, now, lambda session: replace(session, trust=trust))

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
        ending = update(SESSIONS).where(theirs, SESSIONS.c.ended_at.is_(None)).values(ended_at=now)
        ended = 0
        with self._database.write() as connection:
            # Again until there is none: PostgreSQL does not show a statement the session of a client that one
            # of these was letting in while the statement waited for it.
            while more := connection.execute(ending).rowcount:
                ended += more
        return ended

    def of(self, source: SourceId, subject: str, now: datetime | None = None) -> Sequence[Session]:
        """A person's sessions that were not ended, newest first.

        Some may be past their time, unless `now` is given: then only those that are alive.
        """
        theirs = SESSIONS.c.person == person_key(source, subject)
        query = select(*COLUMNS).order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.id)
        if now is None:
            query, values = query.where(theirs, SESSIONS.c.ended_at.is_(None)), {}
        else:
            query, values = query.where(theirs, ALIVE), {"now": now}
        with self._database.read() as connection:
            rows = connection.execute(query, values).all()
        return [session for row in rows if (session := self._rows.session(row)) is not None]

    def all(self, now: datetime, most: int) -> Sequence[Session]:
        """Everybody's sessions that are alive, at most so many, newest first."""
        query = (
            select(*COLUMNS).where(ALIVE).order_by(SESSIONS.c.created_at.desc(), SESSIONS.c.id).limit(most)
        )
        with self._database.read() as connection:
            rows = connection.execute(query, {"now": now}).all()
        return [session for row in rows if (session := self._rows.session(row)) is not None]

    def expire(self, now: datetime) -> int:
        """Forget the sessions that are over; how many those were."""
        over = or_(SESSIONS.c.expires_at <= now, SESSIONS.c.idle_at <= now, SESSIONS.c.ended_at <= now)
        with self._database.write() as connection:
            return connection.execute(delete(SESSIONS).where(over)).rowcount

    def _seal_anew(self, id: str, now: datetime, change: Callable[[Session], Session]) -> bool:
        if not findable(id):
            return False
        with self._database.write() as connection:
            # The row is held until the commit, so that nothing else is sealed meanwhile.
            row = connection.execute(_BY_ID.with_for_update(), {"wanted": id, "now": now}).one_or_none()
            session = None if row is None else self._rows.session(row)
            if row is None or session is None:
                return False
            values = {"wanted": id, "sealed": self._rows.document(change(session), row.token)}
            return connection.execute(_RESEAL, values).rowcount == 1


def _proven(identity: Identity, authentication: Authentication) -> Identity:
    return replace(identity, authentication=authentication)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
