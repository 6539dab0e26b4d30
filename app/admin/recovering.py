"""Second factors as administrators see them, and the way back for somebody who lost theirs: two of them are needed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from app.admin.desk import By, Desk
from app.errors import AskRefused, PersonUnknown, SecondPersonNeeded, UserUnknown
from app.model import AuditKind, SourceId
from app.people import LOCAL, ROOT, Alert, Factor, Recovery, UserState

WAITS: Final = timedelta(hours=24)
"""How long a request may be approved."""
REASON_MOST: Final = 500


class Recovering(Desk):
    """Factors of others."""

    def factors(self, source: SourceId, subject: str) -> Sequence[Factor]:
        """A person's devices. Raises StoreUnavailable."""
        return self._store.factors.of(source, subject)

    def whom(self, who: str) -> tuple[SourceId, str, str]:
        """(source, subject, username) of `NAME` or `SOURCE/NAME`, a local user or somebody whom a sign-in has shown.

        Raises:
            PersonUnknown, AskRefused (several are called that).
        """
        source, _, name = who.rpartition("/")
        found: dict[tuple[SourceId, str], str] = {}
        if source in ("", LOCAL):
            user = self._store.users.by_username(name) or self._store.users.get(name)
            if user is not None and user.state is not UserState.DELETED:
                found[LOCAL, user.id] = user.username
        for known in self._people.all():
            each = known.identity
            if each.source != LOCAL and who in (
                f"{each.source}/{each.username}",
                f"{each.source}/{each.subject}",
                each.username,
            ):
                found[each.source, each.subject] = each.username
        if not found:
            raise PersonUnknown("nobody known", words=f"Nobody is known as `{who[:128]}`.")
        if len(found) > 1:
            names = ", ".join(sorted(f"{source}/{name}" for (source, _), name in found.items()))
            raise AskRefused("several", words=f"Several people are called that; name one of: {names}")
        ((source_, subject), username) = next(iter(found.items()))
        return source_, subject, username

    def recoveries(self) -> Sequence[Recovery]:
        """Every request, newest first."""
        return self._store.recoveries.all()

    def waiting(self) -> Sequence[Recovery]:
        """Those that may be decided still."""
        now = self._clock.now()
        return [each for each in self.recoveries() if each.decided_at is None and each.expires_at > now]

    def called(self, key: str) -> str:
        """Whom a `By.key` stands for, for people to read: `SOURCE/USERNAME`, or the key where nobody is known by it."""
        source, slash, subject = key.partition("/")
        if not slash:
            return key
        if source == LOCAL:
            user = self._store.users.get(subject)
            return key if user is None else f"{LOCAL}/{user.username}"
        known = self._people.get(SourceId(source), subject)
        return key if known is None else f"{source}/{known.identity.username}"

    def recovery(self, id: str) -> Recovery:
        """One of them. Raises UserUnknown."""
        found = self._store.recoveries.get(id)
        if found is None:
            raise UserUnknown("no such request", words="There is no such request.")
        return found

    def ask_recovery(self, source: SourceId, subject: str, username: str, reason: str, *, by: By) -> Recovery:
        """Ask that all of a person's factors be taken away; another administrator decides within a day.

        Raises:
            AskRefused (no reason, root, one waits already, no factors), AuditUnavailable, StoreUnavailable.
        """
        now = self._clock.now()
        reason = reason.strip()
        if not 8 <= len(reason) <= REASON_MOST:
            words = (
                f"Say why, in 8 to {REASON_MOST} characters: the other administrator and the auditor read it."
            )
            raise AskRefused("reason", words=words)
        if source == ROOT:
            raise AskRefused("root", words="Root is set up anew on the host: `python -m app root setup`.")
        if not self._store.factors.of(source, subject):
            raise AskRefused("no factors", words="This person has no second factor that could be taken away.")
        asked = Recovery(
            id=secrets.token_hex(8),
            source=source,
            subject=subject,
            username=username,
            reason=reason,
            asked_by=by.key,
            asked_at=now,
            expires_at=now + WAITS,
        )
        waits = AskRefused("waits already", words="Such a request for this person waits already.")
        person = (source, subject)
        if any((each.source, each.subject) == person for each in self.waiting()):
            raise waits
        detail: dict[str, object] = {"recovery": asked.id, "reason": reason}
        self._note(AuditKind.RECOVERY_ASKED, by, now, detail, person=person)
        if not self._store.recoveries.add(asked):
            failed = {"recovery": asked.id, "failed": waits.detail}
            self._note(AuditKind.RECOVERY_ASKED, by, now, failed, person=person)
            raise waits
        self._tell(
            Alert(
                id=secrets.token_hex(8),
                kind="recovery.asked",
                at=now,
                title=f"Second factors of {source}/{username} are to be taken away",
                text=f"{by.name} asked for it: {reason}\nAnother administrator approves or refuses it on the page "
                "Recoveries, or by `python -m app mfa`, within a day.",
            )
        )
        return asked

    def decide_recovery(self, id: str, *, approve: bool, by: By) -> Recovery:
        """Approve or refuse a request of somebody else's. Approved: all factors and sessions of the person end.

        Raises:
            UserUnknown, SecondPersonNeeded, AskRefused (decided already, or too late), AuditUnavailable,
            StoreUnavailable.
        """
        now = self._clock.now()
        asked = self.recovery(id)
        if by.key == asked.asked_by or (by.source, by.subject) == (asked.source, asked.subject):
            raise SecondPersonNeeded(f"{by.key} asked, or is whom it is about")
        if self._came_since(by, asked.asked_at):
            # Whoever asks could else make the second person.
            raise SecondPersonNeeded(
                f"{by.key} was made, or given a password, after the request",
                words="Only somebody who was there already when it was asked for, with the same password, can decide this.",
            )
        over = AskRefused(
            "decided or late", words="This request was decided already, or is older than a day."
        )
        if asked.decided_at is not None or asked.expires_at <= now:
            raise over
        person = (asked.source, asked.subject)
        detail: dict[str, object] = {"recovery": id, "approved": approve, "asked_by": asked.asked_by}
        self._note(AuditKind.RECOVERY_DECIDED, by, now, detail, person=person)
        if not self._store.recoveries.decide(id, approved=approve, by=by.key, now=now):
            failed = {"recovery": id, "failed": over.detail}
            self._note(AuditKind.RECOVERY_DECIDED, by, now, failed, person=person)
            raise over
        if approve:
            # Sessions first: none that goes on may enrol a new first factor.
            if asked.source == LOCAL:
                self._store.users.renew_epoch(asked.subject, now)  # a sign-in that goes on just now ends too
            self._store.sessions.end_all(asked.source, asked.subject, now)
            self._store.factors.end_all(asked.source, asked.subject, now)
            self._store.known_devices.forget_all(asked.source, asked.subject)
            self._tell_person(asked)
        return self.recovery(id)

    def _tell_person(self, asked: Recovery) -> None:
        """The person hears of it, if they have an address; so a recovery that they did not want is noticed."""
        to = ""
        if asked.source == LOCAL:
            user = self._store.users.get(asked.subject)
            to = user.email if user is not None else ""
        else:
            known = self._people.get(asked.source, asked.subject)
            to = (known.identity.email or "") if known is not None else ""
        if to:
            self._tell(
                Alert(
                    id=secrets.token_hex(8),
                    kind="recovery.approved",
                    at=self._clock.now(),
                    title="Your second factors were taken away",
                    text=f"Two administrators took all your second factors away: {asked.reason}\n"
                    "At your next sign-in you add a new one. If you did not ask for this, tell them at once.",
                    to=to,
                )
            )
