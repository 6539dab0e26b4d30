"""The steps of a role chain: which role with what, in order ("Role chaining", IAM User Guide)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from app.model import LONGEST, SHORTEST, CredentialRequest, Role


@dataclass(frozen=True, slots=True)
class Step:
    """One AssumeRole."""

    role: Role
    duration: timedelta
    session_name: str
    source_identity: str
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()


def steps(request: CredentialRequest, *, temporary: bool) -> tuple[Step, ...]:
    """The hops, then the role that was asked for.

    A hop lives as short as STS lets it and gets the name and the source identity alone: STS carries the
    source identity on and lets it never change, so saying it again is no change and satisfies trust
    policies that ask for it. Tags and session policies are the last session's; a tag set on a hop would
    have to be transitive, and STS then refuses to have it set again. `temporary` says that the caller's
    own credentials are: STS gives a chained session one hour at most, and refuses more.
    """
    hops = tuple(Step(hop, SHORTEST, request.session_name, request.source_identity) for hop in request.hops)
    chained = temporary or bool(hops)
    last = Step(
        role=request.role,
        duration=min(request.duration, LONGEST) if chained else request.duration,
        session_name=request.session_name,
        source_identity=request.source_identity,
        tags=request.tags,
        policy=request.policy,
        policy_arns=request.policy_arns,
    )
    return (*hops, last)
