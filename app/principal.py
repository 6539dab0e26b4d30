"""Identity + Revision → Principal. Pure: the same identity and revision give the same principal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lxml import etree

from app.errors import NotSignedIn
from app.model import (
    APP_GROUPS,
    EXCHANGE,
    GUEST,
    Caller,
    GroupMap,
    Identity,
    OidcProvider,
    Principal,
    Provider,
    Revision,
    SamlProvider,
    Session,
    SourceId,
)
from app.people import LOCAL, ROOT, ROOT_SUBJECT, LocalUser, UserState

_METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_OWN_SPACE = "the broker's own"
"""Stands for the people whom no provider vouches for: their ids are the broker's, and never given twice."""


def map_groups(source: SourceId, table: GroupMap, theirs: Iterable[str]) -> frozenset[str]:
    """A directory's group names to ours.

    A bare name comes only from an explicit row of the source's table; with `"*": keep` the rest comes in
    as `SOURCE/NAME`, so that no directory can name itself into another's groups.
    """
    ours = set()
    for name in theirs:
        if name in table.names:
            ours.add(table.names[name])
        elif table.keep and name.strip():
            ours.add(f"{source}/{name}")
    return frozenset(ours)


def principal(
    identity: Identity, revision: Revision, client: str | None = None, user: LocalUser | None = None
) -> Principal:
    """What the active revision attaches to a person.

    Groups are mapped anew from the claims of the sign-in, so that a change of the table counts at once. `client` is
    the OAuth client of the session: one that may bring tokens of its people gives them the group `app/CLIENT`.
    Its guests have `app/CLIENT/guests` and nothing else: no source vouches for them. `user` is the local user in
    the version that counts; for root there is nothing to attach.

    Raises:
        NotSignedIn: the revision has no such source any more, or the client no guests; the local user is not
            given, is another, or may not sign in.
    """
    if identity.source == ROOT:
        return _root(identity, revision)
    provider = revision.providers.get(identity.source)
    own = _active(identity, user) if identity.source == LOCAL else None
    if own is not None:
        groups = frozenset(own.groups) | _of_app(revision, client)
    elif identity.source == GUEST:
        groups = _guests(revision, client)
    elif provider is None:
        raise NotSignedIn(f"source {identity.source} is not in revision {revision.number}")
    else:
        groups = _groups(provider, identity) | _of_app(revision, client)
    attached = dict.fromkeys(own.policies) if own is not None else {}  # keeps the order and drops doubles
    for group in sorted(groups):
        if group in revision.groups:
            attached.update(dict.fromkeys(revision.groups[group].policies))
    caps = own if own is not None else provider
    return Principal(
        identity=identity,
        groups=groups,
        policies=tuple(attached),
        boundary=caps.boundary if caps is not None else None,
        tags=_tags(provider.session_tags, identity.claims) if provider is not None else {},
        revision=revision.number,
        inline=own.inline if own is not None else (),
    )


def asking(session: Session, caller: Caller) -> Caller:
    """The caller with what its session says, for policy conditions: client, device, identity; a browser's own has none."""
    return replace(
        caller, client=session.client, device=session.device, identity_id=session.pool_identity or None
    )


def app_group(client: str) -> str:
    """The group of everybody whom that app brings, but its guests."""
    return f"{APP_GROUPS}/{client}"


def guest_group(client: str) -> str:
    """The group of that app's guests."""
    return f"{APP_GROUPS}/{client}/guests"


def trust(provider: Provider) -> str:
    """What decides whom a source's proofs are believed to name, as a digest (hex).

    Where it changes under the same source id, what was believed before counts no more: another directory's
    subjects are other people, and what was proof of a second factor may be none. Not in it is what is applied
    anew at each question: groups, session tags, the boundary.
    """
    if isinstance(provider, SamlProvider):
        xml = provider.metadata_xml
        told = [provider.metadata_url, None if xml is None else hashlib.sha256(xml).hexdigest()]
    elif isinstance(provider, OidcProvider):
        told = [provider.issuer, provider.client_id, str(provider.userinfo), *sorted(provider.scopes)]
    else:
        asked = (provider.authorize_url, provider.token_url, provider.userinfo_url, provider.emails_url)
        check = (provider.check.kind, provider.check.url)
        told = [*asked, *check, provider.client_id, *sorted(provider.scopes)]
    claims, mfa = provider.claims, provider.mfa
    names = [claims.subject, claims.username, claims.groups]
    parts = [provider.type, told, names, sorted(mfa.contexts), sorted(mfa.methods)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def subject_space(provider: Provider | None) -> str:
    """What makes a source's subjects the same people, as a digest (hex); None: the broker's own people.

    Narrower than `trust`: a factor stays a person's when what the source is asked for or believed about changes,
    and is nobody's once the same subject may be somebody else.
    """
    if provider is None:
        parts: list[object] = [_OWN_SPACE]
    else:
        parts = [provider.type, _names_people(provider), provider.claims.subject]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _names_people(provider: Provider) -> object:
    """Who gives the subjects out."""
    if isinstance(provider, SamlProvider):
        if provider.metadata_url is not None:
            return ["url", provider.metadata_url]
        return ["entity", _entity(provider.metadata_xml or b"")]
    if isinstance(provider, OidcProvider):
        return provider.issuer
    return provider.userinfo_url


def _entity(metadata: bytes) -> str:
    """Name of the party that metadata describe: it outlasts new certificates. Unreadable ones stand for themselves."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        found = next(etree.fromstring(metadata, parser).iter(f"{_METADATA}EntityDescriptor")).get("entityID")
    except (etree.XMLSyntaxError, StopIteration):
        found = None
    return found or hashlib.sha256(metadata).hexdigest()


def _root(identity: Identity, revision: Revision) -> Principal:
    if identity.subject != ROOT_SUBJECT:
        raise NotSignedIn("the root user has one subject")
    return Principal(identity, frozenset(), (), None, {}, revision.number, root=True)


def _active(identity: Identity, user: LocalUser | None) -> LocalUser:
    if user is None or user.id != identity.subject or user.state is not UserState.ACTIVE:
        state = "not known" if user is None else user.state.value
        raise NotSignedIn(f"local user {identity.subject} is {state}")
    return user


def _of_app(revision: Revision, client: str | None) -> frozenset[str]:
    found = revision.clients.get(client) if client is not None else None
    return frozenset() if found is None or EXCHANGE not in found.grants else frozenset({app_group(found.id)})


def _guests(revision: Revision, client: str | None) -> frozenset[str]:
    found = revision.clients.get(client) if client is not None else None
    if found is None or not found.guests:
        raise NotSignedIn(f"client {client} has no guests in revision {revision.number}")
    return frozenset({guest_group(found.id)})


def _groups(provider: Provider, identity: Identity) -> frozenset[str]:
    claim = provider.claims.groups
    if claim is None:
        return frozenset()
    return map_groups(provider.id, provider.groups, identity.claims.get(claim, ()))


def _tags(wanted: Mapping[str, str], claims: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    # A claim with several values makes no tag (STS takes one value each); `issue` refuses such a person
    # rather than send a tag less, which could open what a tag-based policy closes.
    return {tag: claims[claim][0] for tag, claim in wanted.items() if len(claims.get(claim, ())) == 1}
