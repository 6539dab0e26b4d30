"""The hash chain: each record's digest covers the record and the digest before it.

An alteration, removal or insertion anywhere but at the very end shows; a cut at the end shows to whoever
kept a Receipt (each log line carries one). Pure.
"""

from __future__ import annotations

import hashlib
from json.encoder import encode_basestring_ascii
from typing import Final

from app.audit.record import Receipt, Record, StoredRecord, Verified

GENESIS: Final = "0" * 64
"""Stands where the first record's predecessor would."""

# Written out, with the encoder's own words for a text: half of what a JSONEncoder takes for the same.


def canonical(sequence: int, record: Record) -> str:
    """The record as the one JSON text that is hashed: ASCII, keys in alphabetical order, no spaces."""
    revision = "null" if record.revision is None else record.revision
    return (
        f'{{"access_key_id":{_text(record.access_key_id)},"address":{_text(record.address)},'
        f'"at":"{record.at.isoformat(timespec="microseconds")}","detail":{_text(record.detail)},'
        f'"kind":{_text(record.kind)},"request_id":{_text(record.request_id)},"revision":{revision},'
        f'"role":{_text(record.role)},"sequence":{sequence},"session":{_text(record.session)},'
        f'"source":{_text(record.source)},"subject":{_text(record.subject)},"username":{_text(record.username)}}}'
    )


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


def link(previous: str, sequence: int, record: Record) -> str:
    """Digest of `record` at place `sequence` after the record whose digest is `previous`; SHA-256 in hex."""
    return hashlib.sha256(f"{canonical(sequence, record)}\n{previous}".encode("ascii")).hexdigest()


class Chain:
    """Walks stored records in order and says where they first do not fit."""

    def __init__(self) -> None:
        self._count = 0
        self._broken: int | None = None
        self._head = Receipt(0, GENESIS)

    @property
    def head(self) -> Receipt:
        """The last record that fitted; sequence 0 before the first."""
        return self._head

    def take(self, stored: StoredRecord) -> bool:
        """Check the next record; False once anything did not fit."""
        self._count += 1
        if self._broken is not None:
            return False
        fits = (
            stored.sequence == self._head.sequence + 1
            and stored.previous == self._head.digest
            and stored.digest == link(self._head.digest, stored.sequence, stored.record)
        )
        if fits:
            self._head = Receipt(stored.sequence, stored.digest)
        else:
            self._broken = stored.sequence
        return fits

    def unreadable(self, sequence: int) -> None:
        """The record at `sequence` cannot even be read as one."""
        self._count += 1
        if self._broken is None:
            self._broken = sequence

    def result(self) -> Verified:
        """What was seen so far."""
        return Verified(self._count, self._broken, self._head if self._head.sequence else None)
