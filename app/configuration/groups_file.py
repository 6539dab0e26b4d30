"""`groups.yaml`: what a group carries beyond the short form `allow`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from app.configuration import fields
from app.configuration.fields import Description, PolicyName, Strict
from app.configuration.places import Fields, Place
from app.configuration.references import Wrong
from app.configuration.rules import check_unique
from app.configuration.typed import Entry, Reader
from app.model import Group

_NESTING: Final = frozenset({"members", "groups", "group", "parent", "parents", "includes", "users"})


class GroupTable(Strict):
    """A group. Its key is its name."""

    description: Description = Field(default="", description="a line for people who review")
    policies: list[PolicyName] = Field(default_factory=list, description="policies: `NAME`, or `aws:NAME`")


def read(place: Place, reader: Reader) -> Mapping[str, Entry[GroupTable]]:
    """All groups of the file that make sense; what does not is said."""
    found = {}
    for name, below in reader.children(place):
        try:
            fields.group(name)
        except Wrong as wrong:
            reader.problems.add(place, (name,), str(wrong), on="key")
            continue
        entry = reader.read(GroupTable, _flat(below, reader))
        if entry is not None:
            check_unique(entry.value.policies, below, ("policies",), reader.problems)
            found[name] = entry
    return found


def group(name: str, table: GroupTable) -> Group:
    """The group as the rest of the program takes it."""
    return Group(name=name, description=table.description, policies=tuple(table.policies))


def _flat(place: Place, reader: Reader) -> Place:
    """The part without keys that would put a group or people into a group; each is said."""
    if not isinstance(place.node, Fields):
        return place
    nesting = _NESTING & place.node.entries.keys()
    for name in nesting:
        words = (
            "groups are flat: a group holds no groups and lists no people; who is in it is said by the `groups` "
            "of each provider"
        )
        reader.problems.add(place, (name,), words, on="key")
    kept = {name: value for name, value in place.node.entries.items() if name not in nesting}
    return Place(place.file, Fields(place.node.mark, kept), place.name)
