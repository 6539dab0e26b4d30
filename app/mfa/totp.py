"""Codes by time: RFC 6238 over RFC 4226, as every authenticator app does them (SHA-1, six digits, 30 seconds)."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp

from app.errors import CodeWrong
from app.mfa.seam import Begun, Made, Person, RelyingParty
from app.people import Factor, FactorAnswer, FactorKind, Passed

DIGITS: Final = 6
STEP: Final = 30
"""Seconds (RFC 6238, 5.2)."""
DRIFT: Final = 1
"""Steps by which the device's clock may be off, either way (RFC 6238, 5.2 and 6)."""
_SECRET: Final = 32
"""Base32 letters: 160 bits (RFC 4226, 4, R6)."""
_LABEL: Final = 64
"""Letters of a name in the label: more only makes the QR code hard to read."""
_TYPED: Final = 64
"""Characters that somebody may type: six digits and the spaces between them."""


@dataclass(frozen=True, slots=True)
class Totp:
    """An authenticator app, or a token that computes the same."""

    kind: FactorKind = "totp"

    def begin(self, party: RelyingParty, person: Person, have: Sequence[Factor]) -> Begun:
        """A new secret and its `otpauth://` address (the Key URI Format that the apps read)."""
        secret = pyotp.random_base32(_SECRET)
        uri = _totp(secret).provisioning_uri(
            name=(person.username or person.subject)[:_LABEL], issuer_name=party.name[:_LABEL]
        )
        return Begun(facts={"secret": secret}, secret=secret, uri=uri)

    def finish(
        self, party: RelyingParty, begun: Mapping[str, str], answer: FactorAnswer, now: datetime
    ) -> Made:
        """The device, once it has shown a code of its own: what was mistyped or misread is not kept."""
        secret = begun.get("secret")
        if not secret:
            raise CodeWrong("nothing was begun for totp")
        step = _step(secret, _digits(answer), -1, now)
        return Made(facts={"secret": secret}, counter=step)

    def ask(self, party: RelyingParty, have: Sequence[Factor]) -> Begun:
        """Nothing: the clock asks."""
        return Begun(facts={})

    def verify(
        self,
        party: RelyingParty,
        have: Sequence[Factor],
        asked: Mapping[str, str],
        answer: FactorAnswer,
        now: datetime,
    ) -> tuple[Passed, int]:
        """The device whose code it is, and the time step, which is later than any that was accepted before
        (RFC 6238, 5.2: a code is accepted once)."""
        typed = _digits(answer)
        refused = CodeWrong("no code of any device")
        for factor in have:
            try:
                step = _step(factor.facts["secret"], typed, factor.counter, now)
            except CodeWrong as no:
                refused = no if no.detail == USED else refused
                continue
            passed = Passed(self.kind, factor, methods=("otp", "mfa"), phishing_resistant=False)
            return passed, step
        raise refused


USED: Final = "used before"
"""`detail` of a code that is right and was accepted already."""


def _totp(secret: str) -> pyotp.TOTP:
    return pyotp.TOTP(secret, digits=DIGITS, digest=hashlib.sha1, interval=STEP)


def _digits(answer: FactorAnswer) -> str:
    """The digits as people type them: with spaces of whatever kind, in the digits of their script."""
    if len(answer.text) > _TYPED:
        raise CodeWrong("too long for a code")
    typed = "".join(answer.text.split())
    if len(typed) != DIGITS or not typed.isdecimal():
        raise CodeWrong("not six digits")
    return "".join(str(unicodedata.decimal(each)) for each in typed)


def _step(secret: str, typed: str, after: int, now: datetime) -> int:
    """The first time step later than `after` whose code it is. Looks at all of them whatever it finds."""
    generator = _totp(secret)
    present = generator.timecode(now)
    used = False
    found: int | None = None
    for step in range(max(present - DRIFT, 0), present + DRIFT + 1):
        same = hmac.compare_digest(generator.generate_otp(step), typed)
        used |= same and step <= after
        if same and step > after and found is None:
            found = step
    if found is None:
        raise CodeWrong(USED if used else "not the code")
    return found
