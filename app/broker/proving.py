"""A factor, shown and believed: verified by its kind, raised once over all workers, on record either way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from app.broker import telling
from app.broker.finishing import Finishing
from app.broker.guessing import code_budgets
from app.errors import ChallengeOver, CodeWrong
from app.limits import GUESS_WINDOW, REFUSALS_PER_MINUTE, SIGN_IN_REFUSALS
from app.mfa import recovery, totp, webauthn
from app.mfa.seam import RelyingParty
from app.model import AuditKind, Caller, Identity, Settings
from app.people import ROOT, Budget, Challenge, Factor, FactorAnswer, FactorKind, Passed

_TYPED: Final[frozenset[FactorKind]] = frozenset({"totp", "recovery"})
"""Kinds whose answers can be guessed. A signature cannot."""
_REFUSALS_ON_RECORD: Final = 20
"""Wrong answers of one person that are put on record in a window: the trail is not filled by whoever has a password."""
_UNTOLD: Final = 4
"""Wrong answers of one person in a window of which they are not told: people mistype."""
_COPIES_ON_RECORD: Final = 3
"""And of a key that seems to be copied, with an alert each."""
_RECOVERY: Final = ("mfa",)
"""amr of a recovery code: RFC 8176 has no value of its own for one."""


def party_of(settings: Settings) -> RelyingParty:
    """Whom devices are enrolled with: the broker's own address (WebAuthn, 5.1.2: the RP ID is its host)."""
    return RelyingParty(urlsplit(settings.base_url).hostname or "", settings.base_url, settings.name)


def asked_of(challenge: Challenge, kind: str) -> dict[str, str]:
    """What a kind of device remembered in a challenge."""
    start = f"{kind}."
    return {
        name.removeprefix(start): value for name, value in challenge.facts.items() if name.startswith(start)
    }


def keeping(kind: str, facts: Mapping[str, str]) -> dict[str, str]:
    """And how it is kept there."""
    return {f"{kind}.{name}": value for name, value in facts.items()}


class Proving(Finishing):
    """The step in which a person answers for a factor."""

    def _of_browser(self, handle: str, browser: str, now: datetime) -> Challenge:
        """The challenge, if it is that browser's and not over. Raises ChallengeOver."""
        found = self._store.challenges.get(handle, browser, now) if handle and browser else None
        if found is None:
            raise ChallengeOver("no such challenge of this browser, or it is over")
        return found

    def _admit(self, challenge: Challenge, caller: Caller, device: str, now: datetime) -> bool:
        """Whether the browser is known to the person; strangers' wrong answers are counted for each address.

        Raises:
            TooMany.
        """
        source = challenge.source
        known = source is not None and self._known(source, challenge.subject, device)
        if not known:
            self._tally.check(caller.address, SIGN_IN_REFUSALS, REFUSALS_PER_MINUTE, now)
        return known

    def _pass(
        self,
        challenge: Challenge,
        who: Identity,
        devices: Sequence[Factor],
        kinds: Sequence[FactorKind],
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str,
        known: bool,
        now: datetime,
    ) -> Passed:
        """Believe an answer, once in all processes, or count it.

        Raises:
            CodeWrong, TooManyGuesses, AuditUnavailable, StoreUnavailable.
        """
        budgets = code_budgets(who.source, who.subject, device, known=known)
        counted = answer.kind in _TYPED
        if counted:
            self._reserve(budgets, now)
        try:
            if answer.kind not in kinds:
                raise CodeWrong("a kind that is not asked for")
            passed = self._verified(challenge, who, devices, answer, now)
        except CodeWrong as refusal:
            self._missed(challenge, who, devices, answer, refusal, caller, now)
            raise
        if counted:
            self._store.guesses.give_back(budgets, now)
        return passed

    def _verified(
        self,
        challenge: Challenge,
        who: Identity,
        devices: Sequence[Factor],
        answer: FactorAnswer,
        now: datetime,
    ) -> Passed:
        if answer.kind == "recovery":
            code = recovery.normalise(answer.text)
            if not self._store.recovery_codes.use(who.source, who.subject, code, now):
                raise CodeWrong("no recovery code of this person's that is not used")
            return Passed("recovery", None, _RECOVERY, phishing_resistant=False)
        have = [each for each in devices if each.kind == answer.kind]
        party = party_of(self._active.current().revision.settings)
        passed, counter = self._kinds[answer.kind].verify(
            party, have, asked_of(challenge, answer.kind), answer, now
        )
        device = passed.factor
        if device is None:
            raise CodeWrong("no device")
        self._raise_counter(device, counter, now)
        return passed

    def _raise_counter(self, device: Factor, counter: int, now: datetime) -> None:
        """Raises CodeWrong for whoever comes second with the same."""
        keeps_none = counter == device.counter or counter <= 0
        if keeps_none:
            if not self._store.factors.used(device.id, now):
                raise CodeWrong("removed meanwhile")
        elif not self._store.factors.advance(device.id, counter, now):
            raise CodeWrong(totp.USED)

    def _proven(
        self,
        who: Identity,
        passed: Passed,
        caller: Caller,
        now: datetime,
        detail: Mapping[str, object],
        session: str | None = None,
    ) -> None:
        """Put on record that it was proven; of a recovery code the person hears."""
        facts: dict[str, object] = {
            "kind": passed.kind,
            "factor": passed.factor.id if passed.factor is not None else None,
            "methods": list(passed.methods),
            **detail,
        }
        self._record_of(who, AuditKind.MFA_PROVEN, caller, now, facts, session)
        if passed.kind == "recovery":
            left = self._store.recovery_codes.left(who.source, who.subject)
            name = self._active.current().revision.settings.name
            self._tell_person(who, telling.recovery_code(name, left, caller.address, now))

    # --- wrong answers ------------------------------------------------------------------------------

    def _missed(
        self,
        challenge: Challenge,
        who: Identity,
        devices: Sequence[Factor],
        answer: FactorAnswer,
        refusal: CodeWrong,
        caller: Caller,
        now: datetime,
    ) -> None:
        # A code that was right and came twice is no guess: a double click must not end the challenge.
        tries = None
        if refusal.detail != totp.USED:
            tries = self._store.challenges.miss(challenge.handle, now)
            if challenge.purpose == "sign_in":
                self._guessed(who, caller, now)
        if refusal.detail == webauthn.COUNTER:
            self._copied(challenge, who, devices, answer, caller, now)
        refusal.recorded = True  # here, as far as it is at all
        if not self._rarely("mfa/record", json.dumps([who.source, who.subject]), _REFUSALS_ON_RECORD, now):
            return
        detail: dict[str, object] = {
            "kind": answer.kind,
            "why": refusal.detail,
            "purpose": challenge.purpose,
        }
        self._record_of(who, AuditKind.MFA_REFUSED, caller, now, detail, challenge.session or None)
        if who.source == ROOT and tries == 1:
            name = self._active.current().revision.settings.name
            self._tell(telling.to_operators(telling.root_refused(name, caller.address, now)))

    def _guessed(self, who: Identity, caller: Caller, now: datetime) -> None:
        """Whoever guesses here has the first factor: its owner hears of the fifth wrong answer, once in a window."""
        whose = json.dumps([who.source, who.subject])
        if not self._rarely("mfa/wrong", whose, _UNTOLD, now) and self._rarely("mfa/told", whose, 1, now):
            name = self._active.current().revision.settings.name
            self._tell_person(who, telling.codes_guessed(name, caller.address, now))

    def _rarely(self, what: str, whose: str, most: int, now: datetime) -> bool:
        """Whether it may be put on record, or told, once more in this window."""
        return self._store.guesses.reserve([Budget(what, whose, most, GUESS_WINDOW)], now) is None

    def _copied(
        self,
        challenge: Challenge,
        who: Identity,
        devices: Sequence[Factor],
        answer: FactorAnswer,
        caller: Caller,
        now: datetime,
    ) -> None:
        """A security key's counter fell back: there may be two of it (WebAuthn, 6.1.1). Operators hear of it."""
        credential = webauthn.presented(answer)
        found = next((each for each in devices if each.facts.get("credential") == credential), None)
        if found is None:
            return
        if found.last_used is not None and found.last_used >= challenge.created_at - timedelta(seconds=1):
            return  # the same answer twice
        if not self._rarely("mfa/copied", found.id, _COPIES_ON_RECORD, now):
            return
        detail = {"factor": found.id, "why": "its counter fell back: there may be a copy of it"}
        self._record_of(who, AuditKind.FACTOR_CHANGED, caller, now, detail)
        name = self._active.current().revision.settings.name
        title = f"{who.source}/{who.username}"
        self._tell(telling.to_operators(telling.copied(name, title, found, caller.address, now)))
