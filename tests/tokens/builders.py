"""A clock that is set, keys kept in memory, and claims of which a test names only what matters to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry, serialize_compact

from app.errors import StoreUnavailable
from app.tokens import AccessClaims, AccessTokens, Change, KeptKey, SigningKeys

NOW = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ISSUER = "https://daypass.test"
AUDIENCE = "https://daypass.test/v1"


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Kept:
    """Fits `TokenKeys`, for any number of workers of one process."""

    def __init__(self) -> None:
        self.keys: list[KeptKey] = []
        self.reads = 0
        self.down = False

    def all(self) -> Sequence[KeptKey]:
        self.reads += 1
        if self.down:
            raise StoreUnavailable("down")
        return list(self.keys)

    def change(self, plan: Callable[[Sequence[KeptKey]], Change]) -> Sequence[KeptKey]:
        if self.down:
            raise StoreUnavailable("down")
        wanted = plan(list(self.keys))
        stay = [key for key in self.keys if key.kid not in wanted.drop]
        self.keys = sorted([*stay, *wanted.add], key=lambda key: key.signs_from)
        return list(self.keys)


def issuer() -> SimpleNamespace:
    """An authorization server's tokens: `tokens`, their `keys`, what is `kept`, and the `clock`."""
    clock, kept = Clock(), Kept()
    keys = SigningKeys(kept, clock)
    return SimpleNamespace(clock=clock, kept=kept, keys=keys, tokens=AccessTokens(keys))


def claims(**changes) -> AccessClaims:
    values = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "subject": "s" * 43,
        "client": "cli",
        "session": "c0ffee00c0ffee00",
        "scope": ("roles", "credentials"),
        "issued_at": NOW,
        "expires_at": NOW + HOUR,
        "token_id": "t" * 22,
    }
    return AccessClaims(**(values | changes))


def payload(**changes) -> dict[str, object]:
    """As `mint` writes `claims()`; a change to `...` leaves the claim out."""
    seconds = int(NOW.timestamp())
    values = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "s" * 43,
        "client_id": "cli",
        "sid": "c0ffee00c0ffee00",
        "scope": "roles credentials",
        "iat": seconds,
        "exp": seconds + 3600,
        "jti": "t" * 22,
    } | changes
    return {name: value for name, value in values.items() if value is not ...}


def signed(
    key: ECKey, body: Mapping[str, object] | bytes | None = None, algorithm: str = "ES256", **header
) -> str:
    """A token under that key, as anybody with a library could make it; a header of `...` is left out."""
    head = {"alg": algorithm, "kid": key.thumbprint(), "typ": "at+jwt"} | header
    head = {name: value for name, value in head.items() if value is not ...}
    text = body if isinstance(body, bytes) else json.dumps(payload() if body is None else body).encode()
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return serialize_compact(head, text, key, registry=registry)
