"""`groups.yaml`: what a group carries beyond the short form `allow`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from app.configuration import fields
from app.configuration.fields import Description, PolicyName, Strict
from app.configuration.inline import InlineDocument, InlineName, document
from app.configuration.places import Fields, Place
from app.configuration.problems import Problems
from app.configuration.references import Wrong
from app.configuration.rules import check_unique
from app.configuration.typed import Entry, Reader
from app.model import APP_GROUPS, Group, PolicyText

_OF_APPS: Final = (
    "people of apps are not asked for a second factor here: they sign in at the app; leave it out, and let the policies "
    "of the group ask for `aws:MultiFactorAuthPresent`"
)
_NESTING: Final = frozenset({"members", "groups", "group", "parent", "parents", "includes", "users"})


class GroupTable(Strict):
    """A group. Its key is its name."""

    description: Description = Field(default="", description="a line for people who review")
    policies: list[PolicyName] = Field(default_factory=list, description="policies: `NAME`, or `aws:NAME`")
    mfa: bool = Field(
        default=False, description="whether everybody in it proves a second factor at every sign-in"
    )
    inline: dict[InlineName, InlineDocument] = Field(
        default_factory=dict, description="policies of this group alone: name: IAM document"
    )


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
            if entry.value.mfa and name.startswith(f"{APP_GROUPS}/"):
                reader.problems.add(below, ("mfa",), _OF_APPS, on="key")
            found[name] = entry
    return found


def inline(name: str, entry: Entry[GroupTable], problems: Problems) -> tuple[PolicyText, ...]:
    """The group's own policies that can be used; what is wrong with others is said."""
    made = (
        document(f"groups.yaml/{name}/{each}", entry.place, ("inline", each), problems)
        for each in entry.value.inline
    )
    return tuple(text for text in made if text is not None)


def group(name: str, table: GroupTable, own: tuple[PolicyText, ...]) -> Group:
    """The group as the rest of the program takes it."""
    return Group(
        name=name, description=table.description, policies=tuple(table.policies), inline=own, mfa=table.mfa
    )


def _flat(place: Place, reader: Reader) -> Place:
    """The part without keys that would put a group or people into a group; each is said."""
    if not isinstance(place.node, Fields):
        return place
    nesting = _NESTING & place.node.entries.keys()
    for name in nesting:
        words = (
            "groups are flat: a group holds no groups and lists no people; who is in it is said by the `groups` "
            "of each provider, and for local users by `python -m app group`"
        )
        reader.problems.add(place, (name,), words, on="key")
    kept = {name: value for name, value in place.node.entries.items() if name not in nesting}
    return Place(place.file, Fields(place.node.mark, kept), place.name)
