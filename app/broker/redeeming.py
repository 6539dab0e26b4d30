"""What a client was given, shown for tokens: code, device code, refresh token (RFC 6749, 4.1.3 and 6; RFC 8628, 3.4).

A client's session begins here. It rests on the sign-in of the person who let it in and never outlasts it; no token
outlasts the session. What comes a second time ends what it gave the first time (RFC 9700, 4.5 and 4.14).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker import terms
from app.broker.clients import Clients
from app.broker.grants import stage
from app.broker.liveness import client_ends_at, ends_at
from app.errors import (
    DeviceCodeExpired,
    GrantDenied,
    GrantError,
    GrantInvalid,
    GrantPending,
    PollTooFast,
)
from app.model import (
    DEVICE_CODE,
    AuditEvent,
    AuditKind,
    Caller,
    Client,
    ClientProof,
    CodeProof,
    DeviceProof,
    GrantProof,
    GrantType,
    RefreshProof,
    Scope,
    Session,
    Tokens,
)
from app.tokens import AccessClaims, Approved, NotYet, Reused, new_token_id, pkce, subject_of, whole
from app.transaction import Transaction

_HEARD: Final[Mapping[NotYet, type[GrantError]]] = {
    NotYet.UNKNOWN: GrantInvalid,
    NotYet.PENDING: GrantPending,
    NotYet.SLOW_DOWN: PollTooFast,
    NotYet.DENIED: GrantDenied,
    NotYet.EXPIRED: DeviceCodeExpired,
}


class Redeeming(Clients):
    """The token endpoint's conversation."""

    def redeem(self, client: ClientProof, proof: GrantProof, *, caller: Caller) -> Tokens:
        """A code, device code or refresh token → tokens.

        Raises:
            GrantError and its kin, TooMany, AuditUnavailable, StoreUnavailable, KeysUnusable.
        """
        now = self._clock.now()
        with self._counted(caller, now), self._store.settling():
            running = self._active.current()
            if isinstance(proof, CodeProof):
                asking = self._client_for(running, client, "authorization_code")
                return self._code(running, asking, proof, caller, now)
            if isinstance(proof, DeviceProof):
                asking = self._client_for(running, client, DEVICE_CODE)
                return self._device(running, asking, proof, caller, now)
            asking = self._client_for(running, client, "refresh_token")
            return self._refresh(running, asking, proof, caller, now)

    def _code(
        self, running: Running, client: Client, proof: CodeProof, caller: Caller, now: datetime
    ) -> Tokens:
        terms.resource(proof.resource, running.revision.settings)
        session = secrets.token_hex(8)
        # Used up before it is looked at: whoever has it without the verifier has spoiled it for good.
        grant = self._store.codes.take(proof.code, client.id, session, now)
        if isinstance(grant, Reused):
            self._reused(grant, "authorization_code", client, caller, now)
            raise GrantInvalid("the code was used before; what it gave has ended")
        if grant is None:
            raise GrantInvalid("no such code of this client, or it is out of date")
        if proof.redirect_uri != grant.redirect_uri:
            raise GrantInvalid("the redirect address is not the one that the code was asked for")
        if not pkce.proves(proof.verifier, grant.challenge):
            raise GrantInvalid("the code verifier does not fit the challenge")
        return self._begin(
            running,
            session,
            client,
            grant.approved_by,
            grant.stage,
            grant.scope,
            grant.device,
            "authorization_code",
            caller=caller,
            now=now,
            code=proof.code,
        )

    def _device(
        self, running: Running, client: Client, proof: DeviceProof, caller: Caller, now: datetime
    ) -> Tokens:
        heard = self._store.devices.poll(proof.device_code, client.id, now)
        if not isinstance(heard, Approved):
            raise _HEARD[heard](f"device of client {client.id}: {heard}")
        return self._begin(
            running,
            secrets.token_hex(8),
            client,
            heard.approved_by,
            heard.stage,
            heard.grant.scope,
            heard.grant.device,
            DEVICE_CODE,
            caller=caller,
            now=now,
        )

    def _begin(
        self,
        running: Running,
        id: str,
        client: Client,
        approved_by: str,
        at_stage: str,
        granted: tuple[Scope, ...],
        device: str,
        grant: GrantType,
        *,
        caller: Caller,
        now: datetime,
        code: str | None = None,
    ) -> Tokens:
        """Begin the client's session, on record first, and give its first tokens."""
        approver = self._alive(approved_by, now, running)
        if approver is None:
            raise GrantInvalid("the session of whoever said yes is over")
        if at_stage != stage(approver):
            raise GrantInvalid("a factor was proven, or the password changed, since somebody said yes")
        scope = terms.narrowed((), terms.common(granted, client.scopes))
        end = client_ends_at(approver, client, running.revision.settings, now)
        session = Session(
            id=id,
            identity=approver.identity,
            created_at=now,
            expires_at=end,
            idle_at=end,
            csrf=secrets.token_urlsafe(32),
            revision=running.revision.number,
            trust=approver.trust,
            client=client.id,
            device=device or None,
            approved_by=approver.id,
            signed_in_at=approver.began,
            pool_identity=self._pooled(client, approver, now),
            last_used=now,
            last_address=caller.address,
        )
        refresh = secrets.token_urlsafe(32) if "refresh_token" in client.grants else None
        tokens = self._tokens(running, session, scope, refresh, now)
        detail: dict[str, object] = {
            "grant": grant,
            "scope": list(scope),
            "approved_by": approver.id,
            "expires_at": end.isoformat(),
        }

        def ahead(within: Transaction | None) -> None:
            self._record(AuditKind.SESSION_STARTED, session, caller, now, detail, within)

        begin = self._store.refresh_tokens.begin
        if not begin(session, refresh, scope, code=code, pool=client.pool, ahead=ahead):
            raise GrantInvalid("the code came twice, or who said yes signed out or lost the login meanwhile")
        return tokens

    def _pooled(self, client: Client, approver: Session, now: datetime) -> str:
        """The identity that the person has in the client's pool, as one whom the client brings itself has; or none."""
        who = approver.identity
        return self._store.identities.of(client.pool, who.source, who.subject, now) if client.pool else ""

    def _refresh(
        self, running: Running, client: Client, proof: RefreshProof, caller: Caller, now: datetime
    ) -> Tokens:
        terms.resource(proof.resource, running.revision.settings)
        held = self._store.refresh_tokens.find(proof.token, client.id, now)
        if held is None or self._living(held.session, now, running) is None:
            raise GrantInvalid("no such refresh token of this client, or its session is over")
        # Before the token is used up: who asks for too much, or too often, keeps what they have.
        self._admit_app(held.session, caller, now)
        scope = terms.narrowed(proof.scope, terms.common(held.scope, client.scopes))
        used = self._store.refresh_tokens.rotate(
            proof.token, client.id, secrets.token_urlsafe(32), now, caller.address, held
        )
        if isinstance(used, Reused):
            self._reused(used, "refresh_token", client, caller, now, held.session)
            raise GrantInvalid("the refresh token was used before; its session has ended")
        if used is None:
            raise GrantInvalid("the session of the refresh token ended meanwhile")
        return self._tokens(running, held.session, scope, used.token, now)

    def _tokens(
        self,
        running: Running,
        session: Session,
        scope: tuple[Scope, ...],
        refresh: str | None,
        now: datetime,
    ) -> Tokens:
        settings = running.revision.settings
        end = ends_at(session, settings)
        issued, expires = whole(now), whole(min(now + settings.access_token, end))
        claims = AccessClaims(
            issuer=settings.base_url,
            audience=terms.audience(settings),
            subject=subject_of(session.identity),
            client=session.client or "",
            session=session.id,
            scope=scope,
            issued_at=issued,
            expires_at=expires,
            token_id=new_token_id(),
        )
        return Tokens(
            access_token=self._access.mint(claims),
            expires_in=expires - issued,
            scope=scope,
            session_ends_at=end,
            refresh_token=refresh,
            identity_id=session.pool_identity,
        )

    def _reused(
        self,
        reused: Reused,
        what: GrantType,
        client: Client,
        caller: Caller,
        now: datetime,
        session: Session | None = None,
    ) -> None:
        """Put on record that something came twice; what it had given is over already."""
        detail: dict[str, object] = {"what": what, "client": client.id, "ended": reused.ended}
        if session is not None:
            self._record(AuditKind.TOKEN_REUSED, session, caller, now, detail)
            return
        self._audit.record(
            AuditEvent(
                kind=AuditKind.TOKEN_REUSED,
                at=now,
                request_id=caller.request_id,
                address=caller.address,
                session=reused.session,
                detail=detail,
            )
        )
