"""Which OAuth client asks, and whether it is the one (RFC 6749, 2.3 and 3.2.1)."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Final

from app.active import Running
from app.broker.desk import Desk
from app.broker.refusals import OnRefusal
from app.errors import (
    ClientNotAllowed,
    ClientRefused,
    DeviceCodeExpired,
    GrantDenied,
    GrantError,
    GrantPending,
    PollTooFast,
    ProofRefused,
    Refusal,
    SubjectTokenExpired,
)
from app.limits import REFUSALS_PER_MINUTE, TOKEN_REFUSALS
from app.model import Caller, Client, ClientProof, GrantType

_HONEST: Final = (GrantPending, PollTooFast, GrantDenied, DeviceCodeExpired, SubjectTokenExpired)
"""What only the holder of a good device code is told, or of a person's token that was good once: no guess, and
an office's devices may all be waiting, or a crowd's apps wake up with old tokens."""
_NOBODYS: Final = "a secret that no client has"


class Clients(Desk):
    """What every conversation with a client begins with."""

    def _counted(
        self,
        caller: Caller,
        now: datetime,
        what: str = TOKEN_REFUSALS,
        most: int = REFUSALS_PER_MINUTE,
    ) -> OnRefusal:
        """Count what is refused within as `what`, per address, and refuse all of an address that had too much of it.

        Successes are not counted: an office behind one address may have as many helpers as it likes.

        Raises:
            TooMany.
        """
        self._tally.check(caller.address, what, most, now)

        def count(refusal: Refusal) -> None:
            if isinstance(refusal, (GrantError, ProofRefused)) and not isinstance(refusal, _HONEST):
                self._tally.refused(caller.address, refusal.code, now, what)

        return OnRefusal(count)

    def _client(self, running: Running, proof: ClientProof) -> Client:
        """The client that this is proof of. Raises ClientRefused, the same for an unknown one and a wrong secret."""
        client = running.revision.clients.get(proof.id)
        kept = client.secret if client is not None else None
        # Compared also where there is nothing to compare with: the time must not tell whether there is.
        same = _same(proof.secret or "", kept if kept is not None else _NOBODYS)
        if client is None:
            raise ClientRefused("no such client")
        if client.confidential and not same:
            raise ClientRefused(f"client {client.id}: its secret is missing or wrong")
        if not client.confidential and proof.secret:
            raise ClientRefused(f"client {client.id} has no secret, and one was shown")
        return client

    def _client_for(self, running: Running, proof: ClientProof, grant: GrantType) -> Client:
        """The same, if it may use that grant. Raises ClientRefused, ClientNotAllowed."""
        client = self._client(running, proof)
        if grant not in client.grants:
            raise ClientNotAllowed(f"client {client.id} may not use the grant {grant}")
        return client


def _same(one: str, other: str) -> bool:
    """In a time that tells nothing of either, its length included."""
    return hmac.compare_digest(_digest(one), _digest(other))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
