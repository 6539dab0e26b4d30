"""The people whom sign-ins have shown, with every change of their claims, so that the past has answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from app.model import Identity, SourceId
from app.people import LocalUser
from app.store.codec import (
    digest,
    dump,
    dump_authentication,
    dump_claims,
    load,
    load_authentication,
    load_identity,
    person_key,
)
from app.store.database import Database
from app.store.tables import PEOPLE, PEOPLE_CLAIMS


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person as one or more sign-ins showed them."""

    identity: Identity
    """With the claims of that time and the authentication of the last sign-in."""
    groups: tuple[str, ...]
    """Ours, sorted."""
    since: datetime
    """From when these claims are; older ones are in the history."""
    first_seen: datetime
    last_seen: datetime
    revision: int
    """Of the last sign-in."""
    user: LocalUser | None = None
    """A local user's own version, put in by whoever asks about one; None for people of directories."""


_JOINED: Final = select(
    PEOPLE.c.first_seen,
    PEOPLE.c.last_seen,
    PEOPLE.c.revision,
    PEOPLE.c.authentication,
    PEOPLE_CLAIMS.c.since,
    PEOPLE_CLAIMS.c.document,
).join_from(PEOPLE, PEOPLE_CLAIMS, PEOPLE.c.person == PEOPLE_CLAIMS.c.person)


class People:
    """One row a person, one more for each change of claims or groups."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(PEOPLE)
        self._upsert = insert.on_conflict_do_update(
            index_elements=[PEOPLE.c.person],
            set_={
                "last_seen": insert.excluded.last_seen,
                "revision": insert.excluded.revision,
                "authentication": insert.excluded.authentication,
            },
        )

    def seen(self, identity: Identity, groups: Iterable[str], at: datetime, revision: int) -> None:
        """Remember a sign-in's claims; a new row of history only where they differ from the last."""
        person = person_key(identity.source, identity.subject)
        document = dump({"claims": dump_claims(identity), "groups": sorted(groups)})
        current = digest(document)
        latest = (
            select(PEOPLE_CLAIMS.c.digest)
            .where(PEOPLE_CLAIMS.c.person == person)
            .order_by(PEOPLE_CLAIMS.c.id.desc())
            .limit(1)
        )
        row = {
            "person": person,
            "first_seen": at,
            "last_seen": at,
            "revision": revision,
            "authentication": dump(dump_authentication(identity.authentication)),
        }
        with self._database.write() as connection:
            # The upsert locks the person's row, so two sign-ins at once cannot both add the same claims.
            connection.execute(self._upsert, row)
            if connection.execute(latest).scalar() != current:
                change = {"person": person, "since": at, "digest": current, "document": document}
                connection.execute(PEOPLE_CLAIMS.insert(), change)

    def get(self, source: SourceId, subject: str) -> KnownPerson | None:
        """A person with their latest claims."""
        found = self._some(_latest().where(PEOPLE.c.person == person_key(source, subject)))
        return found[0] if found else None

    def all(self, at: datetime | None = None) -> Sequence[KnownPerson]:
        """Everybody, by first sign-in, with their latest claims or those that were known `at` a time."""
        return self._some(_latest(at))

    def history(self, source: SourceId, subject: str) -> Sequence[KnownPerson]:
        """A person's distinct claims, oldest first."""
        wanted = _JOINED.where(PEOPLE.c.person == person_key(source, subject))
        return self._some(wanted.order_by(PEOPLE_CLAIMS.c.id))

    def _some(self, query: Select[*tuple[Any, ...]]) -> Sequence[KnownPerson]:
        with self._database.read() as connection:
            return [_person(row) for row in connection.execute(query)]


def _latest(at: datetime | None = None) -> Select[*tuple[Any, ...]]:
    newest = select(func.max(PEOPLE_CLAIMS.c.id)).group_by(PEOPLE_CLAIMS.c.person)
    if at is not None:
        newest = newest.where(PEOPLE_CLAIMS.c.since <= at)
    return _JOINED.where(PEOPLE_CLAIMS.c.id.in_(newest)).order_by(PEOPLE.c.first_seen, PEOPLE.c.person)


def _person(row: Row[*tuple[Any, ...]]) -> KnownPerson:
    document = load(row.document)
    return KnownPerson(
        identity=load_identity(document["claims"], load_authentication(load(row.authentication))),
        groups=tuple(document["groups"]),
        since=row.since,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        revision=row.revision,
    )
