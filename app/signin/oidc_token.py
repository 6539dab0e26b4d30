"""The ID token as a signed thing (RFC 7515, RFC 8725): a string in, the payload that a known key signed out.

The signature itself is `joserfc`'s work. Here is decided what it may be asked to check: the algorithm is one
of the configured ones, the key one that the provider publishes, and nothing in the token's header can bring
another.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from app.errors import OidcToken
from app.signin.oidc_json import read_object
from app.signin.oidc_keys import ASYMMETRIC, PublicKey

LONGEST: Final = 65_536
"""Characters of an ID token."""

_FOREIGN: Final = ("jku", "jwk", "x5u", "x5c", "crit", "b64")
"""Header parameters that bring a key of the sender's choice or change what is signed (RFC 8725 3.10)."""

FindKey = Callable[[str, str | None], PublicKey]
"""`alg` and `kid` to the key. Raises OidcToken, ProviderFailed."""


class IdToken:
    """A token in compact form, which may be an ID token. For one thread; what it holds is read once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._read: tuple[bytes, dict[str, object]] | None = None

    @property
    def signed_part(self) -> str:
        """What its signature is over (RFC 7515 5.1): the same however the signature itself is written."""
        return self.text.rpartition(".")[0]

    @property
    def unverified_issuer(self) -> str:
        """Who it says that it is of, if it can be read; empty otherwise. Only good for choosing who checks it."""
        text = self.text
        middle = text.split(".", 2)[1:2] if len(text) <= LONGEST and text.isascii() else []
        try:
            payload = (
                self._object(urlsafe_b64decode(middle[0] + "=" * (-len(middle[0]) % 4))) if middle else {}
            )
        except ValueError:
            return ""
        issuer = payload.get("iss")
        return issuer if isinstance(issuer, str) else ""

    def payload(self, algorithms: Collection[str], find_key: FindKey) -> dict[str, object]:
        """What it says, if its signature holds. The claims are not checked yet.

        Raises OidcToken: longer than 64 KiB, not of the form, an algorithm that is not configured or not
        asymmetric, a header that brings its own key, a type other than JWT, no fitting key, a signature that
        does not hold, a payload that is not a strict JSON object; and ProviderFailed if the keys cannot be had.
        """
        if len(self.text) > LONGEST:
            raise OidcToken(f"the ID token is longer than {LONGEST} characters")
        if not self.text.isascii():
            raise OidcToken("the ID token holds other characters than ASCII")
        parsed = _parsed(self.text)
        algorithm, kid = _header(parsed.protected, algorithms)
        key = find_key(algorithm, kid)
        try:
            holds = validate_compact(parsed, key, registry=_registry(algorithm))
        except (JoseError, ValueError, TypeError) as error:
            raise OidcToken(f"the ID token's signature cannot be checked: {type(error).__name__}") from None
        if not holds:
            raise OidcToken("the ID token's signature does not hold")
        try:
            return self._object(parsed.payload)
        except ValueError as error:
            raise OidcToken(f"the ID token's payload cannot be read: {error}") from None

    def _object(self, document: bytes) -> dict[str, object]:
        """What these bytes hold (`read_object`), which are read again only if others were before."""
        if self._read is None or self._read[0] != document:
            self._read = document, read_object(document)
        return self._read[1]


@lru_cache(maxsize=len(ASYMMETRIC))
def _registry(algorithm: str) -> JWSRegistry:
    """Knows that algorithm and no other; members of a header that it does not know it leaves alone (RFC 7515 4)."""
    return JWSRegistry(algorithms=[algorithm], strict_check_header=False)


def _parsed(token: str) -> CompactSignature:
    try:
        return extract_compact(token.encode("ascii"))
    except (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        # Without the cause, whose text may hold the token.
        raise OidcToken(f"the ID token is not a signed token: {type(error).__name__}") from None


def _header(header: object, algorithms: Collection[str]) -> tuple[str, str | None]:
    if not isinstance(header, dict):
        raise OidcToken("the ID token's header is not an object")
    for foreign in _FOREIGN:
        if foreign in header:
            raise OidcToken(f"the ID token's header holds `{foreign}`")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    # Exact names: RFC 7515 4.1.1 makes `alg` case-sensitive, so `NoNe` is as unknown as it looks.
    if not isinstance(algorithm, str) or algorithm not in ASYMMETRIC or algorithm not in algorithms:
        raise OidcToken("the ID token is signed by an algorithm that is not configured for this source")
    if not isinstance(kind, str) or kind.lower() not in ("jwt", "application/jwt"):
        raise OidcToken("the token is of another type than an ID token")
    if "kid" in header and not isinstance(kid, str):
        raise OidcToken("the ID token's `kid` is not a string")
    return algorithm, kid
