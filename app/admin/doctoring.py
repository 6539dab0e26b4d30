"""The doctor: gathers what the practices are judged by, and remembers what people confirm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from app.access import View, who_can
from app.admin.configuring import Configuring
from app.admin.desk import By
from app.admin.guarding import asked_at_sign_in, open_groups
from app.admin.practices import CONFIRMED, Facts, Finding, examine
from app.admin.rooting import GuardingRoot
from app.errors import AskRefused
from app.model import AuditKind
from app.people import LOCAL, Factor
from app.store import KnownPerson, Search


class Doctoring(Configuring, GuardingRoot):
    """Best practices, looked at."""

    def examine(self) -> Sequence[Finding]:
        """The eighteen practices. Raises Unknown before the first revision, StoreUnavailable, Unavailable."""
        now = self._clock.now()
        revision = self.revision()
        view = View.of(revision)
        people = self.everybody()
        users = self._store.users.all()
        admins = [role for role in revision.roles.values() if role.level == "admin"]
        factors = {user.id: self._store.factors.of(LOCAL, user.id) for user in users}
        keys = [key.signs_from for key in self._store.token_keys.all() if key.signs_from <= now]
        return examine(
            Facts(
                now=now,
                revision=revision,
                users=users,
                factors=factors,
                people=people,
                admins=[(role, who_can(view, role, people, now)) for role in admins],
                asked=frozenset(
                    (each.identity.source, each.identity.subject)
                    for each in people
                    if asked_at_sign_in(view, each, now, devices=_has_device(each, factors))
                ),
                open_groups={role.arn: open_groups(view, role, now) for role in admins},
                sessions={user.id: self._store.sessions.of(LOCAL, user.id, now) for user in users},
                root=self.root_state(),
                uses=self._store.root_uses.all(),
                signing_since=max(keys, default=None),
                own_key=self._environ.get("AWS_ACCESS_KEY_ID", ""),
                confirmed=self._confirmed(),
            )
        )

    def confirm_practice(self, number: int, *, by: By) -> None:
        """Put on record that somebody looked. Raises AskRefused, AuditUnavailable."""
        if number not in CONFIRMED:
            which = " and ".join(str(each) for each in CONFIRMED)
            raise AskRefused(f"practice {number}", words=f"Only practices {which} are confirmed by people.")
        self._note(AuditKind.PRACTICE_CONFIRMED, by, self._clock.now(), {"practice": number})

    def _confirmed(self) -> Mapping[int, datetime]:
        found: dict[int, datetime] = {}
        for stored in self._store.audit.search(Search(kind=AuditKind.PRACTICE_CONFIRMED, limit=200)):
            number = json.loads(stored.record.detail).get("practice")
            if isinstance(number, int):
                found.setdefault(number, stored.record.at)
        return found


def _has_device(known: KnownPerson, factors: Mapping[str, Sequence[Factor]]) -> bool:
    return known.identity.source == LOCAL and bool(factors.get(known.identity.subject))
