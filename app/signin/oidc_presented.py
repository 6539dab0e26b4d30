"""The claims of an ID token that an app presents for its person (RFC 8693), where no sign-in of ours began. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import OidcClaims, OidcNonce, SubjectTokenAudience, SubjectTokenExpired
from app.model import SKEW
from app.signin.oauth2_answers import same
from app.signin.oidc_claims import check_subject, seconds_of

OLDEST: Final = timedelta(hours=24)
"""How long ago the token may have been made, however long its provider lets it live."""
_NOT_IN_ID_TOKENS: Final = ("events", "scope", "scp")
"""Logout tokens have `events` (OIDC Back-Channel Logout 2.4), access tokens a scope (RFC 9068 2.2.3; Entra ID, Okta)."""
_KIND_IN_CLAIMS: Final[Mapping[str, str]] = {"typ": "ID", "token_use": "id"}
"""Where a provider says the kind among the claims: Keycloak, Cognito."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What an ID token that an app presents must say."""

    issuer: str
    audiences: Collection[str]
    """Those whose tokens the app may bring."""
    nonce: str | None = field(default=None, repr=False)
    """None: not looked at."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is told of an ID token that was accepted."""

    audience: str
    expires_at: datetime


def check(claims: Mapping[str, object], expected: Presented, now: datetime) -> Accepted:
    """Hold the claims of an ID token that an app presents (RFC 8693) against what is expected.

    As at a sign-in (`oidc_claims.check`), but: whom it is for is said by the app's own list: every `aud` must be on
    it, and so must `azp`, which has to be there if there are several (Core 3.1.3.7, 3 to 5; Google names the app of
    a phone there). `exp` has no tolerance, since what is given for it may not live longer; `iat` may be a day old.
    `nonce` must be that which the caller gives, if one is given. `at_hash` is left alone: no access token comes
    along. And it must be an ID token, not an access token or a logout token of the same provider.
    Raises OidcClaims, OidcNonce, SubjectTokenAudience, SubjectTokenExpired.
    """
    if claims.get("iss") != expected.issuer:
        raise OidcClaims("`iss` is not the configured issuer")
    _check_is_id_token(claims)
    audience = _audience(claims, expected)
    expires = _check_times(claims, now)
    if expected.nonce is not None:
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not same(nonce, expected.nonce):
            raise OidcNonce("`nonce` is not the one that the app gives")
    check_subject(claims)
    return Accepted(audience, expires)


def _check_is_id_token(claims: Mapping[str, object]) -> None:
    # Providers sign tokens of all kinds with one key, and not all of them say in the header which kind it is.
    for name in _NOT_IN_ID_TOKENS:
        if name in claims:
            raise OidcClaims(f"`{name}` is there, so the token is not an ID token")
    for name, ours in _KIND_IN_CLAIMS.items():
        if claims.get(name, ours) != ours:
            raise OidcClaims(f"`{name}` says that the token is not an ID token")


def _audience(claims: Mapping[str, object], expected: Presented) -> str:
    given = claims.get("aud")
    audiences = given if isinstance(given, list) else [given]
    if not audiences or not all(isinstance(each, str) for each in audiences):
        raise SubjectTokenAudience("`aud` is neither a text nor a list of texts")
    if set(audiences).difference(expected.audiences):
        raise SubjectTokenAudience("`aud` is not what this app may bring")
    if len(audiences) > 1 and "azp" not in claims:
        raise SubjectTokenAudience("`aud` names several, and `azp` is missing")
    party = claims.get("azp", audiences[0])
    if not isinstance(party, str) or party not in expected.audiences:
        raise SubjectTokenAudience("`azp` is not what this app may bring")
    return str(audiences[0])


def _check_times(claims: Mapping[str, object], now: datetime) -> datetime:
    today, skew = now.timestamp(), SKEW.total_seconds()
    expires, issued = seconds_of(claims, "exp", today), seconds_of(claims, "iat", today)
    not_before, authenticated = seconds_of(claims, "nbf", today), seconds_of(claims, "auth_time", today)
    if expires is None or issued is None:
        raise OidcClaims("`exp` or `iat` is missing")
    if today >= expires:
        raise SubjectTokenExpired("`exp` has passed")
    if issued < today - OLDEST.total_seconds():
        raise SubjectTokenExpired("`iat` is more than a day ago")
    for name, seconds in (("iat", issued), ("nbf", not_before), ("auth_time", authenticated)):
        if seconds is not None and seconds > today + skew:
            raise SubjectTokenExpired(f"`{name}` lies ahead")
    return datetime.fromtimestamp(expires, UTC)
