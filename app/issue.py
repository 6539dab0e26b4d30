"""Principal + Role + RoleAsk → CredentialRequest. Pure: what goes to STS is decided here, and only here.

Sources: STS API Reference, AssumeRole (alphabets, lengths); IAM User Guide, "Session tags", "Monitor and
control actions taken with assumed roles" (source identity). Session names and source identities stand in
CloudTrail: those of an app's people name the identity that they have in the app, never an address or a user name.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType

from app.errors import DurationInvalid, RequestNotPossible
from app.model import (
    APP_GROUPS,
    DEFAULT_DURATION,
    LONGEST,
    SHORTEST,
    CredentialRequest,
    Identity,
    PolicyText,
    Principal,
    Revision,
    Role,
    RoleAsk,
    Session,
    SourceId,
)
from app.policy import (
    CLIENT,
    IDENTITY_ID,
    SOURCE,
    Kind,
    PolicyInvalid,
    intersect,
    missing,
    needed,
    parse,
    resolve,
)

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
SESSION_POLICY_LIMIT = 2048
"""Characters of inline session policy and policy ARNs together (STS API Reference, AssumeRole)."""

_FOREIGN = re.compile(r"[^A-Za-z0-9+=,.@-]+")
_TAG = re.compile(r"[\w\s.:/=+\-@]*\Z")
_SUFFIX = 10
_NAME_LIMIT = 64
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def source_identity(source: SourceId, subject: str) -> str:
    """The stable, unique name of a person towards AWS, from (source, subject) alone.

    128 bits of a hash, since a subject may be any text and AWS takes 2 to 64 of `[A-Za-z0-9+=,.@-]`; the
    source in front for the reader of CloudTrail. A source id has at most 32 characters of `[a-z0-9-]`.
    """
    # The length in front keeps (a, bc) and (ab, c) apart.
    digest = hashlib.sha256(f"{len(source)}:{source}:{subject}".encode()).digest()[:16]
    return f"{source}-{base64.b32encode(digest).decode().rstrip('=').lower()}"


def identity_name(identity_id: str) -> str:
    """The name of a pool's identity towards AWS: `app-` and the id, so that CloudTrail leads to the person's own things.

    Another for each id, and nobody's outside of pools: no source is called `app`, and what follows a source's name
    is 26 letters without a dash. An id that is no UUID is hashed, since AWS takes 64 characters of its alphabet.
    """
    if _UUID.fullmatch(identity_id):
        return f"{APP_GROUPS}-{identity_id}"
    return source_identity(SourceId(APP_GROUPS), identity_id)


def session_variables(session: Session) -> dict[str, str]:
    """Values of policy variables that a session gives: its client, and the identity it has there."""
    found = {CLIENT: session.client or "", IDENTITY_ID: session.pool_identity}
    return {name: value for name, value in found.items() if value}


def session_name(username: str, identity: str) -> str:
    """RoleSessionName: the username as far as AWS's alphabet goes, then the end of the source identity.

    The suffix is always there, so that no claimed username can look like another person in CloudTrail.
    """
    suffix = identity[-_SUFFIX:]
    return f"{_FOREIGN.sub('-', username)[: _NAME_LIMIT - _SUFFIX - 1]}-{suffix}"


def build(
    principal: Principal,
    role: Role,
    ask: RoleAsk,
    revision: Revision,
    variables: Mapping[str, str] = NO_VARIABLES,
) -> CredentialRequest:
    """What goes to STS for this person, role and wish.

    `variables` are values of policy variables that come from the session (`session_variables`);
    `policy_variables` adds those that the person's own identity gives. Where `daypass:identity-id` is among them,
    the names towards AWS are made of it: who uses an app is known to AWS by that alone.

    Raises:
        DurationInvalid: outside 900 to 3600 seconds, or not whole seconds.
        RequestNotPossible: a tag or a session policy that STS would not take, or a variable in the session
            policy that has no value.
    """
    name, session = _names(principal.identity, variables)
    return CredentialRequest(
        role=role,
        duration=_duration(ask.duration, role),
        session_name=session,
        source_identity=name,
        tags=_tags(principal, role, revision),
        policy=_session_policy(principal, role, revision, variables),
        hops=_hops(role, revision),
    )


def missing_variables(
    principal: Principal, role: Role, revision: Revision, variables: Mapping[str, str] = NO_VARIABLES
) -> frozenset[str]:
    """Folded names of variables without which this role's session policy cannot be made for this person.

    Empty if there are none, and if the policy cannot be made for another reason, which `build` tells.
    """
    try:
        texts = _caps(principal, role, revision)
        if not any("${" in each.text for each in texts):
            return frozenset()
        return missing(_joined(texts), {**policy_variables(principal.identity), **variables})
    except RequestNotPossible:
        return frozenset()


def check_duration(asked: timedelta | None) -> None:
    """Whether it may be asked for at all: None, or whole seconds from 900 to 3600. Raises DurationInvalid."""
    if asked is not None and (not SHORTEST <= asked <= LONGEST or asked.microseconds):
        raise DurationInvalid(f"asked for {asked.total_seconds()} s")


def _duration(asked: timedelta | None, role: Role) -> timedelta:
    check_duration(asked)
    return min(DEFAULT_DURATION if asked is None else asked, role.max_duration)


def _tags(principal: Principal, role: Role, revision: Revision) -> dict[str, str]:
    provider = revision.providers.get(principal.identity.source)
    for tag, claim in provider.session_tags.items() if provider is not None else ():  # a guest has none
        if len(principal.identity.claims.get(claim, ())) > 1:
            raise RequestNotPossible(f"claim {claim!r} has several values, session tag {tag!r} takes one")
    tags = {**principal.tags, **role.tags}
    for key, value in tags.items():
        if len(value) > 256 or not _TAG.match(value):
            raise RequestNotPossible(
                f"session tag {key!r} has a value outside AWS's alphabet or 256 characters"
            )
    return tags


def _names(identity: Identity, variables: Mapping[str, str]) -> tuple[str, str]:
    """Source identity and session name."""
    identity_id = variables.get(IDENTITY_ID)
    if not identity_id:
        name = source_identity(identity.source, identity.subject)
        return name, session_name(identity.username, name)
    name = identity_name(identity_id)
    # The app in front for the reader, as far as there is room; the identity whole, so that no two look alike.
    whole = name.removeprefix(f"{APP_GROUPS}-")
    app = variables.get(CLIENT) or APP_GROUPS
    return name, f"{_FOREIGN.sub('-', app)[: _NAME_LIMIT - len(whole) - 1]}-{whole}"


def policy_variables(identity: Identity) -> dict[str, str]:
    """Values of `${daypass:…}` in a session policy that an identity gives: its source, and claims of one value."""
    found = {
        f"daypass:Claim/{name}": values[0] for name, values in identity.claims.items() if len(values) == 1
    }
    return {**found, SOURCE: identity.source}


def _session_policy(
    principal: Principal, role: Role, revision: Revision, variables: Mapping[str, str]
) -> str | None:
    """The role's session policy and the source's boundary: one document that never allows more than either."""
    texts = _caps(principal, role, revision)
    if not texts:
        return None
    text = _joined(texts)
    if "${" not in text:
        return text
    values = {**policy_variables(principal.identity), **variables}
    if not values.get(IDENTITY_ID) and IDENTITY_ID in needed(text):
        raise RequestNotPossible(
            f"session policy: there is no `{IDENTITY_ID}` in this session",
            words=f"This role is for people of an app: its session policy needs `${{{IDENTITY_ID}}}`, "
            "which only a session of that app has. Ask for the role in the app.",
        )
    # After the intersection, which is the same for everybody and takes a variable for what it is: any text.
    return resolve(text, values)


def _caps(principal: Principal, role: Role, revision: Revision) -> tuple[PolicyText, ...]:
    names = [name for name in (role.session_policy, principal.boundary) if name is not None]
    gone = [name for name in names if name not in revision.policies]
    if gone:  # a local user's boundary: no revision is checked against what users carry
        raise RequestNotPossible(f"boundary {gone[0]!r} is not in revision {revision.number}")
    return tuple(revision.policies[name] for name in names)


def _joined(texts: tuple[PolicyText, ...]) -> str:
    return _minified(texts[0]) if len(texts) == 1 else _both(*texts)


# The same few documents go along with every session of a role: what comes of them is computed once.
@lru_cache(maxsize=256)
def _both(first: PolicyText, second: PolicyText) -> str:
    try:
        return intersect(parse(first, Kind.SESSION), parse(second, Kind.SESSION))
    except PolicyInvalid as invalid:  # a local user's boundary that is no session policy in this revision
        raise RequestNotPossible(f"session policy: {invalid}") from None


@lru_cache(maxsize=256)
def _minified(policy: PolicyText) -> str:
    text = json.dumps(json.loads(policy.text), separators=(",", ":"), ensure_ascii=False)
    if len(text) > SESSION_POLICY_LIMIT:
        raise RequestNotPossible(
            f"session policy {policy.name!r} has {len(text)} of {SESSION_POLICY_LIMIT} characters"
        )
    return text


def _hops(role: Role, revision: Revision) -> tuple[Role, ...]:
    if role.via is None:
        return ()
    hop = revision.roles.get(role.via)
    if hop is not None:
        return (hop,)
    # A hub need not be a role that anybody may ask for: then it stands in no account's list.
    account, _, name = role.via.split(":", 4)[4].partition(":role/")
    return (Role(arn=role.via, account=account, account_name=account, name=name),)
