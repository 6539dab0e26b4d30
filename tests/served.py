"""The broker as it is served, with a clock that tests move by writing seconds into a file."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from werkzeug.http import http_date

from app.listener import Message
from app.wiring import serve_app


class MovedClock:
    """The host's clock plus what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._path.read_text() or 0))


clock = MovedClock(Path(os.environ["DAYPASS_TEST_CLOCK"]))
served = serve_app(clock=clock)


def app(environ: Message, start_response: Callable[..., object]) -> Iterable[bytes]:
    """A host has one clock: without this the server's Date would tell the unmoved one."""

    def dated(status: str, headers: list[tuple[str, str]], *more: object) -> object:
        kept = [(name, value) for name, value in headers if name != "Date"]
        return start_response(status, [*kept, ("Date", http_date(clock.now()))], *more)

    return served(environ, dated)
