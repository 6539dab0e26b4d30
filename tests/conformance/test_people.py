"""What the store promises about local people, factors, guesses, links, break-glass and alerts, on every database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import chain

import pytest
from cryptography.fernet import Fernet

from app.errors import StoreUnavailable, UserTaken
from app.model import Authentication
from app.people import ROOT, ROOT_SUBJECT, Account, Budget, LocalUser, UserState
from app.sealing import Sealer
from app.store import open_store
from app.store.alerts import LEASE
from app.store.challenges import MOST_TRIES
from app.store.codec import dump, load, load_authentication
from tests.conformance.workers import Workers
from tests.store.builders import (
    BROWSER,
    CORP,
    HOUR,
    MINUTE,
    NOW,
    ODD,
    PARTNER,
    SECOND,
    alert,
    challenge,
    clients_session,
    factor,
    identity,
    local_user,
    one_time_link,
    recovery,
    root_use,
    security_key,
    session,
)
from tests.store.databases import KEY, sealer, sql

ID = "5" * 16
OPS = "operator ops"
TICK = timedelta(microseconds=1)
WINDOW = 15 * MINUTE


@pytest.fixture
def ana(store) -> LocalUser:
    assert store.users.create(local_user(), by=OPS, at=NOW)
    return store.users.get(ID)


def change(store, user: LocalUser, *, at=NOW + MINUTE, **changes) -> LocalUser | None:
    return store.users.change(replace(user, **changes), user.version, by=OPS, at=at)


# --- local users ----------------------------------------------------------------------------------


def test_a_user_comes_back_whole_by_id_by_name_and_in_lists(store, ana):
    assert ana == replace(local_user(), version=1, since=NOW, by=OPS)
    assert store.users.by_username("ana") == ana
    assert store.users.authority(ID) == (ana, store.users.epoch(ID))
    assert store.users.all() == [ana] == store.users.history(ID)
    assert store.users.count() == 1


@pytest.mark.parametrize("name", ["", "ben", "Ana", "ana ", ODD, "a" * 5000])
def test_nobody_else_answers_to_a_name_or_an_id(store, ana, name):
    assert store.users.by_username(name) is None
    for ask in (store.users.get, store.users.authority, store.users.account, store.users.epoch):
        assert ask(name) is None
    assert not store.users.history(name)
    assert store.users.change(replace(ana, id=name), 1, by=OPS, at=NOW) is None
    assert not store.users.set_account(Account(name), NOW)
    assert store.users.renew_epoch(name, NOW)
    assert store.users.authority(ID)[0] == ana


def test_odd_facts_of_a_user_come_back_as_they_went(store):
    odd = local_user(name=ODD, email=ODD, groups=(ODD,), boundary=None, username=ODD)
    assert store.users.create(odd, by="operator ünï", at=NOW)
    assert store.users.by_username(ODD) == replace(odd, version=1, since=NOW, by="operator ünï")


def test_a_name_is_one_users_until_that_user_is_deleted(store, ana):
    assert not store.users.create(local_user("6" * 16), by=OPS, at=NOW)
    assert store.users.count() == 1 and store.users.get("6" * 16) is None
    assert not store.users.create(local_user(username="ben"), by=OPS, at=NOW), "nor an id"
    gone = change(store, ana, state=UserState.DELETED)
    assert store.users.by_username("ana") is None and store.users.count() == 0 and not store.users.all()
    assert store.users.get(ID) == gone, "still known by id, for the record"
    assert store.users.create(local_user("6" * 16), by=OPS, at=NOW)
    assert store.users.by_username("ana").id == "6" * 16


def test_a_deleted_user_never_comes_back(store, ana):
    gone = change(store, ana, state=UserState.DELETED)
    assert change(store, gone, state=UserState.ACTIVE) is None
    assert store.users.get(ID).state is UserState.DELETED


def test_every_change_is_a_new_version_and_a_time_asks_for_the_one_in_force(store, ana):
    second = change(store, ana, at=NOW + MINUTE, groups=("sre",))
    third = change(store, second, at=NOW + 2 * MINUTE, state=UserState.DISABLED)
    assert (second.version, third.version) == (2, 3) and third.since == NOW + 2 * MINUTE
    assert store.users.history(ID) == [ana, second, third]
    assert store.users.get(ID) == third == store.users.authority(ID)[0]
    for at, then in (
        (NOW - TICK, None),
        (NOW, ana),
        (NOW + MINUTE - TICK, ana),
        (NOW + MINUTE, second),
        (NOW + HOUR, third),
    ):
        assert store.users.get(ID, at) == then
        assert store.users.all(at) == ([] if then is None else [then])


def test_a_user_is_there_at_times_before_being_deleted(store, ana):
    change(store, ana, at=NOW + MINUTE, state=UserState.DELETED)
    assert store.users.all(NOW) == [ana]
    assert store.users.all(NOW + MINUTE) == [] == store.users.all()


def test_everybody_is_listed_by_name(store):
    for number, name in enumerate(("cai", "ana", "ben")):
        store.users.create(local_user(str(number) * 16, username=name), by=OPS, at=NOW)
    assert [user.username for user in store.users.all()] == ["ana", "ben", "cai"]
    assert [user.username for user in store.users.all(NOW)] == ["ana", "ben", "cai"]


def test_a_change_made_on_an_older_version_changes_nothing(store, ana):
    second = change(store, ana, name="Ana B.")
    assert change(store, ana, name="Ana C.") is None
    assert store.users.change(second, 7, by=OPS, at=NOW) is None
    assert store.users.history(ID) == [ana, second]


def test_a_name_that_somebody_has_is_not_given_twice(store, ana):
    ben = local_user("6" * 16, username="ben")
    store.users.create(ben, by=OPS, at=NOW)
    with pytest.raises(UserTaken):
        change(store, replace(ben, version=1), username="ana")
    assert store.users.by_username("ben").version == 1
    renamed = change(store, replace(ben, version=1), username="bea")
    assert store.users.by_username("bea") == renamed and store.users.by_username("ben") is None


@pytest.mark.parametrize("state", [UserState.DISABLED, UserState.DELETED])
def test_a_user_who_may_not_sign_in_any_more_has_another_epoch(store, ana, state):
    before = store.users.epoch(ID)
    changed = change(store, ana, state=UserState.ACTIVE, name="other")
    assert store.users.epoch(ID) == before
    change(store, changed, state=state)
    assert store.users.epoch(ID) != before


def test_processes_that_create_one_name_create_one_user(url, store):
    results = Workers(url).all_do("create_user")
    assert results.count(True) == 1 and store.users.count() == 1


def test_processes_that_change_one_version_change_it_once(url, store, ana):
    results = Workers(url).all_do("change_user")
    assert results.count(True) == 1
    assert [user.version for user in store.users.history(ID)] == [1, 2]


def test_processes_that_give_two_users_one_name_give_it_to_one(url, store):
    for number in range(2):
        store.users.create(local_user(str(number) * 16, username=f"user{number}"), by=OPS, at=NOW)
    results = Workers(url).all_do("rename_user")
    assert results.count("renamed") == 1 and set(results) <= {"renamed", "changed before", "taken"}
    assert sorted(user.username for user in store.users.all())[-1] == "wanted"


# --- what they sign in with -----------------------------------------------------------------------


def test_a_user_begins_without_a_password(store, ana):
    assert store.users.account(ID) == Account(ID, epoch=store.users.epoch(ID))


def test_a_password_comes_back_and_another_one_ends_all_sessions(store, ana):
    before = store.users.account(ID)
    assert store.users.set_account(replace(before, password="$argon2id$1", password_at=NOW), NOW)
    first = store.users.account(ID)
    assert (first.password, first.password_at, first.must_change) == ("$argon2id$1", NOW, False)
    assert first.epoch not in ("", before.epoch) and first.epoch == store.users.epoch(ID)
    by_an_administrator = Account(ID, "$argon2id$2", NOW + MINUTE, must_change=True)
    assert store.users.set_account(by_an_administrator, NOW + MINUTE)
    second = store.users.account(ID)
    assert second == replace(by_an_administrator, epoch=second.epoch) and second.epoch != first.epoch


def test_a_hash_with_newer_parameters_ends_nothing_and_never_brings_an_old_password_back(store, ana):
    store.users.set_account(Account(ID, "$argon2id$1", NOW), NOW)
    read = store.users.account(ID)
    assert store.users.set_account(replace(read, password="$argon2id$1 again"), NOW)
    assert store.users.account(ID) == replace(read, password="$argon2id$1 again")
    store.users.set_account(Account(ID, "$argon2id$2", NOW + MINUTE), NOW)
    assert not store.users.set_account(replace(read, password="$argon2id$1 late"), NOW)
    assert store.users.account(ID).password == "$argon2id$2"


def test_sessions_are_ended_by_another_epoch(store, ana):
    before = store.users.epoch(ID)
    renewed = store.users.renew_epoch(ID, NOW)
    assert before != renewed == store.users.epoch(ID) == store.users.authority(ID)[1]


def test_root_has_an_account_and_is_no_user(store, ana):
    assert store.users.account(ROOT_SUBJECT) is None
    assert not store.users.set_account(Account(ROOT_SUBJECT, "x", NOW), NOW)
    for _ in range(2):
        store.users.ensure_root(NOW)
    epoch = store.users.epoch(ROOT_SUBJECT)
    assert store.users.set_account(Account(ROOT_SUBJECT, "$argon2id$r", NOW), NOW)
    store.users.ensure_root(NOW)
    assert store.users.account(ROOT_SUBJECT).password == "$argon2id$r"
    assert store.users.epoch(ROOT_SUBJECT) != epoch
    assert store.users.all() == [ana] == store.users.all(NOW) and store.users.count() == 1
    for absent in (store.users.get(ROOT_SUBJECT), store.users.authority(ROOT_SUBJECT)):
        assert absent is None
    assert store.users.by_username("root") is None
    as_root = replace(local_user(ROOT_SUBJECT), version=0)
    assert store.users.change(as_root, 0, by=OPS, at=NOW) is None
    assert not store.users.create(as_root, by=OPS, at=NOW)


def test_processes_that_set_a_password_read_before_set_one(url, store, ana):
    sql(store, "CREATE TABLE told (epoch TEXT)")
    sql(store, "INSERT INTO told VALUES (:epoch)", epoch=store.users.epoch(ID))
    assert Workers(url).all_do("set_password").count(True) == 1


# --- factors --------------------------------------------------------------------------------------


def test_a_device_comes_back_whole_and_oldest_first(store):
    key, phone = security_key(enrolled_at=NOW), factor(enrolled_at=NOW + MINUTE, name=ODD)
    for each in (phone, key):
        assert store.factors.add(each, 8)
    assert store.factors.of(CORP, "ana-7") == [key, phone]
    assert store.factors.by_credential("credential-1") == key
    for source, subject in ((PARTNER, "ana-7"), (CORP, "ben-3"), (CORP, ODD), ("corpana-7", "")):
        assert not store.factors.of(source, subject)
    for credential in ("", ODD, "credential-2"):
        assert store.factors.by_credential(credential) is None


def test_a_person_has_so_many_devices_and_no_more(store):
    for number in range(3):
        assert store.factors.add(factor(f"f{number}"), 3)
    assert not store.factors.add(factor("f3"), 3)
    assert store.factors.add(factor("other", subject="ben-3"), 3)
    assert store.factors.end("f0", NOW)
    assert store.factors.add(factor("f3"), 3), "a device that was removed takes no place"


def test_a_credential_is_one_persons_until_it_is_removed(store):
    assert store.factors.add(security_key(), 8)
    assert not store.factors.add(security_key("k2"), 8)
    assert not store.factors.add(security_key("k2", subject="ben-3"), 8)
    assert store.factors.end("k1", NOW)
    assert store.factors.by_credential("credential-1") is None
    assert store.factors.add(security_key("k2", subject="ben-3"), 8)


def test_a_counter_only_rises(store):
    store.factors.add(factor(), 8)
    assert [store.factors.advance("f1", step, NOW + MINUTE) for step in (0, 0, 5, 4, 5, 6)] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    found = store.factors.of(CORP, "ana-7")[0]
    assert (found.counter, found.last_used) == (6, NOW + MINUTE)
    assert not store.factors.advance("f1", 2**63, NOW), "what no device counts to"
    assert not store.factors.advance("f1", -1, NOW)


def test_a_device_without_a_counter_is_used_and_renamed(store):
    store.factors.add(security_key(), 8)
    assert store.factors.used("k1", NOW + MINUTE) and store.factors.rename("k1", "blue key")
    expected = replace(security_key(), name="blue key", last_used=NOW + MINUTE)
    assert store.factors.of(CORP, "ana-7") == [expected]


def test_a_device_that_was_removed_proves_nothing(store):
    store.factors.add(factor(), 8)
    assert store.factors.end("f1", NOW) and not store.factors.end("f1", NOW)
    assert not store.factors.of(CORP, "ana-7")
    assert not store.factors.advance("f1", 9, NOW)
    assert not store.factors.used("f1", NOW) and not store.factors.rename("f1", "x")


@pytest.mark.parametrize("id", ["", "none", ODD, "f" * 5000])
def test_there_is_no_other_device(store, id):
    store.factors.add(factor(), 8)
    assert not store.factors.advance(id, 9, NOW) and not store.factors.used(id, NOW)
    assert not store.factors.rename(id, "x") and not store.factors.end(id, NOW)


def test_all_of_a_persons_devices_go_at_once_with_the_recovery_codes(store):
    for number in range(3):
        store.factors.add(factor(f"f{number}"), 8)
    store.factors.add(factor("bens", subject="ben-3"), 8)
    store.recovery_codes.replace(CORP, "ana-7", ["a", "b"], NOW)
    store.recovery_codes.replace(CORP, "ben-3", ["a", "b"], NOW)
    assert store.factors.end_all(CORP, "ana-7", NOW) == 3
    assert not store.factors.of(CORP, "ana-7") and store.recovery_codes.left(CORP, "ana-7") == 0
    assert len(store.factors.of(CORP, "ben-3")) == 1 and store.recovery_codes.left(CORP, "ben-3") == 2
    assert store.factors.end_all(CORP, "ana-7", NOW) == 0


def test_processes_that_enrol_at_once_enrol_eight(url, store):
    assert Workers(url).all_do("add_factor").count(True) == 8
    assert len(store.factors.of(CORP, "ana-7")) == 8


def test_processes_that_enrol_one_credential_enrol_it_for_one(url, store):
    assert Workers(url).all_do("add_credential").count(True) == 1


def test_processes_that_show_one_code_are_believed_once(url, store):
    store.factors.add(factor(), 8)
    assert Workers(url).all_do("advance").count(True) == 1


def test_no_step_is_reached_twice_by_processes(url, store):
    store.factors.add(factor(), 8)
    reached = [*chain.from_iterable(Workers(url).all_do("climb", threads=4))]
    assert len(reached) == len(set(reached)) and max(reached) == 19


# --- recovery codes -------------------------------------------------------------------------------


def test_a_recovery_code_is_good_once_for_its_person(store):
    store.recovery_codes.replace(CORP, "ana-7", ["one", "two", "two", ODD], NOW)
    assert store.recovery_codes.left(CORP, "ana-7") == 3
    assert not store.recovery_codes.use(CORP, "ben-3", "one", NOW)
    assert not store.recovery_codes.use(CORP, "ana-7", "three", NOW)
    assert store.recovery_codes.use(CORP, "ana-7", "one", NOW)
    assert not store.recovery_codes.use(CORP, "ana-7", "one", NOW)
    assert store.recovery_codes.use(CORP, "ana-7", ODD, NOW)
    assert store.recovery_codes.left(CORP, "ana-7") == 1


def test_new_recovery_codes_make_the_old_ones_worthless(store):
    store.recovery_codes.replace(CORP, "ana-7", ["old", "both"], NOW)
    store.recovery_codes.replace(CORP, "ana-7", ["new", "both"], NOW)
    assert not store.recovery_codes.use(CORP, "ana-7", "old", NOW)
    assert store.recovery_codes.use(CORP, "ana-7", "both", NOW)
    store.recovery_codes.replace(CORP, "ana-7", [], NOW)
    assert store.recovery_codes.left(CORP, "ana-7") == 0


def test_processes_that_use_one_recovery_code_are_believed_once(url, store):
    store.recovery_codes.replace(CORP, "ana-7", ["code"], NOW)
    assert Workers(url).all_do("use_recovery_code").count(True) == 1


def test_processes_that_make_recovery_codes_leave_one_set(url, store):
    Workers(url).all_do("replace_recovery_codes")
    assert store.recovery_codes.left(CORP, "ana-7") == 10


# --- challenges -----------------------------------------------------------------------------------


def test_a_challenge_comes_back_whole_and_is_finished_once(store):
    begun = challenge()
    store.challenges.add(begun)
    for _ in range(2):
        assert store.challenges.get("handle", BROWSER, NOW) == begun
    assert store.challenges.take("handle", BROWSER, NOW) == begun
    assert store.challenges.take("handle", BROWSER, NOW) is None
    assert store.challenges.get("handle", BROWSER, NOW) is None
    nobodys = challenge("passkey", purpose="passkey", source=None, subject="", next=ODD, session="s1")
    store.challenges.add(nobodys)
    assert store.challenges.take("passkey", BROWSER, NOW) == nobodys


@pytest.mark.parametrize(
    ("handle", "browser"),
    [
        ("handle", "c" * 64),
        ("handle", ""),
        ("handle", ODD),
        ("other", BROWSER),
        (ODD, BROWSER),
        ("", BROWSER),
    ],
)
def test_another_browser_has_no_challenge_and_leaves_it_to_its_owner(store, handle, browser):
    store.challenges.add(challenge())
    assert store.challenges.get(handle, browser, NOW) is None
    assert not store.challenges.keep(handle, browser, {}, NOW)
    assert store.challenges.take(handle, browser, NOW) is None
    assert store.challenges.take("handle", BROWSER, NOW) == challenge()


def test_a_challenge_ends_exactly_when_it_says(store):
    end = challenge().expires_at
    store.challenges.add(challenge())
    assert store.challenges.get("handle", BROWSER, end - TICK) is not None
    assert store.challenges.get("handle", BROWSER, end) is None
    assert not store.challenges.keep("handle", BROWSER, {}, end)
    assert store.challenges.miss("handle", end) == MOST_TRIES
    assert store.challenges.take("handle", BROWSER, end) is None
    assert store.challenges.expire(end - TICK) == 0 and store.challenges.expire(end) == 1


def test_other_facts_are_kept_in_its_place(store):
    store.challenges.add(challenge())
    assert store.challenges.keep("handle", BROWSER, {"secret": ODD}, NOW)
    assert store.challenges.take("handle", BROWSER, NOW) == challenge(facts={"secret": ODD})
    assert not store.challenges.keep("handle", BROWSER, {}, NOW)


def test_the_fifth_wrong_answer_ends_a_challenge(store):
    store.challenges.add(challenge())
    assert [store.challenges.miss("handle", NOW) for _ in range(4)] == [1, 2, 3, 4]
    assert store.challenges.get("handle", BROWSER, NOW) == challenge(tries=4)
    assert store.challenges.miss("handle", NOW) == 5 == MOST_TRIES
    assert store.challenges.get("handle", BROWSER, NOW) is None
    assert not store.challenges.keep("handle", BROWSER, {}, NOW)
    assert store.challenges.take("handle", BROWSER, NOW) is None
    assert store.challenges.miss("no such", NOW) == MOST_TRIES


def test_processes_that_finish_one_challenge_finish_it_once(url, store):
    store.challenges.add(challenge())
    assert Workers(url).all_do("take_challenge").count(True) == 1


def test_every_wrong_answer_of_many_processes_is_counted(url, store):
    store.challenges.add(challenge())
    assert sorted(Workers(url).all_do("miss")) == list(range(1, 21))


# --- guesses --------------------------------------------------------------------------------------

ACCOUNT = Budget("password/account", "ana", 3, WINDOW)
ADDRESS = Budget("password/address", "203.0.113.7", 5, WINDOW)


def counted(store) -> list[int]:
    return sorted(row[0] for row in sql(store, "SELECT times FROM guesses"))


def test_a_budget_is_so_many_and_then_its_own_refusal(store):
    assert [store.guesses.reserve([ACCOUNT], NOW) for _ in range(5)] == [None, None, None, ACCOUNT, ACCOUNT]
    for other in (replace(ACCOUNT, key="ben"), replace(ACCOUNT, scope="password/device"), ADDRESS):
        assert store.guesses.reserve([other], NOW) is None
    framed = Budget("password", "/accountana", 3, WINDOW)
    assert store.guesses.reserve([framed], NOW) is None
    odd = Budget(ODD, ODD, 1, WINDOW)
    assert [store.guesses.reserve([odd], NOW) for _ in range(2)] == [None, odd]


def test_the_first_budget_without_room_is_named_and_none_is_counted(store):
    for _ in range(3):
        store.guesses.reserve([ACCOUNT], NOW)
    assert store.guesses.reserve([ADDRESS, ACCOUNT], NOW) == ACCOUNT
    assert counted(store) == [3]
    for _ in range(5):
        assert store.guesses.reserve([ADDRESS], NOW) is None
    assert store.guesses.reserve([ADDRESS, ACCOUNT], NOW) == ADDRESS
    assert store.guesses.reserve([ACCOUNT, ADDRESS], NOW) == ACCOUNT
    assert counted(store) == [3, 5]


def test_a_budget_of_none_has_no_room(store):
    nothing = replace(ACCOUNT, most=0)
    assert store.guesses.reserve([nothing], NOW) == nothing
    assert store.guesses.reserve([], NOW) is None
    assert counted(store) == []


def test_a_window_begins_with_the_first_miss_and_is_not_prolonged(store):
    for minutes in (0, 5, 14):
        assert store.guesses.reserve([ACCOUNT], NOW + minutes * MINUTE) is None
    assert store.guesses.reserve([ACCOUNT], NOW + WINDOW - TICK) == ACCOUNT
    assert store.guesses.reserve([ACCOUNT], NOW + WINDOW) is None
    assert counted(store) == [1]


def test_a_right_answer_gives_back_what_it_reserved_and_begins_no_window(store):
    assert store.guesses.reserve([ACCOUNT, ADDRESS], NOW) is None
    store.guesses.give_back([ACCOUNT, ADDRESS], NOW)
    assert counted(store) == []
    for minutes in (10, 10, 10):
        assert store.guesses.reserve([ACCOUNT], NOW + minutes * MINUTE) is None
    store.guesses.give_back([ACCOUNT], NOW + 11 * MINUTE)
    assert store.guesses.reserve([ACCOUNT], NOW + 24 * MINUTE) is None
    assert store.guesses.reserve([ACCOUNT], NOW + 24 * MINUTE) == ACCOUNT, "ends at 25"


def test_nothing_is_given_back_below_none(store):
    store.guesses.give_back([ACCOUNT], NOW)
    store.guesses.reserve([ACCOUNT], NOW)
    for _ in range(3):
        store.guesses.give_back([ACCOUNT], NOW)
    assert [store.guesses.reserve([ACCOUNT], NOW) for _ in range(4)] == [None, None, None, ACCOUNT]


def test_what_a_used_up_budget_is_asked_costs_no_write(store, monkeypatch):
    for _ in range(3):
        store.guesses.reserve([ACCOUNT], NOW)

    def write(*_):
        raise AssertionError("written")

    monkeypatch.setattr(type(store.guesses._database), "write", write)
    for _ in range(100):
        assert store.guesses.reserve([ADDRESS, ACCOUNT], NOW) == ACCOUNT


def test_windows_that_are_over_are_forgotten(store):
    store.guesses.reserve([ACCOUNT], NOW)
    store.guesses.reserve([ADDRESS], NOW + MINUTE)
    assert store.guesses.expire(NOW + WINDOW) == 1
    assert counted(store) == [1]


def test_neither_names_nor_addresses_are_readable(store):
    store.guesses.reserve([ACCOUNT, ADDRESS], NOW)
    assert not any("ana" in repr(row) or "203" in row[0] for row in sql(store, "SELECT bucket FROM guesses"))


def test_processes_never_go_over_a_budget_nor_wait_for_one_another_for_ever(url, store):
    results = Workers(url).all_do("reserve")
    assert results.count("counted") == 10
    assert results.count("password/account") == 10
    assert counted(store) == [10, 10]


def test_what_processes_give_back_is_all_there_again(url, store):
    assert Workers(url).all_do("guess_right") == [True] * 20
    assert counted(store) == []


# --- one-time links -------------------------------------------------------------------------------


def test_a_link_is_looked_at_often_and_used_once(store):
    store.links.add("link", one_time_link())
    for _ in range(2):
        assert store.links.peek("link", NOW) == one_time_link()
    assert store.links.take("link", NOW) == one_time_link()
    assert store.links.take("link", NOW) is None and store.links.peek("link", NOW) is None


@pytest.mark.parametrize("token", ["", "other", ODD, "x" * 5000])
def test_there_is_no_other_link(store, token):
    store.links.add("link", one_time_link())
    assert store.links.peek(token, NOW) is None and store.links.take(token, NOW) is None
    assert store.links.end_all("password", token, NOW) == 0


def test_a_link_ends_exactly_when_it_says(store):
    end = one_time_link().expires_at
    store.links.add("link", one_time_link())
    assert store.links.peek("link", end - TICK) is not None
    assert store.links.peek("link", end) is None and store.links.take("link", end) is None
    assert store.links.end_all("password", ID, end) == 0
    assert store.links.expire(end - TICK) == 0 and store.links.expire(end) == 1


def test_a_new_link_makes_the_earlier_ones_of_its_purpose_and_user_worthless(store):
    others = {"bens": one_time_link(user="6" * 16), "root": one_time_link(purpose="root", user="root")}
    for token, link in ({"old": one_time_link()} | others | {"new": one_time_link()}).items():
        store.links.add(token, link)
    assert store.links.peek("old", NOW) is None
    assert all(store.links.peek(token, NOW) for token in ("bens", "root", "new"))


def test_all_links_of_a_user_are_ended(store):
    store.links.add("link", one_time_link())
    store.links.add("root", one_time_link(purpose="root", user="root"))
    assert store.links.end_all("root", ID, NOW) == 0
    assert store.links.end_all("password", ID, NOW) == 1 and store.links.end_all("password", ID, NOW) == 0
    assert store.links.take("link", NOW) is None and store.links.take("root", NOW) is not None


def test_processes_that_use_one_link_use_it_once(url, store):
    store.links.add("link", one_time_link())
    assert Workers(url).all_do("take_link").count(True) == 1


def test_processes_that_make_links_leave_one_that_is_good(url, store):
    tokens = Workers(url).all_do("add_link")
    assert sum(store.links.peek(token, NOW) is not None for token in tokens) == 1


# --- known devices --------------------------------------------------------------------------------


def note(store, token: str = "cookie", now=NOW, subject: str = "ana-7", agent: str = "Firefox") -> bool:
    return store.known_devices.note(CORP, subject, token, now, user_agent=agent, address="192.0.2.1")


def test_a_browser_is_new_once_and_known_for_its_person_only(store):
    assert not store.known_devices.known(CORP, "ana-7", "cookie")
    assert note(store) and not note(store, now=NOW + MINUTE)
    assert store.known_devices.known(CORP, "ana-7", "cookie")
    for source, subject, token in (
        (CORP, "ben-3", "cookie"),
        (PARTNER, "ana-7", "cookie"),
        (CORP, "ana-7", "other"),
        (CORP, "ana-7", ODD),
        (CORP, "ana-7cookie", ""),
    ):
        assert not store.known_devices.known(source, subject, token)
    assert note(store, subject="ben-3"), "for another person it is new"


def test_a_persons_browsers_are_listed_the_last_used_first(store):
    note(store)
    note(store, "phone", NOW + MINUTE, agent=ODD + "x" * 5000)
    note(store, now=NOW + HOUR)
    first, second = store.known_devices.of(CORP, "ana-7")
    assert (first.first_seen, first.last_seen, first.user_agent, first.address) == (
        NOW,
        NOW + HOUR,
        "Firefox",
        "192.0.2.1",
    )
    assert second.user_agent == (ODD + "x" * 5000)[:512]


def test_browsers_are_forgotten_all_at_once_or_when_they_were_not_seen_for_long(store):
    note(store)
    note(store, "phone", NOW + MINUTE)
    note(store, subject="ben-3")
    assert store.known_devices.expire(NOW) == 0
    assert store.known_devices.expire(NOW + TICK) == 2
    assert store.known_devices.known(CORP, "ana-7", "phone")
    assert store.known_devices.forget_all(CORP, "ana-7") == 1
    assert not store.known_devices.known(CORP, "ana-7", "phone")


def test_a_browser_is_new_to_one_of_many_processes(url, store):
    assert Workers(url).all_do("note_device").count(True) == 1


# --- recoveries -----------------------------------------------------------------------------------


def test_a_request_waits_is_decided_once_and_by_another(store):
    asked = recovery()
    assert store.recoveries.add(asked)
    assert store.recoveries.get("r1") == asked and store.recoveries.all() == [asked]
    assert not store.recoveries.decide("r1", approved=True, by=asked.asked_by, now=NOW)
    assert store.recoveries.decide("r1", approved=True, by="corp/cai-1", now=NOW + MINUTE)
    assert not store.recoveries.decide("r1", approved=False, by="corp/dan-2", now=NOW + MINUTE)
    decided = replace(asked, decided_by="corp/cai-1", decided_at=NOW + MINUTE, approved=True)
    assert store.recoveries.get("r1") == decided


def test_one_request_waits_for_a_person_at_a_time(store):
    assert store.recoveries.add(recovery())
    assert not store.recoveries.add(recovery("r2"))
    assert store.recoveries.add(recovery("bens", subject="ben-3"))
    later = {"asked_at": NOW + 24 * HOUR, "expires_at": NOW + 48 * HOUR}
    assert store.recoveries.add(recovery("r3", **later)), "the first was over"
    assert store.recoveries.decide("r3", approved=False, by="corp/cai-1", now=NOW + 25 * HOUR)
    assert store.recoveries.get("r3").approved is False
    assert store.recoveries.add(recovery("r4", **later)), "the last was decided"
    assert [each.id for each in store.recoveries.all()][-2:] == ["bens", "r1"]


def test_a_request_is_decided_in_time_or_never(store):
    store.recoveries.add(recovery())
    end = recovery().expires_at
    assert not store.recoveries.decide("r1", approved=True, by="corp/cai-1", now=end)
    assert store.recoveries.decide("r1", approved=True, by="corp/cai-1", now=end - TICK)


@pytest.mark.parametrize("id", ["", "none", ODD, "r" * 5000])
def test_there_is_no_other_request(store, id):
    store.recoveries.add(recovery())
    assert store.recoveries.get(id) is None
    assert not store.recoveries.decide(id, approved=True, by="corp/cai-1", now=NOW)


def test_processes_that_ask_for_one_person_ask_once(url, store):
    assert Workers(url).all_do("ask_recovery").count(True) == 1


def test_processes_that_decide_decide_once(url, store):
    store.recoveries.add(recovery())
    assert Workers(url).all_do("decide_recovery").count(True) == 1


# --- uses of root ---------------------------------------------------------------------------------


def test_uses_of_root_stay_open_until_they_are_signed_off_once(store):
    first, second = root_use(), root_use("u2", at=NOW + MINUTE, reason=ODD)
    for use in (first, second):
        store.root_uses.add(use)
    assert store.root_uses.all() == [second, first]
    assert store.root_uses.sign_off("u1", by="corp/cai-1", note="seen", now=NOW + HOUR)
    assert not store.root_uses.sign_off("u1", by="corp/dan-2", note="", now=NOW + HOUR)
    off = {"signed_off_by": "corp/cai-1", "signed_off_at": NOW + HOUR, "note": "seen"}
    assert store.root_uses.all() == [second, replace(first, **off)]
    for id in ("", "none", ODD):
        assert not store.root_uses.sign_off(id, by="corp/cai-1", note="", now=NOW)


def test_processes_that_sign_a_use_off_do_it_once(url, store):
    store.root_uses.add(root_use())
    assert Workers(url).all_do("sign_off").count(True) == 1


# --- the outbox -----------------------------------------------------------------------------------


def test_an_alert_is_due_on_each_channel_from_its_time_on(store):
    store.alerts.add(alert(), ["log", "webhook 1", "log"], NOW + MINUTE)
    assert not store.alerts.due(NOW + MINUTE - TICK, 10)
    found = store.alerts.due(NOW + MINUTE, 10)
    assert [(each.alert, each.channel, each.tries) for each in found] == [
        (alert(), "log", 0),
        (alert(), "webhook 1", 0),
    ]


def test_what_is_due_is_one_workers_for_five_minutes(store):
    store.alerts.add(alert(), ["log"], NOW)
    assert len(store.alerts.due(NOW, 10)) == 1
    assert not store.alerts.due(NOW + LEASE - TICK, 10)
    assert len(store.alerts.due(NOW + LEASE, 10)) == 1


def test_a_delivery_is_settled_once(store):
    store.alerts.add(alert(), ["log", "webhook 1", "sns 2"], NOW)
    assert store.alerts.done("a1", "log", NOW) and not store.alerts.done("a1", "log", NOW)
    assert store.alerts.failed("a1", "webhook 1", NOW + HOUR)
    assert store.alerts.given_up("a1", "sns 2") and not store.alerts.given_up("a1", "sns 2")
    assert not store.alerts.failed("a1", "sns 2", NOW) and not store.alerts.done("a1", "sns 2", NOW)
    assert not store.alerts.done("a1", "other", NOW) and not store.alerts.done("a2", "log", NOW)
    assert [(each.channel, each.tries, each.next_try, each.done_at) for each in store.alerts.latest(10)] == [
        ("log", 1, None, NOW),
        ("sns 2", 1, None, None),
        ("webhook 1", 1, NOW + HOUR, None),
    ]
    assert [each.channel for each in store.alerts.due(NOW + HOUR, 10)] == ["webhook 1"]


def test_so_many_are_due_at_once_the_longest_waiting_first(store):
    for number in range(3):
        store.alerts.add(alert(f"a{number}", text=ODD), ["log"], NOW - number * MINUTE)
    assert [each.alert.id for each in store.alerts.due(NOW, 2)] == ["a2", "a1"]
    assert [each.alert.id for each in store.alerts.due(NOW, 2)] == ["a0"]


def test_old_alerts_are_forgotten_unless_they_wait(store):
    store.alerts.add(alert(), ["log", "webhook 1"], NOW)
    store.alerts.add(alert("none"), [], NOW)
    store.alerts.done("a1", "log", NOW)
    assert store.alerts.expire(NOW) == 0
    assert store.alerts.expire(NOW + TICK) == 1
    assert [each.channel for each in store.alerts.latest(10)] == ["webhook 1"]


def test_processes_are_told_of_one_delivery_once(url, store):
    for number in range(10):
        store.alerts.add(alert(f"a{number}"), ["log"], NOW)
    told = [*chain.from_iterable(Workers(url).all_do("due"))]
    assert sorted(told) == sorted(f"a{number}" for number in range(10))


# --- sessions that are stepped up -----------------------------------------------------------------

PROVEN = Authentication(NOW, ("pwd", "otp", "mfa"), None, NOW, enrolled_at=NOW - HOUR)


def test_a_renewed_session_has_another_token_and_the_old_one_finds_nothing(store):
    store.sessions.add("old", session())
    proven = session(identity=identity(authentication=PROVEN), csrf="new csrf")
    assert store.sessions.renew("s1", "new", proven, NOW)
    assert store.sessions.find("old", NOW) is None
    assert store.sessions.find("new", NOW) == proven == store.sessions.by_id("s1", NOW)


def test_no_other_session_is_renewed_and_none_that_is_over(store):
    store.sessions.add("old", session())
    for id, other in (
        ("s2", session("s2")),
        ("s1", session("s2")),
        (ODD, session(ODD)),
        ("s1", session(expires_at=NOW + 13 * HOUR)),
        ("s1", session(identity=identity(subject="ben-3"))),
    ):
        assert not store.sessions.renew(id, "new", other, NOW)
    assert not store.sessions.renew("s1", "new", session(), NOW + 2 * HOUR), "idle too long"
    assert store.sessions.find("old", NOW) == session()
    store.sessions.end("s1", NOW)
    assert not store.sessions.renew("s1", "new", session(), NOW)
    assert store.sessions.find("new", NOW) is None


def test_a_session_keeps_all_but_its_authentication_when_something_is_proven(store):
    store.sessions.add("token", session())
    assert store.sessions.prove("s1", PROVEN, NOW)
    assert store.sessions.find("token", NOW) == session(identity=identity(authentication=PROVEN))
    assert store.refresh_tokens.begin_on_proof(clients_session(), "refresh", ("roles",), pool="") or True
    for id in ("none", ODD, ""):
        assert not store.sessions.prove(id, PROVEN, NOW)
    store.sessions.end("s1", NOW)
    assert not store.sessions.prove("s1", PROVEN, NOW)


def test_a_session_keeps_all_but_its_trust_when_that_is_renewed(store):
    store.sessions.add("token", session(trust="old epoch"))
    assert store.sessions.trust("s1", "new epoch", NOW)
    assert store.sessions.find("token", NOW) == session(trust="new epoch")
    for id in ("none", ODD, ""):
        assert not store.sessions.trust(id, "new epoch", NOW)
    assert not store.sessions.trust("s1", "new epoch", NOW + 2 * HOUR), "idle too long"


def test_everybodys_living_sessions_are_listed_newest_first(store):
    for number in range(4):
        store.sessions.add(f"t{number}", session(f"s{number}", created_at=NOW + number * SECOND))
    store.sessions.end("s3", NOW)
    store.sessions.add("bens", session("s9", identity=identity(subject="ben-3")))
    assert [each.id for each in store.sessions.all(NOW, 10)] == ["s2", "s1", "s0", "s9"]
    assert [each.id for each in store.sessions.all(NOW, 2)] == ["s2", "s1"]
    assert not store.sessions.all(NOW + 2 * HOUR, 10)


def test_an_authentication_from_before_factors_of_our_own_is_read(store):
    store.sessions.add("token", session(identity=identity(authentication=PROVEN)))
    assert store.sessions.find("token", NOW).identity.authentication == PROVEN
    old = {"at": 0, "methods": [], "context": None, "mfa_at": None, "phishing_resistant": False}
    assert load_authentication(load(dump(old))).enrolled_at is None


def test_a_session_that_is_ended_while_it_is_stepped_up_stays_ended(url, store):
    store.sessions.add("old", session())
    assert True in Workers(url).all_do("renew", threads=6)
    assert store.sessions.by_id("s1", NOW) is None


def test_what_is_renewed_and_proven_at_once_stays_one_session_that_can_be_read(url, store):
    store.sessions.add("old", session())
    assert Workers(url).all_do("step_up", threads=6) == [True] * 12
    kept = store.sessions.by_id("s1", NOW)
    assert kept is not None and store.sessions.find(kept.csrf, NOW) == kept


# --- at rest --------------------------------------------------------------------------------------


@pytest.fixture
def full(store):
    """One of everything."""
    store.users.create(local_user(), by=OPS, at=NOW)
    store.users.set_account(Account(ID, "$argon2id$hash-in-the-clear", NOW), NOW)
    store.factors.add(factor(), 8)
    store.recovery_codes.replace(CORP, "ana-7", ["code-in-the-clear"], NOW)
    store.challenges.add(challenge("handle-in-the-clear"))
    store.links.add("link-in-the-clear", one_time_link())
    store.known_devices.note(
        CORP,
        "ana-7",
        "cookie-in-the-clear",
        NOW,
        user_agent="agent-in-the-clear",
        address="address-in-the-clear",
    )
    store.recoveries.add(recovery(reason="reason-in-the-clear"))
    store.root_uses.add(root_use(reason="reason-in-the-clear"))
    store.alerts.add(alert(to="address-in-the-clear", text="text-in-the-clear"), ["person"], NOW)
    return store


TABLES = (
    "users",
    "user_versions",
    "factors",
    "recovery_codes",
    "challenges",
    "links",
    "known_devices",
    "recoveries",
    "root_uses",
    "alerts",
)


def test_nothing_secret_is_readable_in_the_database(full):
    everything = repr([[tuple(row) for row in sql(full, f"SELECT * FROM {table}")] for table in TABLES])
    assert "operator ops" in everything
    for secret in ("in-the-clear", "INTHECLEAR", "acme.test", "ana-7"):
        assert secret not in everything


def test_under_a_foreign_key_users_and_factors_are_not_taken_for_absent(url, full):
    foreign = open_store(url, Sealer([Fernet.generate_key()]))
    for ask in (
        lambda: foreign.users.get(ID),
        lambda: foreign.users.by_username("ana"),
        lambda: foreign.users.authority(ID),
        lambda: foreign.users.account(ID),
        foreign.users.all,
        lambda: foreign.factors.of(CORP, "ana-7"),
    ):
        with pytest.raises(StoreUnavailable, match="altered"):
            ask()
    assert foreign.root_uses.all()[0].reason.startswith("(cannot be read")
    assert foreign.challenges.get("handle-in-the-clear", BROWSER, NOW) is None
    assert foreign.links.take("link-in-the-clear", NOW) is None
    assert not foreign.known_devices.known(CORP, "ana-7", "cookie-in-the-clear")
    assert foreign.recoveries.get("r1") is None and not foreign.alerts.due(NOW, 10)
    foreign.close()


def test_with_an_older_key_kept_everything_is_read(url, full):
    newer = open_store(url, Sealer([Fernet.generate_key(), KEY]))
    assert newer.users.get(ID) == full.users.get(ID)
    assert newer.factors.of(CORP, "ana-7") == [factor()]
    assert newer.links.peek("link-in-the-clear", NOW) == one_time_link()
    newer.close()


def test_a_document_moved_to_another_row_is_worth_nothing(full):
    full.users.create(local_user("6" * 16, username="ben"), by=OPS, at=NOW)
    full.users.set_account(Account("6" * 16, "$argon2id$bens", NOW), NOW)
    sql(
        full,
        "UPDATE users SET account = (SELECT account FROM users WHERE id = :ben) WHERE id = :ana",
        ben="6" * 16,
        ana=ID,
    )
    with pytest.raises(StoreUnavailable):
        full.users.account(ID)
    moved = 'UPDATE user_versions SET document = (SELECT document FROM user_versions WHERE "user" = :ben)'
    sql(full, f'{moved} WHERE "user" = :ana', ben="6" * 16, ana=ID)
    with pytest.raises(StoreUnavailable):
        full.users.get(ID)
    full.factors.add(factor("bens", subject="ben-3"), 8)
    sql(full, "UPDATE factors SET person = (SELECT person FROM factors WHERE id = 'f1')")
    with pytest.raises(StoreUnavailable):
        full.factors.of(CORP, "ana-7")


def test_a_link_that_somebody_wrote_into_the_database_opens_nothing(full):
    from app.store.links import _token

    columns = 'purpose, "user", "by", expires_at, document'
    sql(full, f"INSERT INTO links (token, {columns}) SELECT :mine, {columns} FROM links", mine=_token("mine"))
    assert full.links.peek("mine", NOW) is None and full.links.take("mine", NOW) is None
    sql(full, 'UPDATE links SET "user" = :other, expires_at = expires_at + 1', other="6" * 16)
    assert full.links.peek("link-in-the-clear", NOW) is None


def test_a_request_whose_asker_was_made_another_is_nobodys(full):
    sql(full, "UPDATE recoveries SET person = :other", other="0" * 64)
    assert full.recoveries.get("r1") is None
    assert not full.recoveries.decide("r1", approved=True, by="corp/cai-1", now=NOW)


def test_root_is_nobodys_factor_but_roots(store):
    store.factors.add(factor(source=ROOT, subject=ROOT_SUBJECT), 8)
    assert len(store.factors.of(ROOT, ROOT_SUBJECT)) == 1 and not store.factors.of(CORP, ROOT_SUBJECT)


def test_a_store_that_is_closed_answers_nothing(url):
    closed = open_store(url, sealer())
    closed.close()
    for ask in (
        lambda: closed.users.all(),
        lambda: closed.factors.of(CORP, "a"),
        lambda: closed.guesses.reserve([ACCOUNT], NOW),
        lambda: closed.challenges.take("h", BROWSER, NOW),
        lambda: closed.links.take("t", NOW),
        lambda: closed.alerts.due(NOW, 1),
    ):
        with pytest.raises(StoreUnavailable):
            ask()
