"""Several logins of one person in an app's pool: linked by proof of both at once, and taken away again.

Identities are never merged, and never found by an e-mail address: a login that has an identity of its own keeps it.
"""

from __future__ import annotations

from app.broker.presenting import Brought, Presenting
from app.errors import LoginNeeded, LoginTaken
from app.model import (
    EXCHANGE,
    AuditKind,
    Caller,
    ClientProof,
    PoolIdentity,
    SourceId,
    SubjectProof,
)


class Linking(Presenting):
    """The conversation of an app about the logins of its person."""

    def link(
        self, client: ClientProof, subject: SubjectProof, other: SubjectProof, *, caller: Caller
    ) -> PoolIdentity:
        """Let the login that `other` proves lead to the identity of the one that `subject` proves.

        Raises:
            GrantError and its kin, ProofRefused and its kin, LoginTaken, ProviderFailed, TooMany, AuditUnavailable,
            StoreUnavailable.
        """
        now = self._clock.now()
        with self._admitted(caller, now):
            running = self._active.current()
            asking = self._client_for(running, client, EXCHANGE)
            mine = self._brought(running, asking, subject, caller, now)
            with self._refusing(mine, caller, now):
                # Within: whoever is known and shows somebody else's token, or a forged one, is put on record.
                new = self._brought(running, asking, other, caller, now)
                id, theirs = self._identity(mine), self._identity(new)
                if theirs is not None and theirs != id:
                    raise LoginTaken("the other login has an identity of its own in the pool")
                who, login = mine.identity, new.identity
                id = id or self._store.identities.of(mine.pool, who.source, who.subject, now)
                if theirs is None and (who.source, who.subject) != (login.source, login.subject):
                    detail = {
                        "identity_id": id,
                        "linked_source": login.source,
                        "linked_subject": login.subject,
                    }
                    self._record_person(AuditKind.IDENTITY_LINKED, mine, caller, now, detail)
                    proof = (who.source, who.subject)
                    if not self._store.identities.link(
                        mine.pool, id, login.source, login.subject, now, by=proof
                    ):
                        raise LoginTaken("one of the two logins was given another identity meanwhile")
                else:
                    # Nothing was written, and what is told may have been read from a request that is under way.
                    self._store.settle()
                return PoolIdentity(id, tuple(self._store.identities.logins(id)))

    def unlink(
        self, client: ClientProof, subject: SubjectProof, source: str, *, caller: Caller
    ) -> PoolIdentity:
        """Take every login of a source away from the identity that `subject` proves, unless none would be left.

        What was given for these logins in the pool ends with it.

        Raises:
            as `link`; LoginNeeded instead of LoginTaken.
        """
        now = self._clock.now()
        with self._admitted(caller, now):
            running = self._active.current()
            asking = self._client_for(running, client, EXCHANGE)
            mine = self._brought(running, asking, subject, caller, now)
            with self._refusing(mine, caller, now):
                id = self._identity(mine)
                logins = self._store.identities.logins(id) if id is not None else ()
                if id is None or {of == source for of, _ in logins} != {True, False}:
                    raise LoginNeeded("the identity has no login of that source, or no other")
                detail = {
                    "identity_id": id,
                    "unlinked_source": source,
                    "unlinked_subjects": [subject for of, subject in logins if of == source],
                }
                self._record_person(AuditKind.IDENTITY_UNLINKED, mine, caller, now, detail)
                if not self._store.identities.unlink(mine.pool, id, SourceId(source), now):
                    raise LoginNeeded("the logins were changed meanwhile")
                return PoolIdentity(id, tuple(self._store.identities.logins(id)))

    def _identity(self, brought: Brought) -> str | None:
        who = brought.identity
        return self._store.identities.find(brought.pool, who.source, who.subject)
