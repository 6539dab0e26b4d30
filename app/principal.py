"""Identity + Revision → Principal. Pure: the same identity and revision give the same principal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from app.errors import NotSignedIn
from app.model import (
    Caller,
    GroupMap,
    Identity,
    Principal,
    Provider,
    Revision,
    SamlProvider,
    Session,
    SourceId,
)


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


def principal(identity: Identity, revision: Revision) -> Principal:
    """What the active revision attaches to a person.

    Groups are mapped anew from the claims of the sign-in, so that a change of the table counts at once.

    Raises:
        NotSignedIn: the revision has no such source any more.
    """
    provider = revision.providers.get(identity.source)
    if provider is None:
        raise NotSignedIn(f"source {identity.source} is not in revision {revision.number}")
    groups = _groups(provider, identity)
    attached = {
        name: None  # a dict keeps the order of the files and drops doubles
        for group in sorted(groups)
        if group in revision.groups
        for name in revision.groups[group].policies
    }
    return Principal(
        identity=identity,
        groups=groups,
        policies=tuple(attached),
        boundary=provider.boundary,
        tags=_tags(provider.session_tags, identity.claims),
        revision=revision.number,
    )


def asking(session: Session, caller: Caller) -> Caller:
    """The caller with the client and device of its session, for policy conditions; a browser's own has neither."""
    return replace(caller, client=session.client, device=session.device)


def trust(provider: Provider) -> str:
    """What decides whom a source's proofs are believed to name, as a digest (hex).

    Where it changes under the same source id, what was believed before counts no more: another directory's
    subjects are other people, and what was proof of a second factor may be none. Not in it is what is applied
    anew at each question: groups, session tags, the boundary.
    """
    if isinstance(provider, SamlProvider):
        xml = provider.metadata_xml
        told = [provider.metadata_url, None if xml is None else hashlib.sha256(xml).hexdigest()]
    else:
        told = [provider.issuer, provider.client_id, str(provider.userinfo), *sorted(provider.scopes)]
    claims, mfa = provider.claims, provider.mfa
    names = [claims.subject, claims.username, claims.groups]
    parts = [provider.type, told, names, sorted(mfa.contexts), sorted(mfa.methods)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _groups(provider: Provider, identity: Identity) -> frozenset[str]:
    claim = provider.claims.groups
    if claim is None:
        return frozenset()
    return map_groups(provider.id, provider.groups, identity.claims.get(claim, ()))


def _tags(wanted: Mapping[str, str], claims: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    # A claim with several values makes no tag (STS takes one value each); `issue` refuses such a person
    # rather than send a tag less, which could open what a tag-based policy closes.
    return {tag: claims[claim][0] for tag, claim in wanted.items() if len(claims.get(claim, ())) == 1}
