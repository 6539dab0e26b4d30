"""Processes of their own that open the same store, for what must hold between workers."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.store.databases import KEY

PROCESS = Path(__file__).with_name("process.py")


@dataclass
class Workers:
    """Processes that open the same store and start at a word."""

    url: str

    def all_do(self, job: str, *, processes: int = 2, threads: int = 10) -> list[object]:
        with ExitStack() as stack:
            running = [stack.enter_context(self.start(job, threads)) for _ in range(processes)]
            for process in running:
                assert process.stdout.readline() == "ready\n"
            for process in running:
                process.stdin.write("go\n")
                process.stdin.flush()
            return [
                result for process in running for result in json.loads(process.communicate(timeout=60)[0])
            ]

    def start(self, job: str, threads: int) -> subprocess.Popen[str]:
        command = [sys.executable, str(PROCESS), job, self.url, KEY.decode(), str(threads)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
