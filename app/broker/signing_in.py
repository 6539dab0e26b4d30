"""Signing in and out: proof → Identity → Principal → Session, bound to the browser that began it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.active import Running
from app.broker.finishing import Believed, Finishing, hash_of
from app.errors import NotSignedIn, Refusal, SamlReplay, SignInNotOurs, SourceUnknown
from app.limits import REFUSALS_PER_MINUTE, STARTS_PER_MINUTE
from app.model import (
    AuditKind,
    Caller,
    Metadata,
    Outbound,
    Pending,
    Proof,
    Session,
    SignedIn,
    SignInAsk,
    SourceId,
)
from app.people import Asked
from app.signin.seam import Proven, Source

PENDING_LIFE = timedelta(minutes=10)


class SigningIn(Finishing):
    """The conversation of a browser with the broker before anything is asked for."""

    def sources(self) -> Sequence[tuple[SourceId, str, str]]:
        """(id, label, type) of each way to sign in, in the order of the files' names."""
        providers = self._active.current().revision.providers
        return [(provider.id, provider.label, provider.type) for provider in providers.values()]

    def begin(self, source: str, ask: SignInAsk, *, caller: Caller) -> Outbound:
        """Start a sign-in and remember what must come back, bound to the browser that asks.

        Raises:
            SourceUnknown, TooMany, ProviderFailed, StoreUnavailable.
        """
        now = self._clock.now()
        running = self._active.current()
        found = _source(running, source)
        self._tally.admit(caller.address, "sign-in starts", STARTS_PER_MINUTE, now)
        started = found.start(now)
        self._store.pending.add(
            Pending(
                key=started.key,
                source=found.id,
                browser=hash_of(ask.browser),
                next=ask.next,
                revision=running.revision.number,
                address=caller.address,
                created_at=now,
                expires_at=now + PENDING_LIFE,
                secrets=started.secrets,
            )
        )
        return started.outbound

    def sign_in(
        self, proof: Proof, *, caller: Caller, previous: str | None = None, device: str = ""
    ) -> SignedIn | Asked:
        """Believe a proof and open a session, or say which factor is wanted first.

        `previous` is the session of the same browser; it ends with the new one's beginning.

        Raises:
            ProofRefused and its kin, ProviderFailed, SignInNotAllowed, TooMany, StoreUnavailable, AuditUnavailable.
        """
        now = self._clock.now()
        self._tally.check(caller.address, "refusals", REFUSALS_PER_MINUTE, now)
        try:
            pending = self._take(proof, now)
            running = self._active.at(pending.revision)
            _same_source(running, self._active.current(), pending.source)
            proven = _source(running, pending.source).finish(pending, proof, now)
            self._mark(proven)
            self._whoever(proven.identity, self._active.current())
        except Refusal as refusal:
            self._tally.refused(caller.address, refusal.code, now)
            raise
        believed_by = running.trust[pending.source]
        believed = Believed(proven.identity, believed_by, pending.next, now, proven.ends_at)
        return self._go_on(
            believed, hash_of(proof.browser), caller=caller, device=device, previous=previous, now=now
        )

    def session(self, token: str, *, caller: Caller) -> Session:
        """Cookie → who is asking. Raises NotSignedIn, StoreUnavailable."""
        now = self._clock.now()
        session = self._store.sessions.find(token, now) if token else None
        if session is None:
            raise NotSignedIn
        if session.client is not None:
            raise NotSignedIn("a client's session has no cookie")
        session = self._lives(session, self._active.current(), now)
        self._used(session, caller, now)
        return session

    def sign_out(self, session: Session, *, caller: Caller) -> None:
        """End the session; its cookie is worth nothing from here on."""
        now = self._clock.now()
        self._store.sessions.end(session.id, now)
        self._record(AuditKind.SESSION_ENDED, session, caller, now, {"by": "sign-out"})

    def metadata(self, source: str) -> Metadata:
        """What the other side needs to know of us. Raises SourceUnknown, Unknown."""
        return _source(self._active.current(), source).metadata()

    # --- steps ------------------------------------------------------------------------------------

    def _take(self, proof: Proof, now: datetime) -> Pending:
        key = proof.fields.get("RelayState") or proof.fields.get("state") or ""
        if not key or not proof.browser or len(key) > 128:
            raise SignInNotOurs("no handle or no browser cookie")
        pending = self._store.pending.take(key, proof.source, hash_of(proof.browser), now)
        if pending is None:
            raise SignInNotOurs("no pending sign-in of this browser and source")
        return pending

    def _mark(self, proven: Proven) -> None:
        for mark in proven.once:
            if not self._store.once.mark(mark.namespace, mark.value, mark.until):
                raise SamlReplay(f"{mark.namespace} was accepted before")


def _source(running: Running, source: str) -> Source:
    found = running.sources.get(SourceId(source))
    if found is None:
        raise SourceUnknown(f"no source {source[:64]!r}")
    return found


def _same_source(begun: Running, current: Running, source: SourceId) -> None:
    """Refuse a sign-in whose source has been removed since, or is believed by other things now."""
    before = begun.trust.get(source)
    if before is None or before != current.trust.get(source):
        raise SignInNotOurs(f"source {source} has changed since revision {begun.revision.number}")
