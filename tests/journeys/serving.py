"""`daypass serve`, running at a person's machine."""

from __future__ import annotations

import re
import subprocess
import time
from typing import IO, Final

import requests

from tests.journeys.workplace import Workplace

_LINE: Final = re.compile(r"export (AWS_\w+)='([^']*)'")


class Serving:
    """The endpoints, from their first answer to their end; `variables` are what it printed for a shell."""

    def __init__(self, at: Workplace, *arguments: str, **extra: str) -> None:
        """Arguments behind `daypass serve`; `extra` as `Workplace.env`."""
        self._at = at
        self._arguments = arguments
        self._extra = extra
        self._told = at.home / "serve.out"
        self._talk = at.home / "serve.err"
        self._process: subprocess.Popen[bytes] | None = None
        self.variables: dict[str, str] = {}

    def __enter__(self) -> Serving:
        with self._told.open("wb") as out, self._talk.open("wb") as err:
            self._process = self._started(out, err)
        deadline = time.monotonic() + 40
        while not (lines := _LINE.findall(self._told.read_text())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(f"serve did not start\n{self.said()}")
            time.sleep(0.05)
        self.variables = dict(lines)
        return self

    def _started(self, out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["daypass", "serve", *self._arguments, "--shell", "bash"],
            env=self._at.env(**self._extra),
            cwd=self._at.home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self._talk.read_text()

    @property
    def container(self) -> dict[str, str]:
        """For a client that is to use the container endpoint."""
        return {name: value for name, value in self.variables.items() if name.startswith("AWS_CONTAINER_")}

    def ask(self) -> requests.Response:
        """The container endpoint's answer, as an SDK gets it."""
        headers = {"Authorization": self.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
        return requests.get(self.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers=headers, timeout=10)

    @property
    def metadata(self) -> dict[str, str]:
        """For a client that is to use the endpoint in the metadata service's shape, and no other."""
        name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
        return {name: self.variables[name], "AWS_EC2_METADATA_DISABLED": "false"}
