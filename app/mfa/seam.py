"""The seam of second factors: what a kind of device does, and what all of them need remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.model import SourceId
from app.people import (
    Account,
    Budget,
    Challenge,
    Factor,
    FactorAnswer,
    FactorKind,
    KnownDevice,
    Link,
    LinkPurpose,
    Passed,
    Recovery,
    RootUse,
)


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom a device is enrolled with (WebAuthn, 4; `otpauth://` issuer)."""

    id: str
    """Host of `base_url`."""
    origin: str
    """`base_url` itself."""
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """Whose device it is, as devices show it."""

    source: SourceId
    subject: str
    username: str
    name: str
    handle: bytes
    """32 bytes that stand for (source, subject) and name nobody (WebAuthn, 5.4.3)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrolment that was begun: `facts` are kept sealed in the challenge, the rest is shown."""

    facts: Mapping[str, str] = field(repr=False)
    secret: str = field(default="", repr=False)
    uri: str = field(default="", repr=False)
    webauthn_options: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """A device as it is to be kept: `Factor.facts` and its first counter."""

    facts: Mapping[str, str] = field(repr=False)
    counter: int


class Kind(Protocol):
    """A kind of device. Pure but for randomness: what must be remembered goes through `Factors`.

    `verify` proves the answer against one of the person's factors and says to which counter it must rise; that it
    really rose, once over all workers, is seen to by the broker (`Factors.advance`).
    """

    @property
    def kind(self) -> FactorKind: ...

    def begin(self, party: RelyingParty, person: Person, have: Sequence[Factor]) -> Begun:
        """Begin to enrol one; `have` are the person's devices of this kind."""
        ...

    def finish(
        self, party: RelyingParty, begun: Mapping[str, str], answer: FactorAnswer, now: datetime
    ) -> Made:
        """The device, from what it answered. Raises CodeWrong."""
        ...

    def ask(self, party: RelyingParty, have: Sequence[Factor]) -> Begun:
        """What to ask these devices; empty `facts` where nothing needs remembering."""
        ...

    def verify(
        self,
        party: RelyingParty,
        have: Sequence[Factor],
        asked: Mapping[str, str],
        answer: FactorAnswer,
        now: datetime,
    ) -> tuple[Passed, int]:
        """Which of the devices it was, and the counter that it rises to (equal to the present one: the device keeps
        none). Raises CodeWrong."""
        ...


# --- what is remembered; `store` fits these, tests/conformance proves it on every database ----------


class Factors(Protocol):
    """Devices of people."""

    def add(self, factor: Factor, most: int) -> bool:
        """True if it was added; False if the person has `most` already, or the credential is known. Atomic."""
        ...

    def of(self, source: SourceId, subject: str) -> Sequence[Factor]:
        """Those that were not removed, oldest first."""
        ...

    def by_credential(self, credential: str) -> Factor | None:
        """The WebAuthn device of that credential id (base64url)."""
        ...

    def advance(self, id: str, counter: int, now: datetime) -> bool:
        """Raise the counter and note the use; False if it is that high already or the device was removed. One UPDATE."""
        ...

    def used(self, id: str, now: datetime) -> bool:
        """Note the use of a device that keeps no counter; False if it was removed."""
        ...

    def rename(self, id: str, name: str) -> bool: ...

    def end(self, id: str, now: datetime) -> bool:
        """Remove; True if this call did it."""
        ...

    def end_all(self, source: SourceId, subject: str, now: datetime) -> int:
        """Remove all of a person's, recovery codes too; how many devices."""
        ...


class RecoveryCodes(Protocol):
    """Ten codes a person, each good once."""

    def replace(self, source: SourceId, subject: str, codes: Sequence[str], now: datetime) -> None: ...

    def use(self, source: SourceId, subject: str, code: str, now: datetime) -> bool:
        """True for the first who uses it, in all processes."""
        ...

    def left(self, source: SourceId, subject: str) -> int: ...


class Challenges(Protocol):
    """Unfinished sign-ins, step-ups and enrolments."""

    def add(self, challenge: Challenge) -> None: ...

    def get(self, handle: str, browser: str, now: datetime) -> Challenge | None:
        """Unless it is over, finished, another browser's (`browser`: SHA-256 hex of its secret), or was missed five
        times."""
        ...

    def keep(self, handle: str, browser: str, facts: Mapping[str, str], now: datetime) -> bool:
        """Put other facts in its place. False if it is over."""
        ...

    def miss(self, handle: str, now: datetime) -> int:
        """Count a wrong answer; how many there were, over all workers."""
        ...

    def take(self, handle: str, browser: str, now: datetime) -> Challenge | None:
        """Finish it: the first who does gets it, in all processes."""
        ...

    def expire(self, now: datetime) -> int: ...


class Guesses(Protocol):
    """Wrong answers, counted over all workers and hosts."""

    def reserve(self, budgets: Sequence[Budget], now: datetime) -> Budget | None:
        """Count one more in each, before anything costly is done. None: all have room. Else the first that has none,
        and nothing was counted; where a budget is used up this only reads."""
        ...

    def give_back(self, budgets: Sequence[Budget], now: datetime) -> None:
        """Take one back in each: the answer was right."""
        ...

    def expire(self, now: datetime) -> int: ...


class Links(Protocol):
    """One-time links."""

    def add(self, token: str, link: Link) -> None:
        """And make earlier ones of the same purpose and user worthless."""
        ...

    def peek(self, token: str, now: datetime) -> Link | None: ...

    def take(self, token: str, now: datetime) -> Link | None:
        """Use it up: the first who does gets it, in all processes."""
        ...

    def end_all(self, purpose: LinkPurpose, user: str, now: datetime) -> int: ...

    def expire(self, now: datetime) -> int: ...


class KnownDevices(Protocol):
    """Browsers in which people have signed in, by a cookie that lives long."""

    def note(
        self, source: SourceId, subject: str, token: str, now: datetime, *, user_agent: str, address: str
    ) -> bool:
        """True if it was not known before."""
        ...

    def known(self, source: SourceId, subject: str, token: str) -> bool: ...

    def of(self, source: SourceId, subject: str) -> Sequence[KnownDevice]: ...

    def forget_all(self, source: SourceId, subject: str) -> int: ...

    def expire(self, before: datetime) -> int:
        """Forget those last seen before then."""
        ...


class Recoveries(Protocol):
    """Requests to take somebody's factors away."""

    def add(self, recovery: Recovery) -> bool:
        """False if one waits for that person already."""
        ...

    def get(self, id: str) -> Recovery | None: ...

    def all(self) -> Sequence[Recovery]:
        """Newest first."""
        ...

    def decide(self, id: str, *, approved: bool, by: str, now: datetime) -> bool:
        """True for the first who decides in time; the asker never does."""
        ...


class RootUses(Protocol):
    """Sign-ins as root."""

    def add(self, use: RootUse) -> None: ...

    def all(self) -> Sequence[RootUse]:
        """Newest first."""
        ...

    def sign_off(self, id: str, *, by: str, note: str, now: datetime) -> bool:
        """True for the first who does."""
        ...


class Accounts(Protocol):
    """Passwords of local users and of root."""

    def account(self, id: str) -> Account | None: ...

    def set_account(self, account: Account, now: datetime) -> bool:
        """Keep it. Another `password_at` means another password: a new epoch comes with it, which ends all sessions.

        False, and nothing changed, if there is no such user, or if `account.epoch` is neither empty nor the present
        one: the password was changed since this account was read.
        """
        ...
