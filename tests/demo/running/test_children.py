"""Processes: ready or told why not, stopped kindly and then not, and gone when we are."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.running.children import Child, refuse_used_ports, stop, wait_until_ready
from demo.running.folder import CannotRun
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[2]))
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def child(folder: Path, code: str, *arguments: str, name: str = "The part") -> Child:
    return Child(name, ["-c", code, *arguments], cwd=ROOT, env=dict(os.environ), log=folder / "part.log")


def said(one: Child, word: str) -> None:
    deadline = time.monotonic() + 10
    while word not in one.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)


def wait(one: Child, url: str, seconds: float = 10, keep_on=lambda: True) -> None:
    wait_until_ready(one, url, others=[], seconds=seconds, keep_on=keep_on)


def test_a_part_that_answers_is_ready_and_stops_when_asked(tmp_path: Path):
    port = free_port()
    one = child(tmp_path, SERVER, str(port), "200")
    wait(one, f"http://127.0.0.1:{port}/")
    assert stop([one]) == []
    assert one.ended == -15


def test_a_part_that_ends_is_named_with_its_last_words(tmp_path: Path):
    one = child(tmp_path, "print('no such key'); raise SystemExit(3)")
    with pytest.raises(CannotRun, match=r"The part ended by itself \(exit code 3\)\.\n  \| no such key"):
        wait(one, "http://127.0.0.1:1/")


def test_a_part_that_never_gets_ready_is_given_up_with_its_answer(tmp_path: Path):
    port = free_port()
    one = child(tmp_path, SERVER, str(port), "503")
    try:
        with pytest.raises(CannotRun, match=r"not ready after 1 s .*status 503"):
            wait(one, f"http://127.0.0.1:{port}/", seconds=1)
    finally:
        stop([one])


def test_waiting_ends_when_the_end_is_asked_for(tmp_path: Path):
    one = child(tmp_path, "import time; time.sleep(30)")
    try:
        wait(one, "http://127.0.0.1:1/", keep_on=lambda: False)
    finally:
        stop([one])


def test_a_part_that_does_not_stop_is_killed_and_the_others_are_not_kept_waiting(tmp_path: Path):
    (tmp_path / "b").mkdir()
    deaf = child(tmp_path, STUBBORN, name="The deaf part")
    kind = child(tmp_path / "b", "import time; time.sleep(60)")
    said(deaf, "deaf")
    began = time.monotonic()
    assert stop([deaf, kind], seconds=0.5) == ["The deaf part"]
    assert time.monotonic() - began < 3
    assert (deaf.ended, kind.ended) == (-9, -15)


def test_ctrl_c_in_the_terminal_reaches_the_parts_through_us_alone(tmp_path: Path):
    one = child(tmp_path, "import os; print(os.getpgid(0) == os.getpid(), flush=True)")
    said(one, "\n")
    assert one.log.read_text() == "True\n"


def test_parts_end_when_we_are_killed(tmp_path: Path):
    code = f"""
import os, pathlib, signal
from demo.running.children import Child
log = pathlib.Path({str(tmp_path / "log")!r})
one = Child("x", ["-c", "import time; time.sleep(60)"], cwd=".", env=dict(os.environ), log=log)
print(one._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20)
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the part lives on")


def test_ports_in_use_are_all_named_with_what_needs_them():
    with socket.socket() as one, socket.socket() as two:
        for taken in (one, two):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
        ports = [taken.getsockname()[1] for taken in (one, two)]
        with pytest.raises(CannotRun) as told:
            refuse_used_ports({ports[0]: "the broker", ports[1]: "the AWS double", free_port(): "nothing"})
    assert f"port {ports[0]} (the broker) and port {ports[1]} (the AWS double) are in use" in str(told.value)
    assert "make run PORT=" in str(told.value)


def test_a_free_port_is_no_reason_to_refuse():
    refuse_used_ports({free_port(): "the broker"})
