"""Who is known, of now and of a time: local users with the version that counted then, root once it is set up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreUnavailable
from app.everybody import NEVER, everybody, local_identity
from app.model import Authentication, Identity, SourceId
from app.people import LOCAL, ROOT, Account, LocalUser, UserState
from app.sealing import Sealer
from app.store import Store, open_store

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = Fernet.generate_key()


@pytest.fixture
def store(tmp_path) -> Store:
    made = open_store(f"sqlite:///{tmp_path / 'daypass.db'}", Sealer([KEY]))
    yield made
    made.close()


def user(username: str, **more: object) -> LocalUser:
    return LocalUser(f"{username}-id", username, **more)  # type: ignore[arg-type]


def known(store: Store, at: datetime | None = None) -> list[tuple[str, str]]:
    return [
        (each.identity.source, each.identity.username) for each in everybody(store.people, store.users, at)
    ]


def test_a_local_user_is_known_without_having_signed_in(store: Store) -> None:
    store.users.create(user("ana", name="Ana", groups=("sre",), policies=("p",)), by="x", at=NOW - DAY)
    (found,) = everybody(store.people, store.users)
    assert found.user is not None and found.user.policies == ("p",)
    assert (found.identity.source, found.identity.subject, found.identity.name) == (LOCAL, "ana-id", "Ana")
    assert (found.groups, found.since, found.last_seen, found.revision) == (("sre",), NOW - DAY, NEVER, 0)
    assert found.identity.claims == {} and found.identity.authentication.mfa_at is None


def test_what_a_sign_in_showed_stays_and_the_version_says_the_rest(store: Store) -> None:
    first = user("ana", groups=("sre",))
    store.users.create(first, by="x", at=NOW - 3 * DAY)
    how = Authentication(NOW - DAY, ("pwd", "otp"), mfa_at=NOW - DAY)
    store.people.seen(local_identity(first, how), ("sre",), NOW - DAY, 7)
    store.users.change(replace(first, username="anna", groups=("dev",)), 1, by="x", at=NOW)
    (found,) = everybody(store.people, store.users)
    assert (found.identity.username, found.groups, found.since) == ("anna", ("dev",), NOW)
    assert (found.identity.authentication, found.last_seen, found.revision) == (how, NOW - DAY, 7)


def test_of_a_time_it_is_the_version_of_then(store: Store) -> None:
    first = user("ana", groups=("sre",))
    store.users.create(first, by="x", at=NOW - 3 * DAY)
    store.users.create(user("ben"), by="x", at=NOW - DAY)
    store.users.change(replace(first, groups=()), 1, by="x", at=NOW - 2 * DAY)
    store.users.change(replace(first, state=UserState.DISABLED), 2, by="x", at=NOW - DAY)
    store.users.change(replace(first, state=UserState.DELETED), 3, by="x", at=NOW)

    def then(at: datetime) -> list[tuple[str, int, tuple[str, ...], str]]:
        found = (each.user for each in everybody(store.people, store.users, at))
        return [(each.username, each.version, each.groups, each.state) for each in found if each is not None]

    assert then(NOW - 4 * DAY) == []
    assert then(NOW - 3 * DAY) == [("ana", 1, ("sre",), "active")]
    assert then(NOW - 2 * DAY) == [("ana", 2, (), "active")]
    assert then(NOW - DAY) == [("ana", 3, ("sre",), "disabled"), ("ben", 1, (), "active")]
    assert then(NOW) == [("ben", 1, (), "active")]


def test_a_deleted_user_is_nobody_though_sign_ins_were_seen(store: Store) -> None:
    first = user("ana")
    store.users.create(first, by="x", at=NOW - DAY)
    store.people.seen(local_identity(first, Authentication(NOW)), (), NOW, 1)
    store.users.change(replace(first, state=UserState.DELETED), 1, by="x", at=NOW)
    assert known(store) == [] and known(store, NOW - DAY) == [("local", "ana")]
    # The name is free for somebody else, who is not taken for the former.
    store.users.create(LocalUser("other-id", "ana"), by="x", at=NOW)
    (found,) = everybody(store.people, store.users)
    assert (found.identity.subject, found.last_seen) == ("other-id", NEVER)


def test_directories_people_come_first_and_have_no_user(store: Store) -> None:
    who = Identity(SourceId("corp"), "ana-1", "ana", {}, Authentication(NOW))
    store.people.seen(who, ("sre",), NOW, 1)
    store.users.create(user("ana"), by="x", at=NOW)
    assert known(store) == [("corp", "ana"), ("local", "ana")]
    assert everybody(store.people, store.users)[0].user is None


def test_root_is_known_from_its_set_up_on(store: Store) -> None:
    store.users.ensure_root(NOW - 3 * DAY)
    assert known(store) == []
    store.users.set_account(Account("root", "$argon2id$x", NOW - DAY), NOW - DAY)
    assert known(store) == [("root", "root")]
    assert known(store, NOW - 2 * DAY) == [] and known(store, NOW - DAY) == [("root", "root")]
    store.people.seen(Identity(ROOT, "root", "root", {}, Authentication(NOW)), (), NOW, 1)
    (found,) = everybody(store.people, store.users)
    assert (found.last_seen, found.user) == (NOW, None)


def test_without_the_keys_nothing_is_said_of_local_users_and_root(store: Store) -> None:
    store.users.create(user("ana"), by="x", at=NOW)
    store.people.seen(local_identity(user("ana"), Authentication(NOW)), (), NOW, 1)
    store.people.seen(Identity(ROOT, "root", "root", {}, Authentication(NOW)), (), NOW, 1)
    assert everybody(store.people, None) == []


def test_with_other_keys_it_is_refused_and_nobody_left_out(store: Store, tmp_path) -> None:
    store.users.create(user("ana"), by="x", at=NOW)
    other = open_store(f"sqlite:///{tmp_path / 'daypass.db'}", Sealer([Fernet.generate_key()]))
    with pytest.raises(StoreUnavailable):
        everybody(other.people, other.users)
    other.close()
