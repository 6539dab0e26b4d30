"""Identities of apps' people and guests: one per person and pool, for ever, and the logins that lead to each.

Rows of logins are found by the digest of pool, source and subject. Whose they are is sealed for the row, so that
whoever can write to the database cannot lead their own login to somebody else's identity. Two identities never
become one: a login is added only where it has none of its own.

Locks are taken in one order, so that nobody waits for whoever waits for them: identity, login, session.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from app.errors import StoreUnavailable
from app.model import GUEST, SourceId
from app.sealing import Sealer
from app.store.codec import digest, findable, person_key
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.session_rows import COLUMNS, SessionRows
from app.store.tables import POOL_IDENTITIES, POOL_LOGINS, SESSIONS

GUEST_LIFE: Final = timedelta(days=30)
"""How long the identity of a guest is kept who is not seen again and never signs in."""
_NOTE_EVERY: Final = timedelta(days=1)
_TRIES: Final = 5
_OPENED: Final = 1024
"""Logins whose documents are kept opened in memory, less than a kilobyte each."""

_FIND: Final = (
    select(POOL_LOGINS.c.identity, POOL_LOGINS.c.document, POOL_IDENTITIES.c.last_used)
    .join_from(POOL_LOGINS, POOL_IDENTITIES, POOL_LOGINS.c.identity == POOL_IDENTITIES.c.id)
    .where(POOL_LOGINS.c.login == bindparam("wanted"))
)
_SOMEBODYS: Final = or_(POOL_IDENTITIES.c.guest_address.is_(None), POOL_IDENTITIES.c.claimed_at.is_not(None))
_THIS: Final = (POOL_IDENTITIES.c.id == bindparam("wanted"), POOL_IDENTITIES.c.pool == bindparam("within"))
_HOLD: Final = select(POOL_IDENTITIES.c.id).where(*_THIS, _SOMEBODYS).with_for_update()
_LOGINS: Final = (
    select(POOL_LOGINS)
    .where(POOL_LOGINS.c.identity == bindparam("wanted"))
    .order_by(POOL_LOGINS.c.linked_at, POOL_LOGINS.c.login)
)
_CLAIM: Final = (
    update(POOL_IDENTITIES)
    .where(*_THIS, ~_SOMEBODYS)
    .values(claimed_at=bindparam("at"), last_used=bindparam("at"))
    .returning(POOL_IDENTITIES.c.id)
)
_USED: Final = (
    update(POOL_IDENTITIES)
    .where(POOL_IDENTITIES.c.id == bindparam("wanted"))
    .values(last_used=bindparam("at"))
)
_RESEAL: Final = (
    update(POOL_LOGINS)
    .where(POOL_LOGINS.c.login == bindparam("wanted"), POOL_LOGINS.c.identity == bindparam("of"))
    .values(document=bindparam("sealed"))
)
HAS: Final = (
    select(POOL_LOGINS.c.login)
    .where(POOL_LOGINS.c.login == bindparam("wanted"), POOL_LOGINS.c.identity == bindparam("of"))
    .with_for_update(read=True)
)
"""Whether a login leads to an identity. Holds that until the commit."""
WAITS: Final = select(POOL_IDENTITIES.c.id).where(*_THIS, ~_SOMEBODYS).with_for_update(read=True)
"""Whether a guest is one still. Holds that until the commit."""


class Claimed(StrEnum):
    """What came of somebody's taking over a guest's identity."""

    DONE = "done"
    TAKEN = "taken"
    """They have an identity of their own; the guest's stays the guest's."""
    GONE = "gone"
    """No such guest in the pool, or somebody has claimed it already."""


class _FasterError(Exception):
    """Another worker made the person's identity."""


class Identities:
    """Safe to use from many threads, workers and hosts at once: one person, one identity."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "pool logins")
        # A sealed text never comes to say something else, and apps bring the same people again and again.
        self._opened = lru_cache(maxsize=_OPENED)(self._open)
        self._sessions = SessionRows(sealer)
        self._find = database.prepare(_FIND)
        self._new = database.prepare(POOL_IDENTITIES.insert())
        self._add = database.insert(POOL_LOGINS).on_conflict_do_nothing().returning(POOL_LOGINS.c.login)
        named = {column: bindparam(column.name, type_=column.type) for column in POOL_LOGINS.c}
        self._add_login = database.prepare(self._add.values(named))

    def of(self, pool: str, source: SourceId, subject: str, now: datetime) -> str:
        """The identity that a person has in a pool; made if there is none. Raises StoreUnavailable."""
        for _ in range(_TRIES):  # more than one only where a login is taken away meanwhile
            found = self._found(pool, source, subject, now) or self._made(pool, source, subject, now)
            if found is not None:
                return found
        raise StoreUnavailable("a login is linked and taken away again all the time")

    def find(self, pool: str, source: SourceId, subject: str) -> str | None:
        """The identity that a person has in a pool. Raises StoreUnavailable."""
        return self._found(pool, source, subject, None)

    def guest(self, pool: str, address: str, now: datetime) -> str:
        """A new identity, of somebody who has not signed in and came from that address, of which a digest is kept."""
        id = str(uuid4())
        row = {
            "id": id,
            "pool": pool,
            "guest_address": _address(address),
            "created_at": now,
            "last_used": now,
        }
        with self._database.write() as connection:
            connection.execute(POOL_IDENTITIES.insert(), row)
        return id

    def guests_since(self, address: str, since: datetime) -> int:
        """How many guests came from an address at `since` or later, whatever became of them."""
        query = select(func.count()).select_from(POOL_IDENTITIES)
        query = query.where(POOL_IDENTITIES.c.guest_address == _address(address))
        with self._database.read() as connection:
            return int(connection.execute(query.where(POOL_IDENTITIES.c.created_at >= since)).scalar_one())

    def link(
        self,
        pool: str,
        id: str,
        source: SourceId,
        subject: str,
        now: datetime,
        *,
        by: tuple[SourceId, str] | None = None,
    ) -> bool:
        """Let a login lead to an identity. True if it does now, or did already.

        `by`: source and subject of the login that proved the identity; it must lead there still, so that one that
        is taken away meanwhile leaves no other of its owner's behind.
        False, and nothing is changed: the login leads to another, or there is no such identity of somebody's in
        the pool.
        """
        if not findable(id):
            return False
        with self._database.write() as connection:
            if connection.execute(_HOLD, {"wanted": id, "within": pool}).one_or_none() is None:
                return False
            leads = None if by is None else {"wanted": login_key(pool, *by), "of": id}
            if leads is not None and connection.execute(HAS, leads).one_or_none() is None:
                return False
            if self._added(connection, pool, id, source, subject, now):
                return True
            row = connection.execute(_FIND, {"wanted": login_key(pool, source, subject)}).one_or_none()
            return row is not None and row.identity == id

    def unlink(self, pool: str, id: str, source: SourceId, now: datetime) -> bool:
        """Take the logins of a source away from an identity, and end the sessions that came of them.

        False, and nothing is changed: it has none of that source, or none but that source's.
        """
        if not findable(id):
            return False
        with self._database.write() as connection:
            if connection.execute(_HOLD, {"wanted": id, "within": pool}).one_or_none() is None:
                return False
            logins = self._read_logins(connection, id)
            going = [subject for of, subject in logins if of == source]
            if not going or len(going) == len(logins):
                return False
            for subject in going:
                connection.execute(
                    delete(POOL_LOGINS).where(POOL_LOGINS.c.login == login_key(pool, source, subject))
                )
                self._end_sessions(connection, source, subject, id, now)
        return True

    def claim(self, pool: str, guest: str, source: SourceId, subject: str, now: datetime) -> Claimed:
        """Let a guest's identity be a person's who has none in the pool, and end the guest's sessions."""
        if not findable(guest):
            return Claimed.GONE
        with self._database.write() as connection:
            values = {"wanted": guest, "within": pool, "at": now}
            if connection.execute(_CLAIM, values).one_or_none() is None:
                return Claimed.GONE
            if not self._added(connection, pool, guest, source, subject, now):
                connection.rollback()
                return Claimed.TAKEN
            # None can begin meanwhile: what begins for a guest holds the row that is claimed here.
            theirs = SESSIONS.c.person == person_key(GUEST, guest)
            ending = update(SESSIONS).where(theirs, SESSIONS.c.ended_at.is_(None)).values(ended_at=now)
            connection.execute(ending)
        return Claimed.DONE

    def logins(self, id: str) -> Sequence[tuple[SourceId, str]]:
        """(source, subject) of every login that leads to an identity, oldest first. Raises StoreUnavailable."""
        if not findable(id):
            return ()
        with self._database.read() as connection:
            return self._read_logins(connection, id)

    def expire(self, now: datetime) -> int:
        """Forget the guests who were not seen for 30 days; how many those were."""
        over = delete(POOL_IDENTITIES).where(~_SOMEBODYS, POOL_IDENTITIES.c.last_used <= now - GUEST_LIFE)
        with self._database.write() as connection:
            return connection.execute(over).rowcount

    # --- steps ------------------------------------------------------------------------------------

    def _found(self, pool: str, source: SourceId, subject: str, now: datetime | None) -> str | None:
        login = login_key(pool, source, subject)
        with self._database.reading() as line:
            row = self._find.one(line, {"wanted": login})
        if row is None:
            return None
        self._opened(login, row.identity, row.document)
        if now is not None and abs(now - row.last_used) >= _NOTE_EVERY:
            self._note(login, row.identity, (pool, source, subject), now)
        return str(row.identity)

    def _note(self, login: str, id: str, person: tuple[str, SourceId, str], now: datetime) -> None:
        # Sealed anew each time, so that a sealing key may be given up once everybody came after it.
        sealed = self._close(login, id, *person)
        with self._database.write() as connection:
            connection.execute(_USED, {"wanted": id, "at": now})
            connection.execute(_RESEAL, {"wanted": login, "of": id, "sealed": sealed})

    def _made(self, pool: str, source: SourceId, subject: str, now: datetime) -> str | None:
        id = str(uuid4())
        try:
            with self._database.writing(soon=True) as line:
                self._new.do(line, {"id": id, "pool": pool, "created_at": now, "last_used": now})
                if self._add_login.one(line, self._login(pool, id, source, subject, now)) is None:
                    raise _FasterError
        except _FasterError:
            return None
        return id

    def _added(
        self, connection: Connection, pool: str, id: str, source: SourceId, subject: str, now: datetime
    ) -> bool:
        row = self._login(pool, id, source, subject, now)
        return connection.execute(self._add, row).one_or_none() is not None

    def _login(self, pool: str, id: str, source: SourceId, subject: str, now: datetime) -> dict[str, object]:
        login = login_key(pool, source, subject)
        return {
            "login": login,
            "identity": id,
            "linked_at": now,
            "document": self._close(login, id, pool, source, subject),
        }

    def _read_logins(self, connection: Connection, id: str) -> list[tuple[SourceId, str]]:
        rows = connection.execute(_LOGINS, {"wanted": id}).all()
        return [self._open(row.login, id, row.document) for row in rows]

    def _end_sessions(
        self, connection: Connection, source: SourceId, subject: str, id: str, now: datetime
    ) -> None:
        theirs = SESSIONS.c.person == person_key(source, subject)
        rows = connection.execute(select(*COLUMNS).where(theirs, SESSIONS.c.ended_at.is_(None))).all()
        for row in rows:
            session = self._sessions.session(row)
            if session is not None and session.pool_identity == id:
                connection.execute(update(SESSIONS).where(SESSIONS.c.id == row.id).values(ended_at=now))

    def _close(self, login: str, id: str, pool: str, source: SourceId, subject: str) -> str:
        document = {"pool": pool, "source": source, "subject": subject}
        return self._sealed.close(f"{login}/{id}", document)

    def _open(self, login: str, id: str, text: str) -> tuple[SourceId, str]:
        document = self._sealed.open(f"{login}/{id}", text)
        if document is None:
            # Not taken for absent: the person would become a stranger to their own things. And not kept, being no
            # answer: each look at it is in the log.
            raise StoreUnavailable("a login of a pool was altered, or was sealed under a key that is gone")
        return SourceId(document["source"]), document["subject"]


@lru_cache(maxsize=1024)
def login_key(pool: str, source: str, subject: str) -> str:
    """Under what a login is kept."""
    return digest("pool login", pool, source, subject)


def _address(address: str) -> str:
    return digest("guest address", address)
