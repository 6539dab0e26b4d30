"""Authorization codes: used once, on all hosts, and remembered for as long as what they gave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from app.sealing import Sealer
from app.store.codec import digest, findable
from app.store.database import Database
from app.store.lines import Line
from app.store.sealed import Sealed
from app.store.tables import CODES, SESSIONS
from app.store.times import from_micros, to_micros
from app.tokens.seam import CodeGrant, Reused

_TAKE: Final = (
    update(CODES)
    .where(CODES.c.code == bindparam("wanted"), CODES.c.client == bindparam("by"))
    .where(CODES.c.session.is_(None))
    .values(session=bindparam("gives"))
    .returning(CODES.c.document)
)
_REUSE: Final = (
    update(CODES)
    .where(CODES.c.code == bindparam("wanted"), CODES.c.client == bindparam("by"))
    .where(CODES.c.session.is_not(None))
    .values(reused_at=bindparam("now"))
    .returning(CODES.c.session)
)
_END: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == bindparam("wanted"), SESSIONS.c.ended_at.is_(None))
    .where(SESSIONS.c.expires_at > bindparam("now"))
    .values(ended_at=bindparam("now"))
)
STANDS: Final = (
    select(CODES.c.code)
    .where(CODES.c.code == bindparam("wanted"), CODES.c.session == bindparam("gives"))
    .where(CODES.c.reused_at.is_(None))
    .with_for_update()
)
"""Whether a session that is about to begin may: its code came once only. Holds that until the commit."""
_LATE: Final = timedelta(minutes=1)
"""How long after its end a used code is kept at least: its session may be about to begin."""


class Codes:
    """Fits `tokens.Codes`. Rows are found by the digest of the code, and their documents are sealed."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealed = Sealed(sealer, "codes")
        prepare = database.prepare
        self._take, self._reuse, self._end = prepare(_TAKE), prepare(_REUSE), prepare(_END)

    def add(self, code: str, grant: CodeGrant) -> None:
        """Remember a code."""
        hashed = code_digest(code)
        document = {
            "client": grant.client,
            "redirect_uri": grant.redirect_uri,
            "challenge": grant.challenge,
            "scope": list(grant.scope),
            "resource": grant.resource,
            "device": grant.device,
            "approved_by": grant.approved_by,
            "expires_at": to_micros(grant.expires_at),
            "stage": grant.stage,
        }
        row = {
            "code": hashed,
            "client": grant.client,
            "expires_at": grant.expires_at,
            "document": self._sealed.close(hashed, document),
        }
        with self._database.write() as connection:
            connection.execute(CODES.insert(), row)

    def take(self, code: str, client: str, session: str, now: datetime) -> CodeGrant | Reused | None:
        """Use a code up; see `tokens.Codes`."""
        if not findable(client):
            return None
        hashed = code_digest(code)
        with self._database.writing(soon=True) as line:
            row = self._take.one(line, {"wanted": hashed, "by": client, "gives": session})
            if row is None:
                return self._again(line, hashed, client, now)
        return self._grant(hashed, client, row, now)

    def _grant(self, hashed: str, client: str, row: Any, now: datetime) -> CodeGrant | None:
        """What a code stands for that was taken; None if it is out of date."""
        document = self._sealed.open(hashed, row.document)
        if document is None or document["client"] != client:
            return None
        expires_at = from_micros(document["expires_at"])
        if expires_at <= now:
            return None
        return CodeGrant(
            client=client,
            redirect_uri=document["redirect_uri"],
            challenge=document["challenge"],
            scope=tuple(document["scope"]),
            resource=document["resource"],
            device=document["device"],
            approved_by=document["approved_by"],
            expires_at=expires_at,
            stage=document.get("stage", ""),  # absent in rows from before it was kept
        )

    def _again(self, line: Line, hashed: str, client: str, now: datetime) -> Reused | None:
        """A code that was not there to be taken."""
        # First the code's row, then the session's: a session that is beginning holds the code's row, so either it
        # is there to be ended, or it finds that its code came twice.
        again = self._reuse.one(line, {"wanted": hashed, "by": client, "now": now})
        if again is None:
            return None
        ended = self._end.do(line, {"wanted": again.session, "now": now}) == 1
        return Reused(session=again.session, ended=ended)

    def expire(self, now: datetime) -> int:
        """Forget the codes that are out of date; used ones only once the session that they gave is over."""
        living = (
            select(SESSIONS.c.id)
            .where(SESSIONS.c.id == CODES.c.session, SESSIONS.c.ended_at.is_(None))
            .where(SESSIONS.c.expires_at > now)
            .exists()
        )
        over = delete(CODES).where(CODES.c.expires_at <= now - _LATE, ~living)
        with self._database.write() as connection:
            return connection.execute(over).rowcount


def code_digest(code: str) -> str:
    """Under what a code is kept."""
    return digest("code", code)
