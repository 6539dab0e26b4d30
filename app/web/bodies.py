"""Request bodies, whole or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from app.errors import TooLarge
from app.web.wire import Request

FORM: Final = "application/x-www-form-urlencoded"
"""The only kind of form that is taken."""


def cap(request: Request, most: int) -> None:
    """Let nothing read more than `most` bytes of the body, whether or not its length was announced."""
    # One more than allowed: Werkzeug cuts a body of unknown length off at its limit without a word.
    request.max_content_length = most + 1


def read(request: Request) -> bytes:
    """The body, kept for whoever reads it next. Raises TooLarge."""
    data = request.get_data(cache=True, parse_form_data=False)
    if request.max_content_length is not None and len(data) >= request.max_content_length:
        raise TooLarge
    return data


def is_form(request: Request) -> bool:
    """The body says that it is a form."""
    # Nearly every client says just that; what else may mean the same is for Werkzeug to read.
    return request.environ.get("CONTENT_TYPE") == FORM or request.mimetype == FORM


def fields(request: Request) -> Mapping[str, Sequence[str]]:
    """The fields of a form, each with all its values; kept for whoever asks next. Raises TooLarge.

    A body that is not UTF-8 has none; an escape that is not UTF-8 stays an escape.
    """
    if request.fields is None:
        request.fields = _parsed(read(request))
    return request.fields


def _parsed(body: bytes) -> Mapping[str, Sequence[str]]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="werkzeug.url_quote")
    except ValueError:
        pairs = []
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found
