"""The seam between the broker and the kinds of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol, runtime_checkable

from app.model import Identity, Metadata, Outbound, Pending, Proof, SourceId, TokenKind
from app.signin.oidc_token import IdToken


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in under way: where the browser goes, and what must come back."""

    outbound: Outbound
    key: str = field(repr=False)
    """Random handle that comes back with the answer: SAML's RelayState, OIDC's state. 43 URL-safe characters."""
    secrets: Mapping[str, str] = field(repr=False)
    """What `finish` needs again: request ID, nonce, code verifier."""


@dataclass(frozen=True, slots=True)
class OnceOnly:
    """Something that may be accepted a single time across all workers and hosts."""

    namespace: str
    value: str
    until: datetime
    """From when on the proof itself is out of date, so that the mark may be forgotten."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A believed proof."""

    identity: Identity
    once: tuple[OnceOnly, ...] = ()
    """To be marked before the identity is used; a mark that exists refuses the sign-in (`SamlReplay`)."""
    ends_at: datetime | None = None
    """When the session must end at the latest, if the source says so (SAML Core 2.7.2: SessionNotOnOrAfter)."""
    expires_at: datetime | None = None
    """Of a subject token: when it ends itself, so that nothing given for it lives longer. None: never, it says."""
    audience: str = ""
    """Of a subject token: the upstream audience that it was made for, one of those that the client may bring."""
    mark: OnceOnly | None = field(default=None, repr=False)
    """Of a subject token: its own mark, for those who bind it to one client or take it once only."""


@dataclass(frozen=True)
class SubjectToken:
    """What an app presents for its person (RFC 8693 2.1: `subject_token`; RFC 7522 2.1: `assertion`)."""

    kind: TokenKind
    text: str = field(repr=False)
    """As it came: ID token in compact form, access token, or assertion in base64url."""
    nonce: str | None = field(default=None, repr=False)
    """What the app sent to the provider as `nonce`, if it wants that looked at. ID tokens only."""

    @cached_property
    def compact(self) -> IdToken:
        """It in compact form: who chooses its source and who checks it read the same one, once."""
        return IdToken(self.text)


class Source(Protocol):
    """One configured source of identities. Safe to use from many threads at once."""

    @property
    def id(self) -> SourceId: ...

    @property
    def label(self) -> str: ...

    def start(self, now: datetime) -> Started:
        """Begin a sign-in. Raises ProviderFailed if the other side cannot be known."""
        ...

    def finish(self, pending: Pending, proof: Proof, now: datetime) -> Proven:
        """Believe the proof or raise a ProofRefused / ProviderFailed. `pending` was taken for this browser."""
        ...

    def metadata(self) -> Metadata:
        """What the other side needs to know of us. Raises Unknown if there is nothing."""
        ...

    def warm(self) -> None:
        """Fill caches at start; never raises (a provider that is down is met at sign-in)."""
        ...


@runtime_checkable
class Exchangeable(Protocol):
    """A source whose tokens apps may present. Safe to use from many threads at once."""

    @property
    def takes(self) -> frozenset[TokenKind]:
        """The kinds of tokens that it can check; empty if none."""
        ...

    def issued(self, token: SubjectToken) -> bool:
        """Whether the token says that it is of this source: to choose who checks it. Proves nothing, never raises."""
        ...

    def believe(self, token: SubjectToken, accepts: Sequence[str], now: datetime) -> Proven:
        """Believe a token that an app presents, or refuse it.

        `accepts`: the upstream audiences (client IDs, app IDs, SAML audiences) whose tokens this app may bring;
        a token made for anything else says nothing here, whoever it is of. What comes out is the identity that
        a sign-in of the same person gives.

        Raises SubjectTokenRefused and its leaves (Kind, Audience, Expired), IdentityIncomplete,
        GroupsIncomplete, ProviderFailed.
        """
        ...


class Handles(Protocol):
    """Which pending sign-in a proof answers."""

    def __call__(self, proof: Proof) -> str: ...


class KnownMetadata(Protocol):
    """Provider metadata that was activated by a person, by source and the address it came from."""

    def recall(self, source: SourceId, url: str) -> bytes | None: ...

    def remember(self, source: SourceId, url: str, document: bytes, at: datetime) -> None: ...
