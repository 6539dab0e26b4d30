"""What a plain OAuth 2.0 provider says of a person: its profile in, `Identity` out. Pure.

No specification says what stands in such a profile, so everything is read by the operator's mapping, with the
same strictness as an ID token's claims. The subject is text or a whole number, which becomes text; never an
e-mail address by itself, never a list, a fraction or a truth value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from app.errors import OAuth2Profile, OidcClaims
from app.model import Authentication, Identity, OAuth2Provider
from app.signin import claims as mapping
from app.signin import oidc_claims

_EMAIL: Final = ("email", "email_verified")


def identity(provider: OAuth2Provider, profile: Mapping[str, object], at: datetime) -> Identity:
    """The person of a profile, signed in at `at`, by nothing that is known.

    `claims` of the provider names members of the profile, those of an object in it by dots: `data.id`.
    Raises OAuth2Profile (a subject of another type; what `oidc_claims.as_text` refuses), IdentityIncomplete,
    GroupsIncomplete.
    """
    subject = member(profile, provider.claims.subject)
    if subject is not None and name_of(subject) is None:
        raise OAuth2Profile(
            f"`{provider.claims.subject}` (subject) is neither text nor a whole number above 0"
        )
    try:
        texts = oidc_claims.as_text(profile)
    except OidcClaims as refusal:
        raise OAuth2Profile(refusal.detail) from None
    return mapping.identity(provider, texts, Authentication(at=at), groups_complete=True)


def member(profile: Mapping[str, object], path: str) -> object:
    """The member of that name, or the one that its dots lead to; None if there is none.

    A profile in which two members have one dotted name is refused as a whole when it is read as text.
    """
    if path in profile:
        return profile[path]
    for position, char in enumerate(path):
        inner = profile.get(path[:position]) if char == "." else None
        if isinstance(inner, dict):
            found = member(inner, path[position + 1 :])
            if found is not None:
                return found
    return None


def name_of(value: object) -> str | None:
    """A person's name at the provider as text; None for what cannot be one."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return None


def with_email(profile: Mapping[str, object], addresses: Sequence[object]) -> Mapping[str, object]:
    """The profile with the primary, verified one of a list of e-mail addresses, or with none at all.

    In: entries with `email`, `primary` and `verified`, as GitHub's `GET /user/emails` gives them; others are
    passed over. What the profile itself says of an address is left out: the person may have chosen it freely.
    """
    kept = {name: value for name, value in profile.items() if name not in _EMAIL}
    for entry in addresses:
        if isinstance(entry, dict) and entry.get("primary") is True and entry.get("verified") is True:
            return {**kept, "email": entry.get("email"), "email_verified": True}
    return kept
