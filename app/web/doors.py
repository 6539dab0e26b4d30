"""What the web layer asks of the two doors: `app.broker.Broker` and `app.delegation.Delegation`, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.admin import RootState, UserChange
from app.audit import StoredRecord
from app.delegation import Case, Choices, Difference, GroupFacts, Planned, RecoveryFacts, UserChoices
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
from app.people import (
    Asked,
    ChallengePage,
    Enrolled,
    Enrolment,
    Factor,
    FactorAnswer,
    FactorKind,
    LinkPage,
    LocalUser,
    OwnFactors,
    Recovery,
    RootUse,
    StepUpAsk,
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

    def sign_in(
        self, proof: Proof, *, caller: Caller, previous: str | None = None, device: str = ""
    ) -> SignedIn | Asked:
        """Finish a sign-in, or say which factor is wanted next; the session of the token `previous` ends."""
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

    # Local people, second factors, step-up, root. `browser` is the secret of the browser's short-lived cookie,
    # `device` that of its long-lived one ("known device"; made before the call where there is none, or nobody is told
    # of a new browser), `previous` the token of the session that ends, or that a step-up renews.

    def local_label(self) -> str:
        """What the sign-in by local users is called; empty: it is off."""
        ...

    def password_sign_in(
        self,
        username: str,
        password: str,
        ask: SignInAsk,
        *,
        caller: Caller,
        device: str = "",
        previous: str | None = None,
    ) -> SignedIn | Asked:
        """Name and password → a session, or the factor that is wanted next.

        Raises CredentialsWrong, TooManyGuesses, Busy, SignInNotAllowed, MfaMissing, TooMany, Unavailable.
        """
        ...

    def begin_passkey(self, ask: SignInAsk, *, caller: Caller) -> tuple[Asked, str]:
        """A sign-in by passkey alone: the challenge, and options for `navigator.credentials.get` as JSON."""
        ...

    def challenge(self, handle: str, browser: str, *, caller: Caller) -> ChallengePage:
        """What a challenge wants. Raises ChallengeOver."""
        ...

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

        Raises CodeWrong, ChallengeOver, TooManyGuesses, NotSignedIn (a step-up whose session this browser does not
        have), and as `password_sign_in`.
        """
        ...

    def begin_step_up(self, session: Session, ask: StepUpAsk, browser: str, *, caller: Caller) -> Asked:
        """Ask a signed-in person for a factor.

        Raises SessionUnknown (a helper's session that is not theirs), RoleUnknown (no factor would open it),
        RoleForbidden (one will, from the next sign-in on), AccessRefused (a client's session), TooMany.
        """
        ...

    def own_factors(self, session: Session, *, caller: Caller) -> OwnFactors:
        """What this person has."""
        ...

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

        Raises ProofNotRecent, FactorsFull, ChallengeOver.
        """
        ...

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

        Raises CodeWrong, ChallengeOver, ProofNotRecent, FactorsFull, AskRefused (the name).
        """
        ...

    def rename_factor(self, session: Session, id: str, name: str, *, caller: Caller) -> None:
        """Raises FactorUnknown, ProofNotRecent, AskRefused."""
        ...

    def remove_factor(self, session: Session, id: str, *, caller: Caller) -> None:
        """Raises FactorUnknown, ProofNotRecent."""
        ...

    def new_recovery_codes(self, session: Session, *, caller: Caller) -> Sequence[str]:
        """Ten new ones; the old ones are worth nothing. Raises ProofNotRecent, MfaMissing."""
        ...

    def change_password(
        self, session: Session, old: str, new: str, *, caller: Caller, device: str = ""
    ) -> SignedIn | None:
        """A local user's own; all their other sessions end, and this one has a new cookie (None: it ended meanwhile).

        Raises CredentialsWrong, PasswordRefused, TooManyGuesses, Busy, ProofNotRecent (of somebody who has a device).
        """
        ...

    def ask_password_link(self, username: str, *, caller: Caller) -> None:
        """Send a local user a link to set a new password, if there is such a user with an address: which is not told."""
        ...

    def one_time_link(self, token: str, *, caller: Caller) -> LinkPage:
        """What a one-time link is for; it is not used up. Raises LinkInvalid."""
        ...

    def use_one_time_link(self, token: str, password: str, browser: str, *, caller: Caller) -> Asked | None:
        """Set the password that a link is for. `Asked`: go on there and enrol (root's two devices); None: sign in now.

        Raises LinkInvalid, PasswordRefused, Busy.
        """
        ...

    def root_sign_in(
        self, password: str, reason: str, ask: SignInAsk, *, caller: Caller, device: str = ""
    ) -> Asked:
        """Break-glass: password and a written reason (8 to 500 characters), then a factor by `answer`.

        The identity of the session that follows has the reason among its claims, as `reason`, for the page's banner.

        Raises CredentialsWrong, TooManyGuesses, Busy, AskRefused (the reason).
        """
        ...

    def sign_in_history(self, session: Session, *, caller: Caller) -> Sequence[StoredRecord]:
        """This person's own sign-ins, refusals and proofs, newest first, at most 50."""
        ...

    def end_all_sessions(self, session: Session, *, caller: Caller) -> int:
        """End every session of this person's, this one too, and forget all known devices; how many."""
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

    # Local people. Each raises Unknown where the person may not, UserUnknown where there is nobody.

    def users(self, session: Session, *, caller: Caller) -> Sequence[LocalUser]:
        """Local users whom this person may see, by name."""
        ...

    def groups(self, session: Session, *, caller: Caller) -> Sequence[GroupFacts]:
        """Every flat group, what it carries and opens."""
        ...

    def user_choices(self, session: Session, username: str = "*", *, caller: Caller) -> UserChoices:
        """Groups and policies that this person may give users and take from them."""
        ...

    def new_user(self, session: Session, *, caller: Caller) -> UserChoices:
        """The same, for somebody about to be created."""
        ...

    def rights_over(self, session: Session, id: str, *, caller: Caller) -> frozenset[AdminAction]:
        """What this person may do to that local user."""
        ...

    def user(self, session: Session, id: str, *, caller: Caller) -> LocalUser:
        """One of them."""
        ...

    def user_history(self, session: Session, id: str, *, caller: Caller) -> Sequence[LocalUser]:
        """Every version, newest first."""
        ...

    def create_user(
        self, session: Session, username: str, change: UserChange, *, send: bool, caller: Caller
    ) -> tuple[LocalUser, str]:
        """A new user and the link for the first password, empty if mailed.

        Raises UserInvalid, PolicyInvalid, UserTaken, SecondPersonNeeded.
        """
        ...

    def change_user(
        self, session: Session, id: str, after: int, change: UserChange, *, caller: Caller
    ) -> LocalUser:
        """A new version, if `after` is the latest.

        Raises UserInvalid, PolicyInvalid, UserChanged, SecondPersonNeeded.
        """
        ...

    def restore_user(
        self, session: Session, id: str, version: int, after: int, *, caller: Caller
    ) -> LocalUser:
        """An earlier version again, as a new one. Raises as `change_user`, and AskRefused."""
        ...

    def delete_user(self, session: Session, id: str, after: int, *, caller: Caller) -> None:
        """For good. Raises UserChanged."""
        ...

    def password_link(self, session: Session, id: str, *, send: bool, caller: Caller) -> str:
        """A one-time link to hand over; empty if it was mailed. Raises UserInvalid, SecondPersonNeeded."""
        ...

    def factors(self, session: Session, source: str, subject: str, *, caller: Caller) -> Sequence[Factor]:
        """A person's second factors."""
        ...

    def recoveries(self, session: Session, *, caller: Caller) -> Sequence[RecoveryFacts]:
        """Requests to take factors away, newest first."""
        ...

    def ask_recovery(
        self, session: Session, source: str, subject: str, reason: str, *, caller: Caller
    ) -> Recovery:
        """Ask for it. Raises PersonUnknown, AskRefused."""
        ...

    def decide_recovery(self, session: Session, id: str, *, approve: bool, caller: Caller) -> Recovery:
        """Approve or refuse somebody else's. Raises SecondPersonNeeded, AskRefused."""
        ...

    def sessions_of(
        self, session: Session, source: str, subject: str, *, caller: Caller
    ) -> Sequence[Session]:
        """Where a person is signed in, newest first."""
        ...

    def end_sessions(
        self, session: Session, source: str, subject: str, id: str | None = None, *, caller: Caller
    ) -> int:
        """End one of a person's sessions, or all. Raises SessionUnknown."""
        ...

    def root_state(self, session: Session, *, caller: Caller) -> RootState:
        """How root stands."""
        ...

    def root_uses(self, session: Session, *, caller: Caller) -> Sequence[RootUse]:
        """Every use of root, newest first."""
        ...

    def sign_off_root(self, session: Session, id: str, note: str, *, caller: Caller) -> None:
        """Sign a use off. Raises SecondPersonNeeded, AskRefused."""
        ...
