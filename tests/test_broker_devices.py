"""Devices that have no browser: what the person sees, what guessing and phishing meet, and when a device is in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.errors import (
    AuditUnavailable,
    ClientNotAllowed,
    DeviceCodeExpired,
    GrantDenied,
    GrantInvalid,
    GrantPending,
    PollTooFast,
    ScopeInvalid,
    SignInNotFresh,
    TargetInvalid,
    TooMany,
    UserCodeUnknown,
)
from app.limits import (
    DEVICE_STARTS_PER_MINUTE,
    LOOKUPS_PER_ADDRESS,
    LOOKUPS_PER_SESSION,
    REFUSALS_PER_MINUTE,
)
from app.model import DeviceStarted, Session
from app.store import Search
from tests.helper import CLI, Helper, bot
from tests.house import BASE, CALLER, House, opened

FAR = replace(CALLER, address="198.51.100.9", user_agent="curl/8")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def fresh(house: House, name: str = "ana") -> Session:
    """Somebody who signs in now, after what the device asked."""
    house.clock.at += timedelta(seconds=10)
    return house.browser(name)[1]


def decide(house: House, person: Session, started: DeviceStarted, *, allow: bool = True) -> None:
    house.broker.decide_device(person, started.user_code, allow=allow, caller=CALLER)


def test_the_person_sees_who_asks_from_where_and_since_when(house: House) -> None:
    at = house.clock.at
    started = Helper(house, caller=FAR).begin(device="build\x07 host")
    ana = fresh(house)
    shown = house.broker.device(ana, started.user_code.lower().replace("-", " "), caller=CALLER)
    assert (shown.user_code, shown.client.name, shown.scope) == (
        started.user_code,
        "daypass command line",
        ("roles", "credentials"),
    )
    assert (shown.device, shown.address, shown.user_agent, shown.asked_at) == (
        "build? host",
        FAR.address,
        "curl/8",
        at,
    )
    assert (shown.expires_at - at, shown.ends_at, shown.fresh) == (
        timedelta(minutes=10),
        ana.created_at + timedelta(hours=12),
        True,
    )


def test_a_device_is_in_once_its_person_says_so_and_only_once(house: House) -> None:
    helper = Helper(house, caller=FAR)
    started = helper.begin()
    with pytest.raises(GrantPending):
        helper.poll(started)
    ana = fresh(house)
    decide(house, ana, started)
    assert house.last() == (
        "grant.approved",
        {
            "asked_from": FAR.address,
            "client": "cli",
            "device": "ana's laptop",
            "grant": "device_code",
            "scope": ["roles", "credentials"],
        },
    )
    tokens = helper.poll(started)
    session = helper.bearer(tokens)
    assert (session.client, session.device, session.approved_by, session.last_address) == (
        "cli",
        "ana's laptop",
        ana.id,
        FAR.address,
    )
    assert house.last()[0] == "session.started"
    assert helper.refresh(tokens.refresh_token)
    with pytest.raises(GrantInvalid):
        helper.poll(started)
    assert helper.bearer(tokens)
    records = str(house.store.audit.search(Search()))
    assert started.device_code not in records and started.user_code not in records


def test_of_many_polls_at_once_one_gets_in(house: House) -> None:
    helper = Helper(house)
    started = helper.begin()
    decide(house, fresh(house), started)

    def attempt(_: int) -> object:
        try:
            return helper.poll(started)
        except GrantInvalid:
            return None

    with ThreadPoolExecutor(8) as pool:
        assert sum(each is not None for each in pool.map(attempt, range(16))) == 1


def test_a_device_that_is_turned_away_hears_it(house: House) -> None:
    helper = Helper(house)
    started = helper.begin()
    decide(house, fresh(house), started, allow=False)
    assert house.last()[0] == "grant.refused"
    with pytest.raises(GrantDenied):
        helper.poll(started)


def test_who_polls_too_fast_is_told_to_slow_down_and_code_and_wait_end(house: House) -> None:
    helper = Helper(house)
    started = helper.begin()
    with pytest.raises(GrantPending):
        helper.poll(started)
    with pytest.raises(PollTooFast):
        helper.poll(started)
    house.clock.at += timedelta(minutes=10)
    with pytest.raises(DeviceCodeExpired):
        helper.poll(started)
    with pytest.raises(UserCodeUnknown):
        house.broker.device(fresh(house), started.user_code, caller=CALLER)


def test_an_older_sign_in_lets_no_device_in(house: House) -> None:
    helper, (_, ana) = Helper(house, caller=FAR), house.browser()
    house.clock.at += timedelta(seconds=1)
    started = helper.begin()
    assert not house.broker.device(ana, started.user_code, caller=CALLER).fresh
    with pytest.raises(SignInNotFresh) as refused:
        decide(house, ana, started)
    assert refused.value.recorded
    kind, detail = house.last()
    assert (kind, detail["code"], detail["asked_from"]) == (
        "grant.refused",
        "device.sign_in_again",
        FAR.address,
    )
    with pytest.raises(GrantPending):
        helper.poll(started)
    decide(house, fresh(house), started)
    assert helper.poll(started)


def test_an_older_sign_in_may_turn_a_device_away(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    house.clock.at += timedelta(seconds=1)
    started = helper.begin()
    decide(house, ana, started, allow=False)
    with pytest.raises(GrantDenied):
        helper.poll(started)


def test_a_device_is_decided_once(house: House) -> None:
    helper = Helper(house)
    started = helper.begin()
    ana = fresh(house)
    decide(house, ana, started, allow=False)
    for allow in (True, False):
        with pytest.raises(UserCodeUnknown):
            decide(house, ana, started, allow=allow)
    with pytest.raises(GrantDenied):
        helper.poll(started)


def test_of_two_who_decide_at_once_the_second_hears_that_it_was_too_late(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = Helper(house)
    started = helper.begin()
    ana = fresh(house)
    store = type(house.store.devices)
    real = store.decide

    def late(self: object, handle: str, approved_by: str | None, now: datetime, stage: str) -> bool:
        assert real(self, handle, None, now)  # type: ignore[arg-type]
        return real(self, handle, approved_by, now, stage)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "decide", late)
    with pytest.raises(UserCodeUnknown):
        decide(house, ana, started)
    with pytest.raises(GrantDenied):
        helper.poll(started)


def test_who_signs_out_before_the_device_comes_back_has_let_nobody_in(house: House) -> None:
    helper = Helper(house)
    started = helper.begin()
    ana = fresh(house)
    decide(house, ana, started)
    house.broker.sign_out(ana, caller=CALLER)
    with pytest.raises(GrantInvalid):
        helper.poll(started)
    assert "session.started" not in house.kinds()


def test_a_client_that_goes_meanwhile_gets_nothing(house: House) -> None:
    helper, other = Helper(house), bot(house)
    waiting, approved = other.begin(("roles",)), other.begin(("roles",))
    ana = fresh(house)
    decide(house, ana, approved)
    house.write(
        "clients/bot.yaml", "name: Bot\ngrants: [code]\nredirect_uris: [https://bot.acme.test/callback]\n"
    )
    house.apply()
    with pytest.raises(UserCodeUnknown):
        house.broker.device(ana, waiting.user_code, caller=CALLER)
    with pytest.raises(ClientNotAllowed):
        Helper(house, replace(CLI, id="bot")).poll(approved)
    assert helper.begin()


def test_another_clients_device_code_is_none(house: House) -> None:
    helper, thief = Helper(house), bot(house)
    started = helper.begin()
    decide(house, fresh(house), started)
    with pytest.raises(GrantInvalid):
        thief.poll(started)
    assert helper.poll(started)


def test_a_device_may_ask_for_no_more_than_its_client(house: House) -> None:
    helper = bot(house)
    with pytest.raises(ScopeInvalid):
        helper.begin(("credentials",))
    with pytest.raises(TargetInvalid):
        house.broker.begin_device(CLI, (), "https://elsewhere.test", "", caller=CALLER)
    assert house.broker.begin_device(CLI, ("roles",), f"{BASE}/v1", "", caller=CALLER)


def test_nothing_is_decided_that_is_not_on_record(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = Helper(house)
    started = helper.begin()
    ana = fresh(house)

    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            decide(house, ana, started)
    with pytest.raises(GrantPending):
        helper.poll(started)


# --- guessing and floods ------------------------------------------------------------------------------------


def miss(house: House, person: Session, times: int) -> None:
    for _ in range(times):
        with pytest.raises(UserCodeUnknown):
            house.broker.device(person, "BCDF-GHJK", caller=CALLER)


def test_who_guesses_codes_waits_and_an_office_does_not_wait_with_them(house: House) -> None:
    started = Helper(house).begin()
    ana, ben = fresh(house), fresh(house, "ben")
    miss(house, ana, LOOKUPS_PER_SESSION)
    with pytest.raises(TooMany):
        house.broker.device(ana, started.user_code, caller=CALLER)
    with pytest.raises(TooMany):
        decide(house, ana, started)
    decide(house, ben, started)
    house.clock.at += timedelta(minutes=1)
    miss(house, ana, 1)


def test_who_guesses_from_many_addresses_waits_all_the_same(house: House) -> None:
    started = Helper(house).begin()
    ana, ben = fresh(house), fresh(house, "ben")
    for number in range(LOOKUPS_PER_SESSION):
        with pytest.raises(UserCodeUnknown):
            house.broker.device(ana, "BCDF-GHJK", caller=replace(CALLER, address=f"198.51.100.{number}"))
    with pytest.raises(TooMany):
        house.broker.device(ana, started.user_code, caller=FAR)
    assert house.broker.device(ben, started.user_code, caller=FAR)


def test_an_address_from_which_many_guess_waits(house: House) -> None:
    started = Helper(house).begin()
    for number in range(LOOKUPS_PER_ADDRESS // LOOKUPS_PER_SESSION):
        miss(house, house.browser(f"guesser-{number}")[1], LOOKUPS_PER_SESSION)
    ana = fresh(house)
    house.clock.at -= timedelta(seconds=10)
    with pytest.raises(TooMany):
        house.broker.device(ana, started.user_code, caller=CALLER)
    assert house.broker.device(ana, started.user_code, caller=FAR)


def test_looking_at_a_code_that_is_right_is_no_guess(house: House) -> None:
    ana = house.browser()[1]
    started = Helper(house).begin()
    for _ in range(LOOKUPS_PER_ADDRESS + 5):
        assert house.broker.device(ana, started.user_code, caller=CALLER)


@pytest.mark.parametrize("typed", ["", "x", "BCDF-GHJ", "AEIO-UAEI", "1234-5678", "\ud800" * 8, "B" * 9000])
def test_what_is_no_code_is_unknown(house: House, typed: str) -> None:
    with pytest.raises(UserCodeUnknown):
        house.broker.device(house.browser()[1], typed, caller=CALLER)


def test_devices_that_ask_are_limited_per_address(house: House) -> None:
    helper = Helper(house)
    for _ in range(DEVICE_STARTS_PER_MINUTE):
        helper.begin()
    with pytest.raises(TooMany):
        helper.begin()
    assert Helper(house, caller=FAR).begin()


def test_an_office_of_waiting_devices_keeps_nobody_out(house: House) -> None:
    helper = Helper(house)
    waiting = [helper.begin() for _ in range(20)]
    for _ in range(REFUSALS_PER_MINUTE // 20 + 2):
        for started in waiting:
            with pytest.raises((GrantPending, PollTooFast)):
                helper.poll(started)
    assert helper.sign_in(house.browser()[1])
