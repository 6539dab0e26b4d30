"""Which row of the table a request is for. An address is taken as it stands: nothing is mended, nobody redirected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.web.route import Route

Parts = Mapping[str, str]
_NONE: Final[Parts] = {}


class Addresses:
    """The rows of the table, found by path and method."""

    def __init__(self, table: Iterable[Route]) -> None:
        self._plain: dict[str, dict[str, Route]] = {}
        self._varying: list[tuple[list[str], Route]] = []
        for row in table:
            if "<" in row.address:
                self._varying.append((row.address.split("/"), row))
            else:
                taken = self._plain.setdefault(row.address, {})
                taken.update(dict.fromkeys(row.methods, row))

    def find(self, path: str, method: str) -> tuple[Route | None, Parts]:
        """The row, and the variable parts of its address; None if no row is for both path and method."""
        row = self._plain.get(path, {}).get(method)
        if row is not None:
            return row, _NONE
        for pattern, varying in self._varying:
            if method in varying.methods and (parts := _parts(pattern, path)) is not None:
                return varying, parts
        return None, _NONE

    def rows(self, path: str) -> Sequence[Route]:
        """Every row for this path, whatever the method."""
        plain = dict.fromkeys(self._plain.get(path, {}).values())
        return [*plain, *(row for pattern, row in self._varying if _parts(pattern, path) is not None)]


def _parts(pattern: Sequence[str], path: str) -> Parts | None:
    given = path.split("/")
    if len(pattern) != len(given):
        return None
    parts = {}
    for name, part in zip(pattern, given, strict=True):
        if name.startswith("<"):
            if not part:
                return None
            parts[name[1:-1]] = part
        elif name != part:
            return None
    return parts
