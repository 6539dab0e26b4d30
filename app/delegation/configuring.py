"""The configuration and the audit record, as people may read and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.access import Shift, View, compare
from app.active import Running
from app.admin import FileChange, Plan, files_changed
from app.audit import StoredRecord
from app.configuration import ConfigurationUnreadable
from app.delegation.desk import Asking, Desk
from app.drafts import Handed, handed
from app.errors import ConfigurationWrong, RevisionChanged, RevisionUnknown, RevisionUnusable
from app.model import Caller, Revision, Session
from app.policy import Index, actions
from app.store import Activation, Search, StoredRevision


@dataclass(frozen=True, slots=True)
class Difference:
    """From one revision to another."""

    older: Activation
    newer: Activation
    files: tuple[FileChange, ...]
    """Those that differ, by path."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a change of the active revision would do."""

    difference: Difference
    shifts: tuple[Shift, ...]
    """Who would gain and lose which roles; those with most at stake first."""
    handed: tuple[Handed, ...]
    """Who could administer more or less of daypass."""
    looked_at: int
    """How many people that was worked out for."""


class Configuring(Desk):
    """Revisions, the folder, the record."""

    # --- revisions --------------------------------------------------------------------------------

    def revisions(self, session: Session, *, caller: Caller) -> Sequence[Activation]:
        """Every revision without its files, newest first; the first is active.

        Raises:
            Unknown, AuditUnavailable, StoreUnavailable; so do all methods below.
        """
        self._need(session, actions.READ_CONFIGURATION, actions.CONFIGURATION, caller, {"read": "history"})
        return self._administration.history()

    def difference(self, session: Session, older: int, newer: int, *, caller: Caller) -> Difference:
        """What changed from one revision to another. Raises RevisionUnknown too."""
        facts: dict[str, object] = {"read": "difference", "from": older, "to": newer}
        self._need(session, actions.READ_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        before, after = self._revision(older), self._revision(newer)
        return _difference(before, after, before.files, after.files)

    def plan_roll_back(self, session: Session, number: int, *, caller: Caller) -> Planned:
        """What would change if that revision came back, for people whom one may see. Raises RevisionUnknown too."""
        facts: dict[str, object] = {"plan": "rollback", "to": number}
        asking = self._need(session, actions.ROLLBACK_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        wanted = self._revision(number)
        running = self._usable(number)
        active = self._revision(asking.running.revision.number)
        difference = _difference(active, wanted, active.files, wanted.files)
        return self._planned(asking, difference, View(running.revision, running.index))

    def roll_back(self, session: Session, number: int, active: int, *, caller: Caller) -> int:
        """Make that revision's files active again, as a new revision, if `active` still is; its number.

        Raises RevisionUnknown, RevisionUnusable, RevisionChanged too.
        """
        facts: dict[str, object] = {"to": number, "from": active}
        asking = self._need(session, actions.ROLLBACK_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        self._revision(number)
        return self._activate(asking, self._usable(number).revision, active, number)

    def plan(self, session: Session, *, caller: Caller) -> Planned:
        """What the configuration folder of this machine would change, for people whom one may see.

        Raises ConfigurationWrong too.
        """
        facts: dict[str, object] = {"plan": "folder"}
        asking = self._need(session, actions.APPLY_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        found = self._on_disk()
        current = asking.running
        active = self._revision(current.revision.number)
        newer = Activation(
            number=active.number + 1,
            digest=found.digest,
            activated_at=asking.now,
            by="",
            restores=None,
            folder=found.digest,
        )
        return self._planned(asking, _difference(active, newer, active.files, found.files), View.of(found))

    def apply(self, session: Session, digest: str, active: int, *, caller: Caller) -> int:
        """Make the folder's configuration active, if it is still the one of that digest; the new revision's number.

        Raises ConfigurationWrong, RevisionChanged too.
        """
        facts: dict[str, object] = {"from": active}
        asking = self._need(session, actions.APPLY_CONFIGURATION, actions.CONFIGURATION, caller, facts)
        found = self._on_disk()
        if found.digest != digest:
            raise RevisionChanged(f"the folder has {found.digest[:12]} now, {digest[:12]} was planned")
        Index.compile(found)  # what cannot be compiled must not become active
        return self._activate(asking, found, active)

    # --- audit ------------------------------------------------------------------------------------

    def search_audit(self, session: Session, wanted: Search, *, caller: Caller) -> Sequence[StoredRecord]:
        """The newest records that fit, newest first. What was looked for is on record too."""
        asked = {
            "person": wanted.person,
            "role": wanted.role,
            "kind": wanted.kind,
            "request_id": wanted.request_id,
            "access_key_id": wanted.access_key_id,
            "since": wanted.since.isoformat() if wanted.since else None,
            "until": wanted.until.isoformat() if wanted.until else None,
            "before": wanted.before,
        }
        facts: dict[str, object] = {
            "search": {name: value for name, value in asked.items() if value is not None}
        }
        self._need(session, actions.READ_AUDIT, actions.AUDIT, caller, facts)
        return self._store.audit.search(wanted)

    # --- steps ------------------------------------------------------------------------------------

    def _planned(self, asking: Asking, difference: Difference, after: View) -> Planned:
        people = self._readable(asking, self._administration.everybody())
        before = View(asking.running.revision, asking.running.index)
        return Planned(
            difference,
            tuple(compare(before, after, people, asking.now)),
            handed(before, after, people),
            len(people),
        )

    def _activate(self, asking: Asking, wanted: Revision, active: int, restores: int | None = None) -> int:
        latest = self._store.revisions.latest()
        if latest is None or latest.number != active:
            raise RevisionChanged(f"revision {active} is not active any more")
        files = files_changed(latest.files, wanted.files)
        if not files:
            return active
        plan = Plan(wanted, active, restores, files, (), 0, asking.now)
        who = asking.session.identity
        return self._administration.activate(plan, by=f"{who.source}/{who.username}")

    def _on_disk(self) -> Revision:
        try:
            loaded = self._administration.check()
        except ConfigurationUnreadable as unreadable:
            raise ConfigurationWrong((str(unreadable),)) from unreadable
        if loaded.revision is None:
            raise ConfigurationWrong(
                tuple(str(problem) for problem in loaded.problems if problem.level == "error")
            )
        return loaded.revision

    def _usable(self, number: int) -> Running:
        running = self._active.at(number)
        if running.revision.number != number:
            raise RevisionUnusable(f"revision {number} cannot be built here")
        return running

    def _revision(self, number: int) -> StoredRevision:
        found = self._store.revisions.get(number)
        if found is None:
            raise RevisionUnknown(f"revision {number} is not in the store")
        return found


def _difference(
    older: Activation, newer: Activation, before: Mapping[str, str], after: Mapping[str, str]
) -> Difference:
    return Difference(older, newer, files_changed(before, after))
