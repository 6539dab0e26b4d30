"""Background jobs go on, whatever one of them does and wherever the clock goes."""

from datetime import UTC, datetime, timedelta

from app.errors import StoreUnavailable
from app.upkeep import Job, Upkeep

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
