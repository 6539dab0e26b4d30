"""Reading a request's body: by its Content-Length, or in chunks (RFC 9112, section 7.1)."""

from __future__ import annotations

import re
from email.message import Message
from io import BufferedIOBase
from typing import Final

_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_TRAILERS: Final = 32


class BodyRefused(Exception):
    """The body is larger than it may be, or is not framed as it should be."""


def read_body(stream: BufferedIOBase, headers: Message, largest: int, *, chunked: bool) -> bytes:
    """The body, at most `largest` bytes; `chunked` says whether Transfer-Encoding is taken. Raises BodyRefused."""
    coding = headers.get("Transfer-Encoding")
    if coding is not None:
        # Both headers at once is how requests are smuggled (RFC 9112, section 6.1).
        if not chunked or coding.lower() != "chunked" or "Content-Length" in headers:
            raise BodyRefused
        return _chunks(stream, largest)
    length = headers.get("Content-Length", "0")
    if not (length.isdecimal() and length.isascii()) or int(length) > largest:
        raise BodyRefused
    body = stream.read(int(length))
    if len(body) != int(length):
        raise BodyRefused
    return body


def _chunks(stream: BufferedIOBase, largest: int) -> bytes:
    body = bytearray()
    while True:
        size = _SIZE.fullmatch(stream.readline(1024))
        if size is None:
            raise BodyRefused
        more = int(size[1], 16)
        if more == 0:
            break
        if len(body) + more > largest:
            raise BodyRefused
        body += stream.read(more)
        if stream.read(2) != b"\r\n":
            raise BodyRefused
    for _ in range(_TRAILERS):
        line = stream.readline(1024)
        if line == b"\r\n":
            return bytes(body)
        if not line.endswith(b"\r\n"):
            break
    raise BodyRefused
