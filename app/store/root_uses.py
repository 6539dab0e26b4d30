"""Sign-ins as root, open until somebody else has signed them off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, update

from app.people import RootUse
from app.sealing import Sealer
from app.store.codec import findable
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import ROOT_USES
from app.store.times import from_micros, to_micros

_ALL: Final = select(ROOT_USES).order_by(ROOT_USES.c.at.desc(), ROOT_USES.c.id)
_SIGN_OFF: Final = (
    update(ROOT_USES)
    .where(ROOT_USES.c.id == bindparam("wanted"), ROOT_USES.c.signed_off_at.is_(None))
    .values(signed_off_at=bindparam("now"), signed_off_by=bindparam("by"), note=bindparam("words"))
)
_UNREADABLE: Final = "(cannot be read: it was altered, or its sealing key is gone)"


class RootUses:
    """Fits `mfa.RootUses`. A use whose row cannot be opened is shown all the same, without its facts."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "root uses")

    def add(self, use: RootUse) -> None:
        """Remember a use. Raises StoreUnavailable."""
        document = {
            "reason": use.reason,
            "address": use.address,
            "session": use.session,
            "ends_at": to_micros(use.ends_at),
        }
        row = {"id": use.id, "at": use.at, "document": self._sealed.close(_name(use.id, use.at), document)}
        with self._database.write() as connection:
            connection.execute(ROOT_USES.insert(), row)

    def all(self) -> Sequence[RootUse]:
        """Every use, newest first."""
        with self._database.read() as connection:
            return [self._use(row) for row in connection.execute(_ALL)]

    def sign_off(self, id: str, *, by: str, note: str, now: datetime) -> bool:
        """Sign a use off; True for the first who does."""
        if not findable(id):
            return False
        with self._database.write() as connection:
            values = {"wanted": id, "by": by, "words": note, "now": now}
            return connection.execute(_SIGN_OFF, values).rowcount == 1

    def _use(self, row: Row[*tuple[Any, ...]]) -> RootUse:
        document = self._sealed.open(_name(row.id, row.at), row.document)
        if document is None:
            document = {
                "reason": _UNREADABLE,
                "address": "",
                "session": "",
                "ends_at": to_micros(row.at),
            }
        return RootUse(
            id=row.id,
            at=row.at,
            reason=document["reason"],
            address=document["address"],
            session=document["session"],
            ends_at=from_micros(document["ends_at"]),
            signed_off_by=row.signed_off_by or "",
            signed_off_at=row.signed_off_at,
            note=row.note or "",
        )


def _name(id: str, at: datetime) -> str:
    return f"{id}/{at.isoformat()}"
