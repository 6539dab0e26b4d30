"""The request context: condition keys and their values, found without regard to the case of names.

IAM User Guide, "Condition keys": names are case-insensitive, tag names within them too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from app.policy.text import fold

Value = str | tuple[str, ...]

AMBIGUOUS: Final[tuple[str, ...]] = ("\x00", "\x00")
"""Value of a key that came twice in different case; no condition can be sure of it (compare by identity)."""


class RequestContext(Mapping[str, Value]):
    """An immutable context. Layers are searched in order; their keys are folded already."""

    __slots__ = ("_layers",)

    def __init__(self, *layers: Mapping[str, Value]) -> None:
        """Take layers whose keys are folded (`app.policy.text.fold`); the first that has a key wins."""
        self._layers = layers

    @classmethod
    def of(cls, mapping: Mapping[str, Value]) -> RequestContext:
        """The context for any mapping. Keys that differ only in case become `AMBIGUOUS`."""
        if isinstance(mapping, cls):
            return mapping
        folded: dict[str, Value] = {}
        for name, value in mapping.items():
            put(folded, name, value)
        return cls(folded)

    def find(self, key: str) -> Value | None:
        """Value of a folded key, or None if it is absent."""
        for layer in self._layers:
            value = layer.get(key)
            if value is not None:
                return value
        return None

    def __getitem__(self, name: str) -> Value:
        value = self.find(fold(name))
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key for layer in self._layers for key in layer))

    def __len__(self) -> int:
        return sum(1 for _ in self)


EMPTY: Final = RequestContext({})


def put(folded: dict[str, Value], name: str, value: Value) -> None:
    """Add one key to a layer; a second of the same folded name makes it `AMBIGUOUS`, never last-wins."""
    key = fold(name)
    folded[key] = AMBIGUOUS if key in folded else value
