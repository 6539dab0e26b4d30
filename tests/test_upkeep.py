"""Background jobs go on, whatever one of them does and wherever the clock goes."""

from datetime import UTC, datetime, timedelta

import pytest

from app.errors import GrantInvalid, StoreUnavailable
from app.limits import Tally
from app.tokens import SigningKeys
from app.upkeep import Job, Upkeep, jobs
from tests.helper import Helper
from tests.house import opened

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = NOON

    def now(self):
        return self.at


def test_a_failing_job_does_not_end_the_others_and_is_tried_again():
    ran = []

    def fails(now):
        raise StoreUnavailable("down")

    def defect(now):
        raise ZeroDivisionError

    clock = Clock()
    upkeep = Upkeep(
        [
            Job("a", timedelta(minutes=1), fails),
            Job("b", timedelta(0), defect),
            Job("c", timedelta(minutes=1), ran.append),
        ],
        clock,
    )
    last = {}
    upkeep._round(last)
    upkeep._round(last)
    assert ran == [NOON]
    clock.at = NOON + timedelta(minutes=1)
    upkeep._round(last)
    assert len(ran) == 2


def test_a_clock_that_moves_back_does_not_stop_the_jobs():
    ran = []
    clock = Clock()
    upkeep = Upkeep([Job("c", timedelta(minutes=1), ran.append)], clock)
    last = {}
    upkeep._round(last)
    clock.at = NOON - timedelta(days=365)
    upkeep._round(last)
    assert len(ran) == 2


def test_a_stop_runs_a_last_round():
    ran = []
    upkeep = Upkeep([Job("c", timedelta(hours=1), ran.append)], Clock())
    upkeep.start()
    upkeep.stop()
    assert ran == [NOON]


def test_the_table_forgets_what_clients_left_and_makes_the_next_signing_key(tmp_path, monkeypatch):
    with opened(tmp_path, monkeypatch) as house:
        table = jobs(house.store, Tally(), SigningKeys(house.store.token_keys, house.clock))
        counted = {}

        def run():
            for job in table:
                counted[job.name] = job.run(house.clock.at)

        helper, (_, ana) = Helper(house), house.browser()
        helper.code(ana)
        tokens = helper.sign_in(ana)
        helper.begin()
        run()
        assert len(house.store.token_keys.all()) == 1
        assert (counted["forget authorization codes"], counted["forget devices that waited"]) == (0, 0)
        assert helper.refresh(tokens.refresh_token), "what is good is not forgotten"
        house.clock.at += timedelta(hours=12)
        run()
        assert (counted["forget sessions that ended"], counted["forget devices that waited"]) == (2, 1)
        assert counted["forget authorization codes"] == 2, "a used one goes with the session that it gave"
        with pytest.raises(GrantInvalid):
            helper.refresh(tokens.refresh_token)
        house.clock.at += timedelta(days=29)
        run()
        assert len(house.store.token_keys.all()) == 2
