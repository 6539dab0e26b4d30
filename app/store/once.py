"""What may be accepted a single time across all workers and hosts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete

from app.store.codec import digest
from app.store.database import Database
from app.store.tables import ONCE


class OnceOnlyMarks:
    """A mark is a row whose key is the digest of what it marks; inserting it decides."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = database.insert(ONCE).on_conflict_do_nothing().returning(ONCE.c.mark)

    def mark(self, namespace: str, value: str, until: datetime) -> bool:
        """True for the first who marks `value` in `namespace`, in all processes; False for all others.

        `until`: from when on the mark may be forgotten. Until it is, it holds.
        """
        row = {"mark": digest("once", namespace, value), "until": until}
        with self._database.write() as connection:
            return connection.execute(self._insert, row).one_or_none() is not None

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(ONCE).where(ONCE.c.until <= now)).rowcount
