"""Access tokens: JWTs (RFC 9068) that name whom they are for, signed by a key of ours and short-lived.

A token that reads well says only that we made it, for that audience, and that its time is not over. Whether its
session still lives is the broker's question to the store, so that ending a session ends its tokens at once.
"""

from __future__ import annotations

import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, cast

from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact

from app.errors import TokenInvalid
from app.jsontext import writer
from app.model import SCOPES, SKEW, Scope
from app.tokens.keys import ALGORITHM, SigningKeys
from app.tokens.seam import AccessClaims

TYPE: Final = "at+jwt"
"""RFC 9068, 2.1: what tells an access token from any other that we might sign."""
LONGEST: Final = 4096
"""Characters of an access token."""

_HEADER: Final = frozenset({"alg", "kid", "typ"})
_CLAIMS: Final = frozenset({"iss", "aud", "sub", "client_id", "sid", "scope", "iat", "exp", "jti"})
_LATEST: Final = 253_402_300_799
"""The last second that a datetime can hold."""
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_REGISTRY: Final = JWSRegistry(algorithms=[ALGORITHM])
_SIGNER: Final = _REGISTRY.get_alg(ALGORITHM)


def new_token_id() -> str:
    """A `jti` that no other token has."""
    return secrets.token_urlsafe(16)


def whole(at: datetime) -> datetime:
    """The instant in whole seconds, as tokens tell time; never later."""
    return at.replace(microsecond=0)


class AccessTokens:
    """Makes and reads them. Safe to use from many threads."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def mint(self, claims: AccessClaims) -> str:
        """The token that says this. Raises StoreUnavailable, KeysUnusable."""
        kid, key = self._keys.current()
        payload = {
            "iss": claims.issuer,
            "aud": claims.audience,
            "sub": claims.subject,
            "client_id": claims.client,
            "sid": claims.session,
            "scope": " ".join(claims.scope),
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "jti": claims.token_id,
        }
        # RFC 7515, 7.1; the library's own way there looks at the header and the key anew each time.
        signed = f"{_header(kid)}.{_encode(_dump(payload))}"
        return f"{signed}.{_base64(_SIGNER.sign(signed.encode('ascii'), key))}"

    def read(self, token: str, issuer: str, audience: str, now: datetime) -> AccessClaims:
        """What a token says that we made, for that audience, and whose time is not over at `now`.

        Raises TokenInvalid, whose detail says for operators what was wrong and never quotes the token; and
        StoreUnavailable if the keys cannot be had.
        """
        claims = _claims(self._signed(token))
        if claims.issuer != issuer:
            raise TokenInvalid("the access token is of another issuer")
        if claims.audience != audience:
            raise TokenInvalid("the access token is for another audience")
        if now >= claims.expires_at:
            raise TokenInvalid("the access token is out of date")
        if claims.issued_at > now + SKEW:
            raise TokenInvalid("the access token was issued in the future")
        return claims

    def _signed(self, token: str) -> Mapping[str, object]:
        """The payload that a key of ours signed."""
        parsed = _parsed(token)
        key = self._keys.find(_kid(parsed.protected))
        if key is None:
            raise TokenInvalid("the access token's key is not one of ours")
        try:
            holds = validate_compact(parsed, key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError) as error:
            raise TokenInvalid(f"the access token's signature cannot be checked: {_name(error)}") from None
        if not holds:
            raise TokenInvalid("the access token's signature does not hold")
        try:
            payload = json.loads(parsed.payload)
        except (ValueError, RecursionError) as error:
            raise TokenInvalid(f"the access token's payload cannot be read: {_name(error)}") from None
        if not isinstance(payload, dict):
            raise TokenInvalid("the access token's payload is no object")
        return payload


@lru_cache(maxsize=16)
def _header(kid: str) -> str:
    return _encode(_dump({"alg": ALGORITHM, "kid": kid, "typ": TYPE}))


def _encode(text: str) -> str:
    return _base64(text.encode("ascii"))


def _base64(data: bytes) -> str:
    """RFC 7515, 2."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


_dump: Final = writer(separators=(",", ":"))


def _parsed(token: str) -> CompactSignature:
    if len(token) > LONGEST:
        raise TokenInvalid(f"the access token is longer than {LONGEST} characters")
    if not _SHAPE.fullmatch(token):
        raise TokenInvalid("what was shown is no signed token")
    try:
        return extract_compact(token.encode("ascii"), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        # Without the cause, whose text may hold the token.
        raise TokenInvalid(f"what was shown is no signed token: {_name(error)}") from None


def _kid(header: object) -> str:
    """The key id of a header that is exactly as ours are.

    Nothing else may stand in it: no key or address of the sender's (`jwk`, `jku`, `x5u`), nothing `crit`
    (RFC 8725, 3.1 and 3.10).
    """
    if not isinstance(header, dict) or set(header) != _HEADER:
        raise TokenInvalid("the access token's header is not of our form")
    if header["alg"] != ALGORITHM:
        raise TokenInvalid("the access token is signed by an algorithm that is not ours")
    if header["typ"] != TYPE:
        raise TokenInvalid("the token is of another type than an access token")
    if not isinstance(header["kid"], str):
        raise TokenInvalid("the access token's `kid` is not a text")
    return header["kid"]


def _claims(payload: Mapping[str, object]) -> AccessClaims:
    """The claims, each of its type. Raises TokenInvalid."""
    if set(payload) != _CLAIMS:
        raise TokenInvalid("the access token's claims are not those that ours have")
    scope = _text(payload, "scope").split(" ")
    if not all(part in SCOPES for part in scope):
        raise TokenInvalid("the access token's scope is unknown")
    return AccessClaims(
        issuer=_text(payload, "iss"),
        audience=_text(payload, "aud"),
        subject=_text(payload, "sub"),
        client=_text(payload, "client_id"),
        session=_text(payload, "sid"),
        scope=cast(tuple[Scope, ...], tuple(scope)),
        issued_at=_instant(payload, "iat"),
        expires_at=_instant(payload, "exp"),
        token_id=_text(payload, "jti"),
    )


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload[name]
    if not isinstance(value, str) or not value:
        raise TokenInvalid(f"the access token's `{name}` is not a text")
    return value


def _instant(payload: Mapping[str, object], name: str) -> datetime:
    value = payload[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LATEST:
        raise TokenInvalid(f"the access token's `{name}` is not a time")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)


def _name(error: Exception) -> str:
    return type(error).__name__
