"""Wrong answers, counted over all workers and hosts before anything costly is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, or_, select, update

from app.people import Budget
from app.store.codec import digest
from app.store.database import Database
from app.store.tables import GUESSES

_OVER: Final = GUESSES.c.until <= bindparam("now")
_GIVE_BACK: Final = (
    update(GUESSES)
    .where(GUESSES.c.bucket == bindparam("wanted"), GUESSES.c.until > bindparam("now"))
    .values(times=GUESSES.c.times - 1)
)
# A window begins with a miss, not with an answer that was right.
_EMPTY: Final = delete(GUESSES).where(GUESSES.c.bucket == bindparam("wanted"), GUESSES.c.times <= 0)
_TRIES: Final = 3


class Guesses:
    """Fits `mfa.Guesses`. One row for each thing that is counted, found by the digest of scope and key."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(GUESSES)
        begun = insert.excluded
        self._count = insert.on_conflict_do_update(
            index_elements=[GUESSES.c.bucket],
            set_={
                "times": case((_OVER, 1), else_=GUESSES.c.times + 1),
                "since": case((_OVER, begun.since), else_=GUESSES.c.since),
                "until": case((_OVER, begun.until), else_=GUESSES.c.until),
            },
            where=or_(_OVER, GUESSES.c.times < bindparam("most")),
        ).returning(GUESSES.c.bucket)

    def reserve(self, budgets: Sequence[Budget], now: datetime) -> Budget | None:
        """Count one more in each budget, or in none; see `mfa.Guesses`."""
        buckets = _buckets(budgets)
        refused: Budget | None = None
        for _ in range(_TRIES):  # more than one only where others count, or give back, at the same moment
            used_up = self._used_up(buckets, budgets, now)
            if used_up is not None:
                return used_up
            refused = self._count_all(buckets, now)
            if refused is None:
                return None
        return refused

    def give_back(self, budgets: Sequence[Budget], now: datetime) -> None:
        """Take one back in each."""
        with self._database.write() as connection:
            for bucket in sorted(_buckets(budgets)):
                connection.execute(_GIVE_BACK, {"wanted": bucket, "now": now})
                connection.execute(_EMPTY, {"wanted": bucket})

    def expire(self, now: datetime) -> int:
        """Forget the windows that are over; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(GUESSES).where(GUESSES.c.until <= now)).rowcount

    def _used_up(
        self, buckets: Mapping[str, Budget], budgets: Sequence[Budget], now: datetime
    ) -> Budget | None:
        query = select(GUESSES.c.bucket, GUESSES.c.times).where(
            GUESSES.c.bucket.in_(buckets), GUESSES.c.until > now
        )
        with self._database.read() as connection:
            times = {row.bucket: row.times for row in connection.execute(query)}
        return next((each for each in budgets if times.get(_bucket(each), 0) >= each.most), None)

    def _count_all(self, buckets: Mapping[str, Budget], now: datetime) -> Budget | None:
        with self._database.write() as connection:
            # In one order everywhere, so that no two transactions wait for one another.
            for bucket in sorted(buckets):
                if not self._counted(connection, bucket, buckets[bucket], now):
                    connection.rollback()
                    return buckets[bucket]
        return None

    def _counted(self, connection: Connection, bucket: str, budget: Budget, now: datetime) -> bool:
        values = {
            "bucket": bucket,
            "since": now,
            "until": now + budget.window,
            "times": 1,
            "now": now,
            "most": budget.most,
        }
        return connection.execute(self._count, values).one_or_none() is not None


def _buckets(budgets: Sequence[Budget]) -> dict[str, Budget]:
    return {_bucket(budget): budget for budget in budgets}


def _bucket(budget: Budget) -> str:
    return digest("guesses", budget.scope, budget.key)
