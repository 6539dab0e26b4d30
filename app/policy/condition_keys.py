"""The table of condition keys: name, type, single- or multivalued, meaning. The docs come from it.

Sources: IAM User Guide, "AWS global condition context keys", "IAM and AWS STS condition context keys".
A name that ends in `/` is a family: the rest of the key is a tag's, a claim's or an attribute's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from app.policy.text import fold

Type = Literal["String", "Numeric", "Date", "Bool", "IpAddress", "Arn"]


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One row."""

    name: str
    type: Type
    multivalued: bool
    meaning: str


def _one(name: str, type_: Type, meaning: str) -> ConditionKey:
    return ConditionKey(name, type_, multivalued=False, meaning=meaning)


def _many(name: str, type_: Type, meaning: str) -> ConditionKey:
    return ConditionKey(name, type_, multivalued=True, meaning=meaning)


OIDC_CLAIMS: Final[tuple[ConditionKey, ...]] = (
    _one("aud", "String", "ISSUER:aud, audience of the ID token; ISSUER is the address without https://"),
    _one("azp", "String", "ISSUER:azp, the party the ID token was issued to"),
    _many("amr", "String", "ISSUER:amr, how the person was authenticated"),
    _one("sub", "String", "ISSUER:sub, the person at that provider"),
)
"""Claims of an OpenID provider that are keys of their own, after the issuer and a colon."""

SAML_ATTRIBUTES: Final[dict[str, str]] = {
    "cn": "urn:oid:2.5.4.3",
    "commonName": "urn:oid:2.5.4.3",
    "eduPersonAffiliation": "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
    "eduPersonAssurance": "urn:oid:1.3.6.1.4.1.5923.1.1.1.11",
    "eduPersonEntitlement": "urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
    "eduPersonPrimaryAffiliation": "urn:oid:1.3.6.1.4.1.5923.1.1.1.5",
    "eduPersonPrincipalName": "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
    "eduPersonScopedAffiliation": "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
    "givenName": "urn:oid:2.5.4.42",
    "mail": "urn:oid:0.9.2342.19200300.100.1.3",
    "organizationStatus": "urn:oid:0.9.2342.19200300.100.1.45",
    "surname": "urn:oid:2.5.4.4",
    "uid": "urn:oid:0.9.2342.19200300.100.1.1",
}
"""SAML attributes that AWS knows as `saml:NAME`, with their object identifiers. All but two are multivalued."""

_SAML_SINGLE: Final = frozenset({"eduPersonPrimaryAffiliation", "eduPersonPrincipalName"})

KEYS: Final[tuple[ConditionKey, ...]] = (
    _one("aws:CurrentTime", "Date", "now, ISO 8601 in UTC"),
    _one("aws:EpochTime", "Date", "now, in seconds since 1970"),
    _one("aws:MultiFactorAuthAge", "Numeric", "seconds since a second factor was proven; absent if none was"),
    _one(
        "aws:MultiFactorAuthPresent",
        "Bool",
        "true if a second factor was proven, at sign-in or since; always there",
    ),
    _one("aws:PrincipalTag/", "String", "a tag of the person, from claims (`session_tags` of the source)"),
    _one("aws:RequestTag/", "String", "a session tag that goes to AWS with this request"),
    _one("aws:ResourceTag/", "String", "a tag of the role, from accounts.yaml"),
    _one("aws:SecureTransport", "Bool", "true if the request came over TLS"),
    _one("aws:SourceIp", "IpAddress", "address the request came from"),
    _many("aws:TagKeys", "String", "names of the session tags that go to AWS; absent if there are none"),
    _one("aws:UserAgent", "String", "what the client calls itself; proves nothing"),
    _one("aws:userid", "String", "SOURCE:SUBJECT, unique and stable"),
    _one("aws:username", "String", "the person's user name at the broker; unique only within its source"),
    _one("daypass:Acr", "String", "authentication context (acr, AuthnContextClassRef) as the source says"),
    _many(
        "daypass:Amr",
        "String",
        "authentication methods (RFC 8176): as the source says, and of factors proven here",
    ),
    _one(
        "daypass:AuthenticationAge",
        "Numeric",
        "seconds since the source authenticated the person; of an access token that an app brings, since it was made, "
        "and a year where its provider does not say",
    ),
    _one(
        "daypass:Claim/",
        "String",
        "a claim or attribute as the source sent it; several values if it has several",
    ),
    _one("daypass:Client", "String", "OAuth client that asks; absent in a browser session"),
    _one("daypass:Device", "String", "approved device that asks; absent in a browser session"),
    _many("daypass:Groups", "String", "the person's groups at the broker; `app/CLIENT` for people of an app"),
    _one(
        "daypass:identity-id",
        "String",
        "the identity that a person or guest has in an app's pool; absent elsewhere",
    ),
    _one("daypass:PhishingResistant", "Bool", "true if the proof could not have been phished"),
    _one("daypass:RoleLevel", "String", "level of the role: admin, power or read"),
    _one(
        "daypass:Source",
        "String",
        "source that the person signed in with; `local` for local users, `root`, `guest` for an app's guests",
    ),
    *(
        ConditionKey(f"saml:{name}", "String", name not in _SAML_SINGLE, f"SAML attribute {name} or {oid}")
        for name, oid in SAML_ATTRIBUTES.items()
    ),
    _one("saml:aud", "String", "the assertion's audience"),
    _one("saml:iss", "String", "the SAML identity provider"),
    _one("saml:namequalifier", "String", "hash that names the provider and the person's account"),
    _one("saml:sub", "String", "NameID of the assertion"),
    _one("saml:sub_type", "String", "format of the NameID: persistent, transient or its full address"),
    _one("sts:ExternalId", "String", "external ID that goes to AWS with this role"),
    _one("sts:RoleSessionName", "String", "session name that goes to AWS"),
    _one("sts:SourceIdentity", "String", "source identity that goes to AWS"),
    _many("sts:TransitiveTagKeys", "String", "names of the session tags that outlast a role chain"),
)

_EXACT: Final = {fold(row.name): row for row in KEYS if not row.name.endswith("/")}
_FAMILIES: Final = {fold(row.name): row for row in KEYS if row.name.endswith("/")}


def find(name: str) -> ConditionKey | None:
    """The row of a key's name, in any case; None for a key that the table does not know."""
    key = fold(name)
    row = _EXACT.get(key)
    if row is None and "/" in key:
        row = _FAMILIES.get(key[: key.index("/") + 1])
    return row


def multivalued(name: str) -> bool:
    """True for a key that the table calls multivalued."""
    row = find(name)
    return row is not None and row.multivalued
