"""A file's values with their lines and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a file to a value."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Line and column, both from 1."""

    line: int
    column: int


START = Mark(1, 1)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as written; `value` is what it is taken for."""

    mark: Mark
    text: str
    value: str | int | bool | Odd | None


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    mark: Mark
    items: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping: name → (place of the name, value)."""

    mark: Mark
    entries: Mapping[str, tuple[Mark, Node]]


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Odd:
    """A plain scalar that YAML's versions read differently, or that no setting here takes."""

    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a file, so that what is found later can be shown there."""

    file: str
    node: Node
    name: str = ""
    """The key under which this part stands."""

    def find(self, path: Path) -> Node | None:
        """The value at `path` below this part, if it is there."""
        node: Node = self.node
        for part in path:
            below = _child(node, part)
            if below is None:
                return None
            node = below[1]
        return node

    def below(self, path: Path) -> Place:
        """The part at `path`, or the innermost one on the way that exists."""
        place = self
        for part in path:
            child = _child(place.node, part)
            if child is None:
                return place
            place = Place(self.file, child[1], part if isinstance(part, str) else place.name)
        return place

    def of_value(self, path: Path) -> Mark:
        """Where the value at `path` begins, or the innermost one on the way that exists."""
        return self.below(path).node.mark

    def of_key(self, path: Path) -> Mark:
        """Where the last key of `path` stands, or the innermost one on the way that exists."""
        mark, node = self.node.mark, self.node
        for part in path:
            child = _child(node, part)
            if child is None:
                break
            mark, node = child
        return mark


def plain(node: Node) -> object:
    """The values alone, as dicts, lists and scalars. A key without a value is left out."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {
        name: plain(value)
        for name, (_, value) in node.entries.items()
        if not (isinstance(value, Scalar) and value.value is None)
    }


def _child(node: Node, part: str | int) -> tuple[Mark, Node] | None:
    if isinstance(node, Fields):
        return node.entries.get(part) if isinstance(part, str) else None
    if isinstance(node, Items) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part].mark, node.items[part]
    return None
