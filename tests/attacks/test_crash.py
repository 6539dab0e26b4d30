"""kill -9 in the middle of work, again and again: nobody holds credentials that are not on record.

Eight people ask without a pause, each time for a duration that nobody asked for before: it goes to AWS and
into the record, so that what the double issued can be held against what was recorded. Then the whole process
group is killed at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random

import pytest
import requests

from app.audit import Record
from tests.attacks.directories import SamlCompany
from tests.attacks.outages import assumed, issuances, mend, processes, records

ROLE = "arn:aws:iam::111122223333:role/ReadOnly"
CLIENTS = 8
MOST = 180
"""Asks a turn; the double remembers 200 calls."""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamlCompany]:
    with SamlCompany(tmp_path_factory.mktemp("acme"), workers=2) as company:
        yield company
        assert '"defect"' not in company.log()


class Crowd:
    """People who ask for credentials until nobody answers."""

    def __init__(self, acme: SamlCompany, browsers: list[requests.Session], durations: Iterator[int]) -> None:
        self._acme = acme
        self._durations = durations
        self._lock = threading.Lock()
        self.received: dict[str, int] = {}
        """Access key ID and duration of what reached somebody."""
        self.statuses: set[int] = set()
        self._threads = [threading.Thread(target=self._ask, args=(browser,)) for browser in browsers]
        self._left = MOST

    def _ask(self, browser: requests.Session) -> None:
        while True:
            with self._lock:
                if not self._left:
                    return
                self._left -= 1
                duration = next(self._durations)
            try:
                answer = self._acme.ask(browser, ROLE, duration=duration)
                given = answer.json() if answer.status_code == 200 else None
            except (requests.RequestException, ValueError):
                return
            with self._lock:
                self.statuses.add(answer.status_code)
                if given is not None:
                    self.received[given["AccessKeyId"]] = duration

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Until somebody has something: eight may be at the same point of their first asks."""
        deadline = time.monotonic() + 20
        while not self.received:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def of_kind(trail: Sequence[Record], kind: str) -> list[Record]:
    return [record for record in trail if record.kind == kind]


def duration_of(record: Record) -> int:
    duration: int = json.loads(record.detail)["duration"]
    return duration


def wait_until(acme: SamlCompany, calls: int) -> None:
    deadline = time.monotonic() + 20
    while assumed(acme) < calls:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.timeout(400)  # ten starts of a broker; a busy machine takes its time
def test_after_every_crash_whatever_anybody_holds_is_on_record(acme: SamlCompany) -> None:
    chance = Random(4)
    browsers = [acme.sign_in() for _ in range(CLIENTS)]
    durations = count(900)
    seen = 0
    for turn in range(10):
        mend(acme)
        crowd = Crowd(acme, browsers, durations)
        crowd.start()
        wait_until(acme, chance.randint(5, 60))
        crowd.wait()
        time.sleep(chance.uniform(0, 0.02))
        assert acme.broker is not None
        acme.broker.kill()
        crowd.join()
        gone_by = time.monotonic() + 5
        while processes(acme) and time.monotonic() < gone_by:  # a killed worker ends in its own time
            time.sleep(0.01)
        assert not processes(acme)
        # What the dead left is held against what the living have, before anything is started again.
        verified = acme.audit("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        made = issuances(acme)
        trail = [stored.record for stored in records(acme)]
        asked = {duration_of(record) for record in of_kind(trail, "credentials.asked")}
        issued = {record.access_key_id: record for record in of_kind(trail, "credentials.issued")}
        assert crowd.statuses == {200}
        assert crowd.received, turn
        for key, duration in crowd.received.items():
            assert duration_of(issued[key]) == duration
        assert crowd.received.keys() <= {call["issued"] for call in made}
        assert {call["duration"] for call in made} <= asked
        for call in made:
            if call["issued"] in issued:
                assert duration_of(issued[call["issued"]]) == call["duration"]
        assert len(trail) > seen
        seen = len(trail)
        acme.start_broker()
        # Sessions outlive it, and so does the chain.
        assert [acme.me(browser).status_code for browser in browsers] == [200] * CLIENTS
    assert acme.audit("verify").returncode == 0
