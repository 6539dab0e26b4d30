"""Root, from outside: the link that sets it up, its uses, and who signs them off."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.admin.desk import By, Desk
from app.errors import AskRefused, SecondPersonNeeded, Unknown
from app.model import AuditKind
from app.people import ROOT, ROOT_FACTORS, ROOT_LIFE, ROOT_SUBJECT, Alert, Factor, Link, RootUse

_NOTE_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class RootState:
    """How root stands."""

    factors: tuple[Factor, ...]
    password_at: datetime | None
    open_uses: int
    """Not signed off."""

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.password_at is not None and len(self.factors) >= ROOT_FACTORS


class GuardingRoot(Desk):
    """Root's set-up and its uses."""

    def root_state(self) -> RootState:
        """How root stands. Raises StoreUnavailable."""
        account = self._store.users.account(ROOT_SUBJECT)
        return RootState(
            factors=tuple(self._store.factors.of(ROOT, ROOT_SUBJECT)),
            password_at=account.password_at if account is not None and account.password else None,
            open_uses=len([use for use in self._store.root_uses.all() if use.signed_off_at is None]),
        )

    def set_up_root(self, *, by: By) -> str:
        """A link that sets root up, good once within 15 minutes: for whoever holds the machine, shown to nobody else.

        What root had (password, devices, sessions) ends when the link is used, not before: a link that nobody uses
        changes nothing. The operators are told.

        Raises:
            AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        had = self.root_state()
        detail: dict[str, object] = {"purpose": "root", "again": had.password_at is not None}
        self._note(AuditKind.LINK_MADE, by, now, detail, person=(ROOT, ROOT_SUBJECT))
        self._store.users.ensure_root(now)
        token = secrets.token_urlsafe(32)
        self._store.links.add(token, Link("root", ROOT_SUBJECT, now + ROOT_LIFE, by.name))
        settings = self.revision().settings
        self._tell(
            Alert(
                id=secrets.token_hex(8),
                kind="root.setup",
                at=now,
                title=f"{settings.name}: root is being set up{' anew' if had.password_at else ''}",
                text=f"{by.name} made a set-up link on the host. If nobody planned this, look at once who holds the host.",
            )
        )
        return f"{settings.base_url}/link?t={token}"

    def root_uses(self) -> Sequence[RootUse]:
        """Every use, newest first. Raises StoreUnavailable."""
        return self._store.root_uses.all()

    def sign_off_root(self, id: str, note: str, *, by: By) -> None:
        """Say that a use was looked at and was in order, or what follows; never by root itself, nor by whom it made.

        Raises:
            Unknown, SecondPersonNeeded, AskRefused (the note, or signed off already), AuditUnavailable,
            StoreUnavailable.
        """
        now = self._clock.now()
        note = note.strip()
        if not 8 <= len(note) <= _NOTE_MOST:
            words = f"Say what you found, in 8 to {_NOTE_MOST} characters: the auditor reads it."
            raise AskRefused("note", words=words)
        use = next((each for each in self._store.root_uses.all() if each.id == id), None)
        if use is None:
            raise Unknown("no such use of root", words="There is no such use of root.")
        if by.source == ROOT:
            raise SecondPersonNeeded(
                "root cannot sign itself off", words="Nobody signs off their own use of root."
            )
        if self._came_since(by, use.at):
            # Root can make users, and links for their passwords.
            raise SecondPersonNeeded(
                f"{by.key} was made, or given a password, after root was used",
                words="Only somebody who was there already when root was used, with the same password, can sign it off.",
            )
        over = AskRefused("signed off already", words="This use was signed off already.")
        if use.signed_off_at is not None:
            raise over
        detail: dict[str, object] = {"use": id, "note": note}
        self._note(AuditKind.ROOT_SIGNED_OFF, by, now, detail, person=(ROOT, ROOT_SUBJECT))
        if not self._store.root_uses.sign_off(id, by=by.name, note=note, now=now):
            failed = {"use": id, "failed": over.detail}
            self._note(AuditKind.ROOT_SIGNED_OFF, by, now, failed, person=(ROOT, ROOT_SUBJECT))
            raise over
