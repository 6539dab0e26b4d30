"""What an operator pastes: a decoded assertion or ID token, or a profile, read as a sign-in's would be. Nothing is verified.

The identity that comes out is only good for asking what it would get. It must never reach a session.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from app.errors import AskRefused
from app.model import Identity, OAuth2Provider, OidcProvider, Provider, SamlProvider
from app.signin import oauth2_profile, oidc_claims, saml
from app.signin.claims import identity
from app.signin.oidc import cut_groups
from app.signin.oidc_json import read_object

LONGEST: Final = 512 * 1024
CONTEXT: Final = "AuthnContextClassRef"
INSTANT: Final = "AuthnInstant"
"""Beside the attributes: how and when a SAML assertion says that the person was authenticated."""
_COMPACT: Final = re.compile(rb"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*", re.ASCII)


def pasted(provider: Provider, document: bytes, now: datetime) -> Identity:
    """Read a person from JSON: claims of an ID token (or the whole token), attributes of an assertion, or a profile.

    SAML attributes are an object of name → value or values, or a list of `{"name", "values"}`; the subject
    stands under `NameID`, and `AuthnContextClassRef` and `AuthnInstant` beside them. What says no time counts
    as authenticated `now`. Signature, audience and expiry are not looked at.

    Raises AskRefused for what is no such document, and what a sign-in with it raises: IdentityIncomplete,
    GroupsIncomplete, OidcClaims, OAuth2Profile.
    """
    if len(document) > LONGEST:
        raise AskRefused("the document is longer than 512 KiB")
    try:
        tree = read_object(_object(document.strip()))
    except ValueError as error:
        raise AskRefused(f"the document is no JSON of claims: {error}") from None
    if isinstance(provider, OidcProvider):
        return _token(provider, tree, now)
    if isinstance(provider, OAuth2Provider):
        return oauth2_profile.identity(provider, tree, now)
    return _assertion(provider, tree, now)


def _object(document: bytes) -> bytes:
    """The JSON object: a token's middle part, or a list of attributes as a member."""
    compact = _COMPACT.fullmatch(document)
    if compact is not None:
        try:
            return base64.urlsafe_b64decode(compact[1] + b"=" * (-len(compact[1]) % 4))
        except binascii.Error:
            raise ValueError("not a token") from None
    return b'{"attributes": %b}' % document if document.startswith(b"[") else document


def _token(provider: OidcProvider, claims: Mapping[str, object], now: datetime) -> Identity:
    timed = claims if "auth_time" in claims or "iat" in claims else {**claims, "iat": int(now.timestamp())}
    how = oidc_claims.authentication(timed, provider.mfa, now)
    complete = not cut_groups(claims, provider)
    return identity(provider, oidc_claims.as_text(claims), how, groups_complete=complete)


def _assertion(provider: SamlProvider, tree: Mapping[str, object], now: datetime) -> Identity:
    attributes: dict[str, tuple[str, ...]] = {}
    for name, values in _attributes(tree):
        if name in attributes:
            raise AskRefused(f"the attribute {name[:60]!r} stands twice")
        attributes[name] = values
    context, at = attributes.pop(CONTEXT, ()), attributes.pop(INSTANT, ())
    how = saml.authentication(
        provider.mfa, attributes, context[0] if context else None, _instant(at[0]) if at else now
    )
    return identity(provider, attributes, how, groups_complete=True)


def _attributes(tree: Mapping[str, object]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, value in tree.items():
        if name == "attributes" and isinstance(value, dict):
            yield from _attributes(value)
        elif name == "attributes" and isinstance(value, list):
            for each in value:
                yield _listed(each)
        else:
            yield name, _texts(name, value)


def _listed(entry: object) -> tuple[str, tuple[str, ...]]:
    folded = {str(key).lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
    name = folded.get("name")
    if not isinstance(name, str):
        raise AskRefused('an attribute in a list must be {"name": …, "values": […]}')
    return name, _texts(name, folded.get("values", folded.get("value", [])))


def _texts(name: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    texts = tuple(each for each in values if isinstance(each, str))
    if len(texts) != len(values):
        raise AskRefused(f"the attribute {name[:60]!r} has a value that is no text")
    return texts


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise AskRefused(f"{INSTANT} {text[:60]!r} is no time") from None
