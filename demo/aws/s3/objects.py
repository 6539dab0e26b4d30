"""Objects in memory, with a limit on everything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final

from demo.aws.wire import Rejected

LARGEST: Final = 5 * 1024 * 1024
"""Bytes of one object."""
MOST: Final = 2_000
"""Objects in all buckets."""
ROOM: Final = 64 * 1024 * 1024
"""Bytes in all buckets."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object."""

    key: str
    body: bytes = field(repr=False)
    content_type: str
    modified: datetime
    checksums: Mapping[str, str]
    """`x-amz-checksum-…` headers that it came with."""
    headers: tuple[tuple[str, str], ...] = ()
    """What else comes back with it: x-amz-meta-…, Cache-Control and their like."""

    @property
    def etag(self) -> str:
        """The body's MD5, in quotes."""
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing."""

    objects: tuple[Stored, ...]
    prefixes: tuple[str, ...]
    next: str | None
    """Where the next page goes on: after this key or prefix."""


class Objects:
    """The contents of some buckets. Safe from many threads."""

    def __init__(self, buckets: Iterable[str]) -> None:
        self._lock = Lock()
        self._buckets: dict[str, dict[str, Stored]] = {name: {} for name in buckets}

    def put(self, bucket: str, stored: Stored) -> None:
        """Keep an object, in place of one of the same key. Raises Rejected if there is no room."""
        if len(stored.body) > LARGEST:
            raise too_large()
        with self._lock:
            here = self._buckets[bucket]
            others = [
                each
                for name, objects in self._buckets.items()
                for each in objects.values()
                if (name, each.key) != (bucket, stored.key)
            ]
            if len(others) >= MOST or sum(len(each.body) for each in others) + len(stored.body) > ROOM:
                words = f"This double keeps {MOST} objects and {ROOM >> 20} MiB at most. Delete some first."
                raise Rejected(400, "DoubleIsFull", words)
            here[stored.key] = stored

    def get(self, bucket: str, key: str) -> Stored | None:
        """An object, or None."""
        with self._lock:
            return self._buckets[bucket].get(key)

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object, if it is there."""
        with self._lock:
            self._buckets[bucket].pop(key, None)

    def listed(self, bucket: str, prefix: str, delimiter: str, after: str, most: int) -> Page:
        """Keys and common prefixes in the order of their UTF-8, after `after`, at most `most` of both."""
        with self._lock:
            here = sorted(self._buckets[bucket].values(), key=lambda each: each.key.encode())
        objects: list[Stored] = []
        prefixes: list[str] = []
        last = ""
        for each in here:
            if not each.key.startswith(prefix):
                continue
            end = each.key.find(delimiter, len(prefix)) if delimiter else -1
            name = each.key if end < 0 else each.key[: end + len(delimiter)]
            if name.encode() <= after.encode() or (prefixes and prefixes[-1] == name):
                continue
            if len(objects) + len(prefixes) >= most:
                return Page(tuple(objects), tuple(prefixes), last)
            last = name
            if end < 0:
                objects.append(each)
            else:
                prefixes.append(name)
        return Page(tuple(objects), tuple(prefixes), None)


def too_large() -> Rejected:
    """`EntityTooLarge`."""
    return Rejected(
        400,
        "EntityTooLarge",
        f"Your proposed upload exceeds the maximum allowed size; this double keeps objects of at most {LARGEST} bytes.",
    )
