"""`accounts.yaml`: AWS accounts, and the roles in them that people may be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from app.configuration.fields import (
    ACCOUNT,
    ROLE_ARN,
    Description,
    ExternalId,
    GroupName,
    Label,
    Level_,
    PolicyName,
    RoleArnText,
    RoleDuration,
    RoleName,
    Strict,
    TagKey,
    TagValue,
)
from app.configuration.inline import InlineDocument, InlineName, document
from app.configuration.places import Path, Place
from app.configuration.problems import Problems
from app.configuration.rules import check_tags, check_unique
from app.configuration.typed import Entry, Reader
from app.model import LONGEST, PolicyText, Role, RoleArn


class RoleInline(Strict):
    """A policy of one role alone, for the groups that it names."""

    groups: list[GroupName] = Field(description="groups that the policy is for")
    policy: InlineDocument = Field(
        description="an IAM document whose statements speak of this role; Action and Resource may be left out"
    )


class RoleTable(Strict):
    """A role. Its key is its name in IAM."""

    description: Description = Field(default="", description="a line for people who choose")
    level: Level_ = Field(
        default="admin", description="`admin`, `power` or `read`: the managed templates go by it"
    )
    max_duration: RoleDuration = Field(
        default=LONGEST, description="longest time that credentials live, 15m to 1h"
    )
    allow: list[GroupName] = Field(default_factory=list, description="groups that may use the role")
    inline: dict[InlineName, RoleInline] = Field(
        default_factory=dict, description="policies of this role alone: name: {groups, policy}"
    )
    session_policy: PolicyName | None = Field(
        default=None, description="a policy of `policies/` that caps every session"
    )
    tags: dict[TagKey, TagValue] = Field(
        default_factory=dict, description="session tags that go to AWS with the role"
    )
    via: RoleArnText | None = Field(default=None, description="a role to go through first")
    external_id: ExternalId | None = Field(
        default=None, description="a reference to the external ID that the role asks for"
    )
    break_glass: bool = Field(
        default=False,
        description="whether the root user may assume the role in an emergency, whatever policies say",
    )


class AccountTable(Strict):
    """An account. Its key is its 12 digits, in quotes."""

    name: Label = Field(description="the account's name, as pages show it")
    roles: dict[RoleName, RoleTable] = Field(default_factory=dict, description="role name: what it is")


@dataclass(frozen=True, slots=True)
class RoleEntry:
    """A role with its account and its place."""

    account: str
    account_name: str
    name: str
    role: Entry[RoleTable]


def read(place: Place, reader: Reader) -> Sequence[RoleEntry]:
    """All roles of the file that make sense; what does not is said."""
    found: list[RoleEntry] = []
    account_names: dict[str, str] = {}
    for account, below in reader.children(place):
        entry = reader.read(AccountTable, below)
        if not ACCOUNT.fullmatch(account):
            words = f"expected an account ID: 12 digits, in quotes{_digits(account)}"
            reader.problems.add(place, (account,), words, on="key")
        elif entry is not None:
            name = entry.value.name
            first = account_names.setdefault(name, account)
            if name and first != account:
                words = f"is also the name of {first}; people could not tell the two apart"
                reader.problems.add(below, ("name",), words)
            found += _roles(account, entry, reader.problems)
    return found


def check(found: RoleEntry, partition: str | None, problems: Problems) -> None:
    """What a role's values must be to one another, and to the partition."""
    role, place = found.role.value, found.role.place
    check_unique(role.allow, place, ("allow",), problems)
    for name, own in role.inline.items():
        path = ("inline", name, "groups")
        check_unique(own.groups, place, path, problems)
        if not own.groups:
            problems.add(
                place, path, "expected the groups that the policy is for; it would be nobody's", on="key"
            )
    check_tags(role.tags, place, ("tags",), problems)
    via = ROLE_ARN.fullmatch(role.via or "")
    if via and partition and via["partition"] != partition:
        problems.add(place, ("via",), f"is not in the partition `{partition}`")
    if via and (via["account"], via["path"], via["name"]) == (found.account, "", found.name):
        problems.add(
            place, ("via",), "is the role itself; leave it out, or name the role to go through first"
        )


def named_groups(found: RoleEntry) -> Iterator[tuple[Path, str]]:
    """Every group that a role names, and where."""
    for position, name in enumerate(found.role.value.allow):
        yield ("allow", position), name
    for policy, own in found.role.value.inline.items():
        for position, name in enumerate(own.groups):
            yield ("inline", policy, "groups", position), name


def inline(found: RoleEntry, partition: str, problems: Problems) -> Iterator[tuple[str, PolicyText]]:
    """(group, document) of a role's own policies, a copy for each group; what is wrong is said."""
    for name, own in found.role.value.inline.items():
        text = document(
            f"accounts.yaml/{found.account}/{found.name}/{name}",
            found.role.place,
            ("inline", name, "policy"),
            problems,
            arn=arn(found, partition),
        )
        if text is not None:
            for group in own.groups:
                yield group, text


def arn(found: RoleEntry, partition: str) -> RoleArn:
    """The role's name for AWS."""
    return RoleArn(f"arn:{partition}:iam::{found.account}:role/{found.name}")


def role(found: RoleEntry, partition: str) -> Role:
    """The role as the rest of the program takes it."""
    table = found.role.value
    return Role(
        arn=arn(found, partition),
        account=found.account,
        account_name=found.account_name,
        name=found.name,
        description=table.description,
        level=table.level,
        max_duration=table.max_duration,
        allow=tuple(table.allow),
        session_policy=table.session_policy,
        tags=table.tags,
        via=RoleArn(table.via) if table.via is not None else None,
        external_id=table.external_id,
        break_glass=table.break_glass,
    )


def _roles(account: str, entry: Entry[AccountTable], problems: Problems) -> Iterator[RoleEntry]:
    lower: dict[str, str] = {}
    for name, table in entry.value.roles.items():
        first = lower.setdefault(name.lower(), name)
        if first != name:
            # IAM API Reference, CreateRole: names are unique within the account whatever their case.
            words = f"differs from `{first}` only in case; IAM takes both for the same role"
            problems.add(entry.place, ("roles", name), words, on="key")
        place = entry.place.below(("roles", name))
        yield RoleEntry(account, entry.value.name, name, Entry(table, place))


def _digits(account: str) -> str:
    return f"; this has {len(account)} of them" if account.isdecimal() else ""
