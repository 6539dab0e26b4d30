"""A person's own second factors, recovery codes and password: seen, renamed, taken away, changed.

Each change needs proof of the last ten minutes, so that a stolen cookie is not enough; each is on record before it
counts, and the person is told of it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.active import Running
from app.broker import telling
from app.broker.enrolling import Enrolling, factor_name
from app.broker.opening_up import may_add
from app.broker.proofs import ENROLABLE, recent
from app.broker.stepping_up import of_a_browser
from app.errors import (
    AskRefused,
    CredentialsWrong,
    FactorUnknown,
    MfaMissing,
    PasswordRefused,
    ProofNotRecent,
    RootOnlyEmergency,
)
from app.model import AuditKind, Caller, Identity, Session, SignedIn
from app.people import (
    LOCAL,
    MOST_FACTORS,
    ROOT,
    ROOT_FACTORS,
    Account,
    Factor,
    OwnFactors,
)
from app.signin.passwords import check_new


class OwnFactorsAndPassword(Enrolling):
    """The conversation of a person about what they sign in with."""

    def own_factors(self, session: Session, *, caller: Caller) -> OwnFactors:
        """What this person has. Raises StoreUnavailable."""
        now = self._clock.now()
        who = session.identity
        devices = self._devices(who.source, who.subject, self._active.current())
        id = self._account_id(who)
        account = self._store.users.account(id) if id is not None else None
        full = len(devices) >= MOST_FACTORS
        return OwnFactors(
            factors=tuple(devices),
            recovery_left=self._store.recovery_codes.left(who.source, who.subject) if devices else 0,
            has_password=account is not None and bool(account.password),
            recent=recent(session, devices, now),
            enrolable=ENROLABLE if may_add(session) and not full else (),
            known_devices=len(self._store.known_devices.of(who.source, who.subject)),
        )

    # --- changing -----------------------------------------------------------------------------------

    def rename_factor(self, session: Session, id: str, name: str, *, caller: Caller) -> None:
        """Call a device something else.

        Raises:
            FactorUnknown, ProofNotRecent, AskRefused, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        called = factor_name(name)
        found = self._own_device(session, id, self._active.current(), now)
        detail = {"factor": found.id, "name": called, "was": found.name}
        self._record(AuditKind.FACTOR_CHANGED, session, caller, now, detail)
        if not self._store.factors.rename(found.id, called):
            raise FactorUnknown("removed meanwhile")

    def remove_factor(self, session: Session, id: str, *, caller: Caller) -> None:
        """Take a device away; with the last one go the recovery codes.

        Raises:
            FactorUnknown, ProofNotRecent, RootOnlyEmergency (root keeps two), AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        running = self._active.current()
        found = self._own_device(session, id, running, now)
        who = session.identity
        if who.source == ROOT and len(self._devices(ROOT, who.subject, running)) <= ROOT_FACTORS:
            words = f"Root keeps {ROOT_FACTORS} devices. Add another one first."
            raise RootOnlyEmergency("root would have too few devices", words=words)
        detail = {"factor": found.id, "kind": found.kind, "name": found.name}
        self._record(AuditKind.FACTOR_REMOVED, session, caller, now, detail)
        if not self._store.factors.end(found.id, now):
            raise FactorUnknown("removed meanwhile")
        if not self._devices(who.source, who.subject, running):
            self._store.recovery_codes.replace(who.source, who.subject, (), now)
        name = running.revision.settings.name
        self._tell_person(who, telling.factor_removed(name, found, caller.address, now))

    def new_recovery_codes(self, session: Session, *, caller: Caller) -> Sequence[str]:
        """Ten new ones; the old ones are worth nothing.

        Raises:
            ProofNotRecent, MfaMissing (no device), RootOnlyEmergency, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        who = session.identity
        if who.source == ROOT:
            raise RootOnlyEmergency(
                "root has no recovery codes", words="Root has devices, and no recovery codes."
            )
        if not self._recent_devices(session, self._active.current(), now):
            raise MfaMissing("no device", words="Recovery codes stand for a device. Add one first.")
        codes = self._new_codes(who, caller, now, session.id)
        name = self._active.current().revision.settings.name
        self._tell_person(who, telling.new_recovery_codes(name, caller.address, now))
        return codes

    def change_password(
        self, session: Session, old: str, new: str, *, caller: Caller, device: str = ""
    ) -> SignedIn | None:
        """A local user's own, or root's; all their other sessions end, and their helpers'.

        The old one is the proof; whoever has a device has proven a factor within ten minutes beside it. This session
        goes on under a new cookie, so that whoever stole the old one is out too. None: it has ended meanwhile.

        Raises:
            CredentialsWrong, PasswordRefused, TooManyGuesses, Busy, ProofNotRecent, AskRefused (there is no password),
            AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        of_a_browser(session)
        running = self._active.current()
        who = session.identity
        id = self._account_id(who)
        if id is None:
            words = "Your directory keeps your password. Change it there."
            raise AskRefused("no password here", words=words)
        devices = self._devices(who.source, who.subject, running)
        if devices and not recent(session, devices, now):
            raise ProofNotRecent("no factor was proven within ten minutes")
        account = self._check_password(
            (who.source, id),
            f"local/{who.username}" if who.source == LOCAL else "/root",
            old,
            active=True,
            caller=caller,
            device=device,
            now=now,
            refused=lambda: self._note_refusal(who, caller, now),
        )
        if hmac.compare_digest(old.encode("utf-8", "surrogatepass"), new.encode("utf-8", "surrogatepass")):
            raise PasswordRefused("the old one", words="That is the password that you have. Choose another.")
        self._check_new(new, who, running)
        made = self._hashing.hash(new)
        self._record(AuditKind.PASSWORD_CHANGED, session, caller, now, {"by": "person"})
        # With the password's time the epoch changes, and with it every session is over but this one.
        if not self._store.users.set_account(Account(id, made, now, account.epoch), now):
            raise CredentialsWrong("changed meanwhile")
        signed_in = self._goes_on(session, id, now)
        self._store.links.end_all("password", id, now)
        name = running.revision.settings.name
        self._tell_person(who, telling.password_changed(name, caller.address, now))
        return signed_in

    # --- steps ------------------------------------------------------------------------------------

    def _goes_on(self, session: Session, id: str, now: datetime) -> SignedIn | None:
        """The session in which the password was just changed, resting on the new one."""
        kept, held = self._store.users.account(id), self._store.sessions.by_id(session.id, now)
        if kept is None or held is None or kept.password_at != now:
            return None  # another one was set meanwhile, which ends this session too
        renewed = replace(held, trust=kept.epoch, csrf=secrets.token_urlsafe(32))
        token = secrets.token_urlsafe(32)
        if not self._store.sessions.renew(session.id, token, renewed, now):
            return None
        return SignedIn(renewed, token)

    def _own_device(self, session: Session, id: str, running: Running, now: datetime) -> Factor:
        found = next((each for each in self._recent_devices(session, running, now) if each.id == id), None)
        if found is None:
            raise FactorUnknown("no such device of this person")
        return found

    def _check_new(self, password: str, who: Identity, running: Running) -> None:
        """Raises PasswordRefused."""
        about = [who.username, who.name or "", who.email or "", running.revision.settings.name]
        check_new(password, [each for each in about if each])
