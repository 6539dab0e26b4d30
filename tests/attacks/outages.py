"""What a test does to a running company's surroundings: AWS's double, the disk, the database, its processes."""

from __future__ import annotations

import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests

from app.audit import StoredRecord
from app.store import AuditRecords, Search, open_database
from tests.company import Company

UNLIMITED = resource.RLIM_INFINITY


def processes(company: Company) -> list[int]:
    """The broker's processes, its parent first."""
    assert company.broker is not None
    group, found = company.broker.child.pid, []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return sorted(found, key=lambda pid: pid != group)


# --- AWS ----------------------------------------------------------------------------------------------------


def fault(company: Company, kind: str, **how: object) -> None:
    """Switch a fault of the double on (`demo/aws/faults.py`) for the next calls of AssumeRole."""
    switched = {"kind": kind, "action": "AssumeRole", "calls": 1, **how}
    answer = requests.post(f"{company.aws_url}/_double/fault", json=switched, timeout=10)
    assert answer.status_code == 200, answer.text


def mend(company: Company) -> None:
    """Switch all off, and forget the calls."""
    assert requests.post(f"{company.aws_url}/_double/reset", json={}, timeout=10).status_code == 200


def assumed(company: Company) -> int:
    """Calls of AssumeRole that reached the double."""
    counters: dict[str, int] = requests.get(f"{company.aws_url}/_double/counters", timeout=10).json()
    return counters.get("AssumeRole", 0)


def issuances(company: Company) -> list[dict[str, Any]]:
    """The calls for which the double made credentials; it remembers the last 200 calls."""
    calls: list[dict[str, Any]] = requests.get(f"{company.aws_url}/_double/requests", timeout=10).json()
    assert len(calls) < 200
    return [call for call in calls if "issued" in call]


# --- the record ---------------------------------------------------------------------------------------------


def records(company: Company, **wanted: Any) -> Sequence[StoredRecord]:
    """What audit has, newest first."""
    with closing(open_database(f"sqlite:///{company.database}", migrate=False)) as database:
        return AuditRecords(database).search(Search(**{"limit": 100_000, **wanted}))


def kinds(company: Company, answer: requests.Response) -> Counter[str]:
    """The kinds of records that an answer left."""
    found = records(company, request_id=answer.headers["X-Request-Id"])
    return Counter(stored.record.kind for stored in found)


# --- disk and database --------------------------------------------------------------------------------------


@contextmanager
def full_disk(company: Company) -> Iterator[None]:
    """No file of the broker's, its log included, can be written to meanwhile.

    By the limit on the size of files, which needs neither root nor a mount and ends without a trace: what a
    write meets is EFBIG instead of ENOSPC.
    """
    pids = processes(company)
    assert len(pids) > 1
    try:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, UNLIMITED))
        yield
    finally:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))


@contextmanager
def locked_database(company: Company) -> Iterator[sqlite3.Connection]:
    """Another process's transaction (this one's) holds the database meanwhile."""
    with closing(
        sqlite3.connect(company.database, isolation_level=None, check_same_thread=False)
    ) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
