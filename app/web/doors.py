"""What the web layer asks of the broker: `app.broker.Broker`, and nothing more of it than this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.errors import Refusal
from app.model import (
    Caller,
    ConsoleLink,
    Credentials,
    Entitlement,
    Metadata,
    Outbound,
    Proof,
    RoleAsk,
    Session,
    SignedIn,
    SignInAsk,
    SourceId,
)


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

    def credentials(self, session: Session, ask: RoleAsk, *, caller: Caller) -> Credentials:
        """Decide, record, issue, record."""
        ...

    def console_link(
        self, session: Session, ask: RoleAsk, destination: str | None, *, caller: Caller
    ) -> ConsoleLink:
        """The same, ending in a link that signs in to the AWS console."""
        ...

    def refused(self, session: Session, refusal: Refusal, *, caller: Caller) -> None:
        """Put on record what a signed-in person was refused before the broker was asked."""
        ...

    def ready(self) -> Mapping[str, bool]:
        """Can it serve: database, keys, revision."""
        ...
