"""A second process for the store's conformance suite: `process.py JOB URL KEY THREADS`.

Opens the store, says `ready`, waits for a line, does its job in so many threads at once, prints what came
of it as JSON. `append` goes on until it is killed, printing each request id once it is acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.audit import AuditWriter
from app.clock import SystemClock
from app.sealing import Sealer
from app.store import Store, open_store
from tests.store.builders import BROWSER, CORP, MINUTE, NOW, event, pending


def take(store: Store, thread: int) -> bool:
    return store.pending.take(pending().key, CORP, BROWSER, NOW) is not None


def mark(store: Store, thread: int) -> bool:
    return store.once.mark("saml corp", "_assertion-1", NOW + MINUTE)


def end(store: Store, thread: int) -> bool:
    return store.sessions.end("s1", NOW)


def activate(store: Store, thread: int) -> int:
    return store.revisions.activate("d" * 64, {"daypass.yaml": "version: 1\n"}, NOW)


def count(store: Store, thread: int) -> int:
    store.refusals.count(NOW, "203.0.113.7", "saml.signature", 1)
    return 1


def chain(store: Store, thread: int) -> int:
    writer = AuditWriter(store.audit, SystemClock())
    for number in range(20):
        writer.record(event(f"{os.getpid()}-{thread}-{number}"))
    return 20


def opened(store: Store, thread: int) -> bool:
    return store.check()


JOBS = {job.__name__: job for job in (take, mark, end, activate, count, chain, opened)}


def main() -> None:
    job, url, key, threads = sys.argv[1], sys.argv[2], sys.argv[3].encode(), int(sys.argv[4])
    if job == "opened":  # opening itself is the race
        go()
        store = open_store(url, Sealer([key]))
    else:
        store = open_store(url, Sealer([key]))
        go()
    if job == "append":
        append(store, threads)
    results: list[object] = []
    start = threading.Barrier(threads)

    def run(thread: int) -> None:
        start.wait()
        results.append(JOBS[job](store, thread))

    together(run, threads)
    store.close()
    print(json.dumps(results))


def go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def append(store: Store, threads: int) -> None:
    writer = AuditWriter(store.audit, SystemClock())

    def run(thread: int) -> None:
        number = 0
        while True:
            name = f"{os.getpid()}-{thread}-{number}"
            writer.record(event(name))
            os.write(1, f"{name}\n".encode())  # one short write is whole or not at all
            number += 1

    together(run, threads)


def together(run, threads: int) -> None:
    workers = [threading.Thread(target=run, args=(thread,), daemon=True) for thread in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
