"""`aws-chunked`: a body in chunks with the checksum after the last, as SDKs send a stream.

Source: "Signature calculations … including trailing headers" (S3 API Reference). Chunks that carry
signatures of their own are not read here: S3's answer to them would be a yes, so ours is NotImplemented.
"""

from __future__ import annotations

import re
from typing import Final

from demo.aws.wire import Rejected

UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")


def decode(raw: bytes, trailer: str | None, length: str | None) -> tuple[bytes, dict[str, str]]:
    """The body and its trailing headers (names in lower case).

    `trailer` is x-amz-trailer, `length` x-amz-decoded-content-length. Raises Rejected: IncompleteBody,
    MalformedTrailerError, MissingContentLength.
    """
    if length is None or not length.isdecimal() or not length.isascii():
        raise Rejected(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    body, at = bytearray(), 0
    while True:
        line, at = _line(raw, at)
        if not _SIZE.fullmatch(line):
            raise _incomplete()
        size = int(line, 16)
        if size == 0:
            break
        body += raw[at : at + size]
        if raw[at + size : at + size + 2] != b"\r\n":
            raise _incomplete()
        at += size + 2
    if len(body) != int(length):
        raise _incomplete()
    return bytes(body), _trailers(raw, at, trailer)


def _trailers(raw: bytes, at: int, declared: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    while at < len(raw):
        line, at = _line(raw, at)
        if not line:
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name.lower() in found:
            raise _malformed()
        found[name.strip().lower()] = value.strip()
    wanted = {name.strip().lower() for name in (declared or "").split(",") if name.strip()}
    if at != len(raw) or set(found) != wanted:
        raise _malformed()
    return found


def _line(raw: bytes, at: int) -> tuple[bytes, int]:
    end = raw.find(b"\r\n", at, at + 1024)
    if end < 0:
        raise _incomplete()
    return raw[at:end], end + 2


def _incomplete() -> Rejected:
    return Rejected(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )


def _malformed() -> Rejected:
    return Rejected(
        400, "MalformedTrailerError", "The request contained trailing data that was not well-formed."
    )
