"""Revisions of the configuration: numbered when activated, content kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select

from app.store.codec import dump, load
from app.store.database import Database, Serial
from app.store.tables import REVISION_FILES, REVISIONS


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """A revision as it was activated."""

    number: int
    digest: str
    files: Mapping[str, str] = field(repr=False)
    """Relative path: text."""
    activated_at: datetime


_NEWEST: Final = select(func.max(REVISIONS.c.number))
_WITH_FILES: Final = select(
    REVISIONS.c.number, REVISIONS.c.digest, REVISIONS.c.activated_at, REVISION_FILES.c.files
).join_from(REVISIONS, REVISION_FILES, REVISIONS.c.digest == REVISION_FILES.c.digest)


class Revisions:
    """The one with the highest number is active."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keep = database.insert(REVISION_FILES).on_conflict_do_nothing()

    def activate(self, digest: str, files: Mapping[str, str], at: datetime) -> int:
        """Make this content the active one and return its number.

        Content that is active already keeps its number, so that two workers which start at once agree;
        an earlier content that comes back gets a new one. Numbers only grow.
        """
        with self._database.write(Serial.REVISIONS) as connection:
            active = (
                select(REVISIONS.c.number, REVISIONS.c.digest).order_by(REVISIONS.c.number.desc()).limit(1)
            )
            latest = connection.execute(active).one_or_none()
            if latest is not None and latest.digest == digest:
                return int(latest.number)
            number = 1 if latest is None else int(latest.number) + 1
            connection.execute(self._keep, {"digest": digest, "files": dump(dict(files))})
            connection.execute(REVISIONS.insert(), {"number": number, "digest": digest, "activated_at": at})
            return number

    def latest_number(self) -> int | None:
        """The active revision's number; None before the first. Cheap: for asking every second."""
        with self._database.read() as connection:
            number: int | None = connection.execute(_NEWEST).scalar_one()
        return number

    def latest(self) -> StoredRevision | None:
        """The active revision; None before the first."""
        return self._one(REVISIONS.c.number == _NEWEST.scalar_subquery())

    def get(self, number: int) -> StoredRevision | None:
        """The revision of that number."""
        return self._one(REVISIONS.c.number == number) if 0 < number < 1 << 63 else None

    def history(self) -> Sequence[StoredRevision]:
        """All of them, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_WITH_FILES.order_by(REVISIONS.c.number.desc()))
            return [_revision(row) for row in rows]

    def _one(self, which: Any) -> StoredRevision | None:
        with self._database.read() as connection:
            row = connection.execute(_WITH_FILES.where(which)).one_or_none()
        return None if row is None else _revision(row)


def _revision(row: Row[*tuple[Any, ...]]) -> StoredRevision:
    return StoredRevision(
        number=row.number, digest=row.digest, files=load(row.files), activated_at=row.activated_at
    )
