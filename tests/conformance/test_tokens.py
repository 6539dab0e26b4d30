"""What the store promises about codes, devices, refresh tokens and signing keys, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from app.sealing import Sealer
from app.store import open_store
from app.store.refresh_tokens import _hash as token_hash
from app.tokens import Approved, Change, KeptKey, NotYet, Reused, Rotated
from tests.conformance.workers import Workers
from tests.store.builders import (
    BOTH,
    CORP,
    HOUR,
    MINUTE,
    NOW,
    ODD,
    SECOND,
    clients_session,
    code_grant,
    device_grant,
    identity,
    session,
)
from tests.store.databases import KEY, sql

TICK = timedelta(microseconds=1)
GRACE = 30 * SECOND


@pytest.fixture
def family(store):
    """A store where a person is signed in, and a client of theirs, whose refresh token is `first`."""
    store.sessions.add("cookie", session())
    assert store.refresh_tokens.begin(clients_session(), "first", BOTH)
    return store


# --- authorization codes --------------------------------------------------------------------------


def test_a_code_is_taken_whole_and_once(store):
    store.codes.add("code", code_grant())
    assert store.codes.take("code", "cli", "c1", NOW) == code_grant()
    assert store.codes.take("code", "cli", "c2", NOW) == Reused("c1", ended=False)


@pytest.mark.parametrize(
    ("code", "client"),
    [("code", "other"), ("Code", "cli"), ("", "cli"), (ODD, "cli"), ("code", ODD), ("code", "")],
)
def test_anybody_else_takes_nothing_and_leaves_the_code_good(store, code, client):
    store.codes.add("code", code_grant())
    assert store.codes.take(code, client, "c1", NOW) is None
    assert store.codes.take("code", "cli", "c2", NOW) == code_grant()


def test_another_client_does_not_end_what_a_used_code_gave(family):
    family.codes.add("code", code_grant())
    family.codes.take("code", "cli", "c1", NOW)
    assert family.codes.take("code", "other", "c9", NOW) is None
    assert family.sessions.by_id("c1", NOW) is not None


@pytest.mark.parametrize(("late", "good"), [(-TICK, True), (timedelta(0), False)])
def test_a_code_ends_exactly_when_it_says(store, late, good):
    store.codes.add("code", code_grant())
    assert (store.codes.take("code", "cli", "c1", code_grant().expires_at + late) is not None) is good


def test_a_code_that_comes_again_ends_the_session_that_it_gave(store):
    store.sessions.add("cookie", session())
    store.codes.add("code", code_grant())
    store.codes.take("code", "cli", "c1", NOW)
    assert store.refresh_tokens.begin(clients_session(), "first", BOTH, code="code")
    assert store.codes.take("code", "cli", "c2", NOW + HOUR) == Reused("c1", ended=True)
    assert store.sessions.by_id("c1", NOW) is None
    assert store.refresh_tokens.rotate("first", "cli", "second", NOW) is None
    assert store.codes.take("code", "cli", "c3", NOW + HOUR) == Reused("c1", ended=False)
    assert store.sessions.by_id("s1", NOW) is not None  # not the person's own


def test_a_code_that_came_twice_begins_nothing_afterwards(store):
    store.sessions.add("cookie", session())
    store.codes.add("code", code_grant())
    store.codes.take("code", "cli", "c1", NOW)
    store.codes.take("code", "cli", "c2", NOW)
    assert not store.refresh_tokens.begin(clients_session(), "first", BOTH, code="code")
    assert store.sessions.by_id("c1", NOW) is None
    assert store.refresh_tokens.find("first", "cli", NOW) is None


@pytest.mark.parametrize("code", ["code", "another", ODD])
def test_a_session_begins_only_by_the_code_that_was_taken_for_it(store, code):
    store.sessions.add("cookie", session())
    store.codes.add("code", code_grant())
    store.codes.take("code", "cli", "c2", NOW)
    assert not store.refresh_tokens.begin(clients_session("c1"), "first", BOTH, code=code)
    assert store.refresh_tokens.begin(clients_session("c2"), "second", BOTH, code="code")


def test_codes_are_forgotten_when_they_can_give_nothing_and_end_nothing_any_more(family):
    for code, id in (("used", "c1"), ("used in vain", "c7"), ("unused", None), ("young", None)):
        family.codes.add(code, code_grant(expires_at=NOW + HOUR if code == "young" else NOW))
        if id is not None:
            family.codes.take(code, "cli", id, NOW - SECOND)
    assert family.codes.expire(NOW + 59 * SECOND) == 0
    assert family.codes.expire(NOW + MINUTE) == 2
    assert family.codes.take("used in vain", "cli", "c8", NOW) is None
    assert family.codes.take("young", "cli", "c9", NOW) is not None
    assert family.codes.take("used", "cli", "c9", NOW + MINUTE) == Reused("c1", ended=True)
    assert family.codes.expire(NOW + MINUTE) == 1


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE codes SET document = (SELECT document FROM codes WHERE client = 'cli') WHERE client = 'thief'",
        "UPDATE codes SET client = 'thief' WHERE client = 'cli'",
    ],
)
def test_a_code_put_together_by_hand_gives_nothing(store, forgery):
    store.codes.add("code", code_grant())
    store.codes.add("loot", code_grant(client="thief", approved_by="nobody"))
    sql(store, forgery)
    taken = [store.codes.take(code, "thief", "c1", NOW) for code in ("code", "loot")]
    assert all(grant is None or grant.approved_by == "nobody" for grant in taken)


def test_a_code_is_taken_by_one_of_many_workers(url, store):
    store.codes.add("code", code_grant())
    results = Workers(url).all_do("take_code", threads=20)
    assert results.count("taken") == 1
    assert len(set(results)) == 2  # and all others are told the one session that the code gave


def test_a_code_that_many_workers_redeem_leaves_nobody_signed_in(url, store):
    store.sessions.add("cookie", session())
    store.codes.add("code", code_grant())
    results = Workers(url).all_do("redeem", threads=10)
    assert results.count("reused") == 19
    assert [found.id for found in store.sessions.of(CORP, "ana-7", NOW)] == ["s1"]


# --- devices --------------------------------------------------------------------------------------


@pytest.fixture
def waiting(store):
    """A store where a device waits."""
    assert store.devices.add("device code", device_grant())
    return store


def handle(store) -> str:
    return store.devices.find("BCDF-GHJK", NOW).handle


def test_a_device_is_found_by_its_user_code_as_it_asked(waiting):
    found = waiting.devices.find("BCDF-GHJK", NOW)
    assert found == replace(device_grant(), handle=found.handle)
    for other in ("BCDF-GHJL", "bcdf-ghjk", "", ODD, "device code"):
        assert waiting.devices.find(other, NOW) is None


@pytest.mark.parametrize(("late", "found"), [(-TICK, True), (timedelta(0), False)])
def test_a_device_can_be_let_in_exactly_until_its_end(waiting, late, found):
    at = device_grant().expires_at + late
    assert (waiting.devices.find("BCDF-GHJK", at) is not None) is found
    assert waiting.devices.decide(handle(waiting), "s1", at) is found


def test_what_a_device_says_of_itself_comes_back_however_odd(store):
    odd = device_grant(device=ODD, user_agent=ODD, address=ODD[3:])
    assert store.devices.add("device code", odd)
    assert replace(store.devices.find("BCDF-GHJK", NOW), handle="") == odd


def test_a_user_code_that_is_taken_is_not_given_to_another_device(waiting):
    assert not waiting.devices.add("another", device_grant(device="thief"))
    assert waiting.devices.find("BCDF-GHJK", NOW).device == "build-7"
    assert waiting.devices.poll("another", "cli", NOW) is NotYet.UNKNOWN


def test_a_device_is_decided_once(waiting):
    decided = handle(waiting)
    assert waiting.devices.decide(decided, None, NOW)
    assert not waiting.devices.decide(decided, "s1", NOW)
    assert waiting.devices.find("BCDF-GHJK", NOW) is None
    assert waiting.devices.poll("device code", "cli", NOW) is NotYet.DENIED


@pytest.mark.parametrize("wrong", ["", ODD, "0" * 64, "BCDF-GHJK"])
def test_deciding_about_no_device_does_nothing(waiting, wrong):
    assert not waiting.devices.decide(wrong, "s1", NOW)
    assert waiting.devices.poll("device code", "cli", NOW) is NotYet.PENDING


def test_an_approved_device_hears_so_once(waiting):
    waiting.devices.decide(handle(waiting), "s1", NOW)
    heard = waiting.devices.poll("device code", "cli", NOW)
    assert isinstance(heard, Approved)
    assert (replace(heard.grant, handle=""), heard.approved_by) == (device_grant(), "s1")
    assert waiting.devices.poll("device code", "cli", NOW) is NotYet.UNKNOWN


@pytest.mark.parametrize(
    ("code", "client"),
    [("device code", "other"), ("device code", ODD), ("device code", ""), ("BCDF-GHJK", "cli"), (ODD, "cli")],
)
def test_nobody_else_hears_of_a_device_or_uses_it_up(waiting, code, client):
    waiting.devices.decide(handle(waiting), "s1", NOW)
    assert waiting.devices.poll(code, client, NOW) is NotYet.UNKNOWN
    assert isinstance(waiting.devices.poll("device code", "cli", NOW), Approved)


def test_a_device_that_polls_too_fast_has_to_wait_longer_each_time(waiting):
    def poll(seconds: float) -> NotYet:
        return waiting.devices.poll("device code", "cli", NOW + seconds * SECOND)

    assert poll(0) is NotYet.PENDING
    assert poll(5) is NotYet.PENDING
    assert poll(9) is NotYet.SLOW_DOWN  # ten from here on
    assert poll(18) is NotYet.SLOW_DOWN  # fifteen from here on
    assert poll(33) is NotYet.PENDING
    assert poll(47) is NotYet.SLOW_DOWN
    assert poll(67) is NotYet.PENDING


def test_a_device_that_never_waits_is_not_told_to_wait_for_ever(waiting):
    for _ in range(70):
        waiting.devices.poll("device code", "cli", NOW)
    assert waiting.devices.poll("device code", "cli", NOW + 5 * MINUTE) is NotYet.PENDING


def test_an_approved_device_need_not_wait_for_the_next_poll(waiting):
    waiting.devices.poll("device code", "cli", NOW)
    waiting.devices.decide(handle(waiting), "s1", NOW)
    assert isinstance(waiting.devices.poll("device code", "cli", NOW + SECOND), Approved)


@pytest.mark.parametrize("approver", [None, "s1", "nobody has decided"])
def test_a_device_that_is_late_hears_that_and_gets_nothing(waiting, approver):
    if approver != "nobody has decided":
        waiting.devices.decide(handle(waiting), approver, NOW)
    assert waiting.devices.poll("device code", "cli", device_grant().expires_at) is NotYet.EXPIRED
    assert waiting.devices.expire(device_grant().expires_at) == 0  # so that it can hear it
    assert waiting.devices.expire(device_grant().expires_at + 5 * MINUTE) == 1
    assert waiting.devices.poll("device code", "cli", NOW) is NotYet.UNKNOWN


def test_devices_are_counted_by_address_and_time(store):
    for number, code in enumerate(("BCDF-GHJK", "BCDF-GHJL", "BCDF-GHJM")):
        store.devices.add(f"code {number}", device_grant(user_code=code, asked_at=NOW + number * MINUTE))
    store.devices.add("elsewhere", device_grant(user_code="BCDF-GHJN", address="192.0.2.1"))
    assert store.devices.started_since("203.0.113.7", NOW + MINUTE) == 2
    assert store.devices.started_since("198.51.100.1", NOW) == 0


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE devices SET decision = (SELECT decision FROM devices WHERE address = 'mine') WHERE address = 'theirs'",
        "UPDATE devices SET decision = 'AAAA' WHERE address = 'theirs'",
        "UPDATE devices SET document = (SELECT document FROM devices WHERE address = 'mine') WHERE address = 'theirs'",
        "UPDATE devices SET expires_at = expires_at + 60000000 WHERE address = 'theirs'",
    ],
)
def test_nobody_lets_a_device_in_by_writing_to_the_database(store, forgery):
    store.devices.add("mine", device_grant(user_code="BCDF-GHJL", address="mine"))
    store.devices.decide(store.devices.find("BCDF-GHJL", NOW).handle, "s1", NOW)
    store.devices.add("theirs", device_grant(address="theirs"))
    sql(store, forgery)
    assert store.devices.poll("theirs", "cli", NOW) is NotYet.UNKNOWN


def test_an_approved_device_is_let_in_by_one_poll_of_many_workers(url, waiting):
    waiting.devices.decide(handle(waiting), "s1", NOW)
    results = Workers(url).all_do("poll", threads=20)
    assert sorted(set(results)) == ["approved", "unknown"]
    assert results.count("approved") == 1


def test_a_device_is_decided_by_one_of_many_workers(url, waiting):
    assert Workers(url).all_do("decide").count(True) == 1


def test_a_user_code_is_given_to_one_device_by_many_workers(url, store):
    assert Workers(url).all_do("ask").count(True) == 1


# --- a client's session ---------------------------------------------------------------------------


def test_a_clients_session_begins_whole_with_its_token(family):
    assert family.sessions.by_id("c1", NOW) == clients_session()
    held = family.refresh_tokens.find("first", "cli", NOW)
    assert (held.session, held.scope, held.current) == (clients_session(), BOTH, True)
    assert clients_session() in family.sessions.of(CORP, "ana-7", NOW)


def test_a_clients_session_is_opened_by_no_cookie(family):
    stored = sql(family, "SELECT token FROM sessions WHERE id = 'c1'")[0].token
    for cookie in (stored, "first", "c1", "client c1", ""):
        assert family.sessions.find(cookie, NOW) is None


def test_a_client_without_refresh_tokens_gets_a_session_alone(store):
    store.sessions.add("cookie", session())
    assert store.refresh_tokens.begin(clients_session(), None, BOTH)
    assert store.sessions.by_id("c1", NOW) == clients_session()
    assert sql(store, "SELECT token FROM refresh_tokens") == []


@pytest.mark.parametrize(
    "approver",
    [
        {"approved_by": "s9"},
        {"approved_by": None},
        {"approved_by": ODD[3:]},
        {"identity": identity(subject="ben-3")},
        {"created_at": NOW + 2 * HOUR},
    ],
)
def test_a_clients_session_begins_only_while_its_approvers_lives(store, approver):
    store.sessions.add("cookie", session())
    assert not store.refresh_tokens.begin(clients_session(**approver), "first", BOTH)
    assert store.sessions.by_id("c1", NOW) is None
    assert store.refresh_tokens.find("first", "cli", NOW) is None
    store.sessions.end("s1", NOW)
    assert not store.refresh_tokens.begin(clients_session(), "first", BOTH)


def test_a_clients_session_outlives_the_one_that_approved_it(family):
    family.sessions.end("s1", NOW)
    family.sessions.expire(NOW)
    assert family.sessions.by_id("c1", NOW) == clients_session()
    assert isinstance(family.refresh_tokens.rotate("first", "cli", "second", NOW), Rotated)


@pytest.mark.parametrize("end", ["ended", "all ended", "expired", "forgotten"])
def test_no_refresh_token_outlives_its_session(family, end):
    now = NOW
    if end == "ended":
        family.sessions.end("c1", NOW)
    elif end == "all ended":
        assert family.sessions.end_all(CORP, "ana-7", NOW) == 2
    else:
        now = clients_session().expires_at
    if end == "forgotten":
        family.sessions.expire(now)
        assert sql(family, "SELECT token FROM refresh_tokens") == []
    assert family.refresh_tokens.find("first", "cli", now) is None
    assert family.refresh_tokens.rotate("first", "cli", "second", now) is None


# --- refresh tokens -------------------------------------------------------------------------------


def rotate(store, token: str, successor: str, now=NOW, client: str = "cli"):
    return store.refresh_tokens.rotate(token, client, successor, now, "192.0.2.9")


def test_a_refresh_token_gives_way_to_its_successor_with_the_same_scope(store):
    store.sessions.add("cookie", session())
    store.refresh_tokens.begin(clients_session(), "first", ("roles",))
    assert rotate(store, "first", "second") == Rotated("second", "c1", ("roles",), again=False)
    assert not store.refresh_tokens.find("first", "cli", NOW).current
    assert store.refresh_tokens.find("second", "cli", NOW).current
    assert rotate(store, "second", "third", NOW + HOUR) == Rotated("third", "c1", ("roles",), again=False)


def test_using_a_refresh_token_is_a_use_of_its_session(family):
    rotate(family, "first", "second", NOW + MINUTE)
    found = family.sessions.by_id("c1", NOW)
    assert (found.last_used, found.last_address) == (NOW + MINUTE, "192.0.2.9")


@pytest.mark.parametrize("late", [timedelta(0), GRACE, -SECOND])
def test_a_used_token_gives_the_same_successor_for_thirty_seconds(family, late):
    rotate(family, "first", "second")
    assert rotate(family, "first", "another", NOW + late) == Rotated("second", "c1", BOTH, again=True)
    assert rotate(family, "first", "another", NOW + late).token == "second"
    assert family.refresh_tokens.find("another", "cli", NOW) is None
    assert rotate(family, "second", "third").token == "third"


@pytest.mark.parametrize("late", [GRACE + TICK, HOUR])
def test_a_used_token_that_comes_later_ends_the_family(family, late):
    rotate(family, "first", "second")
    assert rotate(family, "first", "another", NOW + late) == Reused("c1", ended=True)
    for token in ("first", "second", "another"):
        assert rotate(family, token, "more", NOW + late) is None
    assert family.sessions.by_id("c1", NOW) is None
    assert family.sessions.by_id("s1", NOW) is not None  # not the person's own


def test_a_used_token_ends_the_family_at_once_if_its_successor_was_used(family):
    rotate(family, "first", "second")
    rotate(family, "second", "third")
    assert rotate(family, "first", "another") == Reused("c1", ended=True)
    assert rotate(family, "third", "more") is None


def test_the_successor_is_kept_until_it_is_used_and_never_in_the_clear(family):
    rotate(family, "first", "second")
    kept = sql(family, "SELECT successor FROM refresh_tokens WHERE token = :t", t=token_hash("first"))
    assert "second" not in kept[0].successor
    rotate(family, "second", "third")
    kept = sql(family, "SELECT successor FROM refresh_tokens WHERE token = :t", t=token_hash("first"))
    assert kept[0].successor is None


@pytest.mark.parametrize(
    ("token", "client"), [("first", "other"), ("first", ODD), ("First", "cli"), ("", "cli"), (ODD, "cli")]
)
def test_anybody_elses_token_is_unknown_and_does_no_harm(family, token, client):
    assert rotate(family, token, "second", client=client) is None
    assert family.refresh_tokens.find(token, client, NOW) is None
    assert rotate(family, "first", "second").token == "second"
    assert rotate(family, token, "third", NOW + HOUR, client=client) is None  # nor once it was used
    assert family.sessions.by_id("c1", NOW) is not None


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE refresh_tokens SET session = 'c1' WHERE session = 'thief'",
        "UPDATE refresh_tokens SET client = 'other' WHERE session = 'thief'",
        "UPDATE refresh_tokens SET document = (SELECT document FROM refresh_tokens WHERE session = 'c1') "
        "WHERE session = 'thief'",
    ],
)
def test_a_token_given_to_a_session_by_hand_is_none(family, forgery):
    thief = clients_session("thief", identity=identity(subject="mallory"), approved_by="m1")
    family.sessions.add("m", session("m1", identity=identity(subject="mallory")))
    assert family.refresh_tokens.begin(thief, "loot", BOTH)
    sql(family, forgery)
    for client in ("cli", "other"):
        assert family.refresh_tokens.find("loot", client, NOW) is None
        assert rotate(family, "loot", "more", client=client) is None
        assert rotate(family, "loot", "more", NOW + HOUR, client=client) is None
    assert family.refresh_tokens.find("more", "cli", NOW) is None
    assert family.sessions.by_id("c1", NOW) is not None


def test_processes_that_refresh_at_once_get_the_same_successor(url, family):
    results = Workers(url).all_do("rotate", threads=20)
    assert len({token for token, _ in results}) == 1
    assert [again for _, again in results].count(False) == 1
    assert family.refresh_tokens.find(results[0][0], "cli", NOW).current


def test_a_family_never_forks_whoever_comes_in_which_order(url, family):
    rotate(family, "first", "second")
    results = Workers(url).all_do("fork")
    living = [token for token in {*results} - {"over"} if family.refresh_tokens.find(token, "cli", NOW)]
    # The first token came after its successor was used, as all but a few do: then the family is over. Or it
    # came before each time, and the family goes on with one successor.
    assert len([token for token in living if family.refresh_tokens.find(token, "cli", NOW).current]) <= 1
    assert ("over" in results) is (living == [])


# --- signing keys ---------------------------------------------------------------------------------


def key(kid: str, signs_from=NOW) -> KeptKey:
    return KeptKey(kid, NOW, signs_from, f"private-of-{kid}")


def test_signing_keys_are_kept_in_the_order_in_which_they_sign(store):
    assert store.token_keys.all() == []
    later, sooner = key("b", NOW + HOUR), key("c", NOW + MINUTE)
    assert store.token_keys.change(lambda _: Change(add=(later, key("a"), sooner))) == [
        key("a"),
        sooner,
        later,
    ]
    assert store.token_keys.all() == [key("a"), sooner, later]
    assert store.token_keys.change(lambda keys: Change(drop=(keys[0].kid,))) == [sooner, later]
    assert store.token_keys.change(lambda _: Change()) == [sooner, later]


def test_a_plan_that_fails_changes_nothing(store):
    store.token_keys.change(lambda _: Change(add=(key("a"),)))

    def failing(_keys):
        raise KeyError

    with pytest.raises(KeyError):
        store.token_keys.change(failing)
    assert store.token_keys.all() == [key("a")]


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE token_keys SET document = (SELECT document FROM token_keys WHERE kid = 'b') WHERE kid = 'a'",
        "UPDATE token_keys SET signs_from = signs_from + 1 WHERE kid = 'a'",
        "UPDATE token_keys SET kid = 'c' WHERE kid = 'a'",
    ],
)
def test_a_signing_key_put_there_by_hand_signs_nothing(store, forgery):
    store.token_keys.change(lambda _: Change(add=(key("a"), key("b"))))
    sql(store, forgery)
    assert store.token_keys.all() == [key("b")]


def test_many_workers_that_start_at_once_make_one_key(url, store):
    assert len({*Workers(url).all_do("first_key", threads=5)}) == 1
    assert len(store.token_keys.all()) == 1


# --- what a copy of the database is worth ---------------------------------------------------------


def test_no_secret_is_in_the_database(family):
    family.codes.add("code-in-the-clear", code_grant())
    family.devices.add("device-code-in-the-clear", device_grant(device="name-in-the-clear"))
    family.devices.decide(handle(family), "s1", NOW)
    family.token_keys.change(lambda _: Change(add=(key("a"),)))
    rotate(family, "first", "token-in-the-clear")
    rows = [
        repr(tuple(row))
        for table in ("codes", "devices", "refresh_tokens", "token_keys", "sessions")
        for row in sql(family, f"SELECT * FROM {table}")
    ]
    assert len(rows) == 7
    for secret in ("in-the-clear", "private-of", "BCDF", "Ana's laptop", "first"):
        assert not any(secret in row for row in rows)


def test_tokens_under_a_lost_key_are_worth_nothing_and_do_no_harm(url, family):
    family.codes.add("code", code_grant())
    family.devices.add("device code", device_grant())
    family.token_keys.change(lambda _: Change(add=(key("a"),)))
    rotate(family, "first", "second")
    lost = open_store(url, Sealer([Fernet.generate_key()]))
    assert lost.codes.take("code", "cli", "c2", NOW) is None
    assert lost.devices.find("BCDF-GHJK", NOW) is None
    assert lost.devices.poll("device code", "cli", NOW) is NotYet.UNKNOWN
    assert lost.refresh_tokens.find("second", "cli", NOW) is None
    assert lost.refresh_tokens.rotate("first", "cli", "third", NOW) is None
    assert lost.token_keys.all() == []
    lost.close()


def test_tokens_outlive_a_rotation_of_the_sealing_keys(url, family):
    rotate(family, "first", "second")
    rotated = open_store(url, Sealer([Fernet.generate_key(), KEY]))
    assert rotated.refresh_tokens.rotate("first", "cli", "another", NOW).token == "second"
    assert rotated.refresh_tokens.rotate("second", "cli", "third", NOW).token == "third"
    rotated.close()
