"""The broker as it is served, with a clock that tests move by writing seconds into a file."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Response
from werkzeug.http import http_date

from app.wiring import serve_app


class MovedClock:
    """The host's clock plus what the file says."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._path.read_text() or 0))


clock = MovedClock(Path(os.environ["DAYPASS_TEST_CLOCK"]))
app = serve_app(clock=clock)


@app.after_request
def _dated(response: Response) -> Response:
    """A host has one clock: without this the server's Date would tell the unmoved one."""
    response.headers["Date"] = http_date(clock.now())
    return response
