"""Provider metadata that a person activated, with what was trusted before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from app.model import SourceId
from app.store.database import Database, Serial
from app.store.tables import PROVIDER_METADATA


@dataclass(frozen=True, slots=True)
class ActivatedMetadata:
    """One document, from when on it was trusted."""

    source: SourceId
    url: str
    at: datetime
    document: bytes = field(repr=False)


_RECALL: Final = (
    select(PROVIDER_METADATA.c.document)
    .where(PROVIDER_METADATA.c.source == bindparam("wanted"), PROVIDER_METADATA.c.url == bindparam("address"))
    .order_by(PROVIDER_METADATA.c.id.desc())
    .limit(1)
)


class ProviderMetadata:
    """Fits `signin.seam.KnownMetadata`; rows are only added, the newest of a source and address counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def recall(self, source: SourceId, url: str) -> bytes | None:
        """What is trusted now for that source and address; None if nothing ever was."""
        with self._database.read() as connection:
            return connection.execute(_RECALL, {"wanted": source, "address": url}).scalar()

    def remember(self, source: SourceId, url: str, document: bytes, at: datetime) -> None:
        """Trust this from now on; nothing changes if it is what is trusted already."""
        with self._database.write(Serial.METADATA) as connection:
            if connection.execute(_RECALL, {"wanted": source, "address": url}).scalar() != document:
                row = {"source": source, "url": url, "at": at, "document": document}
                connection.execute(PROVIDER_METADATA.insert(), row)

    def history(self, source: SourceId) -> Sequence[ActivatedMetadata]:
        """All that was ever trusted for a source, newest first."""
        query = (
            select(PROVIDER_METADATA)
            .where(PROVIDER_METADATA.c.source == source)
            .order_by(PROVIDER_METADATA.c.id.desc())
        )
        with self._database.read() as connection:
            return [
                ActivatedMetadata(SourceId(row.source), row.url, row.at, bytes(row.document))
                for row in connection.execute(query)
            ]
