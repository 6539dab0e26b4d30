"""Telling: written down first, tried at once, again with growing pauses, given up after a day; never in the way."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

import pytest

from app.errors import StoreUnavailable
from app.notify.outbox import PAUSES, Notifier
from app.notify.seam import DeliveryFailed
from app.store import open_store
from app.store.alerts import LEASE
from tests.notify import http_double
from tests.notify.http_double import Web
from tests.store.builders import HOUR, MINUTE, NOW, alert
from tests.store.databases import fresh, sealer

LONG = 20.0
"""Seconds that a test waits for a thread at most."""


class Clock:
    at = NOW

    def now(self):
        return self.at


class Kept:
    """A channel that keeps what it is given, or fails."""

    def __init__(self, name: str, why: Exception | None = None) -> None:
        self.name, self.why, self.sent = name, why, []

    def send(self, told) -> None:
        self.sent.append(told)
        if self.why is not None:
            raise self.why


class Held(Kept):
    """A channel that takes as long as the test says."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.entered, self.go = threading.Event(), threading.Event()

    def send(self, told) -> None:
        self.entered.set()
        assert self.go.wait(LONG)
        super().send(told)


@pytest.fixture
def store(tmp_path):
    with fresh("sqlite", tmp_path) as url:
        made = open_store(url, sealer())
        yield made
        made.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def notifier(store, clock):
    def make(*made, **changes) -> Notifier:
        there = {channel.name: channel for channel in made}
        return Notifier(changes.pop("outbox", store.alerts), lambda: there, clock, **changes)

    return make


def states(store) -> list[tuple[str, int, bool, bool]]:
    return [
        (each.channel, each.tries, each.done_at is not None, each.next_try is not None)
        for each in store.alerts.latest(50)
    ]


def told(notifier: Notifier, *alerts) -> None:
    for each in alerts or (alert(),):
        notifier.tell(each)
    assert notifier.settled(LONG)


def test_operators_are_told_at_once_on_every_channel_and_people_on_their_own(store, notifier):
    log, hook, person = Kept("log"), Kept("webhook 1"), Kept("person")
    mine = alert("a2", to="ana@acme.test")
    told(notifier(log, hook, person), alert(), mine)
    assert log.sent == hook.sent == [alert()] and person.sent == [mine]
    assert sorted(states(store)) == [
        ("log", 1, True, False),
        ("person", 1, True, False),
        ("webhook 1", 1, True, False),
    ]


def test_a_person_without_a_way_to_be_told_is_nobodys_error(store, notifier, caplog):
    log = Kept("log")
    with caplog.at_level(logging.INFO):
        told(notifier(log), alert(to="ana@acme.test"))
    assert not log.sent and not states(store)
    assert "ana@acme.test" not in caplog.text


def test_what_failed_is_tried_again_with_growing_pauses_and_given_up_after_a_day(
    store, notifier, clock, caplog
):
    gone = []
    hook = Kept("webhook 1", DeliveryFailed("it answered with the status 503"))
    telling = notifier(hook, Kept("log"), given_up=lambda *what: gone.append(what))
    told(telling)
    for number, pause in enumerate(PAUSES, 1):
        assert ("webhook 1", number, False, True) in states(store)
        clock.at += pause - timedelta(microseconds=1)
        assert telling.retry(clock.at) == 0
        clock.at += timedelta(microseconds=1)
        assert telling.retry(clock.at) == 1 and telling.settled(LONG)
        assert len(hook.sent) == number + 1
    assert timedelta(hours=24) <= clock.at - NOW <= timedelta(hours=25)
    assert list(PAUSES) == sorted(PAUSES)
    assert sorted(states(store)) == [("log", 1, True, False), ("webhook 1", len(PAUSES) + 1, False, False)]
    assert gone == [(alert(), "webhook 1", "it answered with the status 503")]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in errors] == ["an alert is given up"]
    assert telling.retry(clock.at + 48 * HOUR) == 0


def test_what_works_at_a_later_try_is_done(store, notifier, clock):
    hook = Kept("webhook 1", DeliveryFailed("down"))
    telling = notifier(hook)
    told(telling)
    hook.why = None
    clock.at += MINUTE
    assert telling.retry(clock.at) == 1 and telling.settled(LONG)
    assert states(store) == [("webhook 1", 2, True, False)]
    assert telling.retry(clock.at + HOUR) == 0


def test_another_process_takes_up_what_this_one_left(store, notifier, clock):
    """It wrote the alert down and ended."""
    store.alerts.add(alert(), ["log"], NOW + MINUTE)
    log = Kept("log")
    telling = notifier(log)
    assert telling.retry(NOW + MINUTE) == 1 and telling.settled(LONG)
    assert log.sent == [alert()] and states(store) == [("log", 1, True, False)]


def test_a_slow_channel_holds_up_neither_the_caller_nor_the_others(store, notifier):
    slow, log = Held("webhook 1"), Kept("log")
    telling = notifier(slow, log)
    telling.tell(alert())
    assert slow.entered.wait(LONG)
    for number in range(3):
        telling.tell(alert(f"b{number}"))
    assert not telling.settled(0.05)
    end = time.monotonic() + LONG
    while len(log.sent) < 4 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(log.sent) == 4 and not slow.sent
    slow.go.set()
    assert telling.settled(LONG) and len(slow.sent) == 4


def test_what_waits_for_a_slow_channel_is_not_sent_twice_by_upkeep(store, notifier, clock):
    slow = Held("webhook 1")
    telling = notifier(slow)
    telling.tell(alert())
    telling.tell(alert("a2"))
    assert slow.entered.wait(LONG)
    for rounds in range(1, 4):
        telling.retry(NOW + rounds * LEASE)
    slow.go.set()
    assert telling.settled(LONG)
    assert [each.id for each in slow.sent] == ["a1", "a2"]


def test_more_than_a_channel_can_take_stays_for_a_later_round(store, notifier, clock):
    slow = Held("webhook 1")
    telling = notifier(slow)
    for number in range(110):
        telling.tell(alert(f"a{number:03}"))
    slow.go.set()
    assert telling.settled(LONG)
    left = 110 - len(slow.sent)
    assert 8 <= left <= 10
    assert telling.retry(NOW + MINUTE) == left and telling.settled(LONG)
    assert sorted(each.id for each in slow.sent) == [f"a{number:03}" for number in range(110)]


def test_nothing_is_raised_into_whoever_tells_and_the_alert_goes_out_all_the_same(notifier, caplog):
    class Down:
        def __getattr__(self, _):
            def fail(*_, **__):
                raise StoreUnavailable("database: secret")

            return fail

    log = Kept("log")
    told(notifier(log, outbox=Down()))
    assert log.sent == [alert()]
    assert {record.message for record in caplog.records} == {
        "an alert is not written down",
        "what came of an alert is not written down",
    }


def test_channels_that_cannot_be_made_stop_nothing(store, clock, caplog):
    def none():
        raise StoreUnavailable("no revision")

    Notifier(store.alerts, none, clock).tell(alert())
    assert [record.message for record in caplog.records] == ["an alert finds no channel"]


def test_a_channels_own_mistake_is_a_failure_like_any_other(store, notifier, caplog):
    told(notifier(Kept("webhook 1", RuntimeError("secret"))))
    assert states(store) == [("webhook 1", 1, False, True)]
    assert "secret" not in caplog.text and caplog.records[-1].why == "RuntimeError"


def test_a_mistake_in_what_is_put_on_record_ends_no_thread(store, notifier, clock):
    def fail(*_):
        raise StoreUnavailable("audit")

    hook = Kept("webhook 1", DeliveryFailed("down"))
    telling = notifier(hook, given_up=fail)
    store.alerts.add(alert(), ["webhook 1"], NOW)
    for pause in (*PAUSES, timedelta(0)):
        telling.retry(clock.at)
        assert telling.settled(LONG)
        clock.at += pause
    hook.why = None
    told(telling, alert("a2"))
    assert hook.sent[-1] == alert("a2")


def test_a_channel_that_the_next_revision_does_not_have_fails_until_it_is_given_up(store, clock, caplog):
    there = {"webhook 1": Kept("webhook 1", DeliveryFailed("down"))}
    telling = Notifier(store.alerts, lambda: there, clock)
    told(telling)
    there.clear()
    clock.at += MINUTE
    assert telling.retry(clock.at) == 1 and telling.settled(LONG)
    assert caplog.records[-1].why == "there is no such channel any more"


def test_over_real_parts_a_webhook_that_was_down_is_told_later(store, clock):
    from app.notify.registry import channels
    from tests.notify.test_channels import settings

    with http_double.serving(Web(status=503)) as web:
        made = channels(settings({"log": ""}, {"webhook": f"{web.url}/hook"}))
        telling = Notifier(store.alerts, lambda: made, clock)
        told(telling)
        web.status = 204
        clock.at += MINUTE
        telling.retry(clock.at)
        assert telling.settled(LONG)
    assert [posted.path for posted in web.posted] == ["/hook", "/hook"]
    assert sorted(states(store)) == [("log", 1, True, False), ("webhook 2", 2, True, False)]
