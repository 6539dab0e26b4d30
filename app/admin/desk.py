"""What every part of the administration has at hand, and who administers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.audit import AuditWriter
from app.clock import Clock
from app.errors import Unavailable
from app.model import AuditEvent, AuditKind, Revision
from app.people import LOCAL, Alert, UserState
from app.store import People, Revisions, Store


class Notices(Protocol):
    """Telling operators and people. Never raises, never waits for a channel."""

    def tell(self, alert: Alert) -> None: ...


@dataclass(frozen=True, slots=True)
class By:
    """Who administers."""

    name: str
    """For people to read: `operator NAME` (who holds this machine) or `SOURCE/USERNAME`."""
    key: str
    """The same person under whatever name: `operator NAME` or `SOURCE/SUBJECT`. Two keys are two people."""
    request_id: str = "-"
    address: str = "-"
    source: str | None = None
    subject: str | None = None
    username: str | None = None
    session: str | None = None
    revision: int | None = None

    @classmethod
    def operator(cls, name: str) -> By:
        """Who holds the machine; `name` is `operator NAME`, or `operator NAME (WHO)` for WHO who became that by sudo.

        The key is of WHO: the account of the service is shared, and who becomes another is no second person.
        """
        person = re.fullmatch(r"operator .* \((.+)\)", name)
        return cls(name, f"operator {person[1]}" if person else name)


class Desk:
    """The parts. `folder` is the configuration folder, `environ` where its secrets are looked up.

    `store` is None where the broker's keys are not at hand: then nothing about local people is to be had.
    """

    def __init__(
        self,
        *,
        revisions: Revisions,
        people: People,
        audit: AuditWriter,
        clock: Clock,
        folder: Path,
        environ: Mapping[str, str],
        store: Store | None = None,
        notices: Notices | None = None,
    ) -> None:
        self._revisions = revisions
        self._people = people
        self._audit = audit
        self._clock = clock
        self._folder = folder
        self._environ = environ
        self._sealed = store
        self._notices = notices

    @property
    def _store(self) -> Store:
        """The store with its sealed rows. Raises Unavailable."""
        if self._sealed is None:
            raise Unavailable("the broker's key file is needed for this, and was not opened")
        return self._sealed

    def revision(self) -> Revision:
        """The active revision, without secrets. `Configuring` gives it."""
        raise NotImplementedError

    def _came_since(self, by: By, at: datetime) -> bool:
        """Whether it is a local user who was made, enabled or given a password since then.

        Whoever was to be looked at by a second person could have done that, and be both.
        """
        if by.source != LOCAL or by.subject is None:
            return False
        then = self._store.users.get(by.subject, at)
        account = self._store.users.account(by.subject)
        if then is None or then.state is not UserState.ACTIVE:
            return True
        return account is not None and account.password_at is not None and account.password_at > at

    def _write(self, event: AuditEvent) -> None:
        """Put it on record. Raises AuditUnavailable."""
        self._audit.record(event)

    def _note(
        self,
        kind: AuditKind,
        by: By,
        at: datetime,
        detail: Mapping[str, object],
        *,
        person: tuple[str, str] | None = None,
    ) -> None:
        """Put on record what somebody administers, before it is done. `person`: (source, subject) whom it is about.

        The record is that person's, so that it is found with what else happened to them; who did it is in `by`.
        """
        source, subject = person if person is not None else (by.source, by.subject)
        self._write(
            AuditEvent(
                kind=kind,
                at=at,
                request_id=by.request_id,
                address=by.address,
                source=source,
                subject=subject,
                session=by.session,
                revision=by.revision,
                detail={"by": by.name, "by_key": by.key, **detail},
            )
        )

    def _tell(self, alert: Alert) -> None:
        if self._notices is not None:
            self._notices.tell(alert)
