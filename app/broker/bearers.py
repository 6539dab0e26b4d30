"""Access token → who is asking; what a token is worth (RFC 7662), and ending it (RFC 7009).

A token that reads well is not enough: its session must live, so that ending one ends its tokens at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.broker import terms
from app.broker.clients import Clients
from app.broker.liveness import ends_at
from app.errors import ClientNotAllowed, NotSignedIn, ScopeTooNarrow, TokenInvalid
from app.model import AuditKind, Caller, Client, ClientProof, Scope, Session, TokenState
from app.tokens import AccessClaims, subject_of


class Bearers(Clients):
    """The conversation of whoever has a token."""

    def bearer(self, token: str, scope: Scope, *, caller: Caller) -> Session:
        """Access token → the session of its client, if the token may do that.

        Raises:
            TokenInvalid, ScopeTooNarrow, StoreUnavailable, KeysUnusable.
        """
        now = self._clock.now()
        claims = self._read(token, now)
        if scope not in claims.scope:
            raise ScopeTooNarrow(f"needs {scope}; the token has {' '.join(claims.scope)}")
        session, client = self._of(claims, now)
        if scope not in client.scopes:
            raise ScopeTooNarrow(f"needs {scope}; client {client.id} may not have it any more")
        self._used(session, caller, now)
        return session

    def introspect(self, client: ClientProof, token: str, *, caller: Caller) -> TokenState:
        """What a token of this client's is worth now. Of another's it is told no more than of none.

        Raises:
            ClientRefused, ClientNotAllowed (a public client), TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        with self._counted(caller, now):
            asking = self._client(self._active.current(), client)
            if not asking.confidential:
                raise ClientNotAllowed(f"client {asking.id} has no secret, so it may not ask about tokens")
        return self._access_state(asking, token, now) or self._refresh_state(asking, token, now)

    def revoke(self, client: ClientProof, token: str, *, caller: Caller) -> None:
        """End the session that a token of this client's belongs to, and with it every token of that session.

        An unknown token, or another client's, is no error and ends nothing (RFC 7009, 2.1 and 2.2).

        Raises:
            ClientRefused, TooMany, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        with self._counted(caller, now):
            asking = self._client(self._active.current(), client)
        held = self._store.refresh_tokens.find(token, asking.id, now)
        session = held.session if held is not None else None
        if session is None:
            try:
                claims = self._read(token, now)
                session = self._of(claims, now)[0] if claims.client == asking.id else None
            except TokenInvalid:
                return
        if session is not None and self._store.sessions.end(session.id, now):
            self._record(AuditKind.SESSION_ENDED, session, caller, now, {"by": "revocation"})

    def signing_keys(self) -> Mapping[str, object]:
        """The public keys of access tokens, as a JWK Set. Raises StoreUnavailable, KeysUnusable."""
        return self._keys.published()

    def _read(self, token: str, now: datetime) -> AccessClaims:
        settings = self._active.current().revision.settings
        return self._access.read(token, settings.base_url, terms.audience(settings), now)

    def _of(self, claims: AccessClaims, now: datetime) -> tuple[Session, Client]:
        """The session that a token speaks for, and its client. Raises TokenInvalid."""
        running = self._active.current()
        session = self._store.sessions.by_id(claims.session, now)
        if session is None:
            raise TokenInvalid("the token's session is over")
        if session.client != claims.client or subject_of(session.identity) != claims.subject:
            raise TokenInvalid("the token's session is another client's or person's")
        try:
            session = self._lives(session, running, now)
        except NotSignedIn as over:
            raise TokenInvalid(over.detail) from None
        return session, running.revision.clients[claims.client]

    def _access_state(self, asking: Client, token: str, now: datetime) -> TokenState | None:
        try:
            claims = self._read(token, now)
            if claims.client != asking.id:
                return None
            session, client = self._of(claims, now)
        except TokenInvalid:
            return None
        scope = terms.common(claims.scope, client.scopes)
        return TokenState(
            active=True,
            client=claims.client,
            scope=scope,
            subject=claims.subject,
            username=session.identity.username,
            audience=claims.audience,
            token_id=claims.token_id,
            issued_at=claims.issued_at,
            expires_at=claims.expires_at,
        )

    def _refresh_state(self, asking: Client, token: str, now: datetime) -> TokenState:
        held = self._store.refresh_tokens.find(token, asking.id, now)
        if held is None or not held.current or self._living(held.session, now) is None:
            return TokenState(active=False)
        settings = self._active.current().revision.settings
        return TokenState(
            active=True,
            client=asking.id,
            scope=terms.common(held.scope, asking.scopes),
            subject=subject_of(held.session.identity),
            username=held.session.identity.username,
            audience=terms.audience(settings),
            expires_at=ends_at(held.session, settings),
        )
