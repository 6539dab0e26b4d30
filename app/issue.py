"""Principal + Role + RoleAsk → CredentialRequest. Pure: what goes to STS is decided here, and only here.

Sources: STS API Reference, AssumeRole (alphabets, lengths); IAM User Guide, "Session tags", "Monitor and
control actions taken with assumed roles" (source identity).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import timedelta
from functools import lru_cache

from app.errors import DurationInvalid, RequestNotPossible
from app.model import (
    DEFAULT_DURATION,
    LONGEST,
    SHORTEST,
    CredentialRequest,
    PolicyText,
    Principal,
    Revision,
    Role,
    RoleAsk,
    SourceId,
)
from app.policy import Kind, intersect, parse

SESSION_POLICY_LIMIT = 2048
"""Characters of inline session policy and policy ARNs together (STS API Reference, AssumeRole)."""

_FOREIGN = re.compile(r"[^A-Za-z0-9+=,.@-]+")
_TAG = re.compile(r"[\w\s.:/=+\-@]*\Z")
_SUFFIX = 10
_NAME_LIMIT = 64


def source_identity(source: SourceId, subject: str) -> str:
    """The stable, unique name of a person towards AWS, from (source, subject) alone.

    128 bits of a hash, since a subject may be any text and AWS takes 2 to 64 of `[A-Za-z0-9+=,.@-]`; the
    source in front for the reader of CloudTrail. A source id has at most 32 characters of `[a-z0-9-]`.
    """
    # The length in front keeps (a, bc) and (ab, c) apart.
    digest = hashlib.sha256(f"{len(source)}:{source}:{subject}".encode()).digest()[:16]
    return f"{source}-{base64.b32encode(digest).decode().rstrip('=').lower()}"


def session_name(username: str, identity: str) -> str:
    """RoleSessionName: the username as far as AWS's alphabet goes, then the end of the source identity.

    The suffix is always there, so that no claimed username can look like another person in CloudTrail.
    """
    suffix = identity[-_SUFFIX:]
    return f"{_FOREIGN.sub('-', username)[: _NAME_LIMIT - _SUFFIX - 1]}-{suffix}"


def build(principal: Principal, role: Role, ask: RoleAsk, revision: Revision) -> CredentialRequest:
    """What goes to STS for this person, role and wish.

    Raises:
        DurationInvalid: outside 900 to 3600 seconds, or not whole seconds.
        RequestNotPossible: a tag or a session policy that STS would not take.
    """
    identity = principal.identity
    name = source_identity(identity.source, identity.subject)
    return CredentialRequest(
        role=role,
        duration=_duration(ask.duration, role),
        session_name=session_name(identity.username, name),
        source_identity=name,
        tags=_tags(principal, role, revision),
        policy=_session_policy(principal, role, revision),
        hops=_hops(role, revision),
    )


def check_duration(asked: timedelta | None) -> None:
    """Whether it may be asked for at all: None, or whole seconds from 900 to 3600. Raises DurationInvalid."""
    if asked is not None and (not SHORTEST <= asked <= LONGEST or asked.microseconds):
        raise DurationInvalid(f"asked for {asked.total_seconds()} s")


def _duration(asked: timedelta | None, role: Role) -> timedelta:
    check_duration(asked)
    return min(DEFAULT_DURATION if asked is None else asked, role.max_duration)


def _tags(principal: Principal, role: Role, revision: Revision) -> dict[str, str]:
    provider = revision.providers[principal.identity.source]
    for tag, claim in provider.session_tags.items():
        if len(principal.identity.claims.get(claim, ())) > 1:
            raise RequestNotPossible(f"claim {claim!r} has several values, session tag {tag!r} takes one")
    tags = {**principal.tags, **role.tags}
    for key, value in tags.items():
        if len(value) > 256 or not _TAG.match(value):
            raise RequestNotPossible(
                f"session tag {key!r} has a value outside AWS's alphabet or 256 characters"
            )
    return tags


def _session_policy(principal: Principal, role: Role, revision: Revision) -> str | None:
    """The role's session policy and the source's boundary: one document that never allows more than either."""
    texts = [
        revision.policies[name] for name in (role.session_policy, principal.boundary) if name is not None
    ]
    if not texts:
        return None
    return _minified(texts[0]) if len(texts) == 1 else _both(*texts)


# The same few documents go along with every session of a role: what comes of them is computed once.
@lru_cache(maxsize=256)
def _both(first: PolicyText, second: PolicyText) -> str:
    return intersect(parse(first, Kind.SESSION), parse(second, Kind.SESSION))


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
