"""The outbox of alerts: one row for each alert and channel, until it is delivered or given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select, update

from app.notify.seam import Delivery
from app.people import Alert
from app.sealing import Sealer
from app.store.codec import Document
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import ALERTS

LEASE: Final = timedelta(minutes=5)
"""For so long whoever was told that a delivery is due has it alone."""
_WAITING: Final = (
    ALERTS.c.id == bindparam("wanted"),
    ALERTS.c.channel == bindparam("through"),
    ALERTS.c.next_try.is_not(None),
)
_CLAIM: Final = (
    update(ALERTS).where(*_WAITING, ALERTS.c.next_try <= bindparam("now")).values(next_try=bindparam("lease"))
)
_DONE: Final = (
    update(ALERTS).where(*_WAITING).values(done_at=bindparam("now"), next_try=None, tries=ALERTS.c.tries + 1)
)
_FAILED: Final = update(ALERTS).where(*_WAITING).values(next_try=bindparam("again"), tries=ALERTS.c.tries + 1)
_GIVEN_UP: Final = update(ALERTS).where(*_WAITING).values(next_try=None, tries=ALERTS.c.tries + 1)


class Alerts:
    """Fits `notify.Outbox`. What an alert says is sealed for its row."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "alerts")

    def add(self, alert: Alert, channels: Sequence[str], next_try: datetime) -> None:
        """Remember that an alert is to go through these channels, each due from `next_try` on."""
        document = _dump(alert)
        rows = [
            {
                "id": alert.id,
                "channel": channel,
                "at": alert.at,
                "next_try": next_try,
                "tries": 0,
                "document": self._sealed.close(_name(alert.id, channel, alert.at), document),
            }
            for channel in dict.fromkeys(channels)
        ]
        if not rows:
            return
        with self._database.write() as connection:
            connection.execute(ALERTS.insert(), rows)

    def due(self, now: datetime, most: int) -> Sequence[Delivery]:
        """At most so many deliveries whose time has come, the longest waiting first.

        Each is the caller's for five minutes: nobody else is told of it meanwhile, in any process.
        """
        query = (
            select(ALERTS)
            .where(ALERTS.c.next_try <= now)
            .order_by(ALERTS.c.next_try, ALERTS.c.id, ALERTS.c.channel)
            .limit(most)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return ()
        with self._database.write() as connection:
            mine = [row for row in rows if self._claimed(connection, row, now)]
        return [found for row in mine if (found := self._delivery(row)) is not None]

    def done(self, id: str, channel: str, now: datetime) -> bool:
        """It was delivered; True if it still waited for that."""
        return self._settle(_DONE, id, channel, now=now)

    def failed(self, id: str, channel: str, next_try: datetime) -> bool:
        """It was not delivered, and is due again from `next_try` on."""
        return self._settle(_FAILED, id, channel, again=next_try)

    def given_up(self, id: str, channel: str) -> bool:
        """It was not delivered, and is not tried any more. True for the one who gave it up."""
        return self._settle(_GIVEN_UP, id, channel)

    def latest(self, most: int) -> Sequence[Delivery]:
        """The last deliveries in whatever state, newest first."""
        query = select(ALERTS).order_by(ALERTS.c.at.desc(), ALERTS.c.id, ALERTS.c.channel).limit(most)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [found for row in rows if (found := self._delivery(row)) is not None]

    def expire(self, before: datetime) -> int:
        """Forget the alerts from before then that wait for nothing any more; how many rows those were."""
        over = delete(ALERTS).where(ALERTS.c.at < before, ALERTS.c.next_try.is_(None))
        with self._database.write() as connection:
            return connection.execute(over).rowcount

    def _claimed(self, connection: Any, row: Row[*tuple[Any, ...]], now: datetime) -> bool:
        values = {"wanted": row.id, "through": row.channel, "now": now, "lease": now + LEASE}
        return bool(connection.execute(_CLAIM, values).rowcount == 1)

    def _settle(self, statement: Any, id: str, channel: str, **values: datetime) -> bool:
        with self._database.write() as connection:
            row = {"wanted": id, "through": channel, **values}
            return bool(connection.execute(statement, row).rowcount == 1)

    def _delivery(self, row: Row[*tuple[Any, ...]]) -> Delivery | None:
        document = self._sealed.open(_name(row.id, row.channel, row.at), row.document)
        if document is None:
            return None
        alert = Alert(
            id=row.id,
            kind=document["kind"],
            at=row.at,
            title=document["title"],
            text=document["text"],
            facts=document["facts"],
            to=document["to"],
        )
        return Delivery(
            alert=alert, channel=row.channel, tries=row.tries, next_try=row.next_try, done_at=row.done_at
        )


def _dump(alert: Alert) -> Document:
    return {
        "kind": alert.kind,
        "title": alert.title,
        "text": alert.text,
        "facts": dict(alert.facts),
        "to": alert.to,
    }


def _name(id: str, channel: str, at: datetime) -> str:
    return f"{id}/{channel}/{at.isoformat()}"
