"""When which key signs: published before it signs, published until its last token is out."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from app.tokens.rotation import KEPT_AFTER, PUBLISHED_BEFORE, SIGNS, plan, signing
from app.tokens.seam import KeptKey
from tests.tokens.builders import DAY, HOUR, NOW

LONGEST_TOKEN = timedelta(hours=168)
SKEW = timedelta(seconds=60)


def make(made_at, signs_from) -> KeptKey:
    return KeptKey(f"made {made_at.isoformat()}", made_at, signs_from, "private")


def after(keys, now) -> list[KeptKey]:
    change = plan(keys, now, make)
    kept = [key for key in keys if key.kid not in change.drop]
    return sorted([*kept, *change.add], key=lambda key: key.signs_from)


def test_the_first_key_signs_at_once():
    keys = after([], NOW)
    assert [(key.made_at, key.signs_from) for key in keys] == [(NOW, NOW)]
    assert signing(keys, NOW) == keys[0]


def test_nothing_changes_while_the_key_is_young():
    keys = after([], NOW)
    for age in (0 * DAY, DAY, 27 * DAY):
        assert after(keys, NOW + age) == keys


def test_the_next_key_is_made_two_days_before_it_signs_and_once():
    keys = after(after([], NOW), NOW + 28 * DAY)
    assert keys[1].signs_from == NOW + 30 * DAY
    assert after(keys, NOW + 29 * DAY) == keys
    assert signing(keys, NOW + 30 * DAY - HOUR) == keys[0]
    assert signing(keys, NOW + 30 * DAY) == keys[1]


def test_a_key_made_late_is_published_for_a_day_all_the_same():
    keys = after(after([], NOW), NOW + 90 * DAY)
    assert keys[1].signs_from == NOW + 91 * DAY
    assert signing(keys, NOW + 90 * DAY) == keys[0]
    assert after(keys, NOW + 91 * DAY + KEPT_AFTER - HOUR)[0] == keys[0]
    assert keys[0] not in after(keys, NOW + 91 * DAY + KEPT_AFTER)


def test_a_clock_that_was_moved_back_leaves_a_key_to_sign_with():
    keys = after([], NOW)
    assert signing(keys, NOW - 400 * DAY) == keys[0]
    assert after(keys, NOW - 400 * DAY) == keys


def test_where_there_is_no_key_none_signs():
    assert signing([], NOW) is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 24 * 45), min_size=1, max_size=60))
def test_whenever_upkeep_runs_every_key_is_published_before_it_signs_and_until_its_last_token_is_out(pauses):
    now, keys = NOW, after([], NOW)
    published, last_signature = {keys[0].kid: NOW}, {}
    for hours in pauses:
        # What is signed in between is signed by what was kept then.
        for part in range(1, 5):
            at = now + part * timedelta(hours=hours) / 4
            last_signature[signing(keys, at).kid] = at
        now += timedelta(hours=hours)
        before, keys = keys, after(keys, now)
        for key in keys:
            published.setdefault(key.kid, now)
        for key in keys[1:]:
            assert key.signs_from - published[key.kid] >= PUBLISHED_BEFORE
        for gone in {key.kid for key in before} - {key.kid for key in keys}:
            if gone in last_signature:
                assert now >= last_signature[gone] + LONGEST_TOKEN + SKEW
        assert 1 <= len(keys) <= 3
        assert signing(keys, now) is not None


def test_what_is_promised_fits_together():
    assert KEPT_AFTER > LONGEST_TOKEN + SKEW
    assert PUBLISHED_BEFORE >= DAY
    assert SIGNS == 30 * DAY
