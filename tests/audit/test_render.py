"""From an event to a record: nothing unprintable, nothing unbounded, nothing secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit import clean, render
from app.audit.render import LONGEST_DETAIL, LONGEST_FIELD, LONGEST_TEXT, names_a_secret
from app.errors import Internal
from tests.store.builders import NOW, event

CLEANED = [
    ("ana", "ana"),
    ("Ana Ålund 角", "Ana Ålund 角"),
    ("", ""),
    ("a\r\nb", "a\\r\\nb"),
    ("\x1b[2J\x07", "\\x1b[2J\\x07"),
    ("admin\u202egnp.exe", "admin\\u202egnp.exe"),
    ("a\u2066b\u2069", "a\\u2066b\\u2069"),
    ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
    ("line\u2028para\u2029", "line\\u2028para\\u2029"),
    ("nul\x00", "nul\\x00"),
    ("\ud800", "\\ud800"),
    ("c1\x9b31m", "c1\\x9b31m"),
]


@pytest.mark.parametrize(("text", "cleaned"), CLEANED)
def test_what_could_forge_a_line_or_steer_a_terminal_is_escaped(text, cleaned):
    assert clean(text) == cleaned


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=60), st.integers(20, 60))
def test_cleaned_text_is_printable_bounded_and_clean_already(text, bound):
    cleaned = clean(text, bound)
    assert cleaned.isprintable()
    assert len(cleaned) <= bound
    assert clean(cleaned, bound) == cleaned


def test_two_long_names_never_become_one():
    one, two = clean("x" * 5000 + "1"), clean("x" * 5000 + "2")
    assert len(one) == len(two) == LONGEST_TEXT
    assert one != two


def test_every_field_of_a_record_is_clean_and_bounded():
    hostile = "\x1b" * 600
    record = render(
        event(
            hostile,
            address=hostile,
            source=hostile,
            subject=hostile,
            username=hostile,
            session=hostile,
            role=hostile,
            detail={"access_key_id": hostile, hostile: hostile},
        )
    )
    texts = [
        record.request_id,
        record.address,
        record.source,
        record.subject,
        record.username,
        record.session,
        record.role,
        record.access_key_id,
    ]
    assert all(text.isprintable() and len(text) <= LONGEST_FIELD for text in texts)
    assert record.detail.isascii()
    assert record.detail.isprintable()


def test_details_become_canonical_json():
    detail = {
        "z": [1, 2.5, True, None],
        "a": {"b": ("x", "y"), "s": {"two", "one"}},
        "at": NOW,
        "for": timedelta(hours=1),
        "big": 1 << 80,
        "odd": [float("nan"), float("-inf")],
        "kind": event().kind,
    }
    rendered = render(event(detail=detail)).detail
    assert rendered == json.dumps(json.loads(rendered), sort_keys=True, separators=(",", ":"))
    assert json.loads(rendered) == {
        "z": [1, 2.5, True, None],
        "a": {"b": ["x", "y"], "s": ["one", "two"]},
        "at": NOW.isoformat(),
        "for": 3600,
        "big": str(1 << 80),
        "odd": ["nan", "-inf"],
        "kind": "credentials.issued",
    }


KEYS = st.text(max_size=12).filter(lambda key: not names_a_secret(key))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2000),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_detail_is_recorded_as_bounded_json(detail):
    rendered = render(event(detail=detail)).detail
    assert len(rendered) <= LONGEST_DETAIL
    assert isinstance(json.loads(rendered), dict)
    assert rendered == json.dumps(json.loads(rendered), sort_keys=True, separators=(",", ":"))


def test_of_a_detail_that_is_too_long_the_short_facts_stay():
    lists = {f"list{number}": ["角" * 1000] * 90 for number in range(5)}
    kept = json.loads(render(event(detail={"access_key_id": "ASIA1", "duration": 900, **lists})).detail)
    assert kept["access_key_id"] == "ASIA1"
    assert kept["duration"] == 900
    assert "list0" not in kept
    assert "left out" in kept["cut"]


def test_long_lists_and_deep_nests_are_cut_where_they_become_too_much():
    nest: object = "core"
    for _ in range(50):
        nest = [nest]
    kept = json.loads(render(event(detail={"many": list(range(1000)), "nest": nest})).detail)
    assert kept["many"][-1] == "… 900 more"
    assert len(kept["many"]) == 101
    assert "deeper" in json.dumps(kept["nest"])
    wide = json.loads(render(event(detail={f"k{number}": number for number in range(300)})).detail)
    assert wide["cut"] == "200 more"


SECRET_KEYS = [
    "secret",
    "secret_access_key",
    "SecretAccessKey",
    "clientSecret",
    "token",
    "session_token",
    "SessionToken",
    "sessiontoken",
    "ID_TOKEN",
    "refresh-token",
    "password",
    "user_passwords",
    "cookie",
    "passphrase",
]
HARMLESS_KEYS = [
    "token_id",
    "tokenType",
    "access_key_id",
    "session_name",
    "statements",
    "code",
    "secretary_id",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_detail_that_names_a_secret_is_refused_at_any_depth(key):
    for detail in ({key: "x"}, {"a": {key: "x"}}, {"a": [{"b": {key: None}}]}):
        with pytest.raises(Internal) as refused:
            render(event(detail=detail))
        assert refused.value.code == "internal"


@pytest.mark.parametrize("key", HARMLESS_KEYS)
def test_a_detail_about_a_secret_is_recorded(key):
    assert json.loads(render(event(detail={key: "x"})).detail) == {key: "x"}


@pytest.mark.parametrize("value", [object(), b"bytes", {1: "x"}, 1j])
def test_a_value_that_json_has_no_word_for_is_a_defect_of_ours(value):
    with pytest.raises(Internal):
        render(event(detail={"value": value}))


def test_times_are_recorded_in_utc_and_never_without_a_zone():
    here = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert render(event(at=here)).at == NOW
    assert render(event(at=here)).at.tzinfo is UTC
    with pytest.raises(Internal):
        render(event(at=datetime(2026, 11, 24, 9)))  # no zone


def test_of_two_keys_that_name_secrets_the_outer_one_is_said():
    with pytest.raises(Internal, match="`token`"):
        render(event(detail={"token": {"password": "x"}}))
