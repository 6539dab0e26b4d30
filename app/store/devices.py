"""Devices that wait for their person (RFC 8628): decided once, redeemed once, on all hosts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, select, update

from app.sealing import Sealer
from app.store.codec import digest, findable
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import DEVICES
from app.tokens.seam import POLL_INTERVAL, Approved, DeviceGrant, NotYet

_FIND: Final = select(DEVICES).where(
    DEVICES.c.user_code == bindparam("wanted"),
    DEVICES.c.decision.is_(None),
    DEVICES.c.expires_at > bindparam("now"),
)
_DECIDE: Final = (
    update(DEVICES)
    .where(DEVICES.c.device_code == bindparam("wanted"))
    .where(DEVICES.c.decision.is_(None), DEVICES.c.expires_at > bindparam("now"))
    .values(decision=bindparam("decided"))
)
_POLL: Final = select(DEVICES).where(DEVICES.c.device_code == bindparam("wanted")).with_for_update()
_POLLED: Final = (
    update(DEVICES)
    .where(DEVICES.c.device_code == bindparam("wanted"))
    .values(polled_at=bindparam("at"), poll_seconds=bindparam("seconds"))
)
_REDEEM: Final = (
    update(DEVICES)
    .where(DEVICES.c.device_code == bindparam("wanted"), DEVICES.c.redeemed_at.is_(None))
    .values(redeemed_at=bindparam("at"))
)
_LONGEST_ADDRESS: Final = 64
_LONGEST_PAUSE: Final = 300
"""Seconds: a device that never waits is not told to wait for ever."""
_TOLERANCE: Final = timedelta(milliseconds=500)
"""What hosts' clocks and the way here may take from a pause that was kept."""
_LATE: Final = timedelta(minutes=5)


class Devices:
    """Fits `tokens.DeviceGrants`.

    Rows are found by the digests of their two codes. What the device asked and what the person decided are
    sealed for the row, so that whoever can write to the database cannot let a device in.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._asked = Sealed(sealer, "devices")
        self._decided = Sealed(sealer, "device decisions")
        self._insert = database.insert(DEVICES).on_conflict_do_nothing().returning(DEVICES.c.device_code)

    def add(self, device_code: str, grant: DeviceGrant) -> bool:
        """Remember a device; False, and nothing kept, if the user code is taken."""
        hashed = _hash(device_code)
        document = {
            "user_code": grant.user_code,
            "client": grant.client,
            "scope": list(grant.scope),
            "resource": grant.resource,
            "device": grant.device,
            "address": grant.address,
            "user_agent": grant.user_agent,
        }
        row = {
            "device_code": hashed,
            "user_code": _user_hash(grant.user_code),
            "address": grant.address[:_LONGEST_ADDRESS],
            "asked_at": grant.asked_at,
            "expires_at": grant.expires_at,
            "poll_seconds": int(POLL_INTERVAL.total_seconds()),
            "document": self._asked.close(_row(hashed, grant.asked_at, grant.expires_at), document),
        }
        with self._database.write() as connection:
            return connection.execute(self._insert, row).one_or_none() is not None

    def find(self, user_code: str, now: datetime) -> DeviceGrant | None:
        """The device that waits under a user code (normalised), undecided and in time."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"wanted": _user_hash(user_code), "now": now}).one_or_none()
        found = None if row is None else self._grant(row)
        return found if found is not None and found.user_code == user_code else None

    def decide(self, handle: str, approved_by: str | None, now: datetime, stage: str = "") -> bool:
        """Let it in, on the word of that session, or turn it away; False if that is past deciding."""
        if not findable(handle):
            return False
        decided = self._decided.close(handle, {"approved_by": approved_by, "stage": stage})
        with self._database.write() as connection:
            values = {"wanted": handle, "now": now, "decided": decided}
            return connection.execute(_DECIDE, values).rowcount == 1

    def poll(self, device_code: str, client: str, now: datetime) -> Approved | NotYet:
        """What the device hears; see `tokens.DeviceGrants`."""
        hashed = _hash(device_code)
        with self._database.write() as connection:
            # The row is held until the commit, so that polls come one after another.
            row = connection.execute(_POLL, {"wanted": hashed}).one_or_none()
            grant = None if row is None or row.redeemed_at is not None else self._grant(row)
            if row is None or grant is None or grant.client != client:
                return NotYet.UNKNOWN
            if row.expires_at <= now:
                return NotYet.EXPIRED
            if row.decision is None:
                answer, seconds = _pace(row, now)
                connection.execute(_POLLED, {"wanted": hashed, "at": now, "seconds": seconds})
                return answer
            decision = self._decided.open(hashed, row.decision)
            if decision is None:
                return NotYet.UNKNOWN
            if decision["approved_by"] is None:
                return NotYet.DENIED
            connection.execute(_REDEEM, {"wanted": hashed, "at": now})
            # Absent in rows from before it was kept.
            return Approved(grant, decision["approved_by"], decision.get("stage", ""))

    def started_since(self, address: str, since: datetime) -> int:
        """How many devices asked from this address at `since` or later, and are not forgotten yet."""
        query = (
            select(func.count())
            .select_from(DEVICES)
            .where(DEVICES.c.address == address[:_LONGEST_ADDRESS], DEVICES.c.asked_at >= since)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def expire(self, now: datetime) -> int:
        """Forget what is out of date, a little late: a late poll hears why."""
        with self._database.write() as connection:
            return connection.execute(delete(DEVICES).where(DEVICES.c.expires_at <= now - _LATE)).rowcount

    def _grant(self, row: Row[*tuple[Any, ...]]) -> DeviceGrant | None:
        document = self._asked.open(_row(row.device_code, row.asked_at, row.expires_at), row.document)
        if document is None:
            return None
        return DeviceGrant(
            user_code=document["user_code"],
            client=document["client"],
            scope=tuple(document["scope"]),
            resource=document["resource"],
            device=document["device"],
            address=document["address"],
            user_agent=document["user_agent"],
            asked_at=row.asked_at,
            expires_at=row.expires_at,
            handle=row.device_code,
        )


def _pace(row: Row[*tuple[Any, ...]], now: datetime) -> tuple[NotYet, int]:
    """What an undecided device hears, and how long it has to pause from here on (RFC 8628, 3.5)."""
    pause = timedelta(seconds=row.poll_seconds)
    if row.polled_at is None or now - row.polled_at >= pause - _TOLERANCE:
        return NotYet.PENDING, row.poll_seconds
    longer = row.poll_seconds + int(POLL_INTERVAL.total_seconds())
    return NotYet.SLOW_DOWN, min(longer, _LONGEST_PAUSE)


def _hash(device_code: str) -> str:
    return digest("device code", device_code)


def _user_hash(user_code: str) -> str:
    return digest("user code", user_code)


def _row(hashed: str, asked_at: datetime, expires_at: datetime) -> str:
    return f"{hashed}/{asked_at.isoformat()}/{expires_at.isoformat()}"
