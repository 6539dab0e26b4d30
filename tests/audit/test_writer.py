"""The writer: durable on return, one commit for all who wait, nobody waits for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest

from app.audit import AuditWriter, Receipt, Record
from app.errors import AuditUnavailable, Internal
from tests.store.builders import NOW, event

SHORT = timedelta(milliseconds=150)


class Clock:
    def now(self):
        return NOW


class Rows:
    """A trail in memory whose commits can be held back or made to fail."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failure: BaseException | None = None
        self.permits = threading.Semaphore(1_000_000)
        self.entered = threading.Semaphore(0)

    def append(self, records: Sequence[Record]) -> Sequence[Receipt]:
        self.entered.release()
        assert self.permits.acquire(timeout=10)
        if self.failure is not None:
            raise self.failure
        written = len(self.written)
        self.batches.append([record.request_id for record in records])
        return [
            Receipt(written + place, f"digest-{record.request_id}") for place, record in enumerate(records, 1)
        ]

    def hold(self) -> None:
        """Let no commit end until `let`."""
        self.permits = threading.Semaphore(0)

    def let(self, commits: int = 1_000_000) -> None:
        """Let so many commits end."""
        self.permits.release(commits)

    @property
    def written(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


class Caller(threading.Thread):
    """Records in a thread of its own and keeps what came of it."""

    def __init__(self, writer: AuditWriter, *names: str) -> None:
        super().__init__(daemon=True)
        self.writer = writer
        self.names = names
        self.outcome: BaseException | str = "waits"
        self.start()

    def run(self) -> None:
        try:
            self.writer.record_all([event(name) for name in self.names])
            self.outcome = "durable"
        except BaseException as error:
            self.outcome = error

    def result(self) -> BaseException | str:
        self.join(10)
        assert not self.is_alive()
        return self.outcome


def gathered(writer: AuditWriter, number: int) -> None:
    """Wait until so many callers wait for the next commit."""
    deadline = time.monotonic() + 5
    while len(writer._gathering) < number:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def writer(rows) -> AuditWriter:
    return AuditWriter(rows, Clock())


def test_a_record_is_durable_when_record_returns(rows, writer):
    writer.record(event("a"))
    assert rows.batches == [["a"]]
    assert writer.failing_since is None


def test_nothing_to_record_costs_no_commit(rows, writer):
    writer.record_all([])
    assert rows.batches == []


def test_records_of_one_call_stay_together_and_in_order(rows, writer):
    writer.record_all([event("a"), event("b"), event("c")])
    assert rows.batches == [["a", "b", "c"]]


def test_those_who_come_during_a_commit_share_the_next_one(rows, writer):
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    others = [Caller(writer, f"{number}", f"{number}+") for number in range(8)]
    gathered(writer, 8)
    assert {caller.outcome for caller in others} == {"waits"}
    rows.let()
    assert [caller.result() for caller in [first, *others]] == ["durable"] * 9
    assert len(rows.batches) == 2
    assert sorted(rows.batches[1]) == sorted(f"{number}{plus}" for number in range(8) for plus in ("", "+"))
    assert all(rows.batches[1][place + 1] == f"{rows.batches[1][place]}+" for place in range(0, 16, 2))


def test_a_commit_that_fails_fails_each_who_shared_it_and_the_next_works_again(rows, writer):
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    others = [Caller(writer, f"{number}") for number in range(4)]
    gathered(writer, 4)
    rows.failure = AuditUnavailable("disk full")
    rows.let()
    outcomes = [caller.result() for caller in [first, *others]]
    assert all(
        isinstance(outcome, AuditUnavailable) and outcome.detail == "disk full" for outcome in outcomes
    )
    assert len(set(map(id, outcomes))) == 5
    assert writer.failing_since == NOW
    rows.failure = None
    writer.record(event("later"))
    assert rows.written == ["later"]
    assert writer.failing_since is None


def test_a_defect_in_the_leader_reaches_it_alone_and_the_others_are_refused(rows, writer):
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    others = [Caller(writer, f"{number}") for number in range(3)]
    gathered(writer, 3)
    rows.failure = ZeroDivisionError()
    rows.let()
    assert isinstance(first.result(), ZeroDivisionError)
    outcomes = [caller.result() for caller in others]
    assert sorted(type(outcome).__name__ for outcome in outcomes) == [
        "AuditUnavailable",
        "AuditUnavailable",
        "ZeroDivisionError",
    ]
    rows.failure = None
    writer.record(event("later"))
    assert rows.written == ["later"]


def test_nobody_waits_longer_than_allowed_and_what_was_given_up_is_not_written_later(rows):
    writer = AuditWriter(rows, Clock(), wait=SHORT)
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    started = time.monotonic()
    with pytest.raises(AuditUnavailable) as refused:
        writer.record(event("late"))
    assert time.monotonic() - started < 3
    assert refused.value.code == "audit.unavailable"
    rows.let()
    assert first.result() == "durable"
    writer.record(event("next"))
    assert rows.written == ["first", "next"]


def test_who_gives_up_while_their_batch_is_written_is_refused_though_it_ends_on_record(rows):
    writer = AuditWriter(rows, Clock(), wait=timedelta(seconds=0.5))
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    leader = Caller(writer, "leader")
    gathered(writer, 1)
    follower = Caller(writer, "follower")
    gathered(writer, 2)
    rows.let(1)
    rows.entered.acquire()  # the second batch is being written now, and hangs
    assert first.result() == "durable"
    assert isinstance(follower.result(), AuditUnavailable)
    rows.let()
    assert leader.result() == "durable"
    assert rows.written == ["first", "leader", "follower"]


def test_who_is_handed_the_lead_in_the_moment_of_giving_up_leads_all_the_same(rows):
    writer = AuditWriter(rows, Clock(), wait=SHORT)
    rows.hold()
    first = Caller(writer, "first")
    rows.entered.acquire()
    late = Caller(writer, "late")
    gathered(writer, 1)
    with writer._lock:
        time.sleep(2 * SHORT.total_seconds())  # given up, and on the way to say so
        writer._gathering[0].leads = True  # as whoever ends a commit does, just before
    rows.entered.acquire()
    rows.let()
    assert (first.result(), late.result()) == ("durable", "durable")
    writer.record(event("next"))
    assert sorted(rows.written) == ["first", "late", "next"]


def test_under_load_with_failures_and_impatience_no_acknowledged_record_is_missing_or_doubled():
    class Flaky(Rows):
        failing = True

        def append(self, records):
            time.sleep(0.0015 if len(self.batches) % 3 else 0.004)
            if self.failing and len(self.batches) % 7 == 5:
                self.batches.append([])
                raise AuditUnavailable("flaky")
            return super().append(records)

    rows = Flaky()
    writer = AuditWriter(rows, Clock(), wait=timedelta(milliseconds=4))
    done: list[str] = []
    refused: list[str] = []

    def work(thread: int) -> None:
        for number in range(60):
            name = f"{thread}-{number}"
            try:
                writer.record(event(name))
                done.append(name)
            except AuditUnavailable:
                refused.append(name)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert len(done) + len(refused) == 24 * 60
    assert done
    assert refused
    assert len(rows.written) == len(set(rows.written))
    assert set(done) <= set(rows.written)
    rows.failing = False
    writer.record(event("end"))  # nobody was left holding the lead
    assert rows.written[-1] == "end"


def test_an_event_that_must_not_be_recorded_is_refused_before_it_joins_anybody(rows, writer):
    with pytest.raises(Internal):
        writer.record_all([event("a"), event("b", detail={"session_token": "x"})])
    assert rows.batches == []


def test_the_log_has_a_line_for_each_durable_record_with_its_place_in_the_chain(rows, writer, caplog):
    with caplog.at_level(logging.INFO, "daypass.audit"):
        writer.record_all([event("a", username="ana\r\nFORGED"), event("b")])
    lines = [line for line in caplog.records if line.name == "daypass.audit"]
    assert [(line.getMessage(), line.request_id, line.sequence, line.digest) for line in lines] == [
        ("recorded", "a", 1, "digest-a"),
        ("recorded", "b", 2, "digest-b"),
    ]
    assert lines[0].username == "ana\\r\\nFORGED"
    assert lines[0].kind == "credentials.issued"


def test_the_log_says_what_could_not_be_recorded_and_why(rows, writer, caplog):
    rows.failure = AuditUnavailable("disk full\nFORGED")
    with pytest.raises(AuditUnavailable):
        writer.record(event("a"))
    (line,) = [line for line in caplog.records if line.name == "daypass.audit"]
    assert (line.levelname, line.request_id, line.why) == ("ERROR", "a", "disk full\\nFORGED")
    assert not hasattr(line, "sequence")
