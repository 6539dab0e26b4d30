"""A process whose files cannot grow for a while: audit refuses, then goes on. Prints what happened as JSON."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.audit import AuditWriter
from app.clock import SystemClock
from app.errors import AuditUnavailable, StoreUnavailable
from app.store import open_store
from tests.store.builders import MINUTE, NOW, event
from tests.store.databases import sealer


def main() -> None:
    url = sys.argv[1]
    store = open_store(url, sealer())
    writer = AuditWriter(store.audit, SystemClock())
    writer.record(event("before"))
    size = sum(path.stat().st_size for path in Path(url.removeprefix("sqlite:///")).parent.glob("*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40_000, resource.RLIM_INFINITY))
    acknowledged, refused = ["before"], 0
    for number in range(200):
        try:
            writer.record(event(str(number)))
            acknowledged.append(str(number))
        except AuditUnavailable:
            refused += 1
    failing = writer.failing_since is not None
    # A mark is smaller than a record: some may still find room, until none does.
    marked, marks = "", []
    try:
        for number in range(200):
            store.once.mark("n", str(number), NOW + MINUTE)
            marks.append(str(number))
    except StoreUnavailable as refusal:
        marked = refusal.code
    readable = store.check() and store.audit.verify().first_broken is None
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.record(event("after"))
    acknowledged.append("after")
    marks_hold = not any(store.once.mark("n", value, NOW + MINUTE) for value in marks)
    verified = store.audit.verify()
    print(
        json.dumps(
            {
                "acknowledged": acknowledged,
                "refused": refused,
                "failing": failing,
                "marked": marked,
                "marks_hold": marks_hold,
                "readable": readable,
                "count": verified.count,
                "first_broken": verified.first_broken,
                "failing_after": writer.failing_since is not None,
            }
        )
    )
    store.close()


if __name__ == "__main__":
    main()
