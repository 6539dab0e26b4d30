"""Challenges: the next proof that is wanted of a browser, finished once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, select, update

from app.model import SourceId
from app.people import Challenge
from app.sealing import Sealer
from app.store.codec import Document, digest
from app.store.database import Database
from app.store.sealed import Sealed
from app.store.tables import CHALLENGES
from app.store.times import from_micros, to_micros

MOST_TRIES: Final = 5
"""So many wrong answers end a challenge."""
_THIS: Final = (
    CHALLENGES.c.handle == bindparam("wanted"),
    CHALLENGES.c.browser == bindparam("by"),
    CHALLENGES.c.expires_at > bindparam("now"),
    CHALLENGES.c.tries < MOST_TRIES,
)
_GET: Final = select(CHALLENGES).where(*_THIS)
_KEEP: Final = (
    update(CHALLENGES).where(CHALLENGES.c.handle == bindparam("wanted")).values(document=bindparam("sealed"))
)
_MISS: Final = (
    update(CHALLENGES)
    .where(CHALLENGES.c.handle == bindparam("wanted"), CHALLENGES.c.expires_at > bindparam("now"))
    .values(tries=CHALLENGES.c.tries + 1)
    .returning(CHALLENGES.c.tries)
)
_TAKE: Final = delete(CHALLENGES).where(*_THIS).returning(*CHALLENGES.c)


class Challenges:
    """Fits `mfa.Challenges`. Rows are found by the digests of handle and browser; the rest is sealed for the row."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "challenges")

    def add(self, challenge: Challenge) -> None:
        """Remember a challenge. Raises StoreUnavailable, also for a handle that is taken already."""
        hashed, browser = _handle(challenge.handle), _browser(challenge.browser)
        name = _name(hashed, browser, challenge.expires_at)
        row = {
            "handle": hashed,
            "browser": browser,
            "expires_at": challenge.expires_at,
            "tries": challenge.tries,
            "document": self._sealed.close(name, _dump(challenge)),
        }
        with self._database.write() as connection:
            connection.execute(CHALLENGES.insert(), row)

    def get(self, handle: str, browser: str, now: datetime) -> Challenge | None:
        """A challenge of that browser that is not over."""
        values = _values(handle, browser, now)
        with self._database.read() as connection:
            row = connection.execute(_GET, values).one_or_none()
        return None if row is None else self._challenge(handle, browser, row)

    def keep(self, handle: str, browser: str, facts: Mapping[str, str], now: datetime) -> bool:
        """Put other facts in its place; see `mfa.Challenges`."""
        values = _values(handle, browser, now)
        with self._database.write() as connection:
            # The row is held until the commit.
            row = connection.execute(_GET.with_for_update(), values).one_or_none()
            found = None if row is None else self._challenge(handle, browser, row)
            if row is None or found is None:
                return False
            name = _name(row.handle, row.browser, row.expires_at)
            sealed = self._sealed.close(name, _dump(replace(found, facts=facts)))
            return connection.execute(_KEEP, {"wanted": row.handle, "sealed": sealed}).rowcount == 1

    def miss(self, handle: str, now: datetime) -> int:
        """Count a wrong answer; how many there were. As many as end it, if there is no such challenge (any more)."""
        with self._database.write() as connection:
            tries = connection.execute(_MISS, {"wanted": _handle(handle), "now": now}).scalar_one_or_none()
        return MOST_TRIES if tries is None else int(tries)

    def take(self, handle: str, browser: str, now: datetime) -> Challenge | None:
        """Finish a challenge, once in all processes. Another browser leaves the row to its owner."""
        with self._database.write() as connection:
            row = connection.execute(_TAKE, _values(handle, browser, now)).one_or_none()
        return None if row is None else self._challenge(handle, browser, row)

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were."""
        with self._database.write() as connection:
            return connection.execute(delete(CHALLENGES).where(CHALLENGES.c.expires_at <= now)).rowcount

    def _challenge(self, handle: str, browser: str, row: Row[*tuple[Any, ...]]) -> Challenge | None:
        document = self._sealed.open(_name(row.handle, row.browser, row.expires_at), row.document)
        if document is None:
            return None
        source = document["source"]
        return Challenge(
            handle=handle,
            purpose=document["purpose"],
            browser=browser,
            created_at=from_micros(document["created_at"]),
            expires_at=row.expires_at,
            source=None if source is None else SourceId(source),
            subject=document["subject"],
            session=document["session"],
            next=document["next"],
            tries=row.tries,
            facts=document["facts"],
        )


def _dump(challenge: Challenge) -> Document:
    return {
        "purpose": challenge.purpose,
        "created_at": to_micros(challenge.created_at),
        "source": challenge.source,
        "subject": challenge.subject,
        "session": challenge.session,
        "next": challenge.next,
        "facts": dict(challenge.facts),
    }


def _values(handle: str, browser: str, now: datetime) -> dict[str, object]:
    return {"wanted": _handle(handle), "by": _browser(browser), "now": now}


def _handle(handle: str) -> str:
    return digest("challenge", handle)


def _browser(browser: str) -> str:
    return digest("challenge browser", browser)


def _name(hashed: str, browser: str, expires_at: datetime) -> str:
    return f"{hashed}/{browser}/{expires_at.isoformat()}"
