"""Durable audit records a second: 16 threads that share commits, against commits alone.

Run: python bench/audit.py [SECONDS]. Prints rates, CPU per record and ratios to the floor of the same
run: bare sqlite3, one thread, one row of the same size a commit (WAL, synchronous FULL).
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.audit import AuditWriter, render
from app.clock import SystemClock
from app.model import AuditEvent, AuditKind
from app.store import AuditRecords, open_database

THREADS = 16
GOAL = 12_000


def event(number: int) -> AuditEvent:
    """A record like those of the issue path."""
    return AuditEvent(
        kind=AuditKind.CREDENTIALS_ISSUED,
        at=datetime.now(UTC),
        request_id=f"req-{number:012x}",
        address="203.0.113.7",
        source="corp",
        subject=f"person-{number % 500}@acme.test",
        username=f"person{number % 500}",
        session=f"{number % 900:016x}",
        role="arn:aws:iam::111122223333:role/ReadOnly",
        revision=41,
        detail={
            "duration": 3600,
            "session_name": f"person{number % 500}.4f1c",
            "access_key_id": f"ASIA{number:016X}",
            "statements": ["accounts.yaml/111122223333/ReadOnly (statement 1, accounts.yaml:6)"],
        },
    )


def rate(work: Callable[[int], None], threads: int, seconds: float) -> tuple[float, float]:
    """(calls a second, CPU microseconds a call) of `work` in so many threads."""
    counts = [0] * threads
    stop = time.monotonic() + seconds

    def run(thread: int) -> None:
        while time.monotonic() < stop:
            work(thread * 10_000_000 + counts[thread])
            counts[thread] += 1

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    started, cpu = time.monotonic(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    total = sum(counts)
    return total / (time.monotonic() - started), (time.process_time() - cpu) / total * 1e6


def floor(folder: Path, seconds: float) -> tuple[float, float]:
    """Bare commits, one row each, one thread."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE audit (sequence INTEGER PRIMARY KEY, record TEXT)")

    def commit(number: int) -> None:
        record = render(event(number))
        text = json.dumps([record.request_id, record.username, record.role, record.detail])
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO audit (record) VALUES (?)", (text,))
        connection.execute("COMMIT")

    result = rate(commit, 1, seconds)
    connection.close()
    return result


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        folder = Path(name)
        bare, bare_cpu = floor(folder, seconds)
        print(f"bare sqlite3, 1 thread, 1 row a commit    {bare:8.0f}/s  {bare_cpu:5.0f} µs CPU  ratio 1.00")
        database = open_database(f"sqlite:///{folder / 'audit.db'}")
        rows = AuditRecords(database)
        writer = AuditWriter(rows, SystemClock())
        runs = [
            ("writer, 1 thread", lambda number: writer.record(event(number)), 1),
            ("16 threads, a commit each", lambda number: _alone(rows, number), THREADS),
            ("writer, 16 threads sharing commits", lambda number: writer.record(event(number)), THREADS),
        ]
        for words, work, threads in runs:
            found, cpu = rate(work, threads, seconds)
            print(f"{words:<40}  {found:8.0f}/s  {cpu:5.0f} µs CPU  ratio {found / bare:.2f}")
        started = time.monotonic()
        verified = rows.verify()
        took = time.monotonic() - started
        print(
            f"goal {GOAL}/s from {THREADS} threads; chain of {verified.count} verified in {took:.1f} s, ",
            end="",
        )
        print("whole" if verified.first_broken is None else f"BROKEN at {verified.first_broken}")
        database.close()


def _alone(rows: AuditRecords, number: int) -> None:
    rows.append([render(event(number))])


if __name__ == "__main__":
    main()
