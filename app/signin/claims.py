"""What a source says about a person, read by the source's own tables: claims in, `Identity` out.

Shared by every kind of source, pure. A kind verifies its proof first; here nothing is believed or
disbelieved any more, only read by the operator's mapping. Nothing is guessed: a claim that is not mapped
means nothing, a name is compared exactly, and a value that is needed once is there once or the sign-in
is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from app.errors import GroupsIncomplete, IdentityIncomplete
from app.model import Authentication, Identity, Provider
from app.principal import map_groups

MAX_SUBJECT: Final = 255
"""Characters (OIDC Core 2: `sub`; SAML Core 8.3.7 allows 256 for a persistent NameID)."""
MAX_TEXT: Final = 255
"""Characters of a username, a display name, an e-mail address."""
MAX_GROUPS: Final = 2_000
MAX_GROUP_NAME: Final = 1_024
"""Characters; a distinguished name is long."""

_APP_ROLES: Final = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
"""Entra's app roles: its group limit does not cut them, so its marks of a cut list do not speak of them."""
_ENTRA_GROUPS_LINK: Final = "http://schemas.microsoft.com/claims/groups.link"
_JOINERS: Final = str.maketrans("", "", "\u200c\u200d")
"""Zero-width joiners belong to honest names (Persian, Indic scripts) and turn no text around."""


def identity(
    provider: Provider,
    claims: Mapping[str, tuple[str, ...]],
    authentication: Authentication,
    *,
    groups_complete: bool,
) -> Identity:
    """The person that a verified proof speaks of.

    In: the source's settings; every claim or attribute of the proof under its own exact name, values as
    text (SAML's NameID under `NameID`; a list that was there but empty as `()`); how the person was
    authenticated; `groups_complete`: False if the kind of source itself saw that the group list is cut.

    Out: subject and username, each exactly one value of 1 to 255 printable characters without blanks
    around it; e-mail and name likewise, or None where absent or not such a value (they only inform; an
    e-mail counts only with `email_verified` true, OIDC Core 5.1; a SAML directory's as it is); groups sorted,
    without doubles.

    Raises IdentityIncomplete (subject or username missing, several, empty, overlong, unprintable) and
    GroupsIncomplete (the mapped group claim is missing, cut, overlong or unreadable).
    """
    names = provider.claims
    return Identity(
        source=provider.id,
        subject=_needed(claims, names.subject, "subject", MAX_SUBJECT),
        username=_needed(claims, names.username, "username", MAX_TEXT),
        claims=dict(claims),
        authentication=authentication,
        name=_informing(claims, names.name),
        email=_email(provider, claims),
        groups=_groups(provider, claims, groups_complete),
    )


def _needed(claims: Mapping[str, tuple[str, ...]], claim: str, purpose: str, longest: int) -> str:
    values = claims.get(claim, ())
    if len(values) != 1:
        count = "missing" if not values else f"given {len(values)} times"
        raise IdentityIncomplete(f"claim `{claim}` ({purpose}) is {count}")
    value = values[0]
    if not _plain(value, longest):
        raise IdentityIncomplete(
            f"claim `{claim}` ({purpose}) is empty, longer than {longest} characters, "
            "has blanks around it or holds unprintable characters"
        )
    return value


def _informing(claims: Mapping[str, tuple[str, ...]], claim: str | None) -> str | None:
    values = claims.get(claim, ()) if claim is not None else ()
    if len(values) != 1:
        return None
    value = values[0].strip()
    return value if _plain(value.translate(_JOINERS), MAX_TEXT) else None


def _email(provider: Provider, claims: Mapping[str, tuple[str, ...]]) -> str | None:
    # An address that the person typed in and nobody checked may be somebody else's.
    if provider.type != "saml" and claims.get("email_verified") != ("true",):
        return None
    return _informing(claims, provider.claims.email)


def _plain(value: str, longest: int) -> bool:
    """Printable (so no control, no direction mark, no lone surrogate), without blanks around it."""
    return 0 < len(value) <= longest and value == value.strip() and value.isprintable()


def _groups(
    provider: Provider, claims: Mapping[str, tuple[str, ...]], groups_complete: bool
) -> tuple[str, ...]:
    claim = provider.claims.groups
    if claim is None:
        return ()
    if claim not in claims:
        raise GroupsIncomplete(f"claim `{claim}` (groups) is missing")
    if not groups_complete:
        raise GroupsIncomplete(f"claim `{claim}` (groups) is cut, as the source itself says")
    mark = _cut(claim, claims)
    if mark is not None:
        raise GroupsIncomplete(f"claim `{claim}` (groups) is cut: `{mark}` says that the list is elsewhere")
    return tuple(sorted(map_groups(provider.id, provider.groups, _readable(provider, claims[claim]))))


def _cut(claim: str, claims: Mapping[str, tuple[str, ...]]) -> str | None:
    """The claim by which a source says that it left the list out, if there is one.

    `_claim_names` (OIDC Core 5.6.2: distributed claims) speaks of the claim that it names. `hasgroups` and
    `groups.link` are Entra ID's ("Group overages"); the address that they come with is never followed.
    """
    marks = [f"_claim_names.{claim}"]
    if claim not in _APP_ROLES:
        marks += ["_claim_names.groups", _ENTRA_GROUPS_LINK]
        if claims.get("hasgroups", ("false",)) != ("false",):
            return "hasgroups"
    for mark in marks:
        if mark in claims:
            return mark
    return None


def _readable(provider: Provider, values: tuple[str, ...]) -> Iterable[str]:
    if len(values) > MAX_GROUPS:
        raise GroupsIncomplete(f"{len(values)} groups, more than {MAX_GROUPS}")
    for value in values:
        # Refused even where it would be left out: what cannot be read is not "no group".
        known = value in provider.groups.names or not value.strip()  # some send one blank for "no groups"
        if not known and not _plain(value, MAX_GROUP_NAME):
            raise GroupsIncomplete(
                f"a group name is longer than {MAX_GROUP_NAME} characters, "
                "has blanks around it or holds unprintable characters"
            )
        yield value
