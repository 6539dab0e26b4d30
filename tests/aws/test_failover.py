"""From region to region: only where no answer came."""

import socket

import pytest

from app.aws.chain import Keys
from app.aws.chaining import steps
from app.aws.channel import Channel
from app.aws.deadline import Deadline
from app.aws.failover import Place, Places
from app.aws.sts import CAP, Sts
from app.clock import SystemClock
from app.errors import StsFailed, StsRefused
from demo.aws import serve
from demo.aws.accounts import State
from demo.aws.faults import Fault
from tests.aws.builders import request

STATE = State.made()


@pytest.fixture(scope="module")
def pair():
    with serve(state=STATE) as first, serve(state=STATE) as second:
        yield first, second


@pytest.fixture
def both(pair):
    for double in pair:
        double.faults.clear()
        double.log.clear()
    return pair


def sts(*urls, timeout=0.5):
    regions = ("eu-west-1", "eu-central-1", "us-east-1")
    places = [Place(region, url, Channel(url, cap=CAP)) for region, url in zip(regions, urls, strict=False)]
    return Sts(Places(places, timeout=timeout), SystemClock())


def ask(service, **changes):
    keys = Keys(STATE.broker.access_key_id, STATE.broker.secret_access_key)
    [step] = steps(request(**changes), temporary=False)
    return service.assume(keys, step, Deadline.after(2))


def asked(both):
    return [double.log.counters().get("AssumeRole", 0) for double in both]


def test_the_first_choice_answers_when_it_can(both):
    ask(sts(*(double.url for double in both)))
    assert asked(both) == [1, 0]


@pytest.mark.parametrize("kind", ["error", "unavailable", "drop", "slow", "cut"])
def test_the_second_choice_answers_when_the_first_does_not(both, kind):
    both[0].faults.add(Fault(kind, seconds=3))
    assert ask(sts(*(double.url for double in both))).keys.temporary
    assert asked(both) == [1, 1]


def test_the_second_choice_is_signed_for_its_own_region(both):
    dead = "http://127.0.0.1:9"
    assert ask(sts(dead, both[1].url)).keys.temporary


def test_a_region_that_failed_comes_last_for_a_while(both):
    service = sts(*(double.url for double in both))
    both[0].faults.add(Fault("unavailable"))
    ask(service)
    ask(service)
    assert asked(both) == [1, 2]


@pytest.mark.parametrize(
    "changes", [{"arn": "arn:aws:iam::111122223333:role/Nobody"}, {"seconds": 899}, {"session_name": "a"}]
)
def test_a_refusal_is_not_carried_to_another_region(both, changes):
    with pytest.raises(StsRefused):
        ask(sts(*(double.url for double in both)), **changes)
    assert asked(both) == [1, 0]


@pytest.mark.parametrize("kind", ["throttle", "garbage", "truncated"])
def test_neither_is_an_answer_that_cannot_be_believed(both, kind):
    both[0].faults.add(Fault(kind))
    with pytest.raises(StsFailed):
        ask(sts(*(double.url for double in both)))
    assert asked(both) == [1, 0]


def test_when_all_are_down_the_detail_names_each(both):
    for double in both:
        double.faults.add(Fault("error", calls=9))
    with pytest.raises(StsFailed) as failed:
        ask(sts(both[0].url, both[1].url, "http://127.0.0.1:9"))
    for part in ("eu-west-1: HTTP 500", "eu-central-1: HTTP 500", "us-east-1: no connection"):
        assert part in failed.value.detail


def test_an_address_that_accepts_and_says_nothing_is_left_in_time(both):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert ask(sts(url, both[1].url, timeout=0.3)).keys.temporary
