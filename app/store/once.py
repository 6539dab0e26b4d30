"""What may be accepted a single time across all workers and hosts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from app.store.codec import digest
from app.store.database import Database
from app.store.tables import ONCE

_OWNED: Final = select(ONCE.c.owner, ONCE.c.until).where(ONCE.c.mark == bindparam("wanted"))
_KEEP: Final = (
    update(ONCE)
    .where(ONCE.c.mark == bindparam("wanted"), ONCE.c.until < bindparam("end"))
    .values(until=bindparam("end"))
)
_ROW: Final = {column: bindparam(column.name, type_=column.type) for column in ONCE.c}
_SAME: Final = timedelta(minutes=10)
"""How much longer a binding is to hold before that is written down."""


class OnceOnlyMarks:
    """A mark is a row whose key is the digest of what it marks; inserting it decides."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(ONCE).on_conflict_do_nothing()
        self._insert = database.prepare(insert.values(_ROW))
        self._owned, self._keep = database.prepare(_OWNED), database.prepare(_KEEP)

    def mark(self, namespace: str, value: str, until: datetime) -> bool:
        """True for the first who marks `value` in `namespace`, in all processes; False for all others.

        `until`: from when on the mark may be forgotten. Until it is, it holds.
        """
        row = {"mark": digest("once", namespace, value), "until": until}
        with self._database.writing(soon=True) as line:
            return self._insert.do(line, row) == 1

    def bind(self, namespace: str, value: str, owner: str, until: datetime) -> bool:
        """True if `value` in `namespace` is `owner`'s: the first who binds it has it, in all processes.

        `until`: from when on it may be forgotten; the latest that its owner said counts. A binding and a mark of
        the same value do not meet.
        """
        mark, whose = digest("bound", namespace, value), digest("owner", owner)
        with self._database.writing(soon=True) as line:
            # Not looked for beforehand: most come a single time.
            if self._insert.do(line, {"mark": mark, "until": until, "owner": whose}) == 1:
                return True
            found = self._owned.one(line, {"wanted": mark})
            if found is None or found.owner != whose:
                return False
            if found.until < until - _SAME:
                self._keep.do(line, {"wanted": mark, "end": until})
            return True

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(ONCE).where(ONCE.c.until <= now)).rowcount
