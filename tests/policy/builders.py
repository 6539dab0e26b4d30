"""Valid policies, people and revisions, of which a test names only what matters to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from app.model import (
    Authentication,
    Caller,
    Endpoint,
    Group,
    Identity,
    Level,
    PolicyText,
    Principal,
    Provider,
    Revision,
    Role,
    RoleArn,
    Settings,
    SourceId,
)
from app.policy import Document, Kind, parse

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CALLER = Caller(request_id="r-1", address="203.0.113.7", user_agent="test/1")
ACCOUNT = "111122223333"


def arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def statement(effect: str = "Allow", **elements: object) -> dict[str, object]:
    made: dict[str, object] = {"Effect": effect}
    if "NotAction" not in elements:
        made["Action"] = "sts:AssumeRole"
    if "NotResource" not in elements:
        made["Resource"] = "*"
    return {**made, **elements}


def text(*statements: object, name: str = "p", version: str = "2012-10-17") -> PolicyText:
    body = {"Version": version, "Statement": list(statements)}
    return PolicyText(name, json.dumps(body, indent=2), f"policies/{name}.json")


def document(*statements: object, kind: Kind = Kind.IDENTITY, version: str = "2012-10-17") -> Document:
    return parse(text(*statements, version=version), kind)


def role(
    name: str,
    *,
    level: Level = "admin",
    allow: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
    external_id: str | None = None,
) -> Role:
    return Role(
        RoleArn(arn(name)),
        ACCOUNT,
        "production",
        name,
        level=level,
        allow=allow,
        tags=tags or {},
        external_id=external_id,
    )


def revision(
    *roles: Role,
    groups: Sequence[Group] = (),
    policies: Sequence[PolicyText] = (),
    guardrails: Sequence[tuple[str, tuple[PolicyText, ...]]] = (),
    providers: Mapping[SourceId, Provider] | None = None,
    places: Mapping[RoleArn, tuple[str, int]] | None = None,
) -> Revision:
    settings = Settings("t", "http://localhost:8000", "sqlite://", "keys", Endpoint("aws", ("eu-west-1",)))
    return Revision(
        7,
        "0" * 64,
        settings,
        providers or {},
        {each.arn: each for each in roles},
        {each.name: each for each in groups},
        {each.name: each for each in policies},
        guardrails,
        short_form_places=places or {},
    )


def principal(
    *groups: str,
    policies: tuple[str, ...] = (),
    claims: Mapping[str, tuple[str, ...]] | None = None,
    username: str = "ana",
    source: str = "corp",
    mfa_at: datetime | None = None,
    tags: Mapping[str, str] | None = None,
) -> Principal:
    identity = Identity(
        SourceId(source), "s-1", username, claims or {}, Authentication(NOW, ("pwd",), mfa_at=mfa_at)
    )
    return Principal(identity, frozenset(groups), policies, None, tags or {}, 7)
