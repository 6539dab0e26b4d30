"""Which condition keys a configuration can supply, before anybody has signed in (`offered`: and what came since).

What `context` puts into a request, source by source. Lint warns about every other key.
"""

from __future__ import annotations

from app.model import EXCHANGE, OAuth2Provider, OidcProvider, Revision, SamlProvider
from app.policy.condition_keys import OIDC_CLAIMS, SAML_ATTRIBUTES
from app.policy.context import issuer_of

_ALWAYS = frozenset(
    {
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:MultiFactorAuthAge",
        "aws:MultiFactorAuthPresent",
        "aws:SecureTransport",
        "aws:SourceIp",
        "aws:UserAgent",
        "aws:userid",
        "aws:username",
        "daypass:AuthenticationAge",
        "daypass:Client",
        "daypass:Device",
        "daypass:PhishingResistant",
        "daypass:RoleLevel",
        "daypass:Source",
        "sts:RoleSessionName",
        "sts:SourceIdentity",
    }
)


def supplied_keys(revision: Revision) -> frozenset[str]:
    """Names of condition keys that some request to this configuration can carry.

    A family ends with its slash where any name may follow (`daypass:Claim/`: nobody knows before a sign-in
    which claims a source sends); tags are named one by one, since the files name them.
    """
    found = set(_ALWAYS)
    theirs = {tag for provider in revision.providers.values() for tag in provider.session_tags}
    ours = {tag for role in revision.roles.values() for tag in role.tags}
    found.update(f"aws:PrincipalTag/{tag}" for tag in theirs)
    found.update(f"aws:RequestTag/{tag}" for tag in theirs | ours)
    found.update(f"aws:ResourceTag/{tag}" for tag in ours)
    if theirs or ours:
        found.add("aws:TagKeys")
    if any(role.external_id is not None for role in revision.roles.values()):
        found.add("sts:ExternalId")
    if any(EXCHANGE in client.grants for client in revision.clients.values()):
        found.update(("daypass:Groups", "daypass:identity-id"))  # of the app's people
    for provider in revision.providers.values():
        found.add("daypass:Claim/")
        if not isinstance(provider, OAuth2Provider):
            found.update(("daypass:Acr", "daypass:Amr"))
        if provider.claims.groups is not None:
            found.add("daypass:Groups")
        if isinstance(provider, SamlProvider):
            found.update(f"saml:{name}" for name in (*SAML_ATTRIBUTES, "sub"))
        elif isinstance(provider, OidcProvider) and (issuer := issuer_of(provider)) is not None:
            found.update(f"{issuer}:{row.name}" for row in OIDC_CLAIMS)
    return frozenset(found)
