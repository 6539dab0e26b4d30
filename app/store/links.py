"""One-time links: kept as digests, used once, one at a time for each purpose and user."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select, update

from app.people import Link, LinkPurpose
from app.sealing import Sealer
from app.store.codec import digest, findable
from app.store.database import Database
from app.store.holding import hold
from app.store.sealed import Sealed
from app.store.tables import LINKS

_THIS: Final = (
    LINKS.c.token == bindparam("wanted"),
    LINKS.c.used_at.is_(None),
    LINKS.c.expires_at > bindparam("now"),
)
_PEEK: Final = select(LINKS).where(*_THIS)
_TAKE: Final = update(LINKS).where(*_THIS).values(used_at=bindparam("now")).returning(*LINKS.c)


class Links:
    """Fits `mfa.Links`. What a link opens is sealed for its row: a row that somebody else wrote opens nothing."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "links")

    def add(self, token: str, link: Link) -> None:
        """Remember a link, and make earlier ones of the same purpose and user worthless."""
        hashed = _token(token)
        document = {"purpose": link.purpose, "user": link.user, "by": link.by}
        row = {
            "token": hashed,
            "purpose": link.purpose,
            "user": link.user,
            "by": link.by,
            "expires_at": link.expires_at,
            "document": self._sealed.close(_name(hashed, link.expires_at), document),
        }
        earlier = delete(LINKS).where(LINKS.c.user == link.user, LINKS.c.purpose == link.purpose)
        with self._database.write() as connection:
            hold(connection, "links", link.purpose, link.user)
            connection.execute(earlier)
            connection.execute(LINKS.insert(), row)

    def peek(self, token: str, now: datetime) -> Link | None:
        """A link that was not used and is in time."""
        with self._database.read() as connection:
            row = connection.execute(_PEEK, {"wanted": _token(token), "now": now}).one_or_none()
        return None if row is None else self._link(row)

    def take(self, token: str, now: datetime) -> Link | None:
        """Use a link up, once in all processes."""
        with self._database.write() as connection:
            row = connection.execute(_TAKE, {"wanted": _token(token), "now": now}).one_or_none()
        return None if row is None else self._link(row)

    def end_all(self, purpose: LinkPurpose, user: str, now: datetime) -> int:
        """Make a user's links of a purpose worthless; how many were good still."""
        if not findable(user):
            return 0
        ending = (
            update(LINKS)
            .where(LINKS.c.user == user, LINKS.c.purpose == purpose)
            .where(LINKS.c.used_at.is_(None), LINKS.c.expires_at > now)
            .values(used_at=now)
        )
        with self._database.write() as connection:
            hold(connection, "links", purpose, user)
            return connection.execute(ending).rowcount

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(LINKS).where(LINKS.c.expires_at <= now)).rowcount

    def _link(self, row: Row[*tuple[Any, ...]]) -> Link | None:
        document = self._sealed.open(_name(row.token, row.expires_at), row.document)
        if document is None:
            return None
        return Link(
            purpose=document["purpose"],
            user=document["user"],
            expires_at=row.expires_at,
            by=document["by"],
        )


def _token(token: str) -> str:
    return digest("link", token)


def _name(hashed: str, expires_at: datetime) -> str:
    return f"{hashed}/{expires_at.isoformat()}"
