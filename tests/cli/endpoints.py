"""What the tests of `serve` share: a clock and a source of credentials that they move, one question to an endpoint."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from daypass.cache import Pass
from daypass.errors import UNREACHABLE, Fail
from daypass.serve import local
from daypass.serve.holder import Holder
from tests.cli.fake_broker import rfc3339

START = 1_900_000_000.0
AWAY = Fail(
    UNREACHABLE, "The broker cannot be reached.", why="No route.", next="daypass doctor", request_id="req-9"
)


class World:
    """A clock that tests move, and a source of credentials that can fail."""

    def __init__(self) -> None:
        self.now = START
        self.life = 3600.0
        self.failure: Fail | None = None
        self.fetched: list[str] = []
        self.holder = Holder(self.fetch, lambda: self.now)

    def fetch(self, arn: str) -> tuple[Pass, float]:
        self.fetched.append(arn)
        if self.failure is not None:
            raise self.failure
        number, ends = len(self.fetched), self.now + self.life
        name = arn.rpartition("/")[2]
        return Pass(
            "{}", f"ASIA{number}", "secret", f"token/{name}/{number}", rfc3339(ends), arn.split(":")[4]
        ), ends


@contextmanager
def listening(handler: type[local.Handler]) -> Iterator[int]:
    server = local.Server(0, handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()


def ask(
    port: int,
    path: str,
    headers: list[tuple[str, str]] | None = None,
    *,
    method: str = "GET",
    body: str = "",
    host: str | None = None,
) -> tuple[int, str, dict[str, str]]:
    """One question, header by header, so that a header can come twice or not at all."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = list(headers or [])
        if host != "":
            given.insert(0, ("Host", host or f"127.0.0.1:{port}"))
        if body:
            given.append(("Content-Length", str(len(body))))
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders(body.encode() or None)
        answer = connection.getresponse()
        return (
            answer.status,
            answer.read().decode(),
            {name.lower(): value for name, value in answer.getheaders()},
        )
    finally:
        connection.close()
