"""The nouns of local people: users, second factors, challenges, one-time links, break-glass uses. Frozen, no behaviour.

A person is the pair (source, subject) here as everywhere: factors belong to people of any source. Local users
have the source `local` and a random id as subject; the root user is `root`/`root`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from app.model import PolicyText, SignedIn, SourceId

LOCAL: Final = SourceId("local")
"""Source of local users. No provider has this name."""
ROOT: Final = SourceId("root")
"""Source of the root user, whose subject is `root`. No provider has this name either."""
ROOT_SUBJECT: Final = "root"
MOST_FACTORS: Final = 8
"""Devices a person; recovery codes are none."""
ROOT_LIFE: Final = timedelta(minutes=15)
"""Of a sign-in as root, of its credentials, and of the link that sets it up."""
ROOT_FACTORS: Final = 2
"""Devices that root needs before its first use."""
RECENT: Final = timedelta(minutes=10)
"""How old the proof may be on which a person changes their own factors."""


# --- local users ----------------------------------------------------------------------------------


class UserState(StrEnum):
    """Whether a local user may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"
    """For good: the name is free again, the id never is."""


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A local user in one version. What is in force now is the latest; `--at TIME` asks for an earlier one."""

    id: str
    """16 hex digits, random: the subject. Never given to anybody else."""
    username: str
    """`[a-z0-9][a-z0-9._-]{0,63}`; unique among users that are not deleted."""
    name: str = ""
    email: str = ""
    """Where links and notices go; empty: nowhere. It proves nothing."""
    groups: tuple[str, ...] = ()
    """Flat groups by their bare names, sorted."""
    policies: tuple[str, ...] = ()
    """Managed policies by name, `aws:NAME` included, sorted."""
    inline: tuple[PolicyText, ...] = ()
    """Own copies, by name; each one's `file` is `user/USERNAME/NAME`."""
    boundary: str | None = None
    """Name of a managed policy that caps every session (IAM User Guide, "Permissions boundaries")."""
    state: UserState = UserState.ACTIVE
    version: int = 1
    since: datetime | None = None
    """From when on this version is in force."""
    by: str = ""
    """Who made this version, for people to read: `operator NAME` or `SOURCE/USERNAME`."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a user signs in with, beside the versioned part; root has one too."""

    id: str
    password: str = field(repr=False, default="")
    """argon2id, in its own encoded form (`$argon2id$v=19$…`); empty: none set, so no sign-in by password."""
    password_at: datetime | None = None
    epoch: str = ""
    """Changes with the password and whenever all sessions must end; sessions of an earlier one are over."""
    must_change: bool = False
    """An administrator set it."""


# --- second factors -------------------------------------------------------------------------------


FactorKind = Literal["totp", "webauthn", "recovery"]
"""`recovery` stands in answers only: codes are no device. New kinds (`hotp`, `sms`) are a row of `app.mfa.registry`."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A device of a person."""

    id: str
    """16 hex digits."""
    source: SourceId
    subject: str
    kind: FactorKind
    name: str
    """As the person calls it; at most 64 characters."""
    enrolled_at: datetime
    space: str
    """Digest of what makes the source's subjects the same people (`principal.subject_space`). A factor of another
    one is nobody's: the source has been replaced by one with other people."""
    first: bool = False
    """It was the person's first when enrolled: it settles nothing for roles of level admin in a sign-in that is
    older than it."""
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What its kind needs, sealed at rest. totp: `secret` (base32). webauthn: `credential` and `public_key`
    (base64url), `user_handle`, `aaguid`, `transports` (comma list), `backed_up`,
    `synced` (`true`/`false`: a copy is kept elsewhere; may ever be)."""
    counter: int = -1
    """totp: the last time step that was accepted. webauthn: the signature counter. Only ever rises."""
    last_used: datetime | None = None


@dataclass(frozen=True, slots=True)
class FactorAnswer:
    """What a person shows for a factor, not yet believed."""

    kind: FactorKind
    text: str = field(repr=False)
    """A code as typed, or the browser's WebAuthn response as JSON (at most 16 KiB)."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A factor that was proven."""

    kind: FactorKind
    factor: Factor | None
    """None: a recovery code."""
    methods: tuple[str, ...]
    """amr values (RFC 8176): `otp`, `hwk`/`swk`, `user`, `mfa`."""
    phishing_resistant: bool
    user_verified: bool = False


# --- challenges -----------------------------------------------------------------------------------


Purpose = Literal["sign_in", "step_up", "passkey", "root", "enrol"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """The next proof that is wanted of a browser, remembered for ten minutes; one row, finished once.

    `sign_in`, `root`: the first factor was proven, no session is given yet. `step_up`: a signed-in person is to
    prove a factor. `passkey`: nobody is known yet. `enrol`: a signed-in person adds a device.
    """

    handle: str = field(repr=False)
    """Random; only its digest is kept. Worth nothing without the browser's secret."""
    purpose: Purpose
    browser: str = field(repr=False)
    """SHA-256 (hex) of the browser's secret."""
    created_at: datetime
    expires_at: datetime
    source: SourceId | None = None
    subject: str = ""
    session: str = ""
    """Public id of the session that is stepped up (a browser's or a client's); empty for `sign_in`, `root`, `passkey`."""
    next: str = "/"
    tries: int = 0
    """Wrong answers so far; at five it is over."""
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sealed: WebAuthn challenge, a secret about to be enrolled, and the identity believed so far, as JSON texts."""


@dataclass(frozen=True, slots=True)
class StepUpAsk:
    """Why a signed-in person is to prove a factor, and where they land then."""

    next: str = "/"
    role: str = ""
    """ARN, if it is for a role: kinds that would not open it are not offered."""
    session: str = ""
    """Public id of the person's helper or app whose session is to be stepped up; empty: this browser's own."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in or step-up is not finished: go to `/challenge?c=HANDLE` with the same browser."""

    handle: str = field(repr=False)
    next: str = "/"


@dataclass(frozen=True, slots=True)
class ChallengePage:
    """A challenge as its page shows it."""

    purpose: Purpose
    username: str
    why: str
    """A sentence: what it is for. Names role, account and, for a helper's session, device and address."""
    kinds: tuple[FactorKind, ...]
    """What the person has and this challenge takes, best first; `recovery` last, where a code is left and would do.
    Empty: nothing is enrolled."""
    enrol: tuple[FactorKind, ...]
    """What may be enrolled right here, because nothing is."""
    webauthn_options: str = ""
    """JSON for `navigator.credentials.get`, if `webauthn` is among `kinds`."""
    next: str = "/"
    expires_at: datetime | None = None
    role: str = ""
    """ARN of the role that it was asked for, if for one."""
    counts_later: bool = False
    """What is enrolled now counts for roles of level admin only from the next sign-in on."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A device about to be added: what its page shows."""

    handle: str = field(repr=False)
    kind: FactorKind
    secret: str = field(default="", repr=False)
    """totp: base32, to be typed."""
    uri: str = field(default="", repr=False)
    """totp: `otpauth://…`, what the QR code holds."""
    webauthn_options: str = ""
    """JSON for `navigator.credentials.create`."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """It was added."""

    factor: Factor
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    """Ten, shown this once, with the first device."""
    signed_in: SignedIn | None = field(default=None, repr=False)
    """The challenge in which it was enrolled is settled by it: the new session."""


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """What `/security` shows of a person's factors."""

    factors: tuple[Factor, ...]
    recovery_left: int
    has_password: bool
    recent: bool
    """The last proof is recent enough to change something."""
    enrolable: tuple[FactorKind, ...]
    """Empty where there are eight, or for guests."""
    known_devices: int = 0
    """Browsers in which this person has signed in before (`KnownDevice`)."""


# --- one-time links -------------------------------------------------------------------------------


LinkPurpose = Literal["password", "root"]


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link: `/link?t=TOKEN`. Only the token's digest is kept."""

    purpose: LinkPurpose
    user: str
    """Id of the local user; `root` for root."""
    expires_at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class LinkPage:
    """A link as its page shows it."""

    purpose: LinkPurpose
    username: str
    expires_at: datetime


# --- the way back, break-glass --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recovery:
    """A request to take all of a person's factors away, which a second administrator must approve."""

    id: str
    source: SourceId
    subject: str
    username: str
    reason: str
    asked_by: str
    """`operator NAME` or `SOURCE/SUBJECT`."""
    asked_at: datetime
    expires_at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    approved: bool | None = None


@dataclass(frozen=True, slots=True)
class RootUse:
    """One sign-in as root. Open until somebody else signs it off."""

    id: str
    at: datetime
    reason: str
    address: str
    session: str
    ends_at: datetime
    signed_off_by: str = ""
    signed_off_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A browser in which a person has signed in before, by its long-lived cookie."""

    first_seen: datetime
    last_seen: datetime
    user_agent: str
    address: str


# --- guesses --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """So many wrong answers in a window, counted over all workers and hosts."""

    scope: str
    """What is counted: `password/account`, `password/device`, `password/address`, `code/person`, …"""
    key: str
    """Of whom; only a digest is kept."""
    most: int
    window: timedelta


# --- telling people -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that operators, or one person, must hear of. No secret, but a one-time link to its person."""

    id: str
    kind: str
    """`root.used`, `factor.first_enrolled`, `device.new`, …"""
    at: datetime
    title: str
    text: str = field(repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    to: str = ""
    """A person's address; empty: the operators' channels."""
