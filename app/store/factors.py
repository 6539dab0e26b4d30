"""Second factors of people of any source: enrolled in number, advanced once, never forgotten by mistake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, select, update

from app.errors import StoreUnavailable
from app.model import SourceId
from app.people import Factor
from app.sealing import Sealer
from app.store.codec import Document, digest, findable, person_key
from app.store.database import Database
from app.store.holding import hold
from app.store.sealed import Sealed
from app.store.tables import FACTORS, RECOVERY_CODES

_THIS: Final = (FACTORS.c.id == bindparam("wanted"), FACTORS.c.ended_at.is_(None))
_THEIRS: Final = (FACTORS.c.person == bindparam("of"), FACTORS.c.ended_at.is_(None))
_OF: Final = select(FACTORS).where(*_THEIRS).order_by(FACTORS.c.enrolled_at, FACTORS.c.id)
_COUNT: Final = select(func.count()).select_from(FACTORS).where(*_THEIRS)
_BY_CREDENTIAL: Final = select(FACTORS).where(
    FACTORS.c.credential == bindparam("wanted"), FACTORS.c.ended_at.is_(None)
)
_ADVANCE: Final = (
    update(FACTORS)
    .where(*_THIS, FACTORS.c.counter < bindparam("reached"))
    .values(counter=bindparam("reached"), last_used=bindparam("now"))
)
_USED: Final = update(FACTORS).where(*_THIS).values(last_used=bindparam("now"))
# A credential that was removed may be enrolled again, by anybody who has the device.
_ENDED: Final[dict[str, Any]] = {"ended_at": bindparam("now"), "credential": None}
_END: Final = update(FACTORS).where(*_THIS).values(**_ENDED)
_END_ALL: Final = update(FACTORS).where(*_THEIRS).values(**_ENDED)
_HIGHEST: Final = 2**63 - 1


class Factors:
    """Fits `mfa.Factors`. What a device is stands sealed for its row; its counter in the open, to be raised once.

    A row that cannot be opened is StoreUnavailable, not absent: a person whose factor seemed to be gone could be
    let in without it.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "factors")
        self._insert = database.insert(FACTORS).on_conflict_do_nothing().returning(FACTORS.c.id)

    def add(self, factor: Factor, most: int) -> bool:
        """Keep a device; see `mfa.Factors`."""
        person = person_key(factor.source, factor.subject)
        credential = factor.facts.get("credential")
        row = {
            "id": factor.id,
            "person": person,
            "kind": factor.kind,
            "credential": None if credential is None else _credential(credential),
            "enrolled_at": factor.enrolled_at,
            "counter": factor.counter,
            "last_used": factor.last_used,
            "document": self._sealed.close(
                _name(factor.id, person, factor.kind, factor.enrolled_at), _dump(factor)
            ),
        }
        with self._database.write() as connection:
            hold(connection, "factors", person)
            if connection.execute(_COUNT, {"of": person}).scalar_one() >= most:
                return False
            return connection.execute(self._insert, row).one_or_none() is not None

    def of(self, source: SourceId, subject: str) -> Sequence[Factor]:
        """A person's devices, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_OF, {"of": person_key(source, subject)}).all()
        return [self._factor(row) for row in rows]

    def by_credential(self, credential: str) -> Factor | None:
        """The WebAuthn device of that credential id (base64url)."""
        with self._database.read() as connection:
            row = connection.execute(_BY_CREDENTIAL, {"wanted": _credential(credential)}).one_or_none()
        found = None if row is None else self._factor(row)
        return found if found is not None and found.facts.get("credential") == credential else None

    def advance(self, id: str, counter: int, now: datetime) -> bool:
        """Raise the counter, once in all processes."""
        if not findable(id) or counter > _HIGHEST:
            return False
        with self._database.write() as connection:
            values = {"wanted": id, "reached": counter, "now": now}
            return connection.execute(_ADVANCE, values).rowcount == 1

    def used(self, id: str, now: datetime) -> bool:
        """Note the use of a device that keeps no counter."""
        if not findable(id):
            return False
        with self._database.write() as connection:
            return connection.execute(_USED, {"wanted": id, "now": now}).rowcount == 1

    def rename(self, id: str, name: str) -> bool:
        """Call a device something else; False if it was removed."""
        if not findable(id):
            return False
        with self._database.write() as connection:
            # The row is held until the commit.
            row = connection.execute(
                select(FACTORS).where(*_THIS).with_for_update(), {"wanted": id}
            ).one_or_none()
            if row is None:
                return False
            document = {**self._open(row), "name": name}
            sealed = self._sealed.close(_name(row.id, row.person, row.kind, row.enrolled_at), document)
            renaming = update(FACTORS).where(*_THIS).values(document=sealed)
            return connection.execute(renaming, {"wanted": id}).rowcount == 1

    def end(self, id: str, now: datetime) -> bool:
        """Remove a device; True if this call did it."""
        if not findable(id):
            return False
        with self._database.write() as connection:
            return connection.execute(_END, {"wanted": id, "now": now}).rowcount == 1

    def end_all(self, source: SourceId, subject: str, now: datetime) -> int:
        """Remove all of a person's devices and recovery codes; how many devices."""
        person = person_key(source, subject)
        with self._database.write() as connection:
            hold(connection, "factors", person)  # so that none is being added meanwhile
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.person == person))
            return connection.execute(_END_ALL, {"of": person, "now": now}).rowcount

    def _factor(self, row: Row[*tuple[Any, ...]]) -> Factor:
        document = self._open(row)
        return Factor(
            id=row.id,
            source=SourceId(document["source"]),
            subject=document["subject"],
            kind=row.kind,
            name=document["name"],
            enrolled_at=row.enrolled_at,
            space=document["space"],
            first=document["first"],
            facts=document["facts"],
            counter=row.counter,
            last_used=row.last_used,
        )

    def _open(self, row: Row[*tuple[Any, ...]]) -> Document:
        document = self._sealed.open(_name(row.id, row.person, row.kind, row.enrolled_at), row.document)
        if document is None:
            raise StoreUnavailable(f"factor {row.id} was altered, or its sealing key is gone")
        return document


def _dump(factor: Factor) -> Document:
    return {
        "source": factor.source,
        "subject": factor.subject,
        "name": factor.name,
        "space": factor.space,
        "first": factor.first,
        "facts": dict(factor.facts),
    }


def _credential(credential: str) -> str:
    return digest("credential", credential)


def _name(id: str, person: str, kind: str, enrolled_at: datetime) -> str:
    return f"{id}/{person}/{kind}/{enrolled_at.isoformat()}"
