"""Everybody who is known: whom sign-ins have shown, the broker's own users whether they signed in or not, and root.

Of one time, as all questions about access are: with the claims, or the version of a user, that counted then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from app.model import Authentication, Identity
from app.people import LOCAL, ROOT, ROOT_SUBJECT, LocalUser
from app.store import KnownPerson, People
from app.store.users import Users

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""`KnownPerson.last_seen` of a local user, or root, who has not signed in."""


def everybody(people: People, users: Users | None, at: datetime | None = None) -> Sequence[KnownPerson]:
    """People of directories by first sign-in, then local users by name, then root once it is set up.

    A local user has the groups and policies of `at` (`KnownPerson.user`), and counts from its creation to its end;
    a disabled one is known, and may do nothing. `users` None: the broker's keys are not at hand, so that of local
    users and root nothing can be said, and none is named.

    Raises StoreUnavailable.
    """
    known = people.all(at)
    shown = [each for each in known if each.identity.source not in (LOCAL, ROOT)]
    if users is None:
        return shown
    own = {(each.identity.source, each.identity.subject): each for each in known}
    local = [_local(user, own.get((LOCAL, user.id))) for user in users.all(at)]
    return [*shown, *local, *_root(users, own.get((ROOT, ROOT_SUBJECT)), at)]


def local_identity(user: LocalUser, authentication: Authentication) -> Identity:
    """A local user as a sign-in shows them: no source vouches, so there are no claims."""
    return Identity(
        source=LOCAL,
        subject=user.id,
        username=user.username,
        claims={},
        authentication=authentication,
        name=user.name or None,
        email=user.email or None,
        groups=user.groups,
    )


def _local(user: LocalUser, seen: KnownPerson | None) -> KnownPerson:
    since = user.since or NEVER
    # The name and groups of this version, not of the last sign-in: what the user is now is the user's own row.
    identity = local_identity(
        user, seen.identity.authentication if seen is not None else Authentication(since)
    )
    if seen is not None:
        return replace(seen, identity=identity, groups=user.groups, since=since, user=user)
    return KnownPerson(identity, user.groups, since, first_seen=since, last_seen=NEVER, revision=0, user=user)


def _root(users: Users, seen: KnownPerson | None, at: datetime | None) -> Iterator[KnownPerson]:
    account = users.account(ROOT_SUBJECT)
    since = account.password_at if account is not None and account.password else None
    if seen is not None:
        yield seen
    elif since is not None and (at is None or since <= at):
        identity = Identity(ROOT, ROOT_SUBJECT, ROOT_SUBJECT, {}, Authentication(since))
        yield KnownPerson(identity, (), since, first_seen=since, last_seen=NEVER, revision=0)
