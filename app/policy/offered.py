"""Which condition keys a company's requests really carry: from its sources, roles, and what sign-ins brought.

A key that nobody sends makes a condition that never holds, so this is what is offered to choose from. What a
configuration alone can supply, before anybody has signed in, is said by `available`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from app.model import Identity, OidcProvider, Provider, Role, SamlProvider, SourceId
from app.policy import condition_keys
from app.policy.condition_keys import OIDC_CLAIMS, SAML_ATTRIBUTES, Type
from app.policy.context import issuer_of
from app.policy.text import fold

_ALWAYS: Final = (
    "daypass:Groups",
    "daypass:Source",
    "aws:username",
    "aws:userid",
    "aws:MultiFactorAuthPresent",
    "aws:SourceIp",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:UserAgent",
    "aws:SecureTransport",
    "daypass:AuthenticationAge",
    "daypass:Client",
    "daypass:Device",
    "daypass:PhishingResistant",
    "daypass:RoleLevel",
    "sts:SourceIdentity",
)
"""In every request for a role, or, as groups, user agents and clients, in those of all who have any."""

_POOLED: Final = "daypass:identity-id"


@dataclass(frozen=True, slots=True)
class Offered:
    """A key that requests carry."""

    name: str
    type: Type
    several: bool
    """It can have several values, by the table or because a sign-in brought several."""
    meaning: str
    sources: tuple[str, ...] = ()
    """The sources that send it, if it is not there for everybody."""
    seen: tuple[str, ...] = ()
    """Some values that sign-ins brought, sorted."""


def offered(
    providers: Mapping[SourceId, Provider],
    roles: Iterable[Role],
    identities: Iterable[Identity],
    clients: Iterable[str] = (),
    *,
    pooled: bool = False,
) -> tuple[Offered, ...]:
    """The keys, in the order to offer them: about the person, then the request, then the role.

    `clients`: ids of the OAuth clients there are, the values that `daypass:Client` can have. `pooled`: some of them
    have pools, so that their people have identities there.
    """
    roles = tuple(roles)
    brought: dict[str, _Brought] = {}
    for name, source, values in _sent(providers, identities):
        brought.setdefault(fold(name), _Brought(name)).take(source, values)
    for provider in providers.values():
        if provider.claims.groups is not None:
            brought[fold(f"daypass:Claim/{provider.claims.groups}")].several = True
    found = {fold(name): _row(name, ()) for name in _ALWAYS}
    found[fold("daypass:Client")] = _row("daypass:Client", (), seen=tuple(sorted(clients)[:_SHOWN]))
    if pooled:
        found[fold(_POOLED)] = _row(_POOLED, ())
    if any(provider.mfa.contexts or provider.mfa.methods for provider in providers.values()):
        name = "aws:MultiFactorAuthAge"
        found[fold(name)] = _row(name, ())
    for name in _of_roles(roles, providers.values()):
        found.setdefault(fold(name), _row(name, ()))
    for key, each in brought.items():
        found[key] = each.row()
    return tuple(found.values())


_SHOWN: Final = 20
_LONGEST: Final = 120


class _Brought:
    """What sign-ins and sources say of one key."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._sources: dict[str, None] = {}
        self._values: set[str] = set()
        self.several = False

    def take(self, source: str, values: tuple[str, ...]) -> None:
        self._sources[source] = None
        self.several = self.several or len(values) > 1
        if len(self._values) < _SHOWN:
            self._values.update(value for value in values if 0 < len(value) <= _LONGEST)

    def row(self) -> Offered:
        return _row(self._name, tuple(self._sources), self.several, tuple(sorted(self._values)[:_SHOWN]))


def _row(name: str, sources: tuple[str, ...], several: bool = False, seen: tuple[str, ...] = ()) -> Offered:
    known = condition_keys.find(name)
    if known is None:  # an OpenID issuer's own claim
        claim = name.rpartition(":")[2]
        known = next(row for row in OIDC_CLAIMS if row.name == claim)
    return Offered(
        name=name,
        type=known.type,
        several=several or known.multivalued,
        meaning=known.meaning.removeprefix("ISSUER:"),
        sources=sources,
        seen=seen,
    )


def _sent(
    providers: Mapping[SourceId, Provider], identities: Iterable[Identity]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(key, source, values) of everything that comes from a source, by its file or by what it sent."""
    for source, provider in providers.items():
        maps = provider.claims
        for claim in (maps.subject, maps.username, maps.email, maps.name, maps.groups):
            if claim is not None:
                yield f"daypass:Claim/{claim}", source, ()
        for tag, claim in provider.session_tags.items():
            yield f"daypass:Claim/{claim}", source, ()
            yield f"aws:PrincipalTag/{tag}", source, ()
    for identity in identities:
        known = providers.get(identity.source)
        if known is None:
            continue
        how = identity.authentication
        if how.methods:
            yield "daypass:Amr", identity.source, how.methods
        if how.context is not None:
            yield "daypass:Acr", identity.source, (how.context,)
        for claim, values in identity.claims.items():
            yield f"daypass:Claim/{claim}", identity.source, values
        for tag, claim in known.session_tags.items():
            yield f"aws:PrincipalTag/{tag}", identity.source, identity.claims.get(claim, ())[:1]
        yield from _of_protocol(known, identity)


def _of_protocol(provider: Provider, identity: Identity) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if isinstance(provider, OidcProvider):
        issuer = issuer_of(provider)
        for row in OIDC_CLAIMS:
            if issuer is not None and identity.claims.get(row.name):
                yield f"{issuer}:{row.name}", identity.source, identity.claims[row.name]
    if not isinstance(provider, SamlProvider):
        return
    for name, oid in SAML_ATTRIBUTES.items():
        values = identity.claims.get(name) or identity.claims.get(oid)
        if values:
            yield f"saml:{name}", identity.source, values
    if len(identity.claims.get("NameID", ())) == 1:
        yield "saml:sub", identity.source, identity.claims["NameID"]


def _of_roles(roles: Iterable[Role], providers: Iterable[Provider]) -> Iterator[str]:
    tags = {tag: None for provider in providers for tag in provider.session_tags}
    own = {tag: None for role in roles for tag in role.tags}
    for tag in own:
        yield f"aws:ResourceTag/{tag}"
    for tag in tags | own:
        yield f"aws:RequestTag/{tag}"
    if tags or own:
        yield "aws:TagKeys"
    if any(role.external_id is not None for role in roles):
        yield "sts:ExternalId"
