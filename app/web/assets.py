"""Static files, under names that change with their content, so that browsers keep them for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, in memory."""

    name: str
    """`portal.1f3870be.css`"""
    content_type: str
    body: bytes
    digest: str


class Assets:
    """The files of one folder, read once; nothing else of the disk can be reached through it."""

    def __init__(self, folder: Path) -> None:
        files = [_read(path) for path in sorted(folder.iterdir()) if path.suffix in _TYPES]
        self._by_name: Mapping[str, Asset] = {asset.name: asset for _, asset in files}
        self._by_plain: Mapping[str, Asset] = dict(files)

    def url(self, plain: str) -> str:
        """`portal.css` → its address. KeyError if there is no such file."""
        return f"/static/{self._by_plain[plain].name}"

    def find(self, name: str) -> Asset | None:
        """By the name with the hash in it."""
        return self._by_name.get(name)


def _read(path: Path) -> tuple[str, Asset]:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()
    name = f"{path.stem}.{digest[:12]}{path.suffix}"
    return path.name, Asset(name, _TYPES[path.suffix], body, digest)
