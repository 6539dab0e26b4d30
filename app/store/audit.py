"""The audit trail's rows: appended under the chain's lock, searched, walked, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, or_, select

from app.audit import Chain, Receipt, Record, StoredRecord, Verified, field, link
from app.audit.chain import GENESIS
from app.errors import AuditUnavailable, StoreUnavailable
from app.store.database import Database, Serial
from app.store.lines import Line, unavailable
from app.store.tables import AUDIT
from app.store.times import from_micros, to_micros
from app.transaction import Transaction

_HEAD: Final = "SELECT sequence, digest FROM audit ORDER BY sequence DESC LIMIT 1"
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; everything that is set must hold."""

    person: str | None = None
    """Username, subject, or SOURCE/ either of them; looks at every record."""
    source: str | None = None
    subject: str | None = None
    role: str | None = None
    kind: str | None = None
    request_id: str | None = None
    access_key_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not included."""
    before: int | None = None
    """Only records of a lower sequence: the next page."""
    limit: int = 100


class AuditRecords:
    """Fits `audit.AuditRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # The one hot path for writing: the statement goes to the driver as it is, in tuples or mappings.
        self._insert, self._order = database.compiled(AUDIT.insert())

    def append(self, records: Sequence[Record], within: Transaction | None = None) -> Sequence[Receipt]:
        """Add records at the end of the chain, all or none, in one durable transaction: that which they are within.

        Raises AuditUnavailable.
        """
        if isinstance(within, Line):
            try:
                return self._append(within, records)
            except self._database.failures as error:
                raise AuditUnavailable(unavailable(error).detail) from error
        try:
            with self._database.writing(Serial.AUDIT) as line:
                return self._append(line, records)
        except StoreUnavailable as refusal:
            raise AuditUnavailable(refusal.detail) from refusal

    def _append(self, line: Line, records: Sequence[Record]) -> Sequence[Receipt]:
        head = line.rows(_HEAD)
        sequence, previous = head[0] if head else (0, GENESIS)
        rows, receipts = [], []
        for record in records:
            sequence += 1
            digest = link(previous, sequence, record)
            rows.append(self._order(_row(record, sequence, previous, digest)))
            receipts.append(Receipt(sequence, digest))
            previous = digest
        if rows:
            line.each(self._insert, rows)
        return receipts

    def search(self, wanted: Search) -> Sequence[StoredRecord]:
        """The newest records that fit, newest first, at most `wanted.limit`. Raises StoreUnavailable."""
        query = select(AUDIT).order_by(AUDIT.c.sequence.desc()).limit(max(0, wanted.limit))
        for condition in _conditions(wanted):
            query = query.where(condition)
        with self._database.read() as connection:
            return [_stored(row) for row in connection.execute(query)]

    def verify(self) -> Verified:
        """Walk the whole chain, in bounded memory. Raises StoreUnavailable."""
        chain = Chain()
        for row in self._all():
            try:
                stored = _stored(row)
            except (OverflowError, TypeError, ValueError):
                chain.unreadable(row.sequence)
                continue
            if _is_text(stored):
                chain.take(stored)
            else:
                chain.unreadable(row.sequence)
        return chain.result()

    def digest_at(self, sequence: int) -> str | None:
        """The digest at a place of the chain, to hold against a Receipt kept elsewhere."""
        query = select(AUDIT.c.digest).where(AUDIT.c.sequence == sequence)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def _all(self) -> Iterator[Row[*tuple[Any, ...]]]:
        # By pages, each a statement of its own: a long walk holds back neither writers nor checkpoints,
        # and what is appended meanwhile belongs to the chain as well.
        after: int | None = None
        while True:
            page = select(AUDIT).order_by(AUDIT.c.sequence).limit(_PAGE)
            with self._database.read() as connection:
                rows = connection.execute(
                    page if after is None else page.where(AUDIT.c.sequence > after)
                ).all()
            yield from rows
            if len(rows) < _PAGE:
                return
            after = rows[-1].sequence


def _is_text(stored: StoredRecord) -> bool:
    """SQLite keeps bytes in a column of texts, too, if somebody writes them there."""
    record = stored.record
    texts = (record.kind, record.request_id, record.address, record.source, record.subject, record.username)
    others = (
        record.session,
        record.role,
        record.access_key_id,
        record.detail,
        stored.previous,
        stored.digest,
    )
    return all(text is None or isinstance(text, str) for text in (*texts, *others))


def _conditions(wanted: Search) -> Iterator[Any]:
    exact = {
        AUDIT.c.source: wanted.source,
        AUDIT.c.subject: wanted.subject,
        AUDIT.c.role: wanted.role,
        AUDIT.c.kind: wanted.kind,
        AUDIT.c.request_id: wanted.request_id,
        AUDIT.c.access_key_id: wanted.access_key_id,
    }
    for column, value in exact.items():
        if value is not None:
            yield column == field(value)
    if wanted.person is not None:
        yield _person(wanted.person)
    if wanted.since is not None:
        yield AUDIT.c.at >= to_micros(wanted.since)
    if wanted.until is not None:
        yield AUDIT.c.at < to_micros(wanted.until)
    if wanted.before is not None:
        yield AUDIT.c.sequence < wanted.before


def _person(name: str) -> Any:
    anywhere = _named(name)
    source, slash, rest = name.partition("/")
    return or_(anywhere, and_(AUDIT.c.source == field(source), _named(rest))) if slash else anywhere


def _named(name: str) -> Any:
    return or_(AUDIT.c.username == field(name), AUDIT.c.subject == field(name))


def _row(record: Record, sequence: int, previous: str, digest: str) -> dict[str, object]:
    return {
        "sequence": sequence,
        "at": to_micros(record.at),
        "kind": record.kind,
        "request_id": record.request_id,
        "address": record.address,
        "source": record.source,
        "subject": record.subject,
        "username": record.username,
        "session": record.session,
        "role": record.role,
        "revision": record.revision,
        "access_key_id": record.access_key_id,
        "detail": record.detail,
        "previous": previous,
        "digest": digest,
    }


def _stored(row: Row[*tuple[Any, ...]]) -> StoredRecord:
    record = Record(
        at=from_micros(row.at),
        kind=row.kind,
        request_id=row.request_id,
        address=row.address,
        source=row.source,
        subject=row.subject,
        username=row.username,
        session=row.session,
        role=row.role,
        revision=row.revision,
        access_key_id=row.access_key_id,
        detail=row.detail,
    )
    return StoredRecord(sequence=row.sequence, record=record, previous=row.previous, digest=row.digest)
