"""The ID token's claims: checked by OpenID Connect Core 3.1.3.7, strictly typed, then read. Pure.

A claim of another type than the specification gives it is refused, never converted: `"exp": "9999999999"`
is no expiry and `"aud": {"daypass": 1}` no audience.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from authlib.oidc.core.util import create_half_hash

from app.errors import OidcClaims, OidcNonce, OidcUserinfo
from app.model import SKEW, Authentication, MfaTrust
from app.signin.oauth2_answers import same

OLDEST: Final = timedelta(minutes=10)
"""How long ago an ID token that answers our code may have been made; it is made when the code is redeemed."""
FARTHEST: Final = timedelta(days=366).total_seconds()
"""An expiry beyond this is a mistake (milliseconds, year 9999), and dates beyond that break calendars."""
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
MAX_SUB: Final = 255

MAX_CLAIMS: Final = 300
MAX_NAME: Final = 255
MAX_VALUES: Final = 2_000
MAX_VALUE: Final = 8_192
_DEEPEST: Final = 4
_NUMBERS: Final = (int, float)
_SCALARS: Final = (str, int, float)

_SPENT: Final = frozenset({"nonce", "at_hash", "c_hash"})
"""Of use for the check of this token only; not kept."""
_TOKENS_OWN: Final = frozenset(
    {"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "sid", "auth_time", "acr", "amr"} | _SPENT
)
"""What only the ID token can say: userinfo is no proof of how somebody signed in."""
_EMAIL: Final = frozenset({"email", "email_verified"})

_PHISHING_RESISTANT: Final = frozenset({"phr", "phrh", "hwk"})
"""`acr` and `amr` values (OpenID EAP ACR Values 1.0; RFC 8176: `hwk`) that mean so where `mfa` lists them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token must say."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    algorithm: str
    """Of the token's signature: `at_hash` is made with its hash."""
    access_token: str | None = field(default=None, repr=False)


def check(claims: Mapping[str, object], expected: Expected, now: datetime) -> None:
    """Hold the claims of a token with a good signature against what is expected.

    `iss` exact; `aud` our client and nobody else; `azp`, if there, our client; `exp` ahead, `iat` and `nbf`
    not ahead, `iat` at most ten minutes old, each by `now` with 60 s of skew; `nonce` ours; `sub` 1 to 255
    ASCII characters; `at_hash`, if there, that of the access token; `auth_time`, `acr`, `amr` of their types.
    Raises OidcClaims, OidcNonce.
    """
    if claims.get("iss") != expected.issuer:
        raise OidcClaims("`iss` is not the configured issuer")
    audience = claims.get("aud")
    if audience != expected.client_id and audience != [expected.client_id]:
        raise OidcClaims("`aud` is not our client ID alone")
    if "azp" in claims and claims["azp"] != expected.client_id:
        raise OidcClaims("`azp` is not our client ID")
    _check_times(claims, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not same(nonce, expected.nonce):
        raise OidcNonce("`nonce` is not that of this sign-in")
    check_subject(claims)
    if "at_hash" in claims:
        _check_access_token(claims["at_hash"], expected)


def check_subject(claims: Mapping[str, object]) -> None:
    """`sub` as Core 2 has it. Raises OidcClaims."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.isascii() or not 0 < len(subject) <= MAX_SUB:
        raise OidcClaims(f"`sub` is not a string of 1 to {MAX_SUB} ASCII characters")


def _check_times(claims: Mapping[str, object], now: datetime) -> None:
    # In seconds, not as dates: a clock at the end of the calendar must refuse, not break.
    today, skew = now.timestamp(), SKEW.total_seconds()
    expires, issued = seconds_of(claims, "exp", today), seconds_of(claims, "iat", today)
    not_before, authenticated = seconds_of(claims, "nbf", today), seconds_of(claims, "auth_time", today)
    if expires is None or issued is None:
        raise OidcClaims("`exp` or `iat` is missing")
    if today >= expires + skew:
        raise OidcClaims("`exp` has passed")
    if issued > today + skew:
        raise OidcClaims("`iat` lies ahead")
    if issued < today - OLDEST.total_seconds() - skew:
        raise OidcClaims("`iat` is more than ten minutes ago")
    if not_before is not None and not_before > today + skew:
        raise OidcClaims("`nbf` lies ahead")
    if authenticated is not None and authenticated > today + skew:
        raise OidcClaims("`auth_time` lies ahead")


def seconds_of(claims: Mapping[str, object], name: str, today: float) -> float | None:
    """A NumericDate (RFC 7519 2): a JSON number of seconds, as `today` is. None if the claim is not there."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OidcClaims(f"`{name}` is not a number of seconds")
    if not 0 <= value <= _LAST or value > today + FARTHEST:  # also ends NaN and infinity
        raise OidcClaims(f"`{name}` is no date of this time")
    return float(value)


def _check_access_token(at_hash: object, expected: Expected) -> None:
    # Core 3.1.3.6. The library names the EdDSA family by its old name.
    family = "EdDSA" if expected.algorithm == "Ed25519" else expected.algorithm
    token = expected.access_token
    right = create_half_hash(token, family) if token is not None else None
    if right is None or not isinstance(at_hash, str) or not same(at_hash, right.decode("ascii")):
        raise OidcClaims("`at_hash` is not that of the access token")


# --- reading --------------------------------------------------------------------------------------


def authentication(claims: Mapping[str, object], trust: MfaTrust, now: datetime) -> Authentication:
    """How and when the person was authenticated, from checked claims.

    A second factor counts where `amr` or `acr` holds a value that the source's `mfa` lists, at the time of
    authentication (`auth_time`; where the source does not say it, when it made the token). It is resistant
    to phishing if such a listed value is `phr`, `phrh` or `hwk`. Raises OidcClaims for other types.
    """
    methods = claims.get("amr", [])
    if not isinstance(methods, list) or len(methods) > MAX_VALUES:
        raise OidcClaims("`amr` is not a list")
    texts = tuple(method for method in methods if isinstance(method, str) and len(method) <= MAX_NAME)
    if len(texts) != len(methods):
        raise OidcClaims("`amr` holds something else than short strings")
    context = claims.get("acr")
    if context is not None and (not isinstance(context, str) or len(context) > MAX_NAME):
        raise OidcClaims("`acr` is not a short string")
    seconds = seconds_of(claims, "auth_time" if "auth_time" in claims else "iat", now.timestamp())
    if seconds is None:
        raise OidcClaims("`iat` is missing")
    at = datetime.fromtimestamp(seconds, UTC)
    believed = trust.methods.intersection(texts) | trust.contexts.intersection([context])
    return Authentication(
        at=at,
        methods=texts,
        context=context,
        mfa_at=at if believed else None,
        phishing_resistant=not _PHISHING_RESISTANT.isdisjoint(believed),
    )


def merged(claims: Mapping[str, object], userinfo: Mapping[str, object]) -> dict[str, object]:
    """The ID token's claims with what userinfo adds (Core 5.3.2). The token's own always win.

    An e-mail address and whether it is verified come from one of the two, never half from each.
    Raises OidcUserinfo unless userinfo speaks of the same `sub`.
    """
    if userinfo.get("sub") != claims["sub"]:
        raise OidcUserinfo("userinfo speaks of another `sub` than the ID token, or of none")
    kept = _TOKENS_OWN | (_EMAIL if _EMAIL & claims.keys() else frozenset())
    added = {name: value for name, value in userinfo.items() if name not in kept}
    return {**added, **claims}


def as_text(claims: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Claims as the rest of daypass reads them: each name to its values as text.

    A string stands as it is, a number or a boolean as its JSON text, a list of such as a tuple (an empty
    list as an empty one), an object's members under dotted names (`realm_access.roles`), four levels deep.
    What has no such form is left out: null, a list that holds a list, an object or null, anything deeper.
    `nonce`, `at_hash` and `c_hash` are left out too. Raises OidcClaims if two names become one, or at more
    than 300 names, 2,000 values of a name, 255 characters of a name or 8,192 of a value: cutting a claim
    could make a rule that denies by it stop matching.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, value in claims.items():
        if name not in _SPENT:
            _add(found, name, value, 1)
    return found


def _add(found: dict[str, tuple[str, ...]], name: str, value: object, level: int) -> None:
    """Put a claim among those that were found, or an object's members."""
    if isinstance(value, str):
        values: tuple[str, ...] = (value,)
        longest = len(value)
    elif isinstance(value, _NUMBERS):
        text = _number(value)
        values, longest = (text,), len(text)
    elif isinstance(value, list):
        if not all(isinstance(each, _SCALARS) for each in value):
            return
        values = tuple([each if isinstance(each, str) else _number(each) for each in value])
        longest = max(map(len, values), default=0)
    elif isinstance(value, dict) and level < _DEEPEST:
        for member, inner in value.items():
            _add(found, f"{name}.{member}", inner, level + 1)
        return
    else:
        return
    if name in found:
        raise OidcClaims("two claims have the same (dotted) name")
    if len(name) > MAX_NAME or len(values) > MAX_VALUES or longest > MAX_VALUE:
        raise OidcClaims("a claim has an overlong name, too many values or an overlong value")
    found[name] = values
    if len(found) > MAX_CLAIMS:
        raise OidcClaims(f"there are more than {MAX_CLAIMS} claims")


def _number(value: float) -> str:
    """A number or a boolean as its JSON text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):  # 1e999
        raise OidcClaims("a claim is a number that is too large")
    return repr(value)
