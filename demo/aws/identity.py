"""Who signed: from an access key (and session token) to a verified caller."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime

from demo.aws import sigv4
from demo.aws.accounts import Accounts, KeyPair, User
from demo.aws.policies import Caller
from demo.aws.tokens import RoleSession, Seal
from demo.aws.wire import Rejected, Request


@dataclass(frozen=True, slots=True)
class Known:
    """A caller whose key, secret, token and expiry are right."""

    caller: Caller
    id: str
    """`AIDA…`, or `AROA…:SESSION`."""
    key: str
    """ID of the access key that signed."""
    user: User | None = None
    session: RoleSession | None = None


class Directory:
    """Verifies callers: long-term keys of users, and temporary ones that the double gave out."""

    def __init__(self, accounts: Accounts, broker: KeyPair, seal: Seal) -> None:
        self._accounts = accounts
        self._users = {broker.access_key_id: (broker.secret_access_key, accounts.users[accounts.broker])}
        self._seal = seal

    def signer(self, request: Request, now: datetime) -> Known:
        """Who signed this request.

        Raises Rejected: InvalidClientTokenId, SignatureDoesNotMatch, ExpiredToken, and what `sigv4` raises.
        """
        signed = sigv4.read(request)
        secret, known = self.secret_of(signed.access_key_id, signed.token)
        sigv4.verify(
            request, signed, secret, knows_region=lambda region: region in self._accounts.regions, now=now
        )
        self.fresh(known, now)
        return known

    def holder(self, access_key_id: str, secret: str, token: str, now: datetime) -> Known:
        """Who holds these temporary credentials (the federation endpoint is shown all three parts).

        Raises Rejected as `signer` does.
        """
        right, known = self.secret_of(access_key_id, token)
        if not hmac.compare_digest(right.encode(), secret.encode()):
            raise Rejected(403, "SignatureDoesNotMatch", "The secret does not belong to the access key.")
        self.fresh(known, now)
        return known

    def secret_of(self, access_key_id: str, token: str | None) -> tuple[str, Known]:
        """The secret of an access key, and who has it; expired ones too. Raises Rejected."""
        if token is None:
            found = self._users.get(access_key_id)
            if found is None:
                raise _invalid()
            secret, user = found
            return secret, Known(Caller(user.arn, user.arn.split(":")[4]), user.id, access_key_id, user=user)
        session = self._seal.session(token)
        if session is None or session.access_key_id != access_key_id:
            raise _invalid()
        role = self._accounts.roles.get(session.role)
        if role is None:
            raise _invalid()
        caller = Caller(session.arn, session.account, session.role)
        return session.secret_access_key, Known(
            caller, f"{role.id}:{session.name}", access_key_id, session=session
        )

    @staticmethod
    def fresh(known: Known, now: datetime) -> None:
        """Raises Rejected (ExpiredToken) for a session that is over."""
        if known.session is not None and known.session.expiration <= now:
            raise Rejected(403, "ExpiredToken", "The security token included in the request is expired")


def _invalid() -> Rejected:
    return Rejected(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
