"""Background jobs go on, whatever one of them does and wherever the clock goes."""

from datetime import UTC, datetime, timedelta

import pytest

from app import wiring
from app.audit import AuditWriter
from app.errors import CredentialsWrong, GrantInvalid, StoreUnavailable
from app.limits import Tally
from app.people import Alert
from app.tokens import SigningKeys
from app.upkeep import Job, Upkeep, jobs
from tests.helper import Helper
from tests.home import opened_home
from tests.house import CALLER, opened

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


def test_the_table_forgets_what_local_people_left_and_does_what_was_left_for_later(tmp_path, monkeypatch):
    with opened_home(tmp_path, monkeypatch) as home:
        parts = home.parts
        table = jobs(
            home.store,
            Tally(),
            SigningKeys(home.store.token_keys, home.clock),
            home.broker.catch_up,
            parts.notifier,
        )

        def run():
            return {job.name: job.run(home.clock.at) for job in table}

        home.user()
        browser = home.browser_of()
        browser.sign_in()
        home.broker.begin_passkey(browser.ask, caller=CALLER)
        with pytest.raises(CredentialsWrong):
            home.browser_of().password("lena", "not the password")
        home.broker.ask_password_link("lena", caller=CALLER)
        counted = run()
        assert counted["do what was left for after the answer"] == 2
        assert counted["tell what was not told yet"] == 0
        assert home.heard.kinds()[-1] == "link.password to lena@acme.test"
        assert counted["forget challenges that are over"] == 0
        home.later(minutes=15)
        counted = run()
        assert counted["do what was left for after the answer"] == 0
        assert counted["forget challenges that are over"] == 1
        assert counted["forget guesses of windows that are over"] >= 2
        home.later(hours=1)
        assert run()["forget one-time links out of date"] == 1
        home.later(days=180)
        assert run()["forget browsers that were not seen for half a year"] == 1


def test_an_alert_that_no_try_delivered_is_on_record_and_channels_are_those_of_the_revision(
    tmp_path, monkeypatch
):
    with opened_home(tmp_path, monkeypatch) as home:
        alert = Alert("a" * 16, "root.used", home.clock.at, "root was used", "for a reason")
        wiring._OnRecord(AuditWriter(home.store.audit, home.clock), home.clock)(alert, "webhook 1", "timeout")
        assert home.last() == (
            "alert.failed",
            {"alert": alert.id, "alert_kind": "root.used", "channel": "webhook 1", "why": "timeout"},
        )
        channels = wiring._Channels(home.parts.active)
        assert list(channels()) == ["log"]
        assert channels() is channels()
        home.edit(
            "daypass.yaml", "alerts: [log]", "alerts: [log, {sns: 'arn:aws:sns:eu-west-1:111122223333:ops'}]"
        )
        home.apply()
        assert list(channels()) == ["log", "sns 2"]
