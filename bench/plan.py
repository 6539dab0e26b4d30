"""Figures of a plan at size: `python bench/plan.py`. 10,000 people, 1,000 roles, 200 groups of 20 statements each.

Prints how long it takes to say who gains and loses what when one policy changes, and the ratio to deciding
every role for every person one by one (measured on a sample in the same run).
"""

from __future__ import annotations

import json
import random
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.access import View, compare
from app.model import (
    Authentication,
    Caller,
    ClaimMap,
    Endpoint,
    Group,
    GroupMap,
    Identity,
    OidcProvider,
    PolicyText,
    Revision,
    Role,
    RoleArn,
    Settings,
    SourceId,
)
from app.principal import principal

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CORP = SourceId("corp")
PEOPLE, ROLES, GROUPS, SAMPLE = 10_000, 1_000, 200, 5


@dataclass(frozen=True)
class Person:
    identity: Identity
    since: datetime = NOW


def policy(name: str, *resources: str) -> PolicyText:
    """A policy whose statements are one a resource; every fifth needs a second factor."""
    statements = []
    for number, resource in enumerate(resources):
        made: dict[str, object] = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": resource}
        if number % 5 == 0:
            made["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        statements.append(made)
    body = {"Version": "2012-10-17", "Statement": statements}
    return PolicyText(name, json.dumps(body), f"policies/{name}.json")


def build(dice: random.Random) -> Revision:
    arns = [RoleArn(f"arn:aws:iam::{100000000000 + n // 50}:role/r{n}") for n in range(ROLES)]
    roles = {arn: Role(arn, arn[13:25], arn[13:25], arn.rpartition("/")[2]) for arn in arns}
    policies = {f"p{n}": policy(f"p{n}", *dice.sample(arns, 20)) for n in range(GROUPS)}
    groups = {f"g{n}": Group(f"g{n}", policies=(f"p{n}",)) for n in range(GROUPS)}
    provider = OidcProvider(
        CORP, "Corp", "https://corp.example", "daypass", None,
        ClaimMap("sub", "name", groups="groups"), GroupMap({name: name for name in groups}),
    )  # fmt: skip
    settings = Settings("bench", "http://localhost", "sqlite://", "keys", Endpoint("aws", ("eu-west-1",)))
    return Revision(1, "0", settings, {CORP: provider}, roles, groups, policies)


def main() -> int:
    dice = random.Random(7)
    before = build(dice)
    wide = policy("p7", "arn:aws:iam::*:role/*")
    after = replace(before, number=2, policies={**before.policies, "p7": wide})
    people = []
    for number in range(PEOPLE):
        groups = tuple({f"g{dice.randrange(GROUPS)}" for _ in range(20)})
        identity = Identity(CORP, f"s{number}", f"u{number}", {"groups": groups}, Authentication(NOW))
        people.append(Person(identity))
    views = View.of(before), View.of(after)
    start = time.perf_counter()
    shifts = compare(*views, people, NOW)
    took = time.perf_counter() - start
    start = time.perf_counter()
    for person in people[:SAMPLE]:
        for view in views:
            who = principal(person.identity, view.revision)
            contexts = view.index.contexts(who, Caller("-", ""), NOW)
            for role in view.revision.roles.values():
                view.index.decide(who, role, contexts(role))
    each = (time.perf_counter() - start) / SAMPLE * PEOPLE
    touched = sum(len(shift.people) for shift in shifts)
    print(
        f"plan, {PEOPLE:,} people in 20 of {GROUPS} groups, {ROLES:,} roles: {took:.1f} s, {touched:,} people touched"
    )
    print(f"  deciding every role for every person would take {each:.0f} s: {each / took:.0f} times as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
