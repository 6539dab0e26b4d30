"""The WSGI application (PEP 3333): a request in, the gate's answer out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.web.gate import Gate
from app.web.wire import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Application:
    """What a WSGI server calls."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        answer = self._gate.answer(Request(environ, populate_request=False))
        return answer(environ, start_response)
