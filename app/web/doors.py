"""What the web layer asks of the two doors: `app.broker.Broker` and `app.delegation.Delegation`, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.audit import StoredRecord
from app.delegation import Case, Choices, Difference, Planned
from app.drafts import Draft, Drafted
from app.errors import Refusal
from app.model import (
    Caller,
    ClientProof,
    Consent,
    ConsoleLink,
    Credentials,
    DeviceRequest,
    DeviceStarted,
    Entitlement,
    ExchangeAsk,
    Exchanged,
    Explanation,
    Grant,
    GrantAsk,
    GrantProof,
    Metadata,
    Outbound,
    PoolIdentity,
    Proof,
    RoleAsk,
    Scope,
    Session,
    SignedIn,
    SignInAsk,
    SourceId,
    SubjectProof,
    Tokens,
    TokenState,
)
from app.policy.actions import AdminAction
from app.store import Activation, KnownPerson, Search


class BrokerDoor(Protocol):
    """The door for people and programs that ask. Every method raises a `Refusal` or answers."""

    def sources(self) -> Sequence[tuple[SourceId, str, str]]:
        """(id, label, type) of every way to sign in."""
        ...

    def begin(self, source: str, ask: SignInAsk, *, caller: Caller) -> Outbound:
        """Start a sign-in."""
        ...

    def sign_in(self, proof: Proof, *, caller: Caller, previous: str | None = None) -> SignedIn:
        """Finish a sign-in; the session of the token `previous` ends."""
        ...

    def session(self, token: str, *, caller: Caller) -> Session:
        """Cookie value → session. Raises NotSignedIn."""
        ...

    def sign_out(self, session: Session, *, caller: Caller) -> None:
        """End the session."""
        ...

    def metadata(self, source: str) -> Metadata:
        """What the other side needs to know of us."""
        ...

    def roles(self, session: Session, *, caller: Caller) -> Sequence[Entitlement]:
        """What may be assumed now, sorted by account name and role name."""
        ...

    def explain(self, session: Session, role: str, *, caller: Caller) -> Explanation:
        """Why a role may or may not be used now. Raises RoleUnknown where nothing would open it."""
        ...

    def credentials(self, session: Session, ask: RoleAsk, *, caller: Caller) -> Credentials:
        """Decide, record, issue, record."""
        ...

    def console_link(
        self, session: Session, ask: RoleAsk, destination: str | None, *, caller: Caller
    ) -> ConsoleLink:
        """The same, ending in a link that signs in to the AWS console."""
        ...

    # OAuth. `app/tokens` mints and checks, the broker decides and records; see app/broker/grants.py.

    def bearer(self, token: str, scope: Scope, *, caller: Caller) -> Session:
        """Access token → the session of its client. Raises TokenInvalid, ScopeTooNarrow, StoreUnavailable."""
        ...

    def consent(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Consent:
        """Check an authorization request, for the person to see.

        Raises RedirectRefused where nothing may go back to the client, another GrantError where the error may.
        """
        ...

    def authorize(self, session: Session, ask: GrantAsk, *, caller: Caller) -> Grant:
        """The person said yes: a code. Raises as `consent`."""
        ...

    def redeem(self, client: ClientProof, proof: GrantProof, *, caller: Caller) -> Tokens:
        """A code, device code or refresh token → tokens. Raises GrantError and its kin, TooMany."""
        ...

    def begin_device(
        self, client: ClientProof, scope: Sequence[str], resource: str, device: str, *, caller: Caller
    ) -> DeviceStarted:
        """Start a device's sign-in (RFC 8628, 3.1). Raises GrantError and its kin, TooMany."""
        ...

    def device(self, session: Session, user_code: str, *, caller: Caller) -> DeviceRequest:
        """The device that waits under a code. Raises UserCodeUnknown, TooMany."""
        ...

    def decide_device(self, session: Session, user_code: str, *, allow: bool, caller: Caller) -> None:
        """Let it in or turn it away. Raises UserCodeUnknown, SignInNotFresh, TooMany."""
        ...

    def exchange(
        self, client: ClientProof, subject: SubjectProof, ask: ExchangeAsk, *, caller: Caller
    ) -> Exchanged:
        """What an app brings of its person → a token of ours, or AWS credentials (RFC 8693; RFC 7522).

        Raises GrantError and its kin, ProofRefused and its kin, AccessRefused, Unknown, UpstreamFailed, TooMany.
        """
        ...

    def begin_guest(self, client: ClientProof, ask: ExchangeAsk, *, caller: Caller) -> Exchanged:
        """Somebody who has not signed in. Raises as `exchange`."""
        ...

    def link(
        self, client: ClientProof, subject: SubjectProof, other: SubjectProof, *, caller: Caller
    ) -> PoolIdentity:
        """A second login for the same identity, by proof of both. Raises as `exchange`, and LoginTaken."""
        ...

    def unlink(
        self, client: ClientProof, subject: SubjectProof, source: str, *, caller: Caller
    ) -> PoolIdentity:
        """Take the login of a source away from an identity, never the last. Raises as `exchange`, and LoginNeeded."""
        ...

    def origin_known(self, origin: str, client: str | None = None) -> bool:
        """Whether a client (None: any) declares this web origin."""
        ...

    def introspect(self, client: ClientProof, token: str, *, caller: Caller) -> TokenState:
        """What a token of this client's is worth now (RFC 7662). Raises ClientRefused, ClientNotAllowed."""
        ...

    def revoke(self, client: ClientProof, token: str, *, caller: Caller) -> None:
        """End what a token of this client's belongs to; an unknown one is no error (RFC 7009, 2.2)."""
        ...

    def signing_keys(self) -> Mapping[str, object]:
        """The public keys of access tokens, as a JWK Set (RFC 7517, 5)."""
        ...

    def sessions(self, session: Session, *, caller: Caller) -> Sequence[Session]:
        """All of this person's sessions that are not over, newest use first, this one among them."""
        ...

    def client_name(self, client: str) -> str:
        """What people call a client; its id where it is gone."""
        ...

    def end_session(self, session: Session, id: str, *, caller: Caller) -> None:
        """End one of this person's sessions. Raises SessionUnknown."""
        ...

    def refused(self, session: Session, refusal: Refusal, *, caller: Caller) -> None:
        """Put on record what a signed-in person was refused before the broker was asked."""
        ...

    def ready(self) -> Mapping[str, bool]:
        """Can it serve: database, keys, revision."""
        ...


class AdministrationDoor(Protocol):
    """The door for people who administer some of it. Each method raises Unknown where the person may not."""

    def rights(self, session: Session, *, caller: Caller) -> frozenset[AdminAction]:
        """What this person may do to anything at all."""
        ...

    def revisions(self, session: Session, *, caller: Caller) -> Sequence[Activation]:
        """Every revision, newest first; the first is active."""
        ...

    def difference(self, session: Session, older: int, newer: int, *, caller: Caller) -> Difference:
        """What changed from one revision to another."""
        ...

    def plan_roll_back(self, session: Session, number: int, *, caller: Caller) -> Planned:
        """What would change if that revision came back."""
        ...

    def roll_back(self, session: Session, number: int, active: int, *, caller: Caller) -> int:
        """Make that revision's files active again, if `active` still is; the new revision's number."""
        ...

    def plan(self, session: Session, *, caller: Caller) -> Planned:
        """What the configuration folder would change. Raises ConfigurationWrong."""
        ...

    def apply(self, session: Session, digest: str, active: int, *, caller: Caller) -> int:
        """Make the folder's configuration of that digest active, if `active` still is; the new number."""
        ...

    def search_audit(self, session: Session, wanted: Search, *, caller: Caller) -> Sequence[StoredRecord]:
        """The newest records that fit."""
        ...

    def people(self, session: Session, *, caller: Caller) -> Sequence[KnownPerson]:
        """Everybody whom this person may see."""
        ...

    def explain(self, session: Session, source: str, subject: str, role: str, *, caller: Caller) -> Case:
        """Why somebody may or may not use a role."""
        ...

    def choices(self, session: Session, *, caller: Caller) -> Choices:
        """What a policy can be made of."""
        ...

    def draft(self, session: Session, wanted: Draft, *, caller: Caller) -> Drafted:
        """A policy, and what it would change."""
        ...
