"""A challenge: the page that asks a browser for the next proof, and its answer.

What a sign-in needs next is said by `needs.need` alone, a step-up by what would open its role. A challenge is finished
once, whoever answers how often at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker.finishing import Believed, hash_of
from app.broker.needs import Need, need
from app.broker.proofs import ENROLABLE, proven
from app.broker.proving import keeping, party_of
from app.broker.rooting import Rooting
from app.broker.stepping_up import Step, SteppingUp
from app.errors import ChallengeOver, ProofRefused, SignInNotAllowed
from app.model import Caller, Principal, Session, SignedIn
from app.people import (
    ROOT,
    ROOT_FACTORS,
    Asked,
    Challenge,
    ChallengePage,
    Factor,
    FactorAnswer,
    FactorKind,
    Passed,
)

_WEBAUTHN: Final[FactorKind] = "webauthn"
_CODE = Passed("recovery", None, ("mfa",), phishing_resistant=False)
"""What a recovery code would prove."""


class Challenges(Rooting, SteppingUp):
    """The conversation of a browser that is asked for more."""

    def challenge(self, handle: str, browser: str, *, caller: Caller) -> ChallengePage:
        """What a challenge wants; `browser` is the secret of the browser's short-lived cookie.

        Raises:
            ChallengeOver, SignInNotAllowed, RoleUnknown, RoleForbidden, StoreUnavailable.
        """
        now = self._clock.now()
        found = self._of_browser(handle, hash_of(browser), now)
        if found.purpose == "passkey":
            return self._page(found, "", "Sign in with a passkey.", (_WEBAUTHN,), (), (), now)
        if found.purpose == "step_up":
            return self._step_up_page(found, self._step_of(found, caller, now), now)
        if found.purpose == "enrol":
            return self._enrol_page(found, now)
        believed, running, person = self._still_believed(found, now)
        who = believed.identity
        devices = self._devices(who.source, who.subject, running)
        needed = self._needed(running, person, caller, now, devices)
        kinds, enrol = self._takes(needed, running, person, devices, caller, now)
        name = "root" if who.source == ROOT else who.username
        why = f"You are signing in as {name}."
        if enrol:
            why += " A second factor is needed; add one now."
        return self._page(found, name, why, kinds, enrol, devices, now)

    def answer(
        self,
        handle: str,
        browser: str,
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str = "",
        previous: str | None = None,
    ) -> SignedIn | Asked:
        """Prove a factor, or a passkey: a session (renewed, for a step-up), or what else is wanted.

        `previous` is the token of the browser's session: it ends at a sign-in, and is renewed by a step-up.

        Raises:
            CodeWrong, ChallengeOver, TooManyGuesses, NotSignedIn (a step-up whose session is over), SignInNotAllowed,
            RoleUnknown, TooMany, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        with self._counting(caller, now):
            found = self._of_browser(handle, hash_of(browser), now)
            if found.purpose == "passkey":
                return self._by_passkey(
                    found, answer, caller=caller, device=device, previous=previous, now=now
                )
            if found.purpose == "step_up":
                return self._answer_step_up(
                    found, answer, caller=caller, device=device, previous=previous, now=now
                )
            if found.purpose == "enrol":
                raise ChallengeOver("an enrolment is finished with a new device")
            return self._answer_sign_in(
                found, answer, caller=caller, device=device, previous=previous, now=now
            )

    @contextmanager
    def _counting(self, caller: Caller, now: datetime) -> Iterator[None]:
        """Count what is refused within, per address, as every refused proof is."""
        try:
            yield
        except ProofRefused as refusal:
            self._tally.refused(caller.address, refusal.code, now)
            raise

    # --- signing in ---------------------------------------------------------------------------------

    def _answer_sign_in(
        self,
        challenge: Challenge,
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn | Asked:
        known = self._admit(challenge, caller, device, now)
        believed, running, person = self._still_believed(challenge, now)
        who = believed.identity
        devices = self._devices(who.source, who.subject, running)
        needed = self._needed(running, person, caller, now, devices)
        kinds, _ = self._takes(needed, running, person, devices, caller, now)
        passed = self._pass(
            challenge, who, devices, kinds, answer, caller=caller, device=device, known=known, now=now
        )
        self._proven(who, passed, caller, now, {"purpose": challenge.purpose})
        return self._proceed(
            challenge, believed, passed, devices, caller=caller, device=device, previous=previous, now=now
        )

    def _proceed(
        self,
        challenge: Challenge,
        believed: Believed,
        passed: Passed,
        devices: Sequence[Factor],
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn | Asked:
        """After a proof that is on record: the session, or the same challenge, which remembers it.

        Raises:
            ChallengeOver, SignInNotAllowed, AuditUnavailable, StoreUnavailable.
        """
        running = self._active.current()
        how = proven(believed.identity.authentication, passed, devices, now)
        believed = replace(believed, identity=replace(believed.identity, authentication=how))
        person = self._whoever(believed.identity, running)
        who = believed.identity
        if self._needed(running, person, caller, now, list(devices)).what == "session":
            if self._store.challenges.take(challenge.handle, challenge.browser, now) is None:
                raise ChallengeOver("finished meanwhile")
            return self._open(person, believed, caller=caller, device=device, previous=previous, now=now)
        if not self._store.challenges.keep(challenge.handle, challenge.browser, believed.facts(), now):
            raise ChallengeOver(f"over meanwhile for {who.source}/{who.subject}")
        return Asked(challenge.handle, challenge.next)

    def _takes(
        self,
        needed: Need,
        running: Running,
        person: Principal,
        devices: Sequence[Factor],
        caller: Caller,
        now: datetime,
    ) -> tuple[tuple[FactorKind, ...], tuple[FactorKind, ...]]:
        """Kinds that are taken now, a recovery code last, and kinds that may be enrolled here."""
        if needed.what == "enrolment":
            return (), needed.kinds
        if needed.what == "session":
            return (), ()
        kinds = needed.kinds
        who = person.identity
        if who.source == ROOT or not self._store.recovery_codes.left(who.source, who.subject):
            return kinds, ()
        made = proven(who.authentication, _CODE, devices, now)
        try:
            # A code is as good as a device, unless policy wants one that cannot be phished.
            does = need(
                running, replace(person, identity=replace(who, authentication=made)), devices, caller, now
            )
        except SignInNotAllowed:
            return kinds, ()
        return ((*kinds, "recovery"), ()) if does.what == "session" else (kinds, ())

    # --- pages --------------------------------------------------------------------------------------

    def _step_up_page(self, challenge: Challenge, step: Step, now: datetime) -> ChallengePage:
        role = step.role
        why = "Prove that it is you, to go on."
        if role is not None:
            why = f"The role {role.name} in {role.account_name} ({role.account}) needs a second factor, proven now."
        if step.target.client is not None:
            what = self._called(step.target)
            why = f"{what} asks. {why}"
        if not step.kinds and not step.enrol:
            why += " You have none yet, and to add one you must have signed in within ten minutes: sign in again."
        page = self._page(
            challenge, step.own.identity.username, why, step.kinds, step.enrol, step.devices, now
        )
        return replace(page, role=challenge.facts["role"])

    def _called(self, target: Session) -> str:
        """A helper's session, for its person to recognise: what it is, on which device, from where."""
        clients = self._active.current().revision.clients
        found = clients.get(target.client or "")
        name = found.name if found is not None else target.client or ""
        on = f" on “{target.device}”" if target.device else ""
        where = f", last seen from {target.last_address}" if target.last_address else ""
        return f"{name}{on}{where},"

    def _enrol_page(self, challenge: Challenge, now: datetime) -> ChallengePage:
        """Of root's set-up; other enrolments have no page of their own."""
        if challenge.facts.get("set_up") != ROOT:
            raise ChallengeOver("an enrolment, not a challenge")
        devices = self._devices(ROOT, challenge.subject, self._active.current())
        why = (
            f"Root needs {ROOT_FACTORS} devices before it can be used; {len(devices)} of them "
            f"{'is' if len(devices) == 1 else 'are'} there."
        )
        return self._page(challenge, "root", why, (), ENROLABLE, devices, now)

    def _page(
        self,
        challenge: Challenge,
        username: str,
        why: str,
        kinds: tuple[FactorKind, ...],
        enrol: tuple[FactorKind, ...],
        devices: Sequence[Factor],
        now: datetime,
    ) -> ChallengePage:
        return ChallengePage(
            purpose=challenge.purpose,
            username=username,
            why=why,
            kinds=kinds,
            enrol=enrol,
            webauthn_options=self._options(challenge, devices, now) if _WEBAUTHN in kinds else "",
            next=challenge.next,
            expires_at=challenge.expires_at,
            counts_later=bool(enrol) and not devices and challenge.source != ROOT,
        )

    def _options(self, challenge: Challenge, devices: Sequence[Factor], now: datetime) -> str:
        """What the browser asks its devices; the same again for a page that is loaded twice. Raises ChallengeOver."""
        have = [each for each in devices if each.kind == _WEBAUTHN]
        known = challenge.facts.get(f"{_WEBAUTHN}.options", "")
        of = ",".join(each.id for each in have)
        if known and challenge.facts.get(f"{_WEBAUTHN}.of", "") == of:
            return known
        begun = self._kinds[_WEBAUTHN].ask(party_of(self._active.current().revision.settings), have)
        kept = keeping(_WEBAUTHN, {**begun.facts, "options": begun.webauthn_options, "of": of})
        facts = {**challenge.facts, **kept}
        if not self._store.challenges.keep(challenge.handle, challenge.browser, facts, now):
            raise ChallengeOver("over meanwhile")
        return begun.webauthn_options
