"""Worker processes: as many as were asked for, replaced when they die, gone when they should be."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.company import ROOT, environment

SOON = 15.0
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from app import workers

folder, count, deaf, grace = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "deaf", float(sys.argv[4])

def work():
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = os.getppid()
    (folder / str(os.getpid())).touch()
    while os.getppid() == parent:
        time.sleep(0.05)

workers.run(count, work, (folder / "stopping").touch, grace=grace)
(folder / "after").touch()
"""


class Parent:
    """A process with workers."""

    def __init__(self, folder: Path, count: int, deaf: str = "no", grace: float = 10.0) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(count), deaf, str(grace)],
            env=environment(),
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def seen(self) -> set[int]:
        """Every worker that there ever was."""
        return {int(path.name) for path in self.folder.iterdir() if path.name.isdigit()}

    def living(self) -> set[int]:
        return {pid for pid in self.seen() if lives(pid)}


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Parent]]:
    parents: list[Parent] = []

    def start(*arguments: object) -> Parent:
        parents.append(Parent(tmp_path, *arguments))  # type: ignore[arg-type]
        until(lambda: len(parents[-1].living()) == arguments[0])
        return parents[-1]

    yield start
    for parent in parents:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.process.pid, signal.SIGKILL)
        parent.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_stops_all_of_them(started, number):
    parent = started(2)
    parent.process.send_signal(number)
    assert parent.process.wait(SOON) == 0
    assert not parent.living() and len(parent.seen()) == 2
    assert (parent.folder / "stopping").exists() and (parent.folder / "after").exists()


def test_ctrl_c_reaches_all_at_once_and_nobody_is_replaced(started):
    parent = started(2)
    os.killpg(parent.process.pid, signal.SIGINT)
    assert parent.process.wait(SOON) == 0
    assert not parent.living() and len(parent.seen()) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_who_dies_is_replaced(started, number):
    parent = started(2)
    victim = min(parent.living())
    os.kill(victim, number)
    until(lambda: len(living := parent.living()) == 2 and victim not in living)
    assert len(parent.seen()) == 3
    parent.process.terminate()
    assert parent.process.wait(SOON) == 0 and not parent.living()


def test_who_does_not_stop_in_time_is_killed(started):
    parent = started(2, "deaf", 0.5)
    parent.process.terminate()
    assert parent.process.wait(SOON) == 0 and not parent.living()


def test_nobody_stays_behind_alone(started):
    parent = started(2)
    parent.process.kill()
    parent.process.wait(SOON)
    until(lambda: not parent.living())


def test_who_dies_again_and_again_is_started_once_a_second(tmp_path):
    program = PROGRAM.replace("while os.getppid() == parent:", "if False:").replace(
        "grace=grace)", "grace=1)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), "1", "no", "1"],
        env=environment(),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(3.5)
    process.terminate()
    assert process.wait(SOON) == 0
    assert 2 <= len([path for path in tmp_path.iterdir() if path.name.isdigit()]) <= 5
