"""The accounts that the AWS double plays: the shipped ones, and the roles that your own `config/` adds.

With AWS, somebody sets up each role by hand. In the demo a role that is only in `accounts.yaml` is given
the trust that the broker's configuration supposes, so that an edited copy of `config/` works at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from demo.running.entitled import ConfiguredRole

_WITH = ["sts:TagSession", "sts:SetSourceIdentity"]


def accounts(
    shipped: Mapping[str, Any],
    configured: Sequence[ConfiguredRole],
    regions: Sequence[str],
    environment: Mapping[str, str],
) -> dict[str, Any]:
    """An accounts document for the double (shape: `demo/aws/accounts.yaml`).

    External IDs of added roles are taken from `environment`, where `{env: NAME}` says so.
    """
    roles = {role["arn"]: dict(role) for role in shipped["roles"]}
    users = {user["arn"]: dict(user) for user in shipped["users"]}
    broker = shipped["broker"]
    for role in configured:
        if role.arn in roles:
            continue
        if role.via and role.via not in roles:
            roles[role.via] = {"arn": role.via, "trust": _trust(broker, None)}
            _permit(users[broker], role.via)
        caller = role.via or broker
        roles[role.arn] = {
            "arn": role.arn,
            "trust": _trust(caller, _external_id(role.external_id, environment)),
        }
        _permit(roles[role.via] if role.via else users[broker], role.arn)
    return {
        **shipped,
        "regions": sorted({*shipped.get("regions", ()), *regions}),
        "users": list(users.values()),
        "roles": list(roles.values()),
    }


def _trust(caller: str, external_id: str | None) -> dict[str, Any]:
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    principal = {"AWS": caller}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition},
            {"Effect": "Allow", "Principal": principal, "Action": _WITH},
        ],
    }


def _permit(identity: dict[str, Any], role: str) -> None:
    allow = {"Effect": "Allow", "Action": ["sts:AssumeRole", *_WITH], "Resource": role}
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    identity["policies"] = [*identity.get("policies", ()), policy]


def _external_id(given: object, environment: Mapping[str, str]) -> str | None:
    if isinstance(given, Mapping) and "env" in given:
        return environment.get(str(given["env"]))
    return given if isinstance(given, str) else None
