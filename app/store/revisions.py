"""Revisions of the configuration: numbered when activated, content kept once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, select, update

from app.errors import RevisionChanged
from app.store.codec import dump, load
from app.store.database import Database, Serial
from app.store.tables import REVISION_FILES, REVISIONS


@dataclass(frozen=True, slots=True)
class Activation:
    """When which content became active."""

    number: int
    digest: str
    activated_at: datetime
    by: str
    """Who did it; empty in rows of a daypass before that was kept."""
    restores: int | None
    """The revision whose files came back, if it was a rollback."""
    folder: str
    """Digest of the configuration folder as it was last applied, then or before: of a rollback not its own."""


@dataclass(frozen=True, slots=True)
class StoredRevision(Activation):
    """A revision as it was activated."""

    files: Mapping[str, str] = field(repr=False)
    """Relative path: text."""


_NEWEST: Final = select(func.max(REVISIONS.c.number))
_WITH_FILES: Final = select(REVISIONS, REVISION_FILES.c.files).join_from(
    REVISIONS, REVISION_FILES, REVISIONS.c.digest == REVISION_FILES.c.digest
)
_LATEST: Final = select(REVISIONS).order_by(REVISIONS.c.number.desc()).limit(1)


class Revisions:
    """The one with the highest number is active."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keep = database.insert(REVISION_FILES).on_conflict_do_nothing()

    def activate(
        self,
        digest: str,
        files: Mapping[str, str],
        at: datetime,
        *,
        by: str = "",
        restores: int | None = None,
        after: int | None = None,
    ) -> int:
        """Make this content the active one and return its number.

        Content that is active already keeps its number, so that two workers which start at once agree;
        an earlier content that comes back gets a new one. Numbers only grow. `restores`: the content is
        that revision's, by a rollback; otherwise it came from the folder, which is remembered. `after`: the
        number that must be active now (0: none yet).

        Raises RevisionChanged if another one is.
        """
        with self._database.write(Serial.REVISIONS) as connection:
            latest = connection.execute(_LATEST).one_or_none()
            number = 0 if latest is None else int(latest.number)
            if after is not None and after != number:
                raise RevisionChanged(f"revision {number} is active, {after} was expected")
            if latest is not None and latest.digest == digest:
                if restores is None and _folder(latest) != digest:
                    mine = update(REVISIONS).where(REVISIONS.c.number == number)
                    connection.execute(mine.values(folder=digest))
                return number
            connection.execute(self._keep, {"digest": digest, "files": dump(dict(files))})
            row = {
                "number": number + 1,
                "digest": digest,
                "activated_at": at,
                "by": by,
                "restores": restores,
                "folder": digest if restores is None or latest is None else _folder(latest),
            }
            connection.execute(REVISIONS.insert(), row)
            return number + 1

    def latest_number(self) -> int | None:
        """The active revision's number; None before the first. Cheap: for asking every second."""
        with self._database.read() as connection:
            number: int | None = connection.execute(_NEWEST).scalar_one()
        return number

    def latest(self) -> StoredRevision | None:
        """The active revision; None before the first."""
        return self._one(_WITH_FILES.where(REVISIONS.c.number == _NEWEST.scalar_subquery()))

    def get(self, number: int) -> StoredRevision | None:
        """The revision of that number."""
        return self._one(_WITH_FILES.where(REVISIONS.c.number == number)) if 0 < number < 1 << 63 else None

    def at(self, time: datetime) -> StoredRevision | None:
        """The revision that was active at a time; None before the first."""
        until = _WITH_FILES.where(REVISIONS.c.activated_at <= time)
        return self._one(until.order_by(REVISIONS.c.number.desc()).limit(1))

    def history(self) -> Sequence[StoredRevision]:
        """All of them with their files, newest first."""
        with self._database.read() as connection:
            return [_stored(row) for row in connection.execute(_all(_WITH_FILES))]

    def activations(self) -> Sequence[Activation]:
        """All of them without their files, newest first."""
        with self._database.read() as connection:
            return [Activation(**_activation(row)) for row in connection.execute(_all(select(REVISIONS)))]

    def contents(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Every distinct content once: (digest, files), one at a time."""
        with self._database.read() as connection:
            for row in connection.execute(select(REVISION_FILES)):
                yield row.digest, load(row.files)

    def _one(self, query: Select[*tuple[Any, ...]]) -> StoredRevision | None:
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _stored(row)


def _all(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.order_by(REVISIONS.c.number.desc())


def _folder(row: Row[*tuple[Any, ...]]) -> str:
    # Before the column was there, every revision came from the folder.
    return str(row.folder or row.digest)


def _activation(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    return {
        "number": row.number,
        "digest": row.digest,
        "activated_at": row.activated_at,
        "by": row.by or "",
        "restores": row.restores,
        "folder": _folder(row),
    }


def _stored(row: Row[*tuple[Any, ...]]) -> StoredRevision:
    return StoredRevision(**_activation(row), files=load(row.files))
