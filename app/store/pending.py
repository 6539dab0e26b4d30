"""Sign-ins that were started and not yet finished: each is taken once, by the browser that began it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select

from app.model import Pending, SourceId
from app.sealing import Sealer
from app.store.codec import digest
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import PENDING

_TAKE: Final = (
    delete(PENDING)
    .where(PENDING.c.handle == bindparam("handle"))
    .returning(PENDING.c.address, PENDING.c.created_at, PENDING.c.expires_at, PENDING.c.document)
)
_LONGEST_ADDRESS: Final = 64


class PendingSignIns:
    """Rows are found by one digest over key, source and browser: whoever differs in one finds nothing."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "pending")

    def add(self, pending: Pending) -> None:
        """Remember a sign-in. Raises StoreUnavailable, also for a key that is taken already."""
        handle = _handle(pending.key, pending.source, pending.browser)
        document = {"next": pending.next, "revision": pending.revision, "secrets": dict(pending.secrets)}
        row = {
            "handle": handle,
            "address": pending.address[:_LONGEST_ADDRESS],
            "created_at": pending.created_at,
            "expires_at": pending.expires_at,
            "document": self._sealed.close(handle, document),
        }
        with self._database.write() as connection:
            connection.execute(PENDING.insert(), row)

    def take(self, key: str, source: SourceId, browser: str, now: datetime) -> Pending | None:
        """Remove and return it, once in all processes; None if there is none (any more) or it is out of date.

        `browser` is the SHA-256 (hex) of the browser's secret, as in `Pending`. A wrong browser or source
        leaves the row to its owner.
        """
        handle = _handle(key, source, browser)
        with self._database.write() as connection:
            row = connection.execute(_TAKE, {"handle": handle}).one_or_none()
        if row is None or row.expires_at <= now:
            return None
        document = self._sealed.open(handle, row.document)
        if document is None:
            return None
        return Pending(
            key=key,
            source=source,
            browser=browser,
            next=document["next"],
            revision=document["revision"],
            address=row.address,
            created_at=row.created_at,
            expires_at=row.expires_at,
            secrets=document["secrets"],
        )

    def started_since(self, address: str, since: datetime) -> int:
        """How many sign-ins from this address, begun at `since` or later, are still unfinished."""
        query = (
            select(func.count())
            .select_from(PENDING)
            .where(PENDING.c.address == address[:_LONGEST_ADDRESS], PENDING.c.created_at >= since)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(PENDING).where(PENDING.c.expires_at <= now)).rowcount


def _handle(key: str, source: str, browser: str) -> str:
    return digest("pending", key, source, browser)
