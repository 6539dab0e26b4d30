"""What the audit trail holds, and what it needs of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Record:
    """One event, rendered: every text is printable and bounded, `detail` is canonical JSON."""

    at: datetime
    kind: str
    request_id: str
    address: str
    source: str | None
    subject: str | None
    username: str | None
    session: str | None
    role: str | None
    revision: int | None
    access_key_id: str | None
    """Taken out of `detail`, where it stands too, so that it can be searched for."""
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a place in the chain: who keeps one elsewhere sees if the trail's end is cut off."""

    sequence: int
    digest: str
    """SHA-256, hex."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record in its place."""

    sequence: int
    """From 1, without gaps."""
    record: Record
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of walking the whole chain."""

    count: int
    """Records read."""
    first_broken: int | None
    """Sequence of the first record that does not fit; None if all do."""
    head: Receipt | None
    """The last record that fits; None for an empty trail."""


class AuditRows(Protocol):
    """Where records become durable."""

    def append(self, records: Sequence[Record], within: Transaction | None = None) -> Sequence[Receipt]:
        """All of them or none, durable on return, in this order; or as durable as the transaction that they are within.

        Raises AuditUnavailable.
        """
        ...
