"""Who of the demo may assume what, read from the configuration's own files: what `VAR/demo.json` says.

Reads the short form (`groups` of a provider, `allow` of a role) and the templates `aws:…` that a group
carries. Documents of your own may give more or take some away; the broker alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from demo.directory.people import Person

TEMPLATES: Final[Mapping[str, frozenset[str]]] = {
    "aws:AdministratorAccess": frozenset({"admin", "power", "read"}),
    "aws:PowerUserAccess": frozenset({"power", "read"}),
    "aws:ReadOnlyAccess": frozenset({"read"}),
}
"""The templates, and the levels of roles that each opens."""


@dataclass(frozen=True, slots=True)
class Source:
    """A provider of the configuration, as far as the demo needs it."""

    id: str
    type: str
    label: str
    names: Mapping[str, str]
    keep: bool
    address: str
    """Where its metadata or issuer is; empty if in a file."""

    def groups(self, person: Person) -> list[str]:
        """The broker's groups of a person who comes in by this source."""
        mapped = {self.names[name] for name in person.groups if name in self.names}
        if self.keep:
            mapped |= {f"{self.id}/{name}" for name in person.groups if name not in self.names}
        return sorted(mapped)


@dataclass(frozen=True, slots=True)
class ConfiguredRole:
    """A role of `accounts.yaml`."""

    arn: str
    account_name: str
    name: str
    level: str
    allow: frozenset[str]
    via: str | None
    external_id: object
    """As written: None, or a reference `{env: NAME}`."""

    @property
    def for_apps(self) -> bool:
        """Allowed to apps' people alone. A template may open it to others, but its session policy is not for them."""
        return bool(self.allow) and all(group.startswith("app/") for group in self.allow)


def read(text: str) -> Any:
    """A YAML file's content, or None if it is not YAML: the broker will say what is wrong with it."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def sources(files: Mapping[str, str]) -> list[Source]:
    """The providers, by id. Files that are no provider are left out."""
    found = []
    for name, text in sorted(files.items()):
        if not name.startswith("providers/") or not name.endswith(".yaml"):
            continue
        given = _mapping(read(text))
        groups = _mapping(given.get("groups"))
        metadata = given.get("metadata")
        found.append(
            Source(
                id=name.removeprefix("providers/").removesuffix(".yaml"),
                type=str(given.get("type", "")),
                label=str(given.get("label", "")),
                names={str(key): str(value) for key, value in groups.items() if key != "*"},
                keep=groups.get("*") == "keep",
                address=str(given.get("issuer") or _mapping(metadata).get("url") or ""),
            )
        )
    return found


def roles(files: Mapping[str, str]) -> list[ConfiguredRole]:
    """The roles of all accounts, in the file's order."""
    partition = str(
        _mapping(_mapping(read(files.get("daypass.yaml", ""))).get("aws")).get("partition", "aws")
    )
    found = []
    for account, given in _mapping(read(files.get("accounts.yaml", ""))).items():
        entry = _mapping(given)
        for name, settings in _mapping(entry.get("roles")).items():
            role = _mapping(settings)
            found.append(
                ConfiguredRole(
                    arn=f"arn:{partition}:iam::{account}:role/{name}",
                    account_name=str(entry.get("name", account)),
                    name=str(name),
                    level=str(role.get("level", "admin")),
                    allow=frozenset(str(group) for group in role.get("allow") or ()),
                    via=role.get("via"),
                    external_id=role.get("external_id"),
                )
            )
    return found


def has_local_people(files: Mapping[str, str]) -> bool:
    """Whether the broker has a sign-in for users of its own."""
    return bool(_mapping(read(files.get("daypass.yaml", ""))).get("local"))


def opened_levels(files: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Group: the levels of roles that its templates open, besides `allow`."""
    return {
        str(group): frozenset[str]().union(
            *(TEMPLATES.get(str(name), frozenset()) for name in _mapping(given).get("policies") or ())
        )
        for group, given in _mapping(read(files.get("groups.yaml", ""))).items()
    }


def demo_people(files: Mapping[str, str], everybody: Sequence[Person]) -> list[dict[str, object]]:
    """The `people` of `demo.json`: those whose provider is configured."""
    by_id = {source.id: source for source in sources(files)}
    every_role, levels = roles(files), opened_levels(files)
    told: list[dict[str, object]] = []
    for person in everybody:
        source = by_id.get(person.provider)
        if source is None:
            continue
        groups = source.groups(person)
        opened = frozenset[str]().union(*(levels.get(group, frozenset()) for group in groups))
        may = (
            role.arn
            for role in every_role
            if role.allow & set(groups) or (role.level in opened and not role.for_apps)
        )
        told.append(
            {
                "username": person.username,
                "password": person.password,
                "provider": person.provider,
                "groups": groups,
                "roles": sorted(may),
            }
        )
    return told


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
