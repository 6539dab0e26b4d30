"""The request context of a person who asks for a role: from the identity to condition keys.

Every name here is ours, but for one family: claims. A claim can only become `daypass:Claim/NAME`,
whatever it is called, so that none can pose as another key; of two claims whose names differ only in
case, neither is believed. Keys of `saml:` and of an OpenID issuer come from fixed lists, and only if the
active configuration says that the source is of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from app.model import (
    Caller,
    CredentialRequest,
    Identity,
    OidcProvider,
    Principal,
    Provider,
    Role,
    SamlProvider,
)
from app.policy.condition_keys import OIDC_CLAIMS, SAML_ATTRIBUTES, multivalued
from app.policy.request import RequestContext, Value, put

_RESERVED_ISSUERS = frozenset({"aws", "daypass", "saml", "sts"})


def context(
    principal: Principal,
    role: Role,
    caller: Caller,
    now: datetime,
    request: CredentialRequest | None = None,
    *,
    provider: Provider | None = None,
) -> Mapping[str, Value]:
    """Condition keys for "may this person assume this role now".

    `request` is what would go to STS, if it is known already; else session tags are those that the
    principal and the role bring (the role's win), and the session's name is absent. `provider` is the
    principal's source in the active configuration; without it there are no `saml:` and issuer keys.
    """
    return PersonContexts(principal, caller, now, request, provider=provider)(role)


class PersonContexts:
    """`context` for many roles: what concerns the person is gathered once, and only when it is needed."""

    __slots__ = ("_given", "_person", "_principal", "_request")

    def __init__(
        self,
        principal: Principal,
        caller: Caller,
        now: datetime,
        request: CredentialRequest | None = None,
        *,
        provider: Provider | None = None,
    ) -> None:
        self._principal = principal
        self._request = request
        self._given = (caller, now, provider)
        self._person: dict[str, Value] | None = None

    def __call__(self, role: Role) -> RequestContext:
        """The context for one role."""
        return _Lazy(lambda: (_role(self._principal, role, self._request), self._gathered()))

    @property
    def person(self) -> RequestContext:
        """The keys that do not depend on a role (`of_role` is False for them)."""
        return RequestContext(self._gathered())

    def _gathered(self) -> dict[str, Value]:
        if self._person is None:
            caller, now, provider = self._given
            self._person = _person(self._principal, caller, now, provider)
        return self._person


class _Lazy(RequestContext):
    """A context that is put together when a condition first asks."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], tuple[Mapping[str, Value], ...]]) -> None:
        self._make: Callable[[], tuple[Mapping[str, Value], ...]] | None = make
        super().__init__()

    def find(self, key: str) -> Value | None:
        if self._make is not None:
            self._layers = self._make()
            self._make = None
        return super().find(key)

    def __iter__(self) -> Iterator[str]:
        self.find("")
        return super().__iter__()


_OF_ROLE = frozenset(
    {
        "aws:tagkeys",
        "daypass:rolelevel",
        "sts:externalid",
        "sts:rolesessionname",
        "sts:sourceidentity",
        "sts:transitivetagkeys",
    }
)
_OF_ROLE_FAMILIES = ("aws:requesttag/", "aws:resourcetag/")


def of_role(key: str) -> bool:
    """True for a folded key whose value can differ from role to role for the same person."""
    return key in _OF_ROLE or key.startswith(_OF_ROLE_FAMILIES)


def _seconds(span: timedelta) -> str:
    return str(max(0, int(span.total_seconds())))


def _person(
    principal: Principal, caller: Caller, now: datetime, provider: Provider | None
) -> dict[str, Value]:
    """Keys that are the same for every role. Literal names are folded already."""
    identity = principal.identity
    authentication = identity.authentication
    mfa_at = authentication.mfa_at
    keys: dict[str, Value] = {
        "aws:currenttime": now.isoformat().replace("+00:00", "Z"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:multifactorauthpresent": "false" if mfa_at is None else "true",
        "aws:securetransport": "true" if caller.secure else "false",
        "aws:sourceip": caller.address,
        "aws:userid": f"{identity.source}:{identity.subject}",
        "aws:username": identity.username,
        "daypass:authenticationage": _seconds(now - authentication.at),
        "daypass:phishingresistant": "true" if authentication.phishing_resistant else "false",
        "daypass:source": identity.source,
    }
    if mfa_at is not None:
        keys["aws:multifactorauthage"] = _seconds(now - mfa_at)
    if caller.user_agent:
        keys["aws:useragent"] = caller.user_agent
    if caller.client is not None:
        keys["daypass:client"] = caller.client
    if caller.device is not None:
        keys["daypass:device"] = caller.device
    if caller.identity_id is not None:
        keys["daypass:identity-id"] = caller.identity_id
    if authentication.methods:
        keys["daypass:amr"] = authentication.methods
    if authentication.context is not None:
        keys["daypass:acr"] = authentication.context
    if principal.groups:
        keys["daypass:groups"] = tuple(sorted(principal.groups))
    for name, value in principal.tags.items():
        put(keys, f"aws:PrincipalTag/{name}", value)
    for name, values in identity.claims.items():
        if values:
            put(keys, f"daypass:Claim/{name}", values[0] if len(values) == 1 else values)
    if isinstance(provider, SamlProvider):
        _saml(keys, identity)
    elif isinstance(provider, OidcProvider):
        _oidc(keys, identity, provider)
    return keys


def role_facts(role: Role) -> dict[str, Value]:
    """Keys that a role of the catalogue has for everybody, folded (`of_catalogue` is True for them)."""
    keys: dict[str, Value] = {"daypass:rolelevel": role.level}
    for name, value in role.tags.items():
        put(keys, f"aws:ResourceTag/{name}", value)
    return keys


def of_catalogue(key: str) -> bool:
    """True for a folded key whose value the catalogue of roles alone decides."""
    return key == "daypass:rolelevel" or key.startswith("aws:resourcetag/")


def _role(principal: Principal, role: Role, request: CredentialRequest | None) -> dict[str, Value]:
    """Keys that depend on the role and on what goes to STS."""
    keys = role_facts(role)
    tags = {**principal.tags, **role.tags} if request is None else request.tags
    for name, value in tags.items():
        put(keys, f"aws:RequestTag/{name}", value)
    if tags:
        keys["aws:tagkeys"] = tuple(tags)
    if role.external_id is not None:
        keys["sts:externalid"] = role.external_id
    if request is not None:
        keys["sts:rolesessionname"] = request.session_name
        keys["sts:sourceidentity"] = request.source_identity
    return keys


def _saml(keys: dict[str, Value], identity: Identity) -> None:
    for name, oid in SAML_ATTRIBUTES.items():
        values = identity.claims.get(name) or identity.claims.get(oid)
        if values:
            single = len(values) == 1 and not multivalued(f"saml:{name}")
            put(keys, f"saml:{name}", values[0] if single else values)
    subject = identity.claims.get("NameID")
    if subject and len(subject) == 1:
        keys["saml:sub"] = subject[0]


def issuer_of(provider: OidcProvider) -> str | None:
    """What stands before the colon in the provider's own keys; None where that is a name of ours."""
    issuer = provider.issuer.partition("://")[2].rstrip("/")
    return issuer if issuer and issuer.lower() not in _RESERVED_ISSUERS else None


def _oidc(keys: dict[str, Value], identity: Identity, provider: OidcProvider) -> None:
    issuer = issuer_of(provider)
    if issuer is None:
        return
    for row in OIDC_CLAIMS:
        values = identity.claims.get(row.name)
        if values:
            single = len(values) == 1 and not row.multivalued
            put(keys, f"{issuer}:{row.name}", values[0] if single else values)
