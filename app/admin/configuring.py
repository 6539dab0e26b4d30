"""Running the broker: revisions of the configuration, and who can assume what.

A change is planned, shown, and activated as planned: if another revision became active meanwhile, it is
refused. "Activated" is on record before it counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from hashlib import sha256

from app.access import Reach, Shift, View, compare, what_can, who_can
from app.admin.desk import Desk
from app.configuration import Loaded, check_folder, clients, load
from app.drafts import Handed, handed
from app.errors import (
    AskRefused,
    PersonUnknown,
    Refusal,
    RevisionChanged,
    RevisionUnknown,
    RevisionUnusable,
    Unknown,
)
from app.everybody import everybody
from app.model import DEVICE_CODE, AuditEvent, AuditKind, Client, Revision, Role, RoleArn, SourceId
from app.principal import trust
from app.store import Activation, KnownPerson, StoredRevision

_TRIES = 5

log = logging.getLogger("daypass.revision")


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of the configuration that a change touches."""

    path: str
    before: str | None
    """None: there was none."""
    after: str | None
    """None: it goes."""


@dataclass(frozen=True, slots=True)
class ClientChange:
    """An OAuth client that a change touches."""

    before: Client | None
    """None: there was none."""
    after: Client | None
    """None: it goes, and with it what it was given."""


@dataclass(frozen=True, slots=True)
class SourceChange:
    """A source that speaks, or may speak, of other people than before under the same id."""

    id: SourceId
    pools: tuple[str, ...]
    """In which its people have identities: those who come meet those who had the same subject."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would do. `Administration.activate` does it, as long as `active` is still active."""

    revision: Revision
    """What would be active."""
    active: int
    """What is active now; 0: nothing yet."""
    restores: int | None
    """The revision that would come back."""
    files: tuple[FileChange, ...]
    shifts: tuple[Shift, ...]
    people: int
    """How many people are known."""
    at: datetime
    unreadable: str = ""
    """Why access cannot be compared with what is active now; empty if it could be."""
    handed: tuple[Handed, ...] = ()
    """Who could administer more or less of daypass, signed in as they last were."""
    clients: tuple[ClientChange, ...] = ()
    sources: tuple[SourceChange, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything would change."""
        return bool(self.files)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two revisions, and what the way from the first to the second means."""

    before: Activation
    after: Activation
    files: tuple[FileChange, ...]
    shifts: tuple[Shift, ...]
    people: int
    handed: tuple[Handed, ...]
    clients: tuple[ClientChange, ...]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A revision in which a policy's text changed."""

    activation: Activation
    sha256: str | None
    """Of the text; None: the policy was taken away."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Who can, or what: by which revision, at which time."""

    activation: Activation
    at: datetime
    reaches: tuple[Reach, ...]
    people: int
    """How many people were looked at."""


class Configuring(Desk):
    """Revisions: plan, activate, look back; and who can assume what."""

    # --- changing what is active ------------------------------------------------------------------

    def check(self) -> Loaded:
        """The folder as it is now, with everything there is to say about it.

        Raises:
            ConfigurationUnreadable.
        """
        return check_folder(self._folder, self._environ)

    def plan(self, revision: Revision) -> Plan:
        """What applying a checked configuration would do.

        Raises:
            PolicyInvalid, StoreUnavailable.
        """
        return self._plan(revision, None)

    def plan_rollback(self, number: int) -> Plan:
        """What going back to the files of an earlier revision would do; they are checked with today's secrets.

        Raises:
            RevisionUnknown, RevisionUnusable, PolicyInvalid, StoreUnavailable.
        """
        return self._plan(self._load(self._get(number), secrets=True), number)

    def activate(self, plan: Plan, *, by: str) -> int:
        """Do what was planned; the number of the revision that is active then. `by`: who, for people to read.

        Raises:
            RevisionChanged, AuditUnavailable, StoreUnavailable.
        """
        if not plan.changes:
            # The folder is what is active: only that is remembered. If it no longer is, it would be activated
            # without a record, so then nothing is done.
            return self._revisions.activate(
                plan.revision.digest,
                plan.revision.files,
                self._clock.now(),
                by=by,
                restores=plan.restores,
                after=plan.active,
            )
        if (self._revisions.latest_number() or 0) != plan.active:
            raise RevisionChanged(f"revision {plan.active} is not active any more")
        number = plan.active + 1
        detail: dict[str, object] = {"digest": plan.revision.digest, "number": number, "by": by}
        if plan.restores is not None:
            detail["restores"] = plan.restores
        self._record(AuditKind.REVISION_ACTIVATED, number, detail)
        try:
            return self._revisions.activate(
                plan.revision.digest,
                plan.revision.files,
                self._clock.now(),
                by=by,
                restores=plan.restores,
                after=plan.active,
            )
        except Refusal as refusal:
            failed = {**detail, "code": refusal.code, "why": refusal.detail}
            self._record(AuditKind.REVISION_FAILED, number, failed)
            raise

    def adopt(self, revision: Revision) -> int:
        """Make the folder's configuration active if it changed since it was last applied, as at start.

        So a restart with a folder that nobody touched leaves a rollback as it is. Returns the number of the
        revision that is active then.

        Raises:
            PolicyInvalid, AuditUnavailable, StoreUnavailable.
        """
        for _ in range(_TRIES):
            latest = self._revisions.latest()
            if latest is not None and latest.folder == revision.digest:
                if latest.digest != revision.digest:
                    log.warning(
                        "a rollback is active, and the folder as it is is not; `config apply` would apply it",
                        extra={"revision": latest.number, "restores": latest.restores},
                    )
                return latest.number
            View.of(revision)  # what cannot be compiled must not become active
            active = latest.number if latest is not None else 0
            files = (
                ()
                if latest is not None and latest.digest == revision.digest
                else files_changed({}, revision.files)
            )
            plan = Plan(revision, active, None, files, (), 0, self._clock.now())
            try:
                return self.activate(plan, by="start")
            except RevisionChanged:
                continue  # another worker or host starts too, most likely with the same folder
        raise RevisionChanged(f"{_TRIES} other revisions became active one after the other")

    # --- looking back -----------------------------------------------------------------------------

    def active(self) -> Activation | None:
        """What is active now; None before the first."""
        return next(iter(self._revisions.activations()), None)

    def revision(self) -> Revision:
        """The active revision, without secrets. Raises Unknown before the first, RevisionUnusable."""
        stored = self._revisions.latest()
        if stored is None:
            raise Unknown(
                "no revision", words="No revision is active yet. Start the broker, or `config apply`."
            )
        return self._load(stored, secrets=False)

    def history(self) -> Sequence[Activation]:
        """Every revision, newest first."""
        return self._revisions.activations()

    def policy_history(self, name: str) -> Sequence[PolicyVersion]:
        """The revisions in which a customer-managed policy's text changed, newest first.

        Raises:
            Unknown: no revision ever had it.
        """
        path = f"policies/{name}.json"
        texts = {digest: files.get(path) for digest, files in self._revisions.contents()}
        versions = list(_versions(reversed(self._revisions.activations()), texts))
        if not versions:
            raise Unknown(f"no revision has {path}", words=f"No revision ever had a policy `{name}`.")
        return versions[::-1]

    def diff(self, first: int, second: int) -> Comparison:
        """Files and access of known people, from one revision to another.

        Raises:
            RevisionUnknown, RevisionUnusable, StoreUnavailable.
        """
        before, after = self._get(first), self._get(second)
        people = self.everybody()
        views = [View.of(self._load(each, secrets=False)) for each in (before, after)]
        return Comparison(
            before=before,
            after=after,
            files=files_changed(before.files, after.files),
            shifts=tuple(compare(views[0], views[1], people, self._clock.now())),
            people=len(people),
            handed=handed(views[0], views[1], people),
            clients=clients_changed(views[0].revision, views[1].revision),
        )

    # --- who and what -----------------------------------------------------------------------------

    def everybody(self, at: datetime | None = None) -> Sequence[KnownPerson]:
        """Whom sign-ins have shown, and, where the broker's keys are at hand, local users and root; now or at a time.

        Raises StoreUnavailable.
        """
        return everybody(self._people, self._sealed.users if self._sealed is not None else None, at)

    def who_can(self, role: str, at: datetime | None = None) -> tuple[Role, Answer]:
        """Who can (or could, at a time) assume a role: by its ARN, ACCOUNT-NAME/ROLE or ACCOUNT-ID/ROLE.

        Raises:
            Unknown, AskRefused (the name fits several), RevisionUnusable, StoreUnavailable.
        """
        stored, view, time, people = self._then(at)
        found = _role(role, view.revision)
        return found, Answer(stored, time, tuple(who_can(view, found, people, time)), len(people))

    def what_can(self, person: str, at: datetime | None = None) -> tuple[KnownPerson, Answer]:
        """What a person can (or could, at a time) assume: by username, SOURCE/USERNAME or SOURCE/SUBJECT.

        Raises:
            Unknown, AskRefused (the name fits several), RevisionUnusable, StoreUnavailable.
        """
        stored, view, time, people = self._then(at)
        known = _person(person, people)
        return known, Answer(stored, time, tuple(what_can(view, known, time)), 1)

    # --- steps ------------------------------------------------------------------------------------

    def _plan(self, revision: Revision, restores: int | None) -> Plan:
        now = self._clock.now()
        latest = self._revisions.latest()
        if latest is not None and latest.digest == revision.digest:
            return Plan(revision, latest.number, restores, (), (), 0, now)
        people = self.everybody()
        after, before, unreadable = View.of(revision), None, ""
        if latest is not None:
            try:
                before = View.of(self._load(latest, secrets=False))
            except Refusal as refusal:
                unreadable = refusal.detail or refusal.words
        return Plan(
            revision=revision,
            active=latest.number if latest is not None else 0,
            restores=restores,
            files=files_changed(latest.files if latest is not None else {}, revision.files),
            shifts=() if unreadable else tuple(compare(before, after, people, now)),
            people=len(people),
            at=now,
            unreadable=unreadable,
            handed=() if unreadable else handed(before, after, people),
            clients=()
            if unreadable
            else clients_changed(before.revision if before is not None else None, revision),
            sources=() if before is None else sources_changed(before.revision, revision),
        )

    def _record(self, kind: AuditKind, number: int, detail: Mapping[str, object]) -> None:
        self._write(AuditEvent(kind, self._clock.now(), "-", "-", revision=number, detail=detail))

    def _get(self, number: int) -> StoredRevision:
        stored = self._revisions.get(number)
        if stored is None:
            raise RevisionUnknown(
                f"revision {number} is not in the store", words=f"There is no revision {number}."
            )
        return stored

    def _load(self, stored: StoredRevision, *, secrets: bool) -> Revision:
        loaded = load(stored.files, self._environ, self._folder, secrets=secrets)
        if loaded.revision is None:
            told = "\n".join(str(problem) for problem in loaded.problems if problem.level == "error")
            raise RevisionUnusable(
                told, words=f"Revision {stored.number} cannot be used as it is. Nothing was changed."
            )
        return replace(loaded.revision, number=stored.number)

    def _then(self, at: datetime | None) -> tuple[StoredRevision, View, datetime, Sequence[KnownPerson]]:
        time = at or self._clock.now()
        stored = self._revisions.at(time) if at is not None else self._revisions.latest()
        if stored is None:
            words = "No revision was active then." if at is not None else "No revision is active yet."
            raise Unknown("no revision", words=words)
        view = View.of(self._load(stored, secrets=False))
        return stored, view, time, self.everybody(at)


def files_changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FileChange, ...]:
    """The files that differ, by path."""
    return tuple(
        FileChange(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def clients_changed(before: Revision | None, after: Revision) -> tuple[ClientChange, ...]:
    """The clients that differ, by id; `before` None: nothing was active. Secrets are not compared."""
    old, new = before.clients if before is not None else clients({}), after.clients
    pairs = (ClientChange(old.get(id), new.get(id)) for id in sorted(old.keys() | new.keys()))
    return tuple(pair for pair in pairs if _told(pair.before) != _told(pair.after))


def sources_changed(before: Revision, after: Revision) -> tuple[SourceChange, ...]:
    """The sources whose sign-ins of before count no more (`principal.trust`), by id."""
    known = [*before.clients.values(), *after.clients.values()]
    return tuple(
        SourceChange(id, tuple(sorted({each.pool for each in known if each.pool and _reaches(each, id)})))
        for id in sorted(before.providers.keys() & after.providers.keys())
        if trust(before.providers[id]) != trust(after.providers[id])
    )


def _reaches(client: Client, source: SourceId) -> bool:
    """Whether people of a source can come to a client: brought by it, or by signing in here."""
    return source in client.accepts or not client.grants.isdisjoint({"authorization_code", DEVICE_CODE})


def _told(client: Client | None) -> Client | None:
    """Everything but what the secret is."""
    return client if client is None or client.secret is None else replace(client, secret="")


def _versions(activations: Iterator[Activation], texts: Mapping[str, str | None]) -> Iterator[PolicyVersion]:
    """Oldest first."""
    last: str | None = None
    for activation in activations:
        text = texts.get(activation.digest)
        if text != last:
            yield PolicyVersion(activation, None if text is None else sha256(text.encode()).hexdigest())
        last = text


def _role(name: str, revision: Revision) -> Role:
    """Raises Unknown, AskRefused."""
    found = revision.roles.get(RoleArn(name))
    if found is not None:
        return found
    named = [role for role in revision.roles.values() if name in _names(role)]
    if len(named) > 1:
        arns = ", ".join(sorted(role.arn for role in named))
        raise AskRefused(
            f"{len(named)} roles", words=f"Several roles are called that; name one by its ARN: {arns}"
        )
    if not named:
        known = {each: None for role in revision.roles.values() for each in (role.arn, *_names(role))}
        near = get_close_matches(name[:128], list(known), 1, 0.6)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise Unknown("no such role", words=f"Revision {revision.number} has no such role.{hint}")
    return named[0]


def _names(role: Role) -> tuple[str, str]:
    return f"{role.account_name}/{role.name}", f"{role.account}/{role.name}"


def _person(name: str, people: Sequence[KnownPerson]) -> KnownPerson:
    """Raises Unknown, AskRefused."""
    exact = [each for each in people if f"{each.identity.source}/{each.identity.subject}" == name]
    found = exact or [each for each in people if name in _called(each)]
    if not found:
        raise PersonUnknown("nobody known", words="No sign-in until then showed a person of that name.")
    if len(found) > 1:
        names = ", ".join(sorted(f"{each.identity.source}/{each.identity.subject}" for each in found))
        raise AskRefused(
            f"{len(found)} people", words=f"Several people are called that; name one of: {names}"
        )
    return found[0]


def _called(known: KnownPerson) -> tuple[str, str]:
    return known.identity.username, f"{known.identity.source}/{known.identity.username}"
