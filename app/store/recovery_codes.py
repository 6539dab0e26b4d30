"""Recovery codes: kept as digests, each good once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update

from app.model import SourceId
from app.store.codec import digest, person_key
from app.store.database import Database
from app.store.holding import hold
from app.store.tables import RECOVERY_CODES

_USE: Final = (
    update(RECOVERY_CODES)
    .where(RECOVERY_CODES.c.code == bindparam("wanted"), RECOVERY_CODES.c.person == bindparam("of"))
    .where(RECOVERY_CODES.c.used_at.is_(None))
    .values(used_at=bindparam("now"))
)
_LEFT: Final = (
    select(func.count())
    .select_from(RECOVERY_CODES)
    .where(RECOVERY_CODES.c.person == bindparam("of"), RECOVERY_CODES.c.used_at.is_(None))
)


class RecoveryCodes:
    """Fits `mfa.RecoveryCodes`. The digest is over person and code: nobody's code is another's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, source: SourceId, subject: str, codes: Sequence[str], now: datetime) -> None:
        """Give a person these codes, and make all earlier ones worthless."""
        person = person_key(source, subject)
        hashed = dict.fromkeys(_code(source, subject, code) for code in codes)
        rows = [{"code": code, "person": person, "made_at": now} for code in hashed]
        with self._database.write() as connection:
            hold(connection, "factors", person)
            connection.execute(delete(RECOVERY_CODES).where(RECOVERY_CODES.c.person == person))
            if rows:
                connection.execute(RECOVERY_CODES.insert(), rows)

    def use(self, source: SourceId, subject: str, code: str, now: datetime) -> bool:
        """Use a code up; see `mfa.RecoveryCodes`."""
        values = {"wanted": _code(source, subject, code), "of": person_key(source, subject), "now": now}
        with self._database.write() as connection:
            return connection.execute(_USE, values).rowcount == 1

    def left(self, source: SourceId, subject: str) -> int:
        """How many a person has that are not used."""
        with self._database.read() as connection:
            return connection.execute(_LEFT, {"of": person_key(source, subject)}).scalar_one()


def _code(source: str, subject: str, code: str) -> str:
    return digest("recovery code", source, subject, code)
