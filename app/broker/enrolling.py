"""Adding a device: of a signed-in person, or within a sign-in or step-up that wants one and finds none.

It needs proof of the last minutes, so that a stolen cookie is not enough; it is on record before it counts, and the
person is told of it. With the first device come ten recovery codes.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker import telling
from app.broker.challenges import Challenges
from app.broker.finishing import AGENT, CHALLENGE_LIFE, Believed, hash_of
from app.broker.opening_up import may_add
from app.broker.proofs import enrolled, recent
from app.broker.proving import asked_of, keeping, party_of
from app.broker.stepping_up import Step, of_a_browser
from app.errors import (
    AskRefused,
    ChallengeOver,
    CodeWrong,
    FactorsFull,
    ProofNotRecent,
)
from app.limits import STARTS_PER_MINUTE, STEP_UPS_PER_SESSION
from app.mfa import recovery
from app.mfa.seam import Person
from app.model import AuditKind, Caller, Identity, Session, SignedIn
from app.people import (
    MOST_FACTORS,
    ROOT,
    ROOT_FACTORS,
    ROOT_SUBJECT,
    Challenge,
    Enrolled,
    Enrolment,
    Factor,
    FactorAnswer,
    FactorKind,
)
from app.principal import subject_space

_NAME_MOST: Final = 64
_HANDLE_BYTES: Final = 32
"""Of a WebAuthn user handle: random, so that it names nobody (WebAuthn, 14.6.1)."""


@dataclass(frozen=True, slots=True)
class _Adding:
    """Somebody who adds a device, and why they may."""

    who: Identity
    devices: tuple[Factor, ...]
    session: Session | None
    """Of a signed-in person; None within a sign-in, or root's set-up."""
    outer: Challenge | None
    """The challenge that wants a device, if one does."""
    since: datetime
    """When the session's sign-in, or the one that goes on here, began."""

    @property
    def first(self) -> bool:
        """Whether the device is the person's first, or rests on none that was there before this session or sign-in.

        Whatever else was proven, as a factor of the directory's: two that were added one after the other are worth
        what one is.
        """
        if all(each.first and each.enrolled_at >= self.since for each in self.devices):
            return True
        enrolled_at = self.who.authentication.enrolled_at
        return enrolled_at is not None and enrolled_at >= self.since


class Enrolling(Challenges):
    """The conversation of a person who adds a device."""

    def begin_enrolment(
        self,
        kind: FactorKind,
        browser: str,
        *,
        caller: Caller,
        session: Session | None = None,
        within: str = "",
    ) -> Enrolment:
        """Begin to add a device: of a signed-in person, or `within` a challenge that wants one and finds none.

        Raises:
            AskRefused (no such kind), ProofNotRecent, FactorsFull, ChallengeOver, TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        made = self._kinds.get(kind)
        if made is None:
            raise AskRefused(f"no kind {kind!r}", words="There is no such kind of second factor.")
        running = self._active.current()
        adding = self._adding(browser, caller, session, within, now, kind)
        if session is not None:
            self._tally.admit_one(session.id, "step-ups", STEP_UPS_PER_SESSION, now)
        else:
            self._tally.admit(caller.address, "sign-in starts", STARTS_PER_MINUTE, now)
        have = [each for each in adding.devices if each.kind == kind]
        who = adding.who
        person = Person(who.source, who.subject, who.username, who.name or "", _handle(adding.devices))
        begun = made.begin(party_of(running.revision.settings), person, have)
        asked = self._ask(
            Challenge(
                handle=secrets.token_urlsafe(32),
                purpose="enrol",
                browser=hash_of(browser),
                created_at=now,
                expires_at=now + CHALLENGE_LIFE,
                source=who.source,
                subject=who.subject,
                session=adding.session.id if adding.session is not None else "",
                facts={"kind": kind, "within": within, **keeping(kind, begun.facts)},
            )
        )
        return Enrolment(asked.handle, kind, begun.secret, begun.uri, begun.webauthn_options)

    def finish_enrolment(
        self,
        handle: str,
        browser: str,
        answer: FactorAnswer,
        name: str,
        *,
        caller: Caller,
        session: Session | None = None,
        device: str = "",
        previous: str | None = None,
    ) -> Enrolled:
        """Add it; `signed_in` where that settles the challenge that it was begun within.

        Raises:
            CodeWrong, ChallengeOver, NotSignedIn (a step-up without its session), ProofNotRecent, FactorsFull, AskRefused
            (the name), AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        called = factor_name(name)
        with self._counting(caller, now):
            found = self._of_browser(handle, hash_of(browser), now)
            if found.purpose != "enrol" or "kind" not in found.facts:
                raise ChallengeOver("no enrolment")
            within, kind = found.facts["within"], found.facts["kind"]
            if within and session is not None:
                session = None  # the challenge says whose it is
            adding = self._adding(browser, caller, session, within, now, answer.kind)
            same = (adding.who.source, adding.who.subject) == (found.source, found.subject)
            if not same or (adding.session.id if adding.session is not None else "") != found.session:
                raise ChallengeOver("begun by somebody else, or in another session")
            if adding.outer is not None and adding.session is not None:
                self._held(adding.session, previous, now)  # before the device is kept, not after
            factor = self._made(found, adding, kind, answer, called, now)
        codes = self._add(adding, factor, caller, now)
        signed_in = None
        if adding.outer is not None:
            signed_in = self._settled(adding, adding.outer, factor, caller, device, previous, now)
        return Enrolled(factor, codes, signed_in)

    def _adding(
        self,
        browser: str,
        caller: Caller,
        session: Session | None,
        within: str,
        now: datetime,
        kind: str,
    ) -> _Adding:
        """Who adds a device of a kind, if they may. Raises ProofNotRecent, FactorsFull, ChallengeOver."""
        running = self._active.current()
        if within:
            return self._within(browser, caller, within, now, kind)
        if session is None:
            raise ChallengeOver("neither a session nor a challenge")
        devices = self._recent_devices(session, running, now)
        if not may_add(session):
            raise FactorsFull("guests have no factors", words="Guests have no second factors.")
        _room(devices)
        return _Adding(session.identity, tuple(devices), session, None, session.began)

    def _within(self, browser: str, caller: Caller, within: str, now: datetime, kind: str) -> _Adding:
        running = self._active.current()
        outer = self._of_browser(within, hash_of(browser), now)
        if outer.purpose == "step_up":
            step = self._step_of(outer, caller, now)
            if not step.devices and not recent(step.own, step.devices, now):
                raise ProofNotRecent("a session that is older than ten minutes, of somebody without a device")
            if kind not in step.enrol:
                raise ChallengeOver("the step-up wants no such device")
            return _Adding(step.own.identity, step.devices, step.own, outer, step.own.began)
        if outer.purpose == "enrol" and outer.facts.get("set_up") == ROOT:
            believed = self._still_believed(outer, now)[0]
            devices = self._devices(ROOT, ROOT_SUBJECT, running)
            return _Adding(believed.identity, tuple(devices), None, outer, believed.began)
        if outer.purpose != "sign_in":  # root's devices are added at its set-up, or by root
            raise ChallengeOver("nothing is enrolled within it")
        believed, running, person = self._still_believed(outer, now)
        who = believed.identity
        devices = self._devices(who.source, who.subject, running)
        needed = self._needed(running, person, caller, now, devices)
        if needed.what != "enrolment" or kind not in needed.kinds:
            raise ChallengeOver("the sign-in wants no such device")
        _room(devices)
        return _Adding(who, tuple(devices), None, outer, believed.began)

    def _made(
        self,
        challenge: Challenge,
        adding: _Adding,
        kind: str,
        answer: FactorAnswer,
        name: str,
        now: datetime,
    ) -> Factor:
        """The device, from its answer; the enrolment is finished by it. Raises CodeWrong, ChallengeOver."""
        running = self._active.current()
        try:
            if answer.kind != kind:
                raise CodeWrong("another kind than was begun")
            made = self._kinds[answer.kind].finish(
                party_of(running.revision.settings), asked_of(challenge, kind), answer, now
            )
            credential = made.facts.get("credential")
            if credential is not None and self._store.factors.by_credential(credential) is not None:
                raise CodeWrong("the credential is known", words="This device is registered already.")
        except CodeWrong:
            self._store.challenges.miss(challenge.handle, now)
            raise
        if self._store.challenges.take(challenge.handle, challenge.browser, now) is None:
            raise ChallengeOver("finished meanwhile")
        who = adding.who
        return Factor(
            id=secrets.token_hex(8),
            source=who.source,
            subject=who.subject,
            kind=answer.kind,
            name=name,
            enrolled_at=now,
            space=subject_space(running.revision.providers.get(who.source)),
            first=adding.first,
            facts=made.facts,
            counter=made.counter,
        )

    def _add(self, adding: _Adding, factor: Factor, caller: Caller, now: datetime) -> tuple[str, ...]:
        """Keep it, on record first; with the first device come recovery codes."""
        who, session = adding.who, adding.session
        detail: dict[str, object] = {
            "factor": factor.id,
            "kind": factor.kind,
            "name": factor.name,
            "first": factor.first,
            "within": adding.outer.purpose if adding.outer is not None else "session",
        }
        at = session.id if session is not None else None
        self._record_of(who, AuditKind.FACTOR_ENROLLED, caller, now, detail, at)
        most = MOST_FACTORS + self._nobodys(who, factor.space)
        if not self._store.factors.add(factor, most):
            failed = {"factor": factor.id, "failed": FactorsFull.code}
            self._record_of(who, AuditKind.FACTOR_ENROLLED, caller, now, failed, at)
            raise FactorsFull("eight, or the credential became known meanwhile")
        name = self._active.current().revision.settings.name
        self._tell_person(who, telling.factor_added(name, factor, caller.address, now))
        if adding.outer is not None and adding.outer.purpose == "step_up" and not adding.devices:
            title = f"{who.source}/{who.username}"
            self._tell(telling.to_operators(telling.first_factor(name, title, factor, caller.address, now)))
        if who.source == ROOT:
            return ()
        # Whoever had no device has no codes: what is left is of the people whom the source had before.
        if adding.devices and self._store.recovery_codes.left(who.source, who.subject):
            return ()
        return self._new_codes(who, caller, now, at)

    def _new_codes(
        self, who: Identity, caller: Caller, now: datetime, session: str | None
    ) -> tuple[str, ...]:
        codes = recovery.make()
        self._record_of(who, AuditKind.RECOVERY_CODES_MADE, caller, now, {"codes": len(codes)}, session)
        kept = [recovery.normalise(code) for code in codes]
        self._store.recovery_codes.replace(who.source, who.subject, kept, now)
        return codes

    def _settled(
        self,
        adding: _Adding,
        outer: Challenge,
        factor: Factor,
        caller: Caller,
        device: str,
        previous: str | None,
        now: datetime,
    ) -> SignedIn | None:
        """What becomes of the challenge that wanted a device: finished by it, or it goes on."""
        passed = enrolled(factor)
        devices = (*adding.devices, factor)
        if outer.purpose == "enrol":
            if len(devices) >= ROOT_FACTORS:
                self._root_is_set_up(outer, adding.who, caller, device, now)
            return None
        if outer.purpose == "step_up":
            session = adding.session
            if session is None:  # pragma: no cover - `_within` gives a step-up's
                raise ChallengeOver
            target = session if outer.session == session.id else self._alive(outer.session, now)
            if target is None:
                raise ChallengeOver("the helper's session is over")
            step = Step(session, target, devices, (), ())
            return self._stepped_up(outer, step, devices, passed, previous, caller, now)
        self._proven(adding.who, passed, caller, now, {"purpose": outer.purpose, "by": "enrolment"})
        done = self._proceed(
            outer,
            Believed.of(outer),
            passed,
            devices,
            caller=caller,
            device=device,
            previous=previous,
            now=now,
        )
        return done if isinstance(done, SignedIn) else None

    def _root_is_set_up(
        self, outer: Challenge, who: Identity, caller: Caller, device: str, now: datetime
    ) -> None:
        if self._store.challenges.take(outer.handle, outer.browser, now) is None:
            return
        self._record_of(who, AuditKind.ROOT_SET_UP, caller, now, {"devices": ROOT_FACTORS})
        if device:
            # Known from the start: whoever holds the host gets in by setting root up anew, however many strangers use
            # up the guesses of its password.
            agent = caller.user_agent[:AGENT]
            self._store.known_devices.note(
                ROOT, ROOT_SUBJECT, device, now, user_agent=agent, address=caller.address
            )
        name = self._active.current().revision.settings.name
        self._tell(telling.to_operators(telling.root_set_up(name, caller.address, now)))

    # --- steps --------------------------------------------------------------------------------------

    def _recent_devices(self, session: Session, running: Running, now: datetime) -> list[Factor]:
        """The person's devices, if this session may change them. Raises ProofNotRecent, AccessRefused."""
        of_a_browser(session)
        who = session.identity
        devices = self._devices(who.source, who.subject, running)
        if not recent(session, devices, now):
            raise ProofNotRecent("no proof within ten minutes")
        return devices

    def _nobodys(self, who: Identity, space: str) -> int:
        """Devices that count no more: of the people whom the source had before (`Factor.space`)."""
        return sum(each.space != space for each in self._store.factors.of(who.source, who.subject))


def _room(devices: Sequence[Factor]) -> None:
    if len(devices) >= MOST_FACTORS:
        raise FactorsFull("eight are there")


def _handle(devices: Sequence[Factor]) -> bytes:
    """The WebAuthn user handle of a person: the one that their devices have, or a new one."""
    known = next((each.facts["user_handle"] for each in devices if "user_handle" in each.facts), None)
    if known is None:
        return secrets.token_bytes(_HANDLE_BYTES)
    return base64.urlsafe_b64decode(known + "=" * (-len(known) % 4))


def factor_name(text: str) -> str:
    """What a person calls a device. Raises AskRefused."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= _NAME_MOST or not name.isprintable():
        words = f"Give it a name of 1 to {_NAME_MOST} characters, so that you know it again."
        raise AskRefused("the name of a factor", words=words)
    return name
