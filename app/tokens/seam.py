"""The seam between the tokens, the broker that decides, and the store that remembers.

`app/store` fits the four Protocols as `store.codes`, `store.devices`, `store.refresh_tokens`, `store.token_keys`.
All are safe to use from many threads, workers and hosts at once: what may happen once happens once. Every method
raises StoreUnavailable. Secrets (codes, tokens) go in as the client shows them and are kept as digests only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from app.model import Scope, Session
from app.transaction import Ahead

CODE_LIFE: Final = timedelta(seconds=60)
"""Of an authorization code (RFC 6749, 4.1.2: at most ten minutes)."""
DEVICE_LIFE: Final = timedelta(minutes=10)
"""Of a device's request (RFC 8628, 3.2)."""
POLL_INTERVAL: Final = timedelta(seconds=5)
"""Between two polls of a device, and how much longer after each that came too early (RFC 8628, 3.2 and 3.5)."""
GRACE: Final = timedelta(seconds=30)
"""For how long a used refresh token still gives the successor that it gave (RFC 9700, 4.14.2)."""


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """What an authorization code stands for."""

    client: str
    redirect_uri: str
    """As asked, port and all."""
    challenge: str = field(repr=False)
    """PKCE, S256."""
    scope: tuple[Scope, ...]
    resource: str
    """Whom the access token will be for."""
    device: str
    approved_by: str
    """Public id of the session of the person who said yes."""
    expires_at: datetime
    stage: str = ""
    """Digest of what is new in that session with each proof and each new password: whoever had stolen its cookie
    before could have said yes, and has nothing of what came after."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A code or refresh token that was used before came again. What it had given is ended already."""

    session: str
    """Public id of the session that it had given; there may be none (any more)."""
    ended: bool
    """True if that session was alive until this call."""


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """A device that asks to be let in."""

    user_code: str
    """`XXXX-XXXX`, as `user_codes.make` gives it."""
    client: str
    scope: tuple[Scope, ...]
    resource: str
    device: str
    """What the machine calls itself; proves nothing."""
    address: str
    user_agent: str
    asked_at: datetime
    expires_at: datetime
    handle: str = ""
    """Names the row, and is no secret; the store fills it in."""


class NotYet(StrEnum):
    """Why a poll gives nothing (RFC 8628, 3.5)."""

    UNKNOWN = "unknown"
    """No such device code, another client's, or redeemed already."""
    PENDING = "pending"
    SLOW_DOWN = "slow_down"
    """Too early; the interval is five seconds longer from here on."""
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Approved:
    """A device that a person let in. Only one poll ever hears of it."""

    grant: DeviceGrant
    approved_by: str
    """Public id of the session of the person who said yes."""
    stage: str = ""
    """Of that session when it said yes (`CodeGrant.stage`)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A refresh token that is known, its session alive."""

    session: Session
    scope: tuple[Scope, ...]
    current: bool
    """False once it was used. Only `rotate` decides what such a one is still worth."""
    sealed: str = field(default="", repr=False)
    """What the store read the scope from; `rotate` need not open it again."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """A refresh token was used."""

    token: str = field(repr=False)
    """The one to use from here on: the proposed successor, or the one that was given before."""
    session: str
    scope: tuple[Scope, ...]
    again: bool
    """True if it came a second time within the grace."""


class Codes(Protocol):
    """Authorization codes."""

    def add(self, code: str, grant: CodeGrant) -> None:
        """Remember a code."""
        ...

    def take(self, code: str, client: str, session: str, now: datetime) -> CodeGrant | Reused | None:
        """Use a code up, for all to see; within `Store.settling` durable with what is written next.

        Call it before looking at verifier and redirect address: a wrong one burns the code.

        `session`: id that the session will have which the code gives. None: unknown, expired, or another
        client's, whose code stays good. Reused: the session of the first use is ended, also one that its first
        user has yet to begin.
        """
        ...

    def expire(self, now: datetime) -> int:
        """Forget what is out of date and cannot give anything away any more; how many those were."""
        ...


class DeviceGrants(Protocol):
    """Devices that wait for their person (RFC 8628)."""

    def add(self, device_code: str, grant: DeviceGrant) -> bool:
        """Remember a device; False, and nothing kept, if the user code is taken: make another."""
        ...

    def find(self, user_code: str, now: datetime) -> DeviceGrant | None:
        """The device that waits under a user code (normalised), undecided and in time."""
        ...

    def decide(self, handle: str, approved_by: str | None, now: datetime, stage: str = "") -> bool:
        """Let it in, on the word of that session at that stage, or (None) turn it away.

        `handle`: of the DeviceGrant that was shown. False if it was decided, or expired, meanwhile.
        """
        ...

    def poll(self, device_code: str, client: str, now: datetime) -> Approved | NotYet:
        """What the device hears. Approved is heard once: the code is used up with it."""
        ...

    def started_since(self, address: str, since: datetime) -> int:
        """How many devices asked from this address at `since` or later, and are not forgotten yet."""
        ...

    def expire(self, now: datetime) -> int:
        """Forget what is out of date; how many those were. A little later than that: a late poll hears why."""
        ...


class RefreshTokens(Protocol):
    """Refresh tokens: a family is a client's session, and is worth nothing once that is over."""

    def begin(
        self,
        session: Session,
        token: str | None,
        scope: Sequence[Scope],
        *,
        code: str | None = None,
        pool: str = "",
        ahead: Ahead | None = None,
    ) -> bool:
        """Begin a client's session and (unless `token` is None) its first refresh token, in one transaction.

        False, and nothing is begun, if the session `session.approved_by` is over at `session.created_at`, if
        `code`, the authorization code behind it, came a second time meanwhile, or if the login is taken away from
        `session.pool_identity`, where it has one in `pool`. `ahead`: what is done first, and is durable also where
        this is False.
        """
        ...

    def begin_on_proof(
        self,
        session: Session,
        token: str | None,
        scope: Sequence[Scope],
        *,
        pool: str,
        ahead: Ahead | None = None,
    ) -> bool:
        """The same for a person, or guest, whom the client brought: nobody's session approves of it.

        False, and nothing is begun, if the login is taken away from `session.pool_identity` meanwhile, or the
        guest's identity has become somebody's. One who does either ends the sessions that began before.
        """
        ...

    def find(self, token: str, client: str, now: datetime) -> Held | None:
        """Whose token it is. None: unknown, another client's, or its session is over."""
        ...

    def rotate(
        self,
        token: str,
        client: str,
        successor: str,
        now: datetime,
        address: str = "",
        held: Held | None = None,
    ) -> Rotated | Reused | None:
        """Use a token up for its successor, and note that its session was used, from that address.

        None: unknown, another client's, or its session is over. A used one gives the same successor again for
        30 seconds, and only until that is used; afterwards it is Reused, and the session is ended.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A signing key as it is kept."""

    kid: str
    made_at: datetime
    signs_from: datetime
    private: str = field(repr=False)
    """JWK (RFC 7517), sealed at rest."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a rotation does to the keys that are kept."""

    add: tuple[KeptKey, ...] = ()
    drop: tuple[str, ...] = ()
    """Key ids."""


class TokenKeys(Protocol):
    """The keys that sign access tokens."""

    def all(self) -> Sequence[KeptKey]:
        """Every key that can be read, by `signs_from`."""
        ...

    def change(self, plan: Callable[[Sequence[KeptKey]], Change]) -> Sequence[KeptKey]:
        """Let `plan` see the keys and say what changes, while nobody else on any host can; the keys after that."""
        ...


# --- what an access token says --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says (RFC 9068, 2.2), in our words."""

    issuer: str
    audience: str
    subject: str
    """`subject_of` the person: opaque, stable, never an e-mail address."""
    client: str
    session: str
    """Public id of the session that it speaks for."""
    scope: tuple[Scope, ...]
    issued_at: datetime
    expires_at: datetime
    """Both in whole seconds."""
    token_id: str
