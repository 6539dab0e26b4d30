"""Refresh tokens: rotated, one after another, within the session that they are a family of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, null, select, update

from app.model import GUEST, Scope, Session
from app.sealing import Sealer
from app.store.codec import digest, findable, person_key
from app.store.codes import STANDS, code_digest
from app.store.database import Database
from app.store.identities import HAS, WAITS, login_key
from app.store.lines import Line
from app.store.sealed import Sealed
from app.store.session_rows import ALIVE, COLUMNS, LONGEST_ADDRESS, SessionRows
from app.store.tables import REFRESH_TOKENS, SESSIONS
from app.tokens.seam import GRACE, Held, Reused, Rotated
from app.transaction import Ahead

_OURS: Final = (
    REFRESH_TOKENS.c.token == bindparam("wanted"),
    REFRESH_TOKENS.c.client == bindparam("by"),
)
_APPROVER: Final = (
    select(SESSIONS.c.id)
    .where(SESSIONS.c.id == bindparam("wanted"), SESSIONS.c.person == bindparam("of"), ALIVE)
    .with_for_update(read=True)
)
_FIND: Final = (
    select(*COLUMNS, REFRESH_TOKENS.c.document.label("sealed"), REFRESH_TOKENS.c.used_at)
    .join_from(REFRESH_TOKENS, SESSIONS, REFRESH_TOKENS.c.session == SESSIONS.c.id)
    .where(*_OURS, ALIVE)
)
_USE_SESSION: Final = (
    update(SESSIONS)
    .where(SESSIONS.c.id == select(REFRESH_TOKENS.c.session).where(*_OURS).scalar_subquery(), ALIVE)
    .values(last_used=bindparam("now"), last_address=bindparam("address"))
)
_GET: Final = select(REFRESH_TOKENS).where(*_OURS)
_USE: Final = (
    update(REFRESH_TOKENS)
    .where(*_OURS, REFRESH_TOKENS.c.used_at.is_(None))
    .values(used_at=bindparam("now"), successor=bindparam("next"))
    .returning(REFRESH_TOKENS.c.session, REFRESH_TOKENS.c.predecessor, REFRESH_TOKENS.c.document)
)
_WIPE: Final = (
    update(REFRESH_TOKENS).where(REFRESH_TOKENS.c.token == bindparam("wanted")).values(successor=null())
)
_END: Final = update(SESSIONS).where(SESSIONS.c.id == bindparam("wanted")).values(ended_at=bindparam("now"))


class RefreshTokens:
    """Fits `tokens.RefreshTokens`.

    Rows are found by the digest of the token. Scope and client are sealed for the row of that token and
    session, so that whoever can write to the database cannot give a session a token of their own.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sessions = SessionRows(sealer)
        self._sealed = Sealed(sealer, "refresh tokens")
        self._successors = Sealed(sealer, "refresh token successors")
        prepare = database.prepare
        self._code_stands, self._approver = prepare(STANDS), prepare(_APPROVER)
        self._has, self._waits = prepare(HAS), prepare(WAITS)
        self._begin, self._add = prepare(SESSIONS.insert()), prepare(REFRESH_TOKENS.insert())
        self._use_session, self._use, self._wipe = prepare(_USE_SESSION), prepare(_USE), prepare(_WIPE)
        self._find, self._get, self._end = prepare(_FIND), prepare(_GET), prepare(_END)

    def begin(
        self,
        session: Session,
        token: str | None,
        scope: Sequence[Scope],
        *,
        code: str | None = None,
        pool: str = "",
        ahead: Ahead | None = None,
    ) -> bool:
        """Begin a client's session with its first refresh token; see `tokens.RefreshTokens`."""
        rows = self._rows(session, token, scope)
        person = person_key(session.identity.source, session.identity.subject)
        approver = {"wanted": session.approved_by or "", "of": person, "now": session.created_at}
        first = self._recorded(ahead)
        with self._database.writing() as line:
            if first is not None:
                first(line)
            if code is not None:
                stands = {"wanted": code_digest(code), "gives": session.id}
                if self._code_stands.one(line, stands) is None:
                    return False
            if session.pool_identity:
                login = login_key(pool, session.identity.source, session.identity.subject)
                if self._has.one(line, {"wanted": login, "of": session.pool_identity}) is None:
                    return False
            if self._approver.one(line, approver) is None:
                return False
            self._insert(line, *rows)
        return True

    def begin_on_proof(
        self,
        session: Session,
        token: str | None,
        scope: Sequence[Scope],
        *,
        pool: str,
        ahead: Ahead | None = None,
    ) -> bool:
        """Begin a session for a person, or guest, whom a client brought; see `tokens.RefreshTokens`."""
        rows = self._rows(session, token, scope)
        who, id = session.identity, session.pool_identity
        first = self._recorded(ahead)
        with self._database.writing() as line:
            if first is not None:
                first(line)
            if who.source == GUEST:
                rests = self._waits.one(line, {"wanted": id, "within": pool})
            else:
                login = login_key(pool, who.source, who.subject)
                rests = self._has.one(line, {"wanted": login, "of": id})
            if rests is None:
                return False
            self._insert(line, *rows)
        return True

    def _recorded(self, ahead: Ahead | None) -> Ahead | None:
        """See to what has to be on record first; what is left of it to do as the transaction's first step, if any."""
        if ahead is None or self._database.joins:
            return ahead
        ahead(None)
        return None

    def _rows(
        self, session: Session, token: str | None, scope: Sequence[Scope]
    ) -> tuple[Mapping[str, object], Mapping[str, object] | None]:
        """A client's session and its first refresh token, sealed before anybody waits for the database."""
        # No cookie opens it: what stands in place of a cookie's digest is none.
        row = self._sessions.row(session, f"client {session.id}"[:64])
        if token is None:
            return row, None
        return row, self._row(_hash(token), session.id, session.client or "", scope, predecessor=None)

    def _insert(self, line: Line, session: Mapping[str, object], token: Mapping[str, object] | None) -> None:
        self._begin.do(line, session)
        if token is not None:
            self._add.do(line, token)

    def find(self, token: str, client: str, now: datetime) -> Held | None:
        """Whose token it is. None: unknown, another client's, or its session is over."""
        if not findable(client):
            return None
        hashed = _hash(token)
        with self._database.reading() as line:
            row = self._find.one(line, {"wanted": hashed, "by": client, "now": now})
        if row is None:
            return None
        scope = self._scope(hashed, row.id, client, row.sealed)
        session = self._sessions.session(row)
        if scope is None or session is None:
            return None
        return Held(session=session, scope=scope, current=row.used_at is None, sealed=row.sealed)

    def rotate(
        self,
        token: str,
        client: str,
        successor: str,
        now: datetime,
        address: str = "",
        held: Held | None = None,
    ) -> Rotated | Reused | None:
        """Use a token up for its successor; see `tokens.RefreshTokens`."""
        if not findable(client):
            return None
        hashed = _hash(token)
        mine = {"wanted": hashed, "by": client}
        sealed = self._successors.close(hashed, {"token": successor})
        with self._database.writing() as line:
            # Holds the session's row until the commit: a family's tokens are used one after another, and
            # none while its session is being ended.
            using = mine | {"now": now, "address": address[:LONGEST_ADDRESS]}
            if self._use_session.do(line, using) != 1:
                return None
            row = self._use.one(line, mine | {"now": now, "next": sealed})
            if row is None:
                return self._again(line, mine, now)
            if held is not None and held.sealed == row.document and held.session.id == row.session:
                scope: tuple[Scope, ...] | None = held.scope
            else:
                scope = self._scope(hashed, row.session, client, row.document)
            if scope is None:
                return None
            following = self._row(_hash(successor), row.session, client, scope, predecessor=hashed)
            self._add.do(line, following)
            if row.predecessor is not None:  # its grace is over: this one, its successor, was used
                self._wipe.do(line, {"wanted": row.predecessor})
        return Rotated(token=successor, session=row.session, scope=scope, again=False)

    def _again(self, line: Line, mine: Mapping[str, str], now: datetime) -> Rotated | Reused | None:
        """What a token is worth that was used before."""
        row = self._get.one(line, mine)
        scope = self._scope(row.token, row.session, row.client, row.document)
        if scope is None:
            return None
        given = self._given(row, now)
        if given is not None:
            return Rotated(token=given, session=row.session, scope=scope, again=True)
        self._end.do(line, {"wanted": row.session, "now": now})
        return Reused(session=row.session, ended=True)

    def _given(self, row: Any, now: datetime) -> str | None:
        """The successor that a used token gave, while it may be given again."""
        # abs: another host's clock may be a little behind that of the one which used it.
        if row.successor is None or abs(now - row.used_at) > GRACE:
            return None
        document = self._successors.open(row.token, row.successor)
        return None if document is None else str(document["token"])

    def _row(
        self, hashed: str, session: str, client: str, scope: Sequence[Scope], *, predecessor: str | None
    ) -> dict[str, object]:
        sealed = self._sealed.close(f"{hashed}/{session}", {"client": client, "scope": list(scope)})
        return {
            "token": hashed,
            "session": session,
            "client": client,
            "predecessor": predecessor,
            "document": sealed,
        }

    def _scope(self, hashed: str, session: str, client: str, sealed: str) -> tuple[Scope, ...] | None:
        document = self._sealed.open(f"{hashed}/{session}", sealed)
        if document is None or document["client"] != client:
            return None
        return tuple(document["scope"])


def _hash(token: str) -> str:
    return digest("refresh token", token)
