"""Browsers in which people have signed in before, by the digest of a cookie that lives long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select, update

from app.model import SourceId
from app.people import KnownDevice
from app.sealing import Sealer
from app.store.codec import Document, digest, person_key
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import KNOWN_DEVICES

_THIS: Final = select(KNOWN_DEVICES).where(KNOWN_DEVICES.c.device == bindparam("wanted"))
_SEEN: Final = (
    update(KNOWN_DEVICES)
    .where(KNOWN_DEVICES.c.device == bindparam("wanted"))
    .values(last_seen=bindparam("now"), document=bindparam("sealed"))
)
_LONGEST_ADDRESS: Final = 64
_LONGEST_AGENT: Final = 512


class KnownDevices:
    """Fits `mfa.KnownDevices`. The digest is over person and cookie: a browser is known for one person at a time."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "known devices")
        table = KNOWN_DEVICES
        self._insert = database.insert(table).on_conflict_do_nothing().returning(table.c.device)

    def note(
        self, source: SourceId, subject: str, token: str, now: datetime, *, user_agent: str, address: str
    ) -> bool:
        """Note a sign-in in that browser; True if it was not known before."""
        device, person = _device(source, subject, token), person_key(source, subject)
        document = {"user_agent": user_agent[:_LONGEST_AGENT], "address": address[:_LONGEST_ADDRESS]}
        sealed = self._sealed.close(_name(device, person), document)
        row = {
            "device": device,
            "person": person,
            "first_seen": now,
            "last_seen": now,
            "document": sealed,
        }
        with self._database.write() as connection:
            if connection.execute(self._insert, row).one_or_none() is not None:
                return True
            connection.execute(_SEEN, {"wanted": device, "now": now, "sealed": sealed})
        return False

    def known(self, source: SourceId, subject: str, token: str) -> bool:
        """Whether that person has signed in before in the browser of that cookie."""
        with self._database.read() as connection:
            row = connection.execute(_THIS, {"wanted": _device(source, subject, token)}).one_or_none()
        return row is not None and self._open(row) is not None

    def of(self, source: SourceId, subject: str) -> Sequence[KnownDevice]:
        """A person's browsers, the last used first."""
        query = (
            select(KNOWN_DEVICES)
            .where(KNOWN_DEVICES.c.person == person_key(source, subject))
            .order_by(KNOWN_DEVICES.c.last_seen.desc(), KNOWN_DEVICES.c.device)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = [(row, document) for row in rows if (document := self._open(row)) is not None]
        return [
            KnownDevice(row.first_seen, row.last_seen, document["user_agent"], document["address"])
            for row, document in found
        ]

    def forget_all(self, source: SourceId, subject: str) -> int:
        """Forget a person's browsers; how many those were."""
        theirs = KNOWN_DEVICES.c.person == person_key(source, subject)
        with self._database.write() as connection:
            return connection.execute(delete(KNOWN_DEVICES).where(theirs)).rowcount

    def expire(self, before: datetime) -> int:
        """Forget those last seen before then; how many those were."""
        with self._database.write() as connection:
            return connection.execute(
                delete(KNOWN_DEVICES).where(KNOWN_DEVICES.c.last_seen < before)
            ).rowcount

    def _open(self, row: Row[*tuple[Any, ...]]) -> Document | None:
        return self._sealed.open(_name(row.device, row.person), row.document)


def _device(source: str, subject: str, token: str) -> str:
    return digest("known device", source, subject, token)


def _name(device: str, person: str) -> str:
    return f"{device}/{person}"
