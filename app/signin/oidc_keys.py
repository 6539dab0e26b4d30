"""A provider's signing keys (RFC 7517): which are taken, how long they live, when they are asked for again.

Taken are public keys for signatures by the configured algorithms, and nothing else: a symmetric key in a
published set is known to everyone, and so is a private one.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from app.clock import Clock
from app.errors import OidcToken, ProviderFailed
from app.outbound import Fetcher
from app.signin.oidc_discovery import LIFE, Pause, recent
from app.signin.oidc_json import read_object

REFETCH: Final = timedelta(minutes=1)
"""Between two fetches that only an unknown key ID asks for."""
SHORTEST_RSA: Final = 2_048
LONGEST_RSA: Final = 8_192
"""Bits. A longer modulus only costs us time (`joserfc` takes no signature above 6,144 bits anyway)."""
MOST_KEYS: Final = 100

ASYMMETRIC: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""What `algorithms` may name (RFC 7518 3.1, RFC 8037, RFC 9864). Anything else there is left out."""

PublicKey = RSAKey | ECKey | OKPKey

_KINDS: Final[Mapping[object, tuple[type[PublicKey], tuple[str, ...]]]] = {
    "RSA": (RSAKey, ("n", "e")),
    "EC": (ECKey, ("crv", "x", "y")),
    "OKP": (OKPKey, ("crv", "x")),
}


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that may prove a signature, and what its owner says of it."""

    kid: str | None
    algorithms: frozenset[str]
    """Those among the configured that it may be used with: its type, its curve, its own word."""
    key: PublicKey


class Keys:
    """The keys of one provider. Safe to use from many threads."""

    def __init__(self, algorithms: Collection[str], fetch: Fetcher, clock: Clock) -> None:
        self._algorithms = frozenset(algorithms) & ASYMMETRIC
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[KnownKey, ...] = ()
        self._address: str | None = None
        self._fetched: datetime | None = None
        self._tried: datetime | None = None
        self._pause = Pause()

    def find(self, address: str, algorithm: str, kid: str | None) -> PublicKey:
        """The one key for a token's header.

        In: where the provider keeps its keys; the token's `alg`, already found to be allowed; its `kid`, or
        None. Without a `kid` there must be exactly one key that fits. An unknown one makes us ask again, at
        most once a minute. Raises OidcToken, ProviderFailed.
        """
        keys, asked = self._current(address)
        found = _fitting(keys, algorithm, kid)
        if not found and not asked:
            found = _fitting(self._again(address), algorithm, kid)
        if not found:
            raise OidcToken("no key of the provider fits the ID token's `kid` and `alg`")
        if len(found) > 1:
            raise OidcToken("several keys of the provider fit the ID token's `kid` and `alg`")
        return found[0]

    def warm(self, address: str) -> None:
        """Fetch the keys unless they are here already. Raises ProviderFailed."""
        self._current(address)

    def _current(self, address: str) -> tuple[tuple[KnownKey, ...], bool]:
        """Keys that are not older than their life, and whether they were fetched just now."""
        with self._lock:
            now = self._clock.now()
            if address == self._address and recent(self._fetched, now, LIFE):
                return self._keys, False
            return self._refresh(address, now), True

    def _again(self, address: str) -> tuple[KnownKey, ...]:
        """Fetched again, unless that was done within the minute."""
        with self._lock:
            now = self._clock.now()
            if recent(self._tried, now, REFETCH):
                return self._keys
            return self._refresh(address, now)

    def _refresh(self, address: str, now: datetime) -> tuple[KnownKey, ...]:
        if address != self._address:
            self._address, self._keys, self._fetched, self._pause = address, (), None, Pause()
        self._pause.begin(now)
        self._tried = now
        try:
            answer = self._fetch.get(address)
            if answer.status != 200:
                raise ProviderFailed(f"keys: the provider answers with status {answer.status}")
            self._keys, self._fetched = read(answer.body, self._algorithms), now
        except ProviderFailed as failure:
            # Those that are here stay for what is left of their hour.
            self._pause.note(failure, self._clock.now())
            raise
        return self._keys


def _fitting(keys: tuple[KnownKey, ...], algorithm: str, kid: str | None) -> list[PublicKey]:
    return [
        known.key for known in keys if (kid is None or known.kid == kid) and algorithm in known.algorithms
    ]


def read(document: bytes, algorithms: Collection[str]) -> tuple[KnownKey, ...]:
    """The usable keys of a JWK set (RFC 7517 5): those that are not are left out, as it says.

    Raises ProviderFailed if the document is no JWK set, or one of more than 100 keys.
    """
    try:
        entries = read_object(document).get("keys")
    except ValueError as error:
        raise ProviderFailed(f"keys: the document cannot be read: {error}") from None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ProviderFailed(f"keys: the document holds no list of at most {MOST_KEYS} keys")
    found = (_key(entry, algorithms) for entry in entries if isinstance(entry, dict))
    return tuple(key for key in found if key is not None)


def _key(entry: Mapping[str, object], algorithms: Collection[str]) -> KnownKey | None:
    kid, algorithm, operations = entry.get("kid"), entry.get("alg"), entry.get("key_ops", ["verify"])
    kty = entry.get("kty")
    kind = _KINDS.get(kty) if isinstance(kty, str) else None
    if (
        kind is None
        or "d" in entry
        or not isinstance(kid, str | None)
        or not isinstance(algorithm, str | None)
    ):
        return None
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if algorithm is not None and algorithm not in algorithms:
        return None
    key = _import(kind, entry)
    if key is None:
        return None
    fitting = frozenset(allowed for allowed in algorithms if _fits(key, allowed, algorithm))
    return KnownKey(kid, fitting, key) if fitting else None


def _fits(key: PublicKey, algorithm: str, own: str | None) -> bool:
    """Whether a key may be used with an algorithm; `own`: the one that it is for, None: any that its type fits."""
    if own not in (None, algorithm):
        return False
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
    except JoseError:
        return False
    return True


def _import(kind: tuple[type[PublicKey], tuple[str, ...]], entry: Mapping[str, object]) -> PublicKey | None:
    shape, members = kind
    # Only the numbers of the key: certificates, addresses and whatever else stands there play no part.
    numbers = {name: value for name in members if isinstance(value := entry.get(name), str)}
    if len(numbers) != len(members) or not _sound(shape, numbers):
        return None
    try:
        key = shape.import_key({**numbers, "kty": shape.key_type})
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, ArithmeticError):
        return None
    # Zeros in front make a short modulus look long.
    return None if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA else key


def _sound(shape: type[PublicKey], numbers: Mapping[str, str]) -> bool:
    """A size that is neither weak nor a burden, a curve that signs (X25519 is of type OKP too)."""
    if shape is RSAKey:
        return SHORTEST_RSA <= len(numbers["n"]) * 6 <= LONGEST_RSA + 6 and len(numbers["e"]) <= 6
    return shape is ECKey or numbers["crv"] == "Ed25519"
