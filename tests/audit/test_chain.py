"""The chain: any change shows, and only a change does."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit import Chain, Receipt, Record, StoredRecord, link
from app.audit.chain import GENESIS, canonical
from tests.store.builders import NOW, record


def trail(names: str = "abcde") -> list[StoredRecord]:
    stored, previous = [], GENESIS
    for sequence, name in enumerate(names, 1):
        digest = link(previous, sequence, record(name))
        stored.append(StoredRecord(sequence, record(name), previous, digest))
        previous = digest
    return stored


def broken_at(stored: list[StoredRecord]) -> int | None:
    chain = Chain()
    for one in stored:
        chain.take(one)
    return chain.result().first_broken


def test_an_untouched_trail_is_whole():
    chain = Chain()
    assert all(chain.take(one) for one in trail())
    result = chain.result()
    assert (result.count, result.first_broken, result.head) == (5, None, Receipt(5, trail()[-1].digest))


CHANGES = {
    "at": NOW + timedelta(microseconds=1),
    "kind": "credentials.asked",
    "request_id": "x",
    "address": "x",
    "source": None,
    "subject": "",
    "username": "ana\\",
    "session": "x",
    "role": "x",
    "revision": 4,
    "access_key_id": None,
    "detail": "{}",
}


def test_every_field_has_a_change_below():
    assert set(CHANGES) == {field.name for field in fields(Record)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_any_field_shows_at_its_record(name):
    stored = trail()
    stored[2] = replace(stored[2], record=replace(stored[2].record, **{name: CHANGES[name]}))
    assert broken_at(stored) == 3


def test_a_change_with_a_new_digest_shows_at_the_next_record():
    stored = trail()
    forged = replace(stored[2].record, username="mallory")
    stored[2] = StoredRecord(3, forged, stored[1].digest, link(stored[1].digest, 3, forged))
    assert broken_at(stored) == 4


@pytest.mark.parametrize(
    ("edit", "broken"),
    [
        (lambda s: s[1:], 2),
        (lambda s: s[:2] + s[3:], 4),
        (lambda s: [s[0], s[2], s[1], *s[3:]], 3),
        (lambda s: [*s[:2], s[1], *s[2:]], 2),
        (lambda s: [replace(one, sequence=one.sequence + 1) for one in s], 2),
        (lambda s: s[:4], None),
    ],
    ids=["first gone", "middle gone", "swapped", "doubled", "renumbered", "end cut: only a receipt shows it"],
)
def test_removed_moved_or_added_records_show(edit, broken):
    assert broken_at(edit(trail())) == broken


def test_a_trail_forged_anew_from_a_gap_on_shows_at_the_gap():
    stored = trail()[:2]
    for sequence in (4, 5):  # record 3 left out, all digests made to fit again
        forged = record("abcde"[sequence - 1])
        previous = stored[-1].digest
        stored.append(StoredRecord(sequence, forged, previous, link(previous, sequence, forged)))
    assert broken_at(stored) == 4


def test_after_a_break_nothing_fits_any_more_and_the_head_stays_before_it():
    chain = Chain()
    first, *_, last = trail()
    assert chain.take(first)
    chain.unreadable(2)
    assert not chain.take(last)
    assert chain.result().head == Receipt(1, first.digest)
    assert (chain.result().count, chain.result().first_broken) == (3, 2)


@given(
    st.builds(
        Record,
        **dict.fromkeys(("kind", "request_id", "address", "detail"), st.text()),
        **dict.fromkeys(
            ("source", "subject", "username", "session", "role", "access_key_id"), st.none() | st.text()
        ),
        at=st.datetimes(timezones=st.just(UTC)),
        revision=st.none() | st.integers(),
    ),
    st.integers(1),
)
def test_the_hashed_text_is_json_with_sorted_keys(record, sequence):
    members = {**asdict(record), "at": record.at.isoformat(timespec="microseconds"), "sequence": sequence}
    assert canonical(sequence, record) == json.dumps(members, sort_keys=True, separators=(",", ":"))


def test_the_hashed_text_stays_as_it_is_or_no_trail_of_today_verifies_tomorrow():
    assert canonical(1, record("a", username="Å", detail={"b": "é", "a": 1})) == (
        '{"access_key_id":null,"address":"203.0.113.7","at":"2026-11-24T09:00:00.123456+00:00",'
        '"detail":"{\\"a\\":1,\\"b\\":\\"\\\\u00e9\\"}","kind":"credentials.issued","request_id":"a","revision":3,'
        '"role":"arn:aws:iam::111122223333:role/Admin","sequence":1,"session":"s1","source":"corp",'
        '"subject":"ana-7","username":"\\u00c5"}'
    )
    assert link(GENESIS, 1, record("a")) == "54fb33aa0302809da57e9a0977e16c6102adac37027735a7ae0e41e25316da05"
