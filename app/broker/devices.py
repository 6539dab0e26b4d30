"""A person lets in a device that has no browser: device authorization (RFC 8628)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.broker import terms
from app.broker.clients import Clients
from app.broker.grants import of_a_person, stage
from app.broker.liveness import client_ends_at
from app.errors import SignInNotFresh, Unavailable, UserCodeUnknown
from app.limits import DEVICE_LOOKUPS, DEVICE_STARTS_PER_MINUTE, LOOKUPS_PER_ADDRESS, LOOKUPS_PER_SESSION
from app.model import (
    DEVICE_CODE,
    AuditKind,
    Caller,
    ClientProof,
    DeviceRequest,
    DeviceStarted,
    Session,
)
from app.tokens import DEVICE_LIFE, POLL_INTERVAL, DeviceGrant, user_codes

_TRIES: Final = 5
"""User codes to try; that two devices get the same one is as good as impossible."""
_LONGEST_AGENT: Final = 200
_ANYWHERE: Final = ""
"""In place of an address: a session's misses are counted wherever it comes from."""


class Devices(Clients):
    """The device, which shows a code, and the page where a person types it."""

    def begin_device(
        self, client: ClientProof, scope: Sequence[str], resource: str, device: str, *, caller: Caller
    ) -> DeviceStarted:
        """Start a device's sign-in (RFC 8628, 3.1 and 3.2).

        Raises:
            ClientRefused, ClientNotAllowed, ScopeInvalid, TargetInvalid, TooMany, StoreUnavailable.
        """
        now = self._clock.now()
        with self._counted(caller, now):
            running = self._active.current()
            known = self._client_for(running, client, DEVICE_CODE)
            wanted = terms.scope(scope, known)
            audience = terms.resource(resource, running.revision.settings)
        self._tally.admit(caller.address, "device starts", DEVICE_STARTS_PER_MINUTE, now)
        for _ in range(_TRIES):
            grant = DeviceGrant(
                user_code=user_codes.make(),
                client=known.id,
                scope=wanted,
                resource=audience,
                device=terms.device_name(device),
                address=caller.address,
                user_agent=caller.user_agent[:_LONGEST_AGENT],
                asked_at=now,
                expires_at=now + DEVICE_LIFE,
            )
            device_code = secrets.token_urlsafe(32)
            if self._store.devices.add(device_code, grant):
                return DeviceStarted(device_code, grant.user_code, DEVICE_LIFE, POLL_INTERVAL)
        raise Unavailable("no user code is free")

    def device(self, session: Session, user_code: str, *, caller: Caller) -> DeviceRequest:
        """The device that waits under a code, with everything that tells a stranger's from one's own.

        Raises:
            UserCodeUnknown, TooMany, StoreUnavailable.
        """
        return self._waiting(session, user_code, caller, self._clock.now())[1]

    def decide_device(self, session: Session, user_code: str, *, allow: bool, caller: Caller) -> None:
        """Let it in or turn it away. It is on record before it counts.

        Raises:
            UserCodeUnknown, SignInNotFresh, TooMany, AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        grant, request = self._waiting(session, user_code, caller, now)
        detail: dict[str, object] = {
            "grant": "device_code",
            "client": grant.client,
            "device": grant.device,
            "scope": list(request.scope),
            "asked_from": grant.address,
        }
        if allow and not request.fresh:
            refusal = SignInNotFresh("the session is older than what the device asked")
            self._record(AuditKind.GRANT_REFUSED, session, caller, now, {**detail, "code": refusal.code})
            refusal.recorded = True
            raise refusal
        kind = AuditKind.GRANT_APPROVED if allow else AuditKind.GRANT_REFUSED
        self._record(kind, session, caller, now, detail)
        if not self._store.devices.decide(grant.handle, session.id if allow else None, now, stage(session)):
            raise UserCodeUnknown("decided or expired meanwhile")

    def _waiting(
        self, session: Session, user_code: str, caller: Caller, now: datetime
    ) -> tuple[DeviceGrant, DeviceRequest]:
        """What waits under a code. Misses are counted, so that nobody finds one by trying (RFC 8628, 5.1)."""
        of_a_person(session)
        own = f"{DEVICE_LOOKUPS} of {session.id}"
        self._tally.check(caller.address, DEVICE_LOOKUPS, LOOKUPS_PER_ADDRESS, now)
        self._tally.check(_ANYWHERE, own, LOOKUPS_PER_SESSION, now)
        code = user_codes.normalise(user_code)
        grant = self._store.devices.find(code, now) if code is not None else None
        revision = self._active.current().revision
        client = revision.clients.get(grant.client) if grant is not None else None
        if grant is None or client is None or DEVICE_CODE not in client.grants:
            self._tally.count(caller.address, DEVICE_LOOKUPS, now)
            self._tally.count(_ANYWHERE, own, now)
            raise UserCodeUnknown("no device waits under that code")
        return grant, DeviceRequest(
            user_code=grant.user_code,
            client=client,
            scope=terms.common(grant.scope, client.scopes),
            device=grant.device,
            address=grant.address,
            user_agent=grant.user_agent,
            asked_at=grant.asked_at,
            expires_at=grant.expires_at,
            ends_at=client_ends_at(session, client, revision.settings, now),
            fresh=session.created_at > grant.asked_at,
        )
