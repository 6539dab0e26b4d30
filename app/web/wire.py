"""Requests and answers as the rest of `web` knows them: Werkzeug's, with what is ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from werkzeug import wrappers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_MENDED: Final = frozenset({204, 301, 302, 303, 304, 307, 308})
"""Answers of which Werkzeug leaves something out, or whose `Location` it writes in ASCII."""


class Request(wrappers.Request):
    """What was asked."""

    fields: Mapping[str, Sequence[str]] | None = None
    """The form's fields, as far as they were read (`bodies.fields`)."""

    def field(self, name: str) -> str:
        """The first value of a form's field; empty where there is none, or where no form was read."""
        values = self.fields.get(name) if self.fields is not None else None
        return values[0] if values else ""


class Response(wrappers.Response):
    """What is answered, whole: nothing is streamed."""

    default_mimetype = "text/html"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer as WSGI has it: for most, as it stands, without Werkzeug's copy of every header."""
        if self.status_code in _MENDED or environ["REQUEST_METHOD"] == "HEAD" or not self.response:
            return super().__call__(environ, start_response)
        start_response(self.status, list(self.headers))
        return self.response  # type: ignore[return-value]  # bytes, as `set_data` has made them
