"""A signed-in person proves a factor in the middle of what they are doing: step-up.

The session stays, its cookie does not: whoever had the old one has nothing more. A helper's session keeps its tokens
and gets the same authentication, so that a command that waits goes on.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.active import Running
from app.broker import telling
from app.broker.finishing import CHALLENGE_LIFE, hash_of
from app.broker.opening_up import may_add
from app.broker.passes import LATER, Passes, case_of
from app.broker.proofs import ENROLABLE, proven, recent
from app.broker.proving import Proving
from app.errors import AccessRefused, ChallengeOver, NotSignedIn, RoleForbidden, RoleUnknown, SessionUnknown
from app.limits import STEP_UPS_PER_SESSION
from app.model import Authentication, Caller, Role, RoleAsk, Session, SignedIn
from app.people import ROOT, Asked, Challenge, Factor, FactorAnswer, FactorKind, Passed, StepUpAsk


@dataclass(frozen=True, slots=True)
class Step:
    """A step-up under way: whose, for what, and what settles it."""

    own: Session
    """The browser's."""
    target: Session
    """That which is stepped up: the same, or a helper's."""
    devices: tuple[Factor, ...]
    kinds: tuple[FactorKind, ...]
    """Of the person's devices, those that settle it; a recovery code last."""
    enrol: tuple[FactorKind, ...]
    """What may be enrolled here, because there is no device."""
    role: Role | None = None


class SteppingUp(Proving, Passes):
    """The conversation of a signed-in person who is to prove more."""

    def begin_step_up(self, session: Session, ask: StepUpAsk, browser: str, *, caller: Caller) -> Asked:
        """Ask a signed-in person for a factor; `browser` is the secret of the browser's short-lived cookie.

        Raises:
            SessionUnknown (a helper's session that is not theirs), RoleUnknown (no factor would open it), RoleForbidden
            (one will, from the next sign-in on), AccessRefused (a client's session), TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        of_a_browser(session)
        self._tally.admit_one(session.id, "step-ups", STEP_UPS_PER_SESSION, now)
        running = self._active.current()
        target = self._target(session, ask.session, now)
        step = self._step(running, session, target, ask.role, caller, now)
        who = session.identity
        return self._ask(
            Challenge(
                handle=secrets.token_urlsafe(32),
                purpose="step_up",
                browser=hash_of(browser),
                created_at=now,
                expires_at=now + CHALLENGE_LIFE,
                source=who.source,
                subject=who.subject,
                session=target.id,
                next=ask.next,
                facts={"own": session.id, "role": step.role.arn if step.role is not None else ""},
            )
        )

    def _target(self, session: Session, id: str, now: datetime) -> Session:
        """Whose session it is that is stepped up. Raises SessionUnknown, the same for none and somebody else's.

        Another browser of the person's proves for itself: whoever has stolen its cookie could else send the person the
        address that steps it up, and the page would name nothing that tells it from their own.
        """
        if id in ("", session.id):
            return session
        found = self._alive(id, now)
        who = session.identity
        if found is None or (found.identity.source, found.identity.subject) != (who.source, who.subject):
            raise SessionUnknown("no such session of this person")
        if found.client is None:
            raise SessionUnknown("another browser's")
        return found

    def _step(
        self, running: Running, own: Session, target: Session, role: str, caller: Caller, now: datetime
    ) -> Step:
        """What settles a step-up, as it is now. Raises RoleUnknown."""
        who = own.identity
        devices = tuple(self._devices(who.source, who.subject, running))
        have = {each.kind for each in devices}
        kinds = tuple(kind for kind in ENROLABLE if kind in have) if have else ENROLABLE
        wanted, typed = None, bool(have)
        if role:
            person = self._person(target, running)
            case = case_of(running, target, person, RoleAsk(role), caller, now)
            wanted = case.role
            if not case.decision.allowed:
                opened = self._opens(case)
                kinds = opened.kinds
                if opened.later:
                    raise RoleForbidden("the factor is fresh", words=LATER)
                if not kinds:
                    raise RoleUnknown("no factor of this person's would open it")
                code = Passed("recovery", None, ("mfa",), phishing_resistant=False)
                made = proven(target.identity.authentication, code, devices, now)
                typed = typed and bool(case.opened_by({"recovery": (made,)}))
        if not have:
            allowed = recent(own, devices, now) and may_add(own)
            return Step(own, target, devices, (), kinds if allowed else (), wanted)
        if typed and who.source != ROOT and self._store.recovery_codes.left(who.source, who.subject):
            kinds = (*kinds, "recovery")
        return Step(own, target, devices, kinds, (), wanted)

    def _step_of(self, challenge: Challenge, caller: Caller, now: datetime) -> Step:
        """The step-up of a challenge, while both sessions live. Raises ChallengeOver, RoleUnknown."""
        own = self._alive(challenge.facts["own"], now)
        target = own if challenge.session == challenge.facts["own"] else self._alive(challenge.session, now)
        if own is None or target is None:
            raise ChallengeOver("the session is over")
        return self._step(self._active.current(), own, target, challenge.facts["role"], caller, now)

    def _answer_step_up(
        self,
        challenge: Challenge,
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn:
        """Raises CodeWrong, ChallengeOver, NotSignedIn, TooManyGuesses, TooMany, AuditUnavailable, StoreUnavailable."""
        known = self._admit(challenge, caller, device, now)
        step = self._step_of(challenge, caller, now)
        self._held(step.own, previous, now)
        who = step.own.identity
        passed = self._pass(
            challenge,
            who,
            step.devices,
            step.kinds,
            answer,
            caller=caller,
            device=device,
            known=known,
            now=now,
        )
        done = self._stepped_up(challenge, step, step.devices, passed, previous, caller, now)
        self._tell_of_fresh(done.session, step.devices, caller, now)
        return done

    def _tell_of_fresh(
        self, session: Session, devices: Sequence[Factor], caller: Caller, now: datetime
    ) -> None:
        """Operators hear of a first factor that was enrolled on a page of its own and proven in the same session, as of
        one enrolled within the step-up: whoever has stolen the session can do either. Once for each."""
        fresh = [each for each in devices if each.first and each.enrolled_at >= session.began]
        at = session.identity.authentication.enrolled_at
        found = next((each for each in fresh if each.enrolled_at == at), None)
        if found is not None and self._rarely("mfa/fresh", found.id, 1, now):
            who = session.identity
            name = self._active.current().revision.settings.name
            title = f"{who.source}/{who.username}"
            self._tell(telling.to_operators(telling.first_factor(name, title, found, caller.address, now)))

    def _stepped_up(
        self,
        challenge: Challenge,
        step: Step,
        devices: Sequence[Factor],
        passed: Passed,
        previous: str | None,
        caller: Caller,
        now: datetime,
    ) -> SignedIn:
        """On record, then the sessions know of it: a helper's as it is, the browser's under a new cookie."""
        held = self._held(step.own, previous, now)
        detail: dict[str, object] = {
            "purpose": "step_up",
            "role": challenge.facts["role"] or None,
            "for_session": step.target.id,
        }
        self._proven(step.own.identity, passed, caller, now, detail, step.own.id)
        if self._store.challenges.take(challenge.handle, challenge.browser, now) is None:
            raise ChallengeOver("finished meanwhile")

        def more(session: Session) -> Authentication:
            return proven(session.identity.authentication, passed, devices, now)

        if step.target.id != held.id and not self._store.sessions.prove(
            step.target.id, more(step.target), now
        ):
            raise ChallengeOver("the helper's session has ended meanwhile")
        identity = replace(held.identity, authentication=more(held))
        renewed = replace(held, identity=identity, csrf=secrets.token_urlsafe(32))
        token = secrets.token_urlsafe(32)
        if not self._store.sessions.renew(held.id, token, renewed, now):
            raise NotSignedIn("the session has ended meanwhile")
        return SignedIn(session=renewed, token=token, next=challenge.next)

    def _held(self, own: Session, token: str | None, now: datetime) -> Session:
        """The browser's session as the store has it, by the cookie that this browser shows. Raises NotSignedIn."""
        found = self._store.sessions.find(token, now) if token else None
        if found is None or found.id != own.id:
            raise NotSignedIn("the browser does not have the session that is stepped up")
        return found


def of_a_browser(session: Session) -> None:
    """Own factors, and stepping up, are for people at their browsers. Raises AccessRefused."""
    if session.client is not None:
        raise AccessRefused(f"a session of client {session.client} changes nothing of the person")
