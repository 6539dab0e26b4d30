"""Flood limits count per address and minute, are bounded, and let the next minute begin anew."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app import limits
from app.errors import StoreUnavailable, TooMany
from app.limits import Tally, prefix

NOON = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("nonsense\r\n", "unknown"),
        ("192.0.2.07", "unknown"),
        ("192.0.2.256", "unknown"),
        ("192.0.2", "unknown"),
        ("192.0.2.7\n", "unknown"),
        ("192.0.2.\u0667", "unknown"),
    ],
)
def test_an_address_is_counted_by_what_one_party_holds(address, expected):
    assert prefix(address) == expected


octets = st.integers(0, 300).map(str) | st.text("0123456789 \n", max_size=4)


@given(st.ip_addresses(v=4).map(str) | st.lists(octets, min_size=3, max_size=5).map(".".join))
@example("0.0.0.0")
@example("255.255.255.255")
def test_addresses_of_ipv4_are_counted_as_the_library_reads_them(address):
    try:
        expected = str(IPv4Address(address))
    except ValueError:
        expected = "unknown"
    assert prefix(address) == expected


def test_an_address_over_its_limit_waits_for_the_next_minute_and_others_do_not():
    tally = Tally()
    for _ in range(3):
        tally.admit("192.0.2.1", "starts", 3, NOON)
    with pytest.raises(TooMany) as refused:
        tally.admit("192.0.2.1", "starts", 3, NOON)
    assert refused.value.retry_after == 55
    tally.admit("192.0.2.2", "starts", 3, NOON)
    tally.admit("192.0.2.1", "starts", 3, NOON + timedelta(minutes=1))


def test_refusals_shut_an_address_out_only_once_there_are_too_many():
    tally = Tally()
    tally.refused("192.0.2.1", "saml.signature", NOON)
    tally.check("192.0.2.1", "refusals", 2, NOON)
    tally.refused("192.0.2.1", "saml.audience", NOON)
    with pytest.raises(TooMany):
        tally.check("192.0.2.1", "refusals", 2, NOON)


def test_who_was_long_at_work_does_not_wipe_the_present_minutes_counts_but_a_clock_moved_back_does():
    tally = Tally()
    for _ in range(3):
        tally.refused("192.0.2.1", "saml.signature", NOON)
    tally.refused("192.0.2.2", "provider.failed", NOON - timedelta(seconds=20))
    with pytest.raises(TooMany):
        tally.check("192.0.2.1", "refusals", 3, NOON)
    tally.check("192.0.2.1", "refusals", 3, NOON - timedelta(hours=1))


def test_counts_that_cannot_be_saved_are_kept_for_the_next_time():
    tally = Tally()
    tally.refused("192.0.2.1", "saml.signature", NOON)
    tally.refused("192.0.2.1", "saml.signature", NOON)

    def broken(*_):
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        tally.flush(broken)
    saved = []
    tally.flush(lambda *count: saved.append(count))
    assert saved == [(NOON.replace(second=0), "192.0.2.1", "saml.signature", 2)]
    tally.flush(lambda *count: saved.append(count))
    assert len(saved) == 1


def test_a_flood_from_everywhere_is_counted_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(limits, "KEPT", 100)
    tally = Tally()
    for number in range(1000):
        tally.refused(f"10.0.{number // 250}.{number % 250}", "saml.shape", NOON)
    saved = []
    tally.flush(lambda *count: saved.append(count))
    assert len(saved) == 101 and sum(count[3] for count in saved) == 1000


def test_what_is_counted_apart_shuts_out_of_that_alone():
    tally = Tally()
    for _ in range(2):
        tally.refused("192.0.2.1", "oauth.invalid_grant", NOON, limits.TOKEN_REFUSALS)
        tally.count("192.0.2.1", limits.DEVICE_LOOKUPS, NOON)
    tally.check("192.0.2.1", limits.SIGN_IN_REFUSALS, 1, NOON)
    tally.check("192.0.2.2", limits.TOKEN_REFUSALS, 1, NOON)
    for what in (limits.TOKEN_REFUSALS, limits.DEVICE_LOOKUPS):
        tally.check("192.0.2.1", what, 3, NOON)
        with pytest.raises(TooMany):
            tally.check("192.0.2.1", what, 2, NOON)
    saved = []
    tally.flush(lambda *count: saved.append(count))
    assert [count[2:] for count in saved] == [("oauth.invalid_grant", 2)], "a miss is no refusal of a proof"
