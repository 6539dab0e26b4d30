"""`make run` as a test starts it: on ports of its own, with a state folder of its own."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from demo.running.children import refuse_used_ports
from demo.running.folder import CannotRun
from demo.running.relocate import Ports
from tests.company import ROOT, Process, environment
from tests.ports import free_port


def free_ports() -> Ports:
    """Ports that belong together, all of them free."""
    while True:
        with suppress(ValueError, CannotRun):
            ports = Ports(free_port())
            every = (ports.broker, ports.saml, ports.oidc, ports.social, ports.app, ports.aws)
            refuse_used_ports(dict.fromkeys(every, "a test"))
            return ports


class Demo:
    """One copy of the demo."""

    def __init__(self, folder: Path, ports: Ports | None = None) -> None:
        self.ports = ports or free_ports()
        self.var = folder / "var"
        self._folder = folder
        self._process: Process | None = None

    def __enter__(self) -> Demo:
        command = ["demo.run", "--port", str(self.ports.broker), "--var", str(self.var)]
        self._process = Process(
            "demo", [sys.executable, "-m", *command], self._folder, environment(PYTHONPATH=str(ROOT))
        )
        deadline = time.monotonic() + 120
        while not (self.var / "demo.json").exists():
            if self._process.child.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(self._process.log.read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop()

    @property
    def base_url(self) -> str:
        return self.ports.base_url

    def person(self, username: str) -> dict[str, Any]:
        """What `VAR/demo.json` says of somebody."""
        facts = json.loads((self.var / "demo.json").read_text())
        return next(one for one in facts["people"] if one["username"] == username)

    def break_directory(self, url: str, **fault: object) -> None:
        """Have the directory at `url` misbehave, or its clock be wrong."""
        requests.post(f"{url}/_demo/fault", json=fault, timeout=10).raise_for_status()

    def mend_directory(self, url: str) -> None:
        requests.delete(f"{url}/_demo/fault", timeout=10).raise_for_status()

    def broker_log(self) -> str:
        return (self.var / "log" / "broker.log").read_text(errors="replace")
