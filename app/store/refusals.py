"""Refusals of strangers, counted per minute, address and code: how often, never a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, update

from app.store.database import Database
from app.store.tables import REFUSALS

OTHER: Final = "other"
"""Stands for all addresses beyond the cap."""
ROWS_PER_MINUTE: Final = 1000
"""Rows with an address of their own in one minute; the disk cannot be filled from outside."""
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How often something was refused in one minute."""

    minute: datetime
    address: str
    """Address or prefix as counted, or `other`."""
    code: str
    times: int


class Refusals:
    """Counts, bounded in number."""

    def __init__(self, database: Database, *, rows_per_minute: int = ROWS_PER_MINUTE) -> None:
        self._database = database
        self._cap = rows_per_minute
        insert = database.insert(REFUSALS)
        self._upsert = insert.on_conflict_do_update(
            index_elements=[REFUSALS.c.minute, REFUSALS.c.address, REFUSALS.c.code],
            set_={"times": REFUSALS.c.times + insert.excluded.times},
        )

    def count(self, minute: datetime, address: str, code: str, by: int) -> None:
        """Add `by` to a count; seconds are cut off, long texts too (64 characters)."""
        whole = minute.replace(second=0, microsecond=0)
        key = (
            REFUSALS.c.minute == whole,
            REFUSALS.c.address == address[:_LONGEST],
            REFUSALS.c.code == code[:_LONGEST],
        )
        rows = select(func.count()).where(REFUSALS.c.minute == whole, REFUSALS.c.address != OTHER)
        with self._database.write() as connection:
            if connection.execute(update(REFUSALS).where(*key).values(times=REFUSALS.c.times + by)).rowcount:
                return
            full = connection.execute(rows).scalar_one() >= self._cap
            row = {
                "minute": whole,
                "address": OTHER if full else address[:_LONGEST],
                "code": code[:_LONGEST],
                "times": by,
            }
            connection.execute(self._upsert, row)

    def since(self, minute: datetime) -> Sequence[RefusalCount]:
        """The counts from that minute on, newest minute first, highest first."""
        query = (
            select(REFUSALS)
            .where(REFUSALS.c.minute >= minute)
            .order_by(REFUSALS.c.minute.desc(), REFUSALS.c.times.desc(), REFUSALS.c.address, REFUSALS.c.code)
        )
        with self._database.read() as connection:
            return [
                RefusalCount(row.minute, row.address, row.code, row.times)
                for row in connection.execute(query)
            ]

    def expire(self, before: datetime) -> int:
        """Forget the counts of minutes before that; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(REFUSALS).where(REFUSALS.c.minute < before)).rowcount
