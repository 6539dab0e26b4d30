"""A process keeps to one processor, goes where there is room, and lets long work out of the interpreter run anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.processors import better, read_busy, usable
from tests.attacks.directories import SamlCompany
from tests.company import ROOT, Process, environment

PROGRAM = """
import os, sys, threading
from app.processors import Seat, anywhere, usable

time, used = 0.0, 0.0
busy = {each: 0.0 for each in usable()}
seat = Seat(busy=lambda: dict(busy), used=lambda: used, clock=lambda: time)
ends = threading.Event()

def started():
    began, seen = threading.Event(), []
    def run():
        seen.append(threading.get_native_id())
        began.set()
        ends.wait()
    threading.Thread(target=run, daemon=True).start()
    began.wait()
    return seen[0]

def of(thread):
    return set(os.sched_getaffinity(thread))

def pass_by(here=0.0, elsewhere=0.0, mine=0.0):
    global time, used
    for _ in range(64):  # it goes every other time only
        time += 2
        used += 2 * mine
        for each in busy:
            busy[each] += 2 * (here if each == seat.here else elsewhere)
        before = seat.here
        seat.look()
        if seat.here != before:
            return True
    return False

def same(thread):
    return seat.here is not None and of(thread) == {seat.here}

all = usable()
if len(all) == 1:
    sys.exit()  # nothing to choose from
"""


def run(script: str) -> None:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + script],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        ({0: 0.0, 1: 0.0}, []),
        ({0: 0.24, 1: 0.0}, []),
        ({0: 0.25, 1: 0.0}, [1]),
        ({0: 0.5, 1: 0.3}, []),
        ({0: 0.5, 1: 0.25}, [1]),
        ({0: 1.0, 1: 0.9, 2: 0.75, 3: 0.1}, [2, 3]),
        ({0: -0.3, 1: 0.0}, []),
        ({0: 0.0, 1: -0.5}, [1]),
    ],
)
def test_only_what_others_need_much_less_is_worth_going_to(taken: dict[int, float], found: list[int]) -> None:
    assert list(better(0, taken)) == found


def test_the_machine_tells_of_each_processor_that_may_be_used() -> None:
    before = read_busy()
    assert usable()
    assert usable() <= before.keys()
    assert all(seconds >= 0 for seconds in before.values())
    sum(range(3_000_000))
    after = read_busy()
    assert sum(after.values()) > sum(before.values())


def test_every_thread_keeps_to_one_and_so_do_those_that_come_later() -> None:
    run("""
earlier = started()
seat.take(0)
assert same(earlier) and same(started()) and same(os.getpid())
""")


def test_processes_that_are_forked_together_get_others_of_two() -> None:
    run("""
pids = [os.getpid()]
real, os.getpid = os.getpid, lambda: pids[0]
places = []
for pids[0] in (real(), real() + 1):
    mine = Seat(busy=lambda: dict(busy))
    os.sched_setaffinity(0, all)
    mine._go = places.append
    mine.take(5)
assert places[0] != places[1], places
""")


def test_it_goes_where_there_is_room_with_all_its_threads() -> None:
    run("""
thread = started()
seat.take(0)
assert pass_by(here=0.6, elsewhere=0.1)
assert same(thread) and same(os.getpid()) and same(started())
assert pass_by(here=0.6, elsewhere=0.1)
assert same(thread)
""")


def test_it_stays_where_it_is_busy_itself_or_others_are_everywhere() -> None:
    run("""
seat.take(0)
assert not pass_by(here=1.0, elsewhere=0.1, mine=1.0)
assert not pass_by(here=0.9, elsewhere=0.8)
assert not pass_by()
assert pass_by(here=1.0, elsewhere=0.1, mine=0.5)
""")


def test_where_it_cannot_be_known_it_runs_on_all() -> None:
    run("""
def fails():
    raise OSError
for unknown in (fails, lambda: {}, lambda: {min(all): 0.0}, lambda: {1000 + each: 0.0 for each in all}):
    other = Seat(busy=unknown)
    other.take(0)
    other.look()
    assert other.here is None and of(0) == all
""")


def test_what_cannot_be_known_any_more_leaves_it_where_it_is() -> None:
    run("""
seat.take(0)
here = seat.here
kept = dict(busy)
busy.clear()
assert not pass_by()
assert seat.here == here and same(os.getpid())
busy.update(kept)
assert pass_by(here=0.9)
""")


def test_one_that_is_switched_off_is_none_to_go_to_and_the_others_still_are() -> None:
    run("""
from app import processors
processors.usable = lambda: frozenset(all | {1000})
busy[1000] = 0.0
seat.take(-os.getpid())
del busy[1000]
assert pass_by(here=0.9)
busy[1000] = 0.0
assert pass_by(here=0.9)
""")


def test_where_somebody_else_has_chosen_it_keeps_to_one_of_those() -> None:
    run("""
thread = started()
seat.take(0)
for each in (thread, os.getpid()):
    os.sched_setaffinity(each, all)  # as Linux does where a cpuset changes, or the processor is switched off
pass_by()
assert same(thread) and same(os.getpid())
left = min(all - {seat.here})
for each in (thread, os.getpid()):
    os.sched_setaffinity(each, {left})
pass_by()
assert seat.here is None and of(thread) == of(os.getpid()) == {left}
""")


def test_it_does_not_go_by_what_it_saw_for_a_moment() -> None:
    run("""
for _ in range(64):
    os.sched_setaffinity(0, all)
    other = Seat(busy=lambda: dict(busy), used=lambda: used, clock=lambda: time)
    other.take(0)
    here = other.here
    time += 0.05
    busy[here] += 0.03  # ticks that were begun before
    other.look()
    assert other.here == here
""")


def test_one_that_may_use_a_single_processor_does_nothing() -> None:
    run("""
os.sched_setaffinity(0, {min(all)})
seat.take(0)
assert seat.here is None
assert not pass_by(here=1.0)
""")


def test_long_work_runs_anywhere_and_comes_back_to_the_others() -> None:
    run("""
within, moved, seen = threading.Event(), threading.Event(), []
def work():
    with anywhere(all):
        seen.append((of(0), of(started())))
        within.set()
        moved.wait()
        seen.append((of(0), set()))
    seen.append((of(0), set()))
seat.take(0)
thread = threading.Thread(target=work)
thread.start()
within.wait()
assert seen[0] == (all, all), seen
assert pass_by(here=0.9)
moved.set()
thread.join()
assert seen[1][0] == all and seen[2][0] == {seat.here}, seen
""")


def test_long_work_that_comes_back_while_the_others_move_goes_with_them() -> None:
    run("""
from app import processors
real, moved = processors._of, []
def meanwhile(thread):
    found = real(thread)
    if thread == os.getpid() and threading.get_native_id() != thread and not moved:
        moved.append(min(all - {seat.here}))
        seat._go(moved[0])
    return found
def work():
    with anywhere(all):
        processors._of = meanwhile
    moved.append(of(0))
seat.take(0)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert moved == [seat.here, {seat.here}], moved
""")


def test_where_nothing_is_chosen_or_known_nothing_is_asked_for() -> None:
    run("""
from app.signin.passwords import Hashing
asked = []
os.sched_setaffinity = lambda *given: asked.append(given)
hashing = Hashing(memory_kib=8, passes=1, lanes=1)
encoded = hashing.hash("correct horse battery")
def forbidden(_):
    raise PermissionError
os.sched_getaffinity = forbidden
assert usable() == frozenset()
hashing = Hashing(memory_kib=8, passes=1, lanes=1)
assert hashing.verify(encoded, "correct horse battery", reserved=True)
seat.take(0)
seat.look()
assert seat.here is None and not asked, asked
""")


def test_a_password_is_hashed_anywhere() -> None:
    run("""
from app.signin.passwords import Hashing
hashing = Hashing(memory_kib=8, passes=1, lanes=1)
seen = []
class Hasher:
    def hash(self, password):
        seen.append(of(0))
        return "x"
    def verify(self, encoded, password):
        seen.append(of(0))
        return True
hashing._hasher = Hasher()
seat.take(0)
hashing.hash("correct horse battery")
hashing.verify("x", "correct horse battery", reserved=True)
assert seen == [all, all], seen
assert same(os.getpid())
""")


def threads_of(process: int) -> dict[int, set[int]]:
    """Where the threads of the workers of a process may run."""
    found = {}
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        for thread in Path(f"/proc/{child}/task").iterdir():
            found[int(thread.name)] = set(os.sched_getaffinity(int(thread.name)))
    return found


@pytest.mark.parametrize("more", [[], ["--any-cpu"]])
def test_a_served_worker_keeps_to_one_unless_it_is_told_not_to(tmp_path: Path, more: list[str]) -> None:
    class Served(SamlCompany):
        def start_broker(self) -> None:
            command = [sys.executable, "-m", "app", "serve", *more]
            self.broker = Process("broker", command, self.folder, self.env)
            self.broker.wait_for(f"{self.base_url}/readyz")

    with Served(tmp_path) as acme:
        assert acme.broker is not None
        until = time.monotonic() + 20
        while True:  # it may be about to move
            threads = threads_of(acme.broker.child.pid)
            assert len(threads) > 16
            places = {frozenset(each) for each in threads.values()}
            if more or len(usable()) == 1:
                assert places == {usable()}
                return
            if len(places) == len(next(iter(places))) == 1:
                return
            assert time.monotonic() < until, places
