"""The end of every sign-in: what is needed next, and with nothing left to prove, a session.

What was proven so far waits in a challenge, sealed, until the rest is; no session is there before.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from app.active import Running
from app.broker import telling
from app.broker.guessing import Guessing
from app.broker.needs import Need, need
from app.broker.own_people import own_people
from app.errors import ChallengeOver, NotSignedIn, SignInNotAllowed
from app.model import AuditEvent, AuditKind, Caller, Identity, Principal, Session, SignedIn
from app.people import LOCAL, ROOT, ROOT_LIFE, ROOT_SUBJECT, Asked, Challenge, Factor, Purpose
from app.store.codec import dump_authentication, dump_claims, load_authentication, load_identity

CHALLENGE_LIFE: Final = timedelta(minutes=10)
AGENT: Final = 200
"""Characters of what a browser calls itself that are kept."""


@dataclass(frozen=True, slots=True)
class Believed:
    """Somebody, as far as they have proven who they are, and what that rests on."""

    identity: Identity
    trust: str
    """By what it is believed: the source's digest, or the account's epoch. Once that changes, it is worth nothing."""
    next: str
    began: datetime
    """When the first proof was shown."""
    ends_at: datetime | None = None
    """When the session must end at the latest, if the source says so."""

    def facts(self) -> dict[str, str]:
        """As a challenge keeps it."""
        who = {
            "claims": dump_claims(self.identity),
            "authentication": dump_authentication(self.identity.authentication),
        }
        return {
            "who": json.dumps(who),
            "trust": self.trust,
            "ends_at": self.ends_at.isoformat() if self.ends_at is not None else "",
        }

    @classmethod
    def of(cls, challenge: Challenge) -> Believed:
        """And back."""
        who = json.loads(challenge.facts["who"])
        ends_at = challenge.facts["ends_at"]
        return cls(
            identity=load_identity(who["claims"], load_authentication(who["authentication"])),
            trust=challenge.facts["trust"],
            next=challenge.next,
            began=challenge.created_at,
            ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        )


class Finishing(Guessing):
    """The steps after somebody is believed."""

    def _go_on(
        self,
        believed: Believed,
        browser: str,
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn | Asked:
        """A session, or the challenge that stands before it. `browser`: SHA-256 (hex) of the browser's secret.

        Raises:
            SignInNotAllowed, NotSignedIn, AuditUnavailable, StoreUnavailable.
        """
        running = self._active.current()
        person = self._whoever(believed.identity, running)
        needed = self._needed(running, person, caller, now)
        if needed.what == "session":
            return self._open(person, believed, caller=caller, device=device, previous=previous, now=now)
        who = believed.identity
        purpose: Purpose = "root" if who.source == ROOT else "sign_in"
        return self._ask(
            Challenge(
                handle=secrets.token_urlsafe(32),
                purpose=purpose,
                browser=browser,
                created_at=now,
                expires_at=now + CHALLENGE_LIFE,
                source=who.source,
                subject=who.subject,
                next=believed.next,
                facts=believed.facts(),
            )
        )

    def _ask(self, challenge: Challenge) -> Asked:
        self._store.challenges.add(challenge)
        return Asked(challenge.handle, challenge.next)

    def _needed(
        self,
        running: Running,
        person: Principal,
        caller: Caller,
        now: datetime,
        devices: Sequence[Factor] | None = None,
    ) -> Need:
        """What is needed next; whoever may not sign in is on record with it. Raises SignInNotAllowed."""
        who = person.identity
        if devices is None:
            devices = self._devices(who.source, who.subject, running)
        try:
            return need(running, person, devices, caller, now)
        except SignInNotAllowed as refusal:
            detail = {"code": refusal.code, "methods": list(who.authentication.methods)}
            self._record_of(who, AuditKind.SIGNIN_REFUSED, caller, now, detail)
            refusal.recorded = True
            raise

    def _still_believed(self, challenge: Challenge, now: datetime) -> tuple[Believed, Running, Principal]:
        """Whom a challenge of a sign-in is about, if what they were believed by has not changed since.

        Raises:
            ChallengeOver.
        """
        running = self._active.current()
        believed = Believed.of(challenge)
        who = believed.identity
        own = own_people(who.source)
        trusted = self._epoch(who, running) if own else running.trust.get(who.source)
        if trusted is None or trusted != believed.trust:
            raise ChallengeOver("what the sign-in was believed by has changed")
        if believed.ends_at is not None and now >= believed.ends_at:
            raise ChallengeOver("the source wants the session over by now")
        try:
            return believed, running, self._whoever(who, running)
        except NotSignedIn as over:
            raise ChallengeOver(over.detail) from None

    def _open(
        self,
        person: Principal,
        believed: Believed,
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn:
        settings = self._active.current().revision.settings
        identity = replace(person.identity, groups=tuple(sorted(person.groups)))
        expires_at = now + (ROOT_LIFE if person.root else settings.session_lifetime)
        if believed.ends_at is not None:
            expires_at = min(expires_at, believed.ends_at)
        session = Session(
            id=secrets.token_hex(8),
            identity=identity,
            created_at=now,
            expires_at=expires_at,
            idle_at=min(now + settings.session_idle, expires_at),
            csrf=secrets.token_urlsafe(32),
            revision=person.revision,
            trust=believed.trust,
            # Root's quarter of an hour begins when it can be used.
            signed_in_at=believed.began if believed.began < now and not person.root else None,
            last_used=now,
            last_address=caller.address,
        )
        token = secrets.token_urlsafe(32)
        how = identity.authentication
        detail: dict[str, object] = {
            "groups": list(identity.groups),
            "methods": list(how.methods),
            "context": how.context,
            "mfa": how.mfa_at is not None,
            "user_agent": caller.user_agent[:AGENT],
        }
        # Audit first: a sign-in on record that did not reach the person is harmless, the reverse is not.
        self._announce(session, caller, now)
        self._record(AuditKind.SIGNIN_SUCCEEDED, session, caller, now, detail)
        if not person.root:
            self._store.people.seen(identity, identity.groups, now, person.revision)
        self._note_device(session, device, caller, now)
        if previous:
            self._end_previous(previous, now)
        self._store.sessions.add(token, session)
        return SignedIn(session=session, token=token, next=believed.next)

    def _announce(self, session: Session, caller: Caller, now: datetime) -> None:
        """What must be on record, and known to others, before this session exists. Root's says more."""

    def _note_device(self, session: Session, device: str, caller: Caller, now: datetime) -> None:
        """Know the browser again, and tell the person of one that was not known. Without its cookie there is none."""
        if not device:
            return
        who = session.identity
        agent = caller.user_agent[:AGENT]
        if self._store.known_devices.note(
            who.source, who.subject, device, now, user_agent=agent, address=caller.address
        ):
            self._record(AuditKind.DEVICE_NEW, session, caller, now, {"user_agent": agent})
            name = self._active.current().revision.settings.name
            self._tell_person(who, telling.new_device(name, agent, caller.address, now))

    def _end_previous(self, token: str, now: datetime) -> None:
        earlier = self._store.sessions.find(token, now)
        if earlier is not None:
            self._store.sessions.end(earlier.id, now)

    # --- people who have no session yet -------------------------------------------------------------

    def _record_of(
        self,
        who: Identity,
        kind: AuditKind,
        caller: Caller,
        now: datetime,
        detail: Mapping[str, object],
        session: str | None = None,
    ) -> None:
        """Put on record what there may be no session for. Raises AuditUnavailable."""
        self._audit.record(
            AuditEvent(
                kind=kind,
                at=now,
                request_id=caller.request_id,
                address=caller.address,
                source=who.source,
                subject=who.subject,
                username=who.username,
                session=session,
                revision=self._active.current().revision.number,
                detail=detail,
            )
        )

    def _tell_person(self, who: Identity, told: telling.Told) -> None:
        """Tell a person by mail, if they have an address."""
        if who.source == ROOT:
            self._tell(telling.to_operators(told))
        elif who.email:
            self._tell(telling.to_person(told, who.email))

    def _account_id(self, who: Identity) -> str | None:
        """Under what somebody's password is kept; None of people of directories."""
        if who.source == ROOT:
            return ROOT_SUBJECT
        return who.subject if who.source == LOCAL else None


def hash_of(secret: str) -> str:
    """What is kept of a browser's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
