"""What the store promises, on every database that is there (see tests/store/databases.py)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.fernet import Fernet

from app.audit import AuditWriter, link
from app.clock import SystemClock
from app.errors import AuditUnavailable, RevisionChanged, StoreUnavailable
from app.model import AuditKind, Authentication
from app.sealing import Sealer
from app.store import Search, open_store
from app.store.codec import dump, load
from app.store.refusals import OTHER, Refusals
from tests.conformance.workers import Workers
from tests.store.builders import (
    BROWSER,
    CORP,
    HOUR,
    MINUTE,
    NOW,
    ODD,
    PARTNER,
    clients_session,
    event,
    identity,
    pending,
    record,
    session,
)
from tests.store.databases import KEY, sealer, sql

# --- pending sign-ins -----------------------------------------------------------------------------


def test_a_pending_sign_in_comes_back_whole_and_once(store):
    begun = pending()
    store.pending.add(begun)
    assert store.pending.take(begun.key, CORP, BROWSER, NOW + MINUTE) == begun
    assert store.pending.take(begun.key, CORP, BROWSER, NOW + MINUTE) is None


@pytest.mark.parametrize(
    ("key", "source", "browser"),
    [
        (pending().key, CORP, "c" * 64),
        (pending().key, CORP, ""),
        (pending().key, PARTNER, BROWSER),
        ("x" * 43, CORP, BROWSER),
        (ODD, CORP, BROWSER),
        (pending().key, ODD, BROWSER),
        (pending().key, CORP, ODD),
        (pending().key + CORP, "", BROWSER),
    ],
)
def test_another_browser_source_or_key_takes_nothing_and_leaves_the_row(store, key, source, browser):
    store.pending.add(pending())
    assert store.pending.take(key, source, browser, NOW) is None
    assert store.pending.take(pending().key, CORP, BROWSER, NOW) == pending()


@pytest.mark.parametrize(("late", "found"), [(timedelta(microseconds=-1), True), (timedelta(0), False)])
def test_a_pending_sign_in_ends_exactly_when_it_says(store, late, found):
    store.pending.add(pending())
    taken = store.pending.take(pending().key, CORP, BROWSER, pending().expires_at + late)
    assert (taken is not None) is found


def test_a_key_that_is_taken_already_is_refused_and_the_first_stays(store):
    store.pending.add(pending())
    with pytest.raises(StoreUnavailable):
        store.pending.add(pending(next="/other"))
    assert store.pending.take(pending().key, CORP, BROWSER, NOW) == pending()


def test_unfinished_sign_ins_are_counted_by_address_and_time(store):
    for number in range(3):
        store.pending.add(pending(f"key-{number}", created_at=NOW + number * MINUTE))
    store.pending.add(pending("elsewhere", address="2001:db8::/64"))
    assert store.pending.started_since("203.0.113.7", NOW + MINUTE) == 2
    store.pending.take("key-2", CORP, BROWSER, NOW)
    assert store.pending.started_since("203.0.113.7", NOW + MINUTE) == 1
    assert store.pending.started_since("192.0.2.1", NOW) == 0


def test_pending_sign_ins_out_of_date_are_forgotten_and_no_others(store):
    store.pending.add(pending("old", expires_at=NOW))
    store.pending.add(pending("young", expires_at=NOW + MINUTE))
    assert store.pending.expire(NOW) == 1
    assert store.pending.take("young", CORP, BROWSER, NOW) is not None


# --- once-only marks ------------------------------------------------------------------------------


def test_a_value_is_marked_once_in_its_namespace(store):
    assert store.once.mark("saml corp", "_1", NOW)
    assert not store.once.mark("saml corp", "_1", NOW + HOUR)
    assert store.once.mark("saml partner", "_1", NOW)
    assert store.once.mark("saml corp_1", "", NOW)  # the frame between namespace and value holds
    assert store.once.mark(ODD, ODD, NOW)
    assert not store.once.mark(ODD, ODD, NOW)


def test_a_mark_holds_until_it_is_forgotten(store):
    store.once.mark("n", "early", NOW)
    store.once.mark("n", "late", NOW + MINUTE)
    assert store.once.expire(NOW) == 1
    assert store.once.mark("n", "early", NOW)
    assert not store.once.mark("n", "late", NOW)


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_comes_back_whole_by_its_token_alone(store):
    begun = session()
    store.sessions.add("token", begun)
    assert store.sessions.find("token", NOW) == begun
    for other in ("", "Token", "token ", begun.id, ODD):
        assert store.sessions.find(other, NOW) is None


def test_odd_claims_come_back_as_they_were(store):
    who = identity(subject=ODD, username=ODD, claims={ODD: (ODD, "")}, name=None, email=None, groups=())
    who = replace(who, authentication=Authentication(at=NOW, phishing_resistant=True))
    store.sessions.add("token", session(identity=who))
    assert store.sessions.find("token", NOW).identity == who
    assert store.sessions.end_all(CORP, ODD, NOW) == 1


@pytest.mark.parametrize(
    ("changes", "now", "live"),
    [
        ({}, NOW + 2 * HOUR - timedelta(microseconds=1), True),
        ({}, NOW + 2 * HOUR, False),
        ({"idle_at": NOW + 20 * HOUR}, NOW + 12 * HOUR - timedelta(microseconds=1), True),
        ({"idle_at": NOW + 20 * HOUR}, NOW + 12 * HOUR, False),
    ],
)
def test_a_session_ends_by_idleness_or_age_whichever_is_first(store, changes, now, live):
    store.sessions.add("token", session(**changes))
    assert (store.sessions.find("token", now) is not None) is live


def test_touching_moves_the_end_of_idleness_and_never_back(store):
    store.sessions.add("token", session())
    store.sessions.touch("s1", NOW + 5 * HOUR)
    store.sessions.touch("s1", NOW + 3 * HOUR)
    assert store.sessions.find("token", NOW + 4 * HOUR).idle_at == NOW + 5 * HOUR


def test_an_ended_session_is_over_at_once_and_ends_once(store):
    store.sessions.add("token", session())
    store.sessions.add("other", session("s2"))
    assert store.sessions.end("s1", NOW)
    assert not store.sessions.end("s1", NOW)
    store.sessions.touch("s1", NOW + 9 * HOUR)
    assert store.sessions.find("token", NOW) is None
    assert store.sessions.find("other", NOW) is not None


@pytest.mark.parametrize("id", ["", "s9", ODD, "s" * 10_000])
def test_ending_or_touching_what_is_no_session_does_nothing(store, id):
    store.sessions.add("token", session())
    store.sessions.touch(id, NOW + 9 * HOUR)
    assert not store.sessions.end(id, NOW)
    assert store.sessions.find("token", NOW) == session()


def test_all_sessions_of_a_person_end_and_nobody_elses(store):
    store.sessions.add("one", session("s1"))
    store.sessions.add("two", session("s2", created_at=NOW + MINUTE))
    store.sessions.add("ben", session("s3", identity=identity(subject="ben-3")))
    store.sessions.add("namesake", session("s4", identity=identity(source=PARTNER)))
    assert [found.id for found in store.sessions.of(CORP, "ana-7")] == ["s2", "s1"]
    assert store.sessions.end_all(CORP, "ana-7", NOW) == 2
    assert store.sessions.end_all(CORP, "ana-7", NOW) == 0
    assert store.sessions.of(CORP, "ana-7") == []
    assert [token for token in ("one", "two", "ben", "namesake") if store.sessions.find(token, NOW)] == [
        "ben",
        "namesake",
    ]


def test_sessions_that_are_over_are_forgotten_and_no_others(store):
    store.sessions.add("ended", session("s1"))
    store.sessions.add("idle", session("s2", idle_at=NOW))
    store.sessions.add("expired", session("s3", expires_at=NOW))
    store.sessions.add("live", session("s4"))
    store.sessions.end("s1", NOW)
    assert store.sessions.expire(NOW) == 3
    assert store.sessions.find("live", NOW) is not None


def test_a_second_session_of_the_same_id_or_token_is_refused(store):
    store.sessions.add("token", session())
    for token, id in (("token", "s2"), ("other", "s1")):
        with pytest.raises(StoreUnavailable):
            store.sessions.add(token, session(id))


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE sessions SET document = (SELECT document FROM sessions WHERE id = 'victim') WHERE id = 'thief'",
        "UPDATE sessions SET token = (SELECT token FROM loot) WHERE id = 'victim'",
        "UPDATE sessions SET expires_at = expires_at + 1 WHERE id = 'thief'",
        "UPDATE sessions SET document = 'AAAA' WHERE id = 'thief'",
    ],
)
def test_a_row_put_together_by_hand_opens_for_nobody(store, forgery):
    store.sessions.add("victim", session("victim"))
    store.sessions.add("thief", session("thief", identity=identity(subject="mallory")))
    assert store.sessions.find("thief", NOW) is not None
    if "token" in forgery:  # a session of the thief's own gives its token to the victim's row
        sql(store, "CREATE TABLE loot AS SELECT token FROM sessions WHERE id = 'thief'")
        sql(store, "DELETE FROM sessions WHERE id = 'thief'")
    sql(store, forgery)
    assert store.sessions.find("thief", NOW) is None


def test_sessions_under_a_lost_key_are_not_there_and_signing_in_again_works(url):
    before = open_store(url, sealer())
    before.sessions.add("token", session())
    before.pending.add(pending())
    before.close()
    after = open_store(url, Sealer([Fernet.generate_key()]))
    assert after.sessions.find("token", NOW) is None
    assert after.sessions.of(CORP, "ana-7") == []
    assert after.pending.take(pending().key, CORP, BROWSER, NOW) is None
    after.sessions.add("new", session("s2"))
    assert after.sessions.find("new", NOW) is not None
    after.close()


def test_sessions_outlive_a_rotation_of_keys(url):
    before = open_store(url, sealer())
    before.sessions.add("token", session())
    before.close()
    after = open_store(url, Sealer([Fernet.generate_key(), KEY]))
    assert after.sessions.find("token", NOW) == session()
    after.close()


def test_a_session_is_found_by_its_id_as_by_its_token_while_it_lives(store):
    store.sessions.add("token", session())
    assert store.sessions.by_id("s1", NOW) == session()
    for other in ("", "token", "S1", ODD, "s" * 10_000):
        assert store.sessions.by_id(other, NOW) is None
    assert store.sessions.by_id("s1", NOW + 2 * HOUR) is None
    store.sessions.end("s1", NOW)
    assert store.sessions.by_id("s1", NOW) is None


def test_where_and_when_a_session_was_last_used_is_kept_and_its_idle_end_never_moves_back(store):
    store.sessions.add("token", session())
    store.sessions.touch("s1", NOW + 5 * HOUR, NOW + MINUTE, "203.0.113.7")
    store.sessions.touch("s1", NOW + 3 * HOUR, NOW + 2 * MINUTE, "2001:db8::1" + "0" * 100)
    found = store.sessions.by_id("s1", NOW)
    assert (found.idle_at, found.last_used) == (NOW + 5 * HOUR, NOW + 2 * MINUTE)
    assert found.last_address == ("2001:db8::1" + "0" * 100)[:64]
    store.sessions.touch("s1", NOW + 6 * HOUR)
    assert store.sessions.by_id("s1", NOW) == replace(found, idle_at=NOW + 6 * HOUR)


def test_only_the_living_among_a_persons_sessions_are_given_where_that_is_asked(store):
    store.sessions.add("idle", session("s1", idle_at=NOW))
    store.sessions.add("expired", session("s2", expires_at=NOW))
    store.sessions.add("live", session("s3"))
    store.sessions.add("ended", session("s4"))
    store.sessions.end("s4", NOW)
    assert [found.id for found in store.sessions.of(CORP, "ana-7")] == ["s1", "s2", "s3"]
    assert [found.id for found in store.sessions.of(CORP, "ana-7", NOW)] == ["s3"]


def test_a_session_keeps_the_identity_that_its_person_has_in_the_clients_pool(store):
    apps = clients_session(approved_by=None, pool_identity="5f6c3ab1-1111-4222-8333-444455556666")
    store.sessions.add("token", apps)
    assert store.sessions.by_id("c1", NOW).pool_identity == apps.pool_identity


def test_a_session_from_before_there_were_clients_is_a_browsers_own(store):
    store.sessions.add("token", session())
    row = sql(store, "SELECT token, document FROM sessions")[0]
    name = f"sessions/s1/{row.token}/{session().expires_at.isoformat()}"
    document = load(sealer().open(row.document, name).decode())
    for later in ("client", "device", "approved_by", "signed_in_at", "trust", "pool_identity"):
        del document[later]
    sealed = Fernet(KEY).encrypt(dump({"row": name, "document": document}).encode()).decode()
    sql(store, "UPDATE sessions SET document = :document, last_address = NULL", document=sealed)
    assert store.sessions.find("token", NOW) == session()
    assert store.sessions.find("token", NOW).client is None


# --- people ---------------------------------------------------------------------------------------


def test_a_person_is_kept_with_their_last_claims_and_sign_in(store):
    store.people.seen(identity(), {"sre", "engineering"}, NOW, 3)
    later = replace(identity(), authentication=Authentication(at=NOW + HOUR))
    store.people.seen(later, {"engineering", "sre"}, NOW + HOUR, 4)
    known = store.people.get(CORP, "ana-7")
    assert known.identity == later
    assert known.groups == ("engineering", "sre")
    assert (known.first_seen, known.last_seen, known.since, known.revision) == (NOW, NOW + HOUR, NOW, 4)
    assert store.people.get(PARTNER, "ana-7") is None
    assert store.people.get(CORP, ODD) is None


def test_each_change_of_claims_or_groups_is_history_and_nothing_else_is(store):
    moved = identity(claims={"uid": ("ana",), "memberOf": ("finance",)})
    store.people.seen(identity(), ["sre"], NOW, 1)
    store.people.seen(identity(), ["sre"], NOW + MINUTE, 1)
    store.people.seen(moved, ["finance"], NOW + 2 * MINUTE, 1)
    store.people.seen(moved, [], NOW + 3 * MINUTE, 2)
    store.people.seen(identity(), ["sre"], NOW + 4 * MINUTE, 2)
    history = store.people.history(CORP, "ana-7")
    assert [known.since for known in history] == [NOW, NOW + 2 * MINUTE, NOW + 3 * MINUTE, NOW + 4 * MINUTE]
    assert [known.groups for known in history] == [("sre",), ("finance",), (), ("sre",)]


def test_everybody_is_known_as_of_a_day(store):
    ben = identity(subject="ben-3", username="ben")
    store.people.seen(identity(), ["sre"], NOW, 1)
    store.people.seen(ben, ["engineering"], NOW + HOUR, 1)
    store.people.seen(identity(), [], NOW + 2 * HOUR, 2)
    assert [(k.identity.username, k.groups) for k in store.people.all()] == [
        ("ana", ()),
        ("ben", ("engineering",)),
    ]
    assert [(k.identity.username, k.groups) for k in store.people.all(NOW + HOUR)] == [
        ("ana", ("sre",)),
        ("ben", ("engineering",)),
    ]
    assert store.people.all(NOW - MINUTE) == []


# --- revisions ------------------------------------------------------------------------------------


def test_revisions_are_numbered_in_order_and_the_same_content_keeps_its_number(store):
    assert (store.revisions.latest(), store.revisions.latest_number()) == (None, None)
    assert store.revisions.activate("a" * 64, {"daypass.yaml": "one Å\x00"}, NOW) == 1
    assert store.revisions.activate("a" * 64, {"daypass.yaml": "one Å\x00"}, NOW + MINUTE) == 1
    assert store.revisions.activate("b" * 64, {"daypass.yaml": "two"}, NOW + 2 * MINUTE) == 2
    assert store.revisions.latest().files == {"daypass.yaml": "two"}
    assert store.revisions.latest_number() == 2
    assert store.revisions.get(1).files == {"daypass.yaml": "one Å\x00"}
    assert store.revisions.get(1).activated_at == NOW


def test_an_earlier_content_comes_back_under_a_new_number(store):
    for digest in "aba":
        store.revisions.activate(digest * 64, {"f": digest}, NOW)
    assert [(r.number, r.digest[0], r.files["f"]) for r in store.revisions.history()] == [
        (3, "a", "a"),
        (2, "b", "b"),
        (1, "a", "a"),
    ]


@pytest.mark.parametrize("number", [0, -1, 2, 1 << 70])
def test_a_revision_that_never_was_is_none(store, number):
    store.revisions.activate("a" * 64, {}, NOW)
    assert store.revisions.get(number) is None


def test_a_rollback_keeps_in_mind_which_folder_was_applied_last(store):
    store.revisions.activate("a" * 64, {"f": "a"}, NOW, by="start")
    store.revisions.activate("b" * 64, {"f": "b"}, NOW + MINUTE, by="operator ana")
    assert (
        store.revisions.activate("a" * 64, {"f": "a"}, NOW + 2 * MINUTE, by="operator ana", restores=1) == 3
    )
    third, second, first = store.revisions.activations()
    assert (third.by, third.restores, third.folder) == ("operator ana", 1, "b" * 64)
    assert (second.by, second.restores, second.folder) == ("operator ana", None, "b" * 64)
    assert (first.by, first.restores, first.folder) == ("start", None, "a" * 64)


def test_a_folder_that_holds_what_is_active_is_remembered_without_a_new_revision(store):
    for digest in "ab":
        store.revisions.activate(digest * 64, {"f": digest}, NOW)
    store.revisions.activate("a" * 64, {"f": "a"}, NOW, restores=1)
    assert store.revisions.activate("a" * 64, {"f": "a"}, NOW) == 3
    assert (store.revisions.latest().folder, store.revisions.latest().restores) == ("a" * 64, 1)


def test_a_change_planned_on_another_revision_is_refused(store):
    assert store.revisions.activate("a" * 64, {}, NOW, after=0) == 1
    for expected in (0, 2):
        with pytest.raises(RevisionChanged):
            store.revisions.activate("b" * 64, {}, NOW, after=expected)
    assert store.revisions.latest_number() == 1
    assert store.revisions.activate("b" * 64, {}, NOW, after=1) == 2


def test_the_revision_of_a_day_is_the_one_that_was_active_then(store):
    for hours, digest in enumerate("aba"):
        store.revisions.activate(digest * 64, {"f": digest}, NOW + hours * HOUR)
    assert store.revisions.at(NOW - MINUTE) is None
    assert [store.revisions.at(NOW + MINUTE * each).number for each in (0, 59, 60, 119, 120, 999)] == [
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    assert dict(store.revisions.contents()) == {"a" * 64: {"f": "a"}, "b" * 64: {"f": "b"}}


def test_rows_of_an_older_daypass_came_from_the_folder(store):
    # What it writes: it does not know the later columns.
    with store._database.write() as connection:
        connection.exec_driver_sql("INSERT INTO revision_files (digest, files) VALUES ('d', '{}')")
        connection.exec_driver_sql("INSERT INTO revisions (number, digest, activated_at) VALUES (1, 'd', 0)")
    latest = store.revisions.latest()
    assert (latest.by, latest.restores, latest.folder) == ("", None, "d")


# --- provider metadata ----------------------------------------------------------------------------


def test_trusted_metadata_is_the_last_remembered_for_source_and_address(store):
    known = store.provider_metadata
    assert known.recall(CORP, "https://idp/m") is None
    known.remember(CORP, "https://idp/m", b"\x00one", NOW)
    known.remember(CORP, "https://idp/m", b"\x00one", NOW + MINUTE)
    known.remember(CORP, "https://idp/m", b"two", NOW + 2 * MINUTE)
    known.remember(PARTNER, "https://idp/m", b"theirs", NOW)
    assert known.recall(CORP, "https://idp/m") == b"two"
    assert known.recall(CORP, "https://idp/m/") is None
    assert [(old.document, old.at) for old in known.history(CORP)] == [
        (b"two", NOW + 2 * MINUTE),
        (b"\x00one", NOW),
    ]


# --- refusal counts -------------------------------------------------------------------------------


def test_refusals_add_up_by_minute_address_and_code(store):
    for second in (0, 59):
        store.refusals.count(NOW.replace(second=second), "203.0.113.7", "saml.signature", 2)
    store.refusals.count(NOW, "203.0.113.7", "saml.replayed", 1)
    store.refusals.count(NOW + MINUTE, "203.0.113.7", "saml.signature", 1)
    minute = NOW.replace(second=0, microsecond=0)
    assert [(c.minute, c.code, c.times) for c in store.refusals.since(minute)] == [
        (minute + MINUTE, "saml.signature", 1),
        (minute, "saml.signature", 4),
        (minute, "saml.replayed", 1),
    ]
    assert store.refusals.expire(minute + MINUTE) == 2
    assert len(store.refusals.since(minute)) == 1


def test_beyond_the_cap_all_addresses_share_one_row_and_no_count_is_lost(store):
    refusals = Refusals(store.refusals._database, rows_per_minute=3)
    for number in range(10):
        refusals.count(NOW, f"192.0.2.{number}", "saml.signature", 1)
    refusals.count(NOW, "192.0.2.0", "saml.signature", 1)
    refusals.count(NOW + MINUTE, "192.0.2.9", "saml.signature", 1)
    counts = {(c.minute > NOW, c.address): c.times for c in refusals.since(NOW - MINUTE)}
    assert counts == {
        (False, "192.0.2.0"): 2,
        (False, "192.0.2.1"): 1,
        (False, "192.0.2.2"): 1,
        (False, OTHER): 7,
        (True, "192.0.2.9"): 1,
    }


# --- audit ----------------------------------------------------------------------------------------


def test_records_form_one_chain_over_several_appends(store):
    first = store.audit.append([record("a"), record("b")])
    second = store.audit.append([record("c")])
    assert [receipt.sequence for receipt in [*first, *second]] == [1, 2, 3]
    assert second[0].digest == link(first[1].digest, 3, record("c"))
    verified = store.audit.verify()
    assert (verified.count, verified.first_broken, verified.head) == (3, None, second[0])


def test_an_empty_trail_is_whole(store):
    assert store.audit.append([]) == []
    verified = store.audit.verify()
    assert (verified.count, verified.first_broken, verified.head) == (0, None, None)


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit SET username = 'mallory' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT 9, at, kind, request_id, address, source, subject, username, session, role, "
        "revision, access_key_id, detail, previous, digest FROM audit WHERE sequence = 2",
        "INSERT INTO audit SELECT 0, at, kind, request_id, address, source, subject, username, session, role, "
        "revision, access_key_id, detail, previous, digest FROM audit WHERE sequence = 2",
    ],
)
def test_the_database_itself_refuses_any_change_but_growth_at_the_end(store, attack):
    store.audit.append([record("a"), record("b"), record("c")])
    with pytest.raises(StoreUnavailable, match="only grows"):
        sql(store, attack)
    assert store.audit.verify().count == 3
    store.audit.append([record("d")])


@pytest.mark.parametrize(
    ("forgery", "broken"),
    [
        ("UPDATE audit SET username = 'mallory' WHERE sequence = 2", 2),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 3", 3),
        ("UPDATE audit SET access_key_id = NULL WHERE sequence = 1", 1),
        ("UPDATE audit SET revision = 4 WHERE sequence = 2", 2),
        ("UPDATE audit SET at = 9000000000000000000 WHERE sequence = 2", 2),
        ("UPDATE audit SET digest = 'feed' WHERE sequence = 2", 2),
        ("UPDATE audit SET previous = 'feed' WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 1", 2),
        ("DELETE FROM audit WHERE sequence = 2", 3),
    ],
)
def test_a_change_behind_the_triggers_shows_in_the_chain(store, forgery, broken):
    store.audit.append([record(name) for name in "abcd"])
    if store.audit._database.engine_name == "sqlite":
        for trigger in ("audit_no_update", "audit_no_delete"):
            sql(store, f"DROP TRIGGER {trigger}")
    else:
        sql(store, "ALTER TABLE audit DISABLE TRIGGER ALL")
    sql(store, forgery)
    assert store.audit.verify().first_broken == broken


def test_a_cut_at_the_end_shows_to_whoever_kept_a_receipt(store):
    *_, last = store.audit.append([record(name) for name in "abc"])
    assert store.audit.digest_at(3) == last.digest
    assert store.audit.digest_at(4) is None


def test_a_long_trail_is_verified_page_by_page(store):
    for _ in range(5):
        store.audit.append([record(str(number)) for number in range(500)])
    assert (store.audit.verify().count, store.audit.verify().first_broken) == (2500, None)


SEARCHES = [
    (Search(), ["dan", "key", "ben", "ana"]),
    (Search(limit=1), ["dan"]),
    (Search(limit=0), []),
    (Search(before=3), ["ben", "ana"]),
    (Search(person="ana"), ["key", "ana"]),
    (Search(person="ana-7"), ["key", "ana"]),
    (Search(person="corp/ana"), ["key", "ana"]),
    (Search(person="corp/ana-7"), ["key", "ana"]),
    (Search(person="partner/ana"), []),
    (Search(person="da\nn/x"), ["dan"]),
    (Search(source="corp", subject="ben-3"), ["ben"]),
    (Search(source="partner", subject="ben-3"), []),
    (Search(role="arn:aws:iam::1:role/Other"), ["ben"]),
    (Search(kind="signin.succeeded"), ["dan"]),
    (Search(kind=AuditKind.CREDENTIALS_ISSUED), ["key", "ben", "ana"]),
    (Search(request_id="key"), ["key"]),
    (Search(access_key_id="ASIAKEY"), ["key"]),
    (Search(access_key_id="ASIAK%"), []),
    (Search(since=NOW + MINUTE), ["dan", "key", "ben"]),
    (Search(until=NOW + MINUTE), ["ana"]),
    (Search(since=NOW + MINUTE, until=NOW + 2 * MINUTE, person="ben"), ["ben"]),
    (Search(person=ODD), []),
    (Search(person=f"{ODD}/{ODD}", role=ODD, request_id=ODD), []),
]


@pytest.mark.parametrize(("wanted", "found"), SEARCHES)
def test_records_are_found_by_what_is_asked_newest_first(store, wanted, found):
    store.audit.append(
        [
            record("ana"),
            record("ben", at=NOW + MINUTE, subject="ben-3", username="ben", role="arn:aws:iam::1:role/Other"),
            record("key", at=NOW + 2 * MINUTE, detail={"access_key_id": "ASIAKEY"}),
            record(
                "dan",
                at=NOW + 3 * MINUTE,
                kind=AuditKind.SIGNIN_SUCCEEDED,
                subject="da\nn/x",
                username="dan",
                role=None,
            ),
        ]
    )
    assert [stored.record.request_id for stored in store.audit.search(wanted)] == found


def test_a_record_comes_back_as_it_was_rendered(store):
    odd = record(ODD, username=ODD, subject="Å" * 2000, role="角" * 600, revision=None, session=None)
    store.audit.append([odd])
    assert store.audit.search(Search())[0].record == odd
    assert store.audit.verify().first_broken is None


def test_a_record_that_the_database_refuses_takes_its_whole_batch_with_it(store):
    store.audit.append([record("a")])
    impossible = replace(record("c"), revision=1 << 70)
    with pytest.raises(AuditUnavailable):
        store.audit.append([record("b"), impossible])
    assert store.audit.verify().count == 1
    store.audit.append([record("d")])
    assert store.audit.verify() == replace(store.audit.verify(), count=2, first_broken=None)


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.provider_metadata.recall(CORP, "https://\ud800"),
        lambda store: store.provider_metadata.remember(CORP, "https://\ud800", b"x", NOW),
        lambda store: store.refusals.count(NOW, "\ud800", "code", 1),
        lambda store: store.pending.started_since("\ud800", NOW),
        lambda store: store.revisions.activate("\ud800", {}, NOW),
    ],
)
def test_text_that_no_database_takes_is_a_refusal(store, use):
    with pytest.raises(StoreUnavailable):
        use(store)
    assert store.revisions.latest() is None


# --- times, opening, closing ----------------------------------------------------------------------


def test_times_come_back_in_utc_to_the_microsecond_whatever_zone_they_came_in(store):
    here = NOW.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
    store.sessions.add("token", session(created_at=here, expires_at=datetime(9999, 12, 31, tzinfo=UTC)))
    found = store.sessions.find("token", here)
    assert found.created_at == NOW
    assert found.created_at.tzinfo is UTC
    assert found.expires_at.year == 9999


def test_the_store_is_as_it_was_after_reopening(url):
    first = open_store(url, sealer())
    first.sessions.add("token", session())
    first.audit.append([record("a")])
    first.close()
    second = open_store(url, sealer(), migrate=False)
    assert second.check()
    assert second.sessions.find("token", NOW) == session()
    second.audit.append([record("b")])
    assert second.audit.verify().count == 2
    second.close()


def test_a_closed_store_refuses_and_says_it_is_not_ready(store):
    store.close()
    assert not store.check()
    with pytest.raises(StoreUnavailable):
        store.once.mark("n", "v", NOW)
    with pytest.raises(AuditUnavailable):
        store.audit.append([record()])


# --- many at once ---------------------------------------------------------------------------------


def test_twenty_at_once_in_two_processes_take_mark_and_end_exactly_once(store, url):
    store.pending.add(pending())
    store.sessions.add("token", session())
    for job in ("take", "mark", "end"):
        results = Workers(url).all_do(job)
        assert (len(results), results.count(True)) == (20, 1), job


def test_two_processes_that_activate_the_same_content_at_once_agree(store, url):
    assert Workers(url).all_do("activate") == [1] * 20
    assert len(store.revisions.history()) == 1


def test_no_count_and_no_record_is_lost_between_processes(store, url):
    Workers(url).all_do("count")
    assert [count.times for count in store.refusals.since(NOW - MINUTE)] == [20]
    Workers(url).all_do("chain", threads=5)
    verified = store.audit.verify()
    assert (verified.count, verified.first_broken) == (200, None)


def test_many_threads_of_one_process_do_everything_at_once(store):
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for number in range(10):
                name = f"{thread}-{number}"
                store.pending.add(pending(name))
                store.sessions.add(name, session(name))
                store.audit.append([record(name)])
                assert store.sessions.find(name, NOW).id == name
                assert store.pending.take(name, CORP, BROWSER, NOW).key == name
                assert store.sessions.end(name, NOW)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (store.audit.verify().count, store.audit.verify().first_broken) == (160, None)


def test_killed_ten_times_in_the_middle_no_acknowledged_record_is_lost_and_the_chain_is_whole(store, url):
    acknowledged: list[str] = []
    for round_number in range(10):
        with Workers(url).start("append", threads=8) as process:
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
            acknowledged += [process.stdout.readline().strip() for _ in range(40 + 13 * round_number)]
            process.kill()
            acknowledged += process.stdout.read().split()
        assert store.check()
    written = {stored.record.request_id for stored in store.audit.search(Search(limit=1_000_000))}
    assert len(acknowledged) > 400
    assert set(acknowledged) <= written
    verified = store.audit.verify()
    assert (verified.count, verified.first_broken) == (len(written), None)
    assert store.audit.append([record("after")])[0].sequence == len(written) + 1


def test_an_event_reaches_the_trail_through_the_writer(store):
    AuditWriter(store.audit, SystemClock()).record_all([event("a"), event("b")])
    assert [stored.record.request_id for stored in store.audit.search(Search())] == ["b", "a"]
