"""What the store promises about the identities of apps' people and guests, on every database."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreUnavailable
from app.model import GUEST, Authentication, Identity
from app.sealing import Sealer
from app.store import open_store
from app.store.identities import GUEST_LIFE, Claimed
from tests.conformance.workers import Workers
from tests.store.builders import (
    BOTH,
    CORP,
    HOUR,
    MINUTE,
    NOW,
    ODD,
    PARTNER,
    clients_session,
    identity,
    session,
)
from tests.store.databases import KEY, sql

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
HERE = "203.0.113.7"


@pytest.fixture
def ana(store):
    """The id of ana's identity in the pool `photos`."""
    return store.identities.of("photos", CORP, "ana-7", NOW)


def brought(id: str, pool_identity: str, **changes):
    """The session of somebody whom the app brought."""
    values = {
        "client": "photos",
        "approved_by": None,
        "pool_identity": pool_identity,
        "expires_at": NOW + HOUR,
    }
    return clients_session(id, **(values | changes))


def guest_session(id: str, guest: str, **changes):
    who = Identity(GUEST, guest, "guest", {}, Authentication(NOW))
    return brought(id, guest, identity=who, **changes)


def begin(store, made, pool: str = "photos") -> bool:
    return store.refresh_tokens.begin_on_proof(made, f"token of {made.id}", BOTH, pool=pool)


# --- one a person and pool ------------------------------------------------------------------------


def test_a_person_has_one_identity_in_a_pool_for_ever_and_others_have_others(store, ana):
    assert UUID(ana).version == 4
    assert store.identities.of("photos", CORP, "ana-7", NOW + 400 * DAY) == ana
    others = {
        store.identities.of(*who, NOW)
        for who in (
            ("photos", CORP, "ben-3"),
            ("photos", PARTNER, "ana-7"),
            ("notes", CORP, "ana-7"),
            ("photos", CORP, ODD),
            ("photoscorp", "", "ana-7"),
        )
    }
    assert len(others | {ana}) == 6
    assert store.identities.of("photos", CORP, ODD, NOW) in others


def test_looking_for_an_identity_makes_none(store, ana):
    assert store.identities.find("photos", CORP, "ana-7") == ana
    assert store.identities.find("photos", CORP, "ben-3") is None
    assert sql(store, "SELECT count(*) FROM pool_identities")[0][0] == 1


def test_logins_come_back_oldest_first(store, ana):
    assert store.identities.link("photos", ana, PARTNER, ODD, NOW + MINUTE)
    assert store.identities.link("photos", ana, PARTNER, "a", NOW + 2 * MINUTE)
    assert store.identities.logins(ana) == [(CORP, "ana-7"), (PARTNER, ODD), (PARTNER, "a")]
    for stranger in ("none", ODD, ""):
        assert not store.identities.logins(stranger)


def test_processes_that_bring_the_same_login_get_one_identity(url, store):
    results = Workers(url).all_do("identify", threads=20)
    assert len(results) == 40 and len({*results}) == 1
    assert sql(store, "SELECT count(*) FROM pool_identities")[0][0] == 1


# --- linking --------------------------------------------------------------------------------------


def test_a_linked_login_leads_to_the_same_identity_and_only_in_that_pool(store, ana):
    assert store.identities.link("photos", ana, PARTNER, "ana@home", NOW)
    assert store.identities.of("photos", PARTNER, "ana@home", NOW) == ana
    assert store.identities.link("photos", ana, PARTNER, "ana@home", NOW), "again is no error"
    assert store.identities.of("notes", PARTNER, "ana@home", NOW) != ana


def test_a_login_that_has_an_identity_is_never_merged(store, ana):
    ben = store.identities.of("photos", PARTNER, "ben", NOW)
    assert not store.identities.link("photos", ana, PARTNER, "ben", NOW)
    assert store.identities.of("photos", PARTNER, "ben", NOW) == ben
    assert store.identities.logins(ana) == [(CORP, "ana-7")]


def test_a_login_is_linked_by_one_that_leads_to_the_identity_still_and_no_other(store, ana):
    ben = store.identities.of("photos", PARTNER, "ben", NOW)
    for by in ((PARTNER, "ben"), (PARTNER, "new"), (PARTNER, "nobody")):
        assert not store.identities.link("photos", ana, PARTNER, "new", NOW, by=by)
    assert store.identities.find("photos", PARTNER, "new") is None
    assert store.identities.link("photos", ana, PARTNER, "new", NOW, by=(CORP, "ana-7"))
    assert store.identities.link("photos", ben, CORP, "ben", NOW, by=(PARTNER, "ben"))


@pytest.mark.parametrize(
    ("pool", "id"), [("notes", None), ("photos", "none"), ("photos", ODD), ("photos", "")]
)
def test_a_login_is_linked_to_nothing_that_is_not_in_the_pool(store, ana, pool, id):
    assert not store.identities.link(pool, ana if id is None else id, PARTNER, "new", NOW)
    assert store.identities.find(pool, PARTNER, "new") is None


def test_a_login_is_linked_to_no_guest(store, ana):
    guest = store.identities.guest("photos", HERE, NOW)
    assert not store.identities.link("photos", guest, PARTNER, "new", NOW)
    assert store.identities.claim("photos", guest, PARTNER, "first", NOW) is Claimed.DONE
    assert store.identities.link("photos", guest, PARTNER, "new", NOW), "once it is somebody's"


def test_a_login_is_taken_away_and_the_last_never(store, ana):
    store.identities.link("photos", ana, PARTNER, "ana@home", NOW)
    assert not store.identities.unlink("notes", ana, PARTNER, NOW)
    assert not store.identities.unlink("photos", ana, "elsewhere", NOW)
    assert not store.identities.unlink("photos", ODD, PARTNER, NOW)
    assert store.identities.unlink("photos", ana, PARTNER, NOW)
    assert not store.identities.unlink("photos", ana, CORP, NOW)
    assert store.identities.logins(ana) == [(CORP, "ana-7")]
    assert store.identities.of("photos", PARTNER, "ana@home", NOW) != ana


def test_two_logins_of_one_source_are_no_reason_to_leave_an_identity_without_any(store, ana):
    store.identities.link("photos", ana, CORP, "ana-8", NOW)
    assert not store.identities.unlink("photos", ana, CORP, NOW)
    store.identities.link("photos", ana, PARTNER, "ana@home", NOW)
    assert store.identities.unlink("photos", ana, CORP, NOW)
    assert store.identities.logins(ana) == [(PARTNER, "ana@home")]


def test_taking_a_login_away_ends_what_came_of_it_and_nothing_else(store, ana):
    store.identities.link("photos", ana, PARTNER, "ana@home", NOW)
    home = identity(source=PARTNER, subject="ana@home")
    elsewhere = store.identities.of("notes", PARTNER, "ana@home", NOW)
    assert begin(store, brought("kept", ana))
    assert begin(store, brought("ended", ana, identity=home))
    assert begin(store, brought("notes", elsewhere, identity=home), "notes")
    store.sessions.add("cookie", session("browser", identity=home))
    assert store.identities.unlink("photos", ana, PARTNER, NOW)
    alive = {id for id in ("kept", "ended", "notes", "browser") if store.sessions.by_id(id, NOW)}
    assert alive == {"kept", "notes", "browser"}


# --- guests ---------------------------------------------------------------------------------------


def test_every_guest_is_another_and_they_are_counted_by_address_and_time(store):
    guests = {store.identities.guest("photos", HERE, NOW + n * MINUTE) for n in range(3)}
    store.identities.guest("photos", "192.0.2.9", NOW)
    assert len(guests) == 3
    assert store.identities.guests_since(HERE, NOW + MINUTE) == 2
    assert store.identities.guests_since("198.51.100.1", NOW) == 0
    assert not any(HERE in repr(tuple(row)) for row in sql(store, "SELECT * FROM pool_identities"))


def test_a_guest_who_signs_in_keeps_the_identity_and_loses_the_guests_sessions(store):
    guest = store.identities.guest("photos", HERE, NOW)
    other = store.identities.guest("photos", HERE, NOW)
    assert begin(store, guest_session("g1", guest)) and begin(store, guest_session("g2", other))
    assert store.identities.claim("photos", guest, CORP, "ana-7", NOW + MINUTE) is Claimed.DONE
    assert store.identities.of("photos", CORP, "ana-7", NOW) == guest
    assert store.sessions.by_id("g1", NOW) is None and store.sessions.by_id("g2", NOW) is not None
    assert store.refresh_tokens.find("token of g1", "photos", NOW) is None
    assert store.identities.guests_since(HERE, NOW) == 2, "still counted"


def test_a_guest_is_claimed_once_and_by_nobody_who_has_an_identity(store, ana):
    guest = store.identities.guest("photos", HERE, NOW)
    assert begin(store, guest_session("g1", guest))
    assert store.identities.claim("photos", guest, CORP, "ana-7", NOW) is Claimed.TAKEN
    assert store.sessions.by_id("g1", NOW) is not None, "the guest goes on"
    assert store.identities.find("photos", CORP, "ana-7") == ana
    assert store.identities.claim("photos", guest, PARTNER, "ben", NOW) is Claimed.DONE
    assert store.identities.claim("photos", guest, PARTNER, "cid", NOW) is Claimed.GONE
    assert store.identities.find("photos", PARTNER, "cid") is None


@pytest.mark.parametrize("wrong", ["other pool", "a person's", "unknown", "odd"])
def test_only_a_guest_of_the_pool_is_claimed(store, ana, wrong):
    guest = store.identities.guest("photos", HERE, NOW)
    pool = "notes" if wrong == "other pool" else "photos"
    id = {"a person's": ana, "unknown": "none", "odd": ODD}.get(wrong, guest)
    assert store.identities.claim(pool, id, PARTNER, "ben", NOW) is Claimed.GONE
    assert store.identities.find(pool, PARTNER, "ben") is None


def test_a_claim_raced_is_won_once_and_the_others_get_nothing(url, store):
    guest = store.identities.guest("photos", HERE, NOW)
    results = Workers(url).all_do("claim", threads=10)
    assert sorted(results) == ["done"] + ["gone"] * 19
    assert len(store.identities.logins(guest)) == 1
    assert sql(store, "SELECT count(*) FROM pool_identities")[0][0] == 1


def test_a_guest_who_is_claimed_while_sessions_begin_keeps_none_of_them(url, store):
    guest = store.identities.guest("photos", HERE, NOW)
    results = Workers(url).all_do("claim_and_begin", threads=10)
    assert results.count("done") == 1
    assert not store.sessions.of(GUEST, guest, NOW)


def test_guests_who_never_came_again_are_forgotten_and_nobody_else(store, ana):
    stale, claimed = (store.identities.guest("photos", HERE, NOW) for _ in range(2))
    store.identities.claim("photos", claimed, PARTNER, "ben", NOW)
    recent = store.identities.guest("photos", HERE, NOW + DAY)
    assert store.identities.expire(NOW + GUEST_LIFE - TICK) == 0
    assert store.identities.expire(NOW + GUEST_LIFE) == 1
    left = {row.id for row in sql(store, "SELECT id FROM pool_identities")}
    assert left == {ana, claimed, recent} and stale not in left


# --- sessions that rest on a proof ----------------------------------------------------------------


def test_a_session_begins_on_a_login_or_a_guest_that_leads_to_its_identity(store, ana):
    guest = store.identities.guest("photos", HERE, NOW)
    for made in (brought("p", ana), guest_session("g", guest)):
        assert begin(store, made)
        assert store.sessions.by_id(made.id, NOW) == made
        assert store.refresh_tokens.find(f"token of {made.id}", "photos", NOW).session == made
    assert store.refresh_tokens.begin_on_proof(brought("n", ana), None, BOTH, pool="photos")


def test_a_session_begins_on_nothing_else(store, ana):
    guest = store.identities.guest("photos", HERE, NOW)
    claimed = store.identities.guest("photos", HERE, NOW)
    store.identities.claim("photos", claimed, PARTNER, "ben", NOW)
    for made, pool in (
        (brought("x", ana, identity=identity(subject="ben-3")), "photos"),
        (brought("x", ana), "notes"),
        (brought("x", guest), "photos"),
        (brought("x", ""), "photos"),
        (guest_session("x", claimed), "photos"),
        (guest_session("x", ana), "photos"),
        (guest_session("x", guest), "notes"),
        (guest_session("x", ""), "photos"),
    ):
        assert not begin(store, made, pool)
        assert store.sessions.by_id("x", NOW) is None


def test_no_session_of_a_login_outlives_its_being_taken_away_whoever_is_faster(url, store, ana):
    store.identities.link("photos", ana, PARTNER, "ana@home", NOW)
    sql(store, "CREATE TABLE told (id TEXT)")
    sql(store, "INSERT INTO told VALUES (:id)", id=ana)
    results = Workers(url).all_do("unlink_and_begin", threads=10)
    assert results.count("unlinked") == 1
    assert not store.sessions.of(PARTNER, "ana@home", NOW)


# --- who may bring a value again ------------------------------------------------------------------


def test_a_value_is_bound_to_the_first_who_brings_it_and_may_come_again(store):
    assert store.once.bind("token", "t", "photos", NOW + HOUR)
    assert store.once.bind("token", "t", "photos", NOW + HOUR)
    assert not store.once.bind("token", "t", "notes", NOW + HOUR)
    assert store.once.bind("token", "u", "notes", NOW + HOUR) and store.once.bind("other", "t", "notes", NOW)
    assert store.once.bind("token", ODD, ODD, NOW + HOUR) and not store.once.bind("token", ODD, "x", NOW)


def test_a_binding_and_a_mark_do_not_meet(store):
    assert store.once.bind("token", "t", "photos", NOW + HOUR)
    assert store.once.mark("token", "t", NOW + HOUR) and not store.once.mark("token", "t", NOW + HOUR)
    assert store.once.bind("token", "t", "photos", NOW + HOUR)


def test_a_binding_is_kept_for_as_long_as_its_owner_last_said(store):
    store.once.bind("token", "t", "photos", NOW + HOUR)
    store.once.bind("token", "t", "photos", NOW + 3 * HOUR)
    store.once.bind("token", "t", "photos", NOW + 2 * HOUR)
    assert store.once.expire(NOW + 3 * HOUR - TICK) == 0
    assert not store.once.bind("token", "t", "notes", NOW + HOUR)
    assert store.once.expire(NOW + 3 * HOUR) == 1
    assert store.once.bind("token", "t", "notes", NOW + HOUR)


def test_a_value_that_many_bring_at_once_is_bound_to_one(url, store):
    results = Workers(url).all_do("bind", threads=10)
    owners = {owner for owner, held in results if held}
    assert len(owners) == 1
    assert all(held for owner, held in results if owner in owners), "who has it may come again"


# --- what a copy of the database is worth, and a change of it --------------------------------------


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE pool_logins SET identity = :ana WHERE identity = :eve",
        "UPDATE pool_logins SET document = (SELECT document FROM pool_logins WHERE identity = :ana), identity = :ana "
        "WHERE identity = :eve",
        "UPDATE pool_logins SET document = 'AAAA' WHERE identity = :eve",
    ],
)
def test_nobody_leads_a_login_to_somebody_elses_identity_by_writing_to_the_database(store, ana, forgery):
    eve = store.identities.of("photos", CORP, "eve", NOW)
    used = {name: id for name, id in (("ana", ana), ("eve", eve)) if f":{name}" in forgery}
    sql(store, forgery, **used)
    with pytest.raises(StoreUnavailable):
        store.identities.of("photos", CORP, "eve", NOW)
    assert store.identities.of("photos", CORP, "ana-7", NOW) == ana


def test_who_somebody_is_stands_nowhere_in_the_clear(store, ana):
    rows = [
        repr(tuple(row))
        for table in ("pool_logins", "pool_identities")
        for row in sql(store, f"SELECT * FROM {table}")
    ]
    assert len(rows) == 2 and not any("ana-7" in row for row in rows)


def test_nobody_becomes_a_stranger_to_their_own_things_when_sealing_keys_change(url, store, ana):
    new = Fernet.generate_key()
    rotated = open_store(url, Sealer([new, KEY]))
    assert rotated.identities.of("photos", CORP, "ana-7", NOW) == ana
    given_up = open_store(url, Sealer([new]))
    with pytest.raises(StoreUnavailable):
        given_up.identities.of("photos", CORP, "ana-7", NOW)
    assert rotated.identities.of("photos", CORP, "ana-7", NOW + DAY) == ana, "seals it anew"
    assert given_up.identities.of("photos", CORP, "ana-7", NOW + DAY) == ana
    for each in (rotated, given_up):
        each.close()
