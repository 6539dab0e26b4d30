"""Requests to take somebody's factors away: asked by one, decided once by another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, update

from app.model import SourceId
from app.people import Recovery
from app.sealing import Sealer
from app.store.codec import findable, person_key
from app.store.database import Database
from app.store.holding import hold
from app.store.sealed import Sealed
from app.store.tables import RECOVERIES

_THIS: Final = select(RECOVERIES).where(RECOVERIES.c.id == bindparam("wanted"))
_WAITING: Final = (
    select(RECOVERIES.c.id)
    .where(RECOVERIES.c.person == bindparam("of"))
    .where(RECOVERIES.c.decided_at.is_(None), RECOVERIES.c.expires_at > bindparam("now"))
    .limit(1)
)
_DECIDE: Final = (
    update(RECOVERIES)
    .where(RECOVERIES.c.id == bindparam("wanted"))
    .where(RECOVERIES.c.decided_at.is_(None), RECOVERIES.c.expires_at > bindparam("now"))
    .values(decided_at=bindparam("now"), decided_by=bindparam("by"), approved=bindparam("answer"))
)


class Recoveries:
    """Fits `mfa.Recoveries`. Who asked for whom is sealed for the row."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "recoveries")

    def add(self, recovery: Recovery) -> bool:
        """Remember a request; False if one waits for that person already."""
        person = person_key(recovery.source, recovery.subject)
        document = {
            "source": recovery.source,
            "subject": recovery.subject,
            "username": recovery.username,
            "reason": recovery.reason,
            "asked_by": recovery.asked_by,
        }
        row = {
            "id": recovery.id,
            "person": person,
            "asked_at": recovery.asked_at,
            "expires_at": recovery.expires_at,
            "document": self._sealed.close(
                _name(recovery.id, person, recovery.asked_at, recovery.expires_at), document
            ),
        }
        with self._database.write() as connection:
            hold(connection, "recoveries", person)
            waiting = connection.execute(_WAITING, {"of": person, "now": recovery.asked_at})
            if waiting.one_or_none() is not None:
                return False
            connection.execute(RECOVERIES.insert(), row)
        return True

    def get(self, id: str) -> Recovery | None:
        """A request, decided or not."""
        if not findable(id):
            return None
        with self._database.read() as connection:
            row = connection.execute(_THIS, {"wanted": id}).one_or_none()
        return None if row is None else self._recovery(row)

    def all(self) -> Sequence[Recovery]:
        """Every request, newest first."""
        query = select(RECOVERIES).order_by(RECOVERIES.c.asked_at.desc(), RECOVERIES.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [found for row in rows if (found := self._recovery(row)) is not None]

    def decide(self, id: str, *, approved: bool, by: str, now: datetime) -> bool:
        """Decide a request; see `mfa.Recoveries`."""
        asked = self.get(id)
        if asked is None or asked.asked_by == by:
            return False
        values = {"wanted": id, "now": now, "by": by, "answer": int(approved)}
        with self._database.write() as connection:
            return connection.execute(_DECIDE, values).rowcount == 1

    def _recovery(self, row: Row[*tuple[Any, ...]]) -> Recovery | None:
        document = self._sealed.open(_name(row.id, row.person, row.asked_at, row.expires_at), row.document)
        if document is None:
            return None
        return Recovery(
            id=row.id,
            source=SourceId(document["source"]),
            subject=document["subject"],
            username=document["username"],
            reason=document["reason"],
            asked_by=document["asked_by"],
            asked_at=row.asked_at,
            expires_at=row.expires_at,
            decided_by=row.decided_by or "",
            decided_at=row.decided_at,
            approved=None if row.approved is None else bool(row.approved),
        )


def _name(id: str, person: str, asked_at: datetime, expires_at: datetime) -> str:
    return f"{id}/{person}/{asked_at.isoformat()}/{expires_at.isoformat()}"
