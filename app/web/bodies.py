"""Request bodies, whole or refused."""

from __future__ import annotations

from flask import Request

from app.errors import TooLarge


def cap(request: Request, most: int) -> None:
    """Let nothing read more than `most` bytes of the body, whether or not its length was announced."""
    # One more than allowed: Werkzeug cuts a body of unknown length off at its limit without a word.
    request.max_content_length = most + 1
    request.max_form_memory_size = most + 1


def read(request: Request) -> bytes:
    """The body, kept for whoever reads it next. Raises TooLarge."""
    data = request.get_data(cache=True, parse_form_data=False)
    if request.max_content_length is not None and len(data) >= request.max_content_length:
        raise TooLarge
    return data
