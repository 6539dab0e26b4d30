"""The checksums that current SDKs send with each upload (S3 User Guide, "Checking object integrity")."""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from demo.aws.wire import Rejected

PREFIX: Final = "x-amz-checksum-"


def _table(polynomial: int) -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


def _crc(polynomial: int, size: int) -> Callable[[bytes], bytes]:
    """A reflected CRC of `size` bytes, begun and ended with all ones."""
    table, ones = _table(polynomial), (1 << 8 * size) - 1

    def digest(data: bytes) -> bytes:
        value = ones
        for byte in data:
            value = value >> 8 ^ table[(value ^ byte) & 0xFF]
        return (value ^ ones).to_bytes(size, "big")

    return digest


ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": _crc(0x82F63B78, 4),
    "crc64nvme": _crc(0x9A6C9329AC4BC9B5, 8),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def check(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The checksum headers among `headers` (names in lower case), each held against the body.

    Raises Rejected: BadDigest, or InvalidRequest for an algorithm that S3 does not know, or for two at once.
    """
    found = {
        name: value
        for name, value in headers.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in ("algorithm", "mode", "type")
    }
    if len(found) > 1:
        raise Rejected(400, "InvalidRequest", "Expecting a single x-amz-checksum- header.")
    for name, value in found.items():
        kind = name.removeprefix(PREFIX)
        if kind not in ALGORITHMS:
            raise Rejected(400, "InvalidRequest", f"The algorithm type you specified in {name} is invalid.")
        right = base64.b64encode(ALGORITHMS[kind](body)).decode("ascii")
        if not hmac.compare_digest(right.encode(), value.encode("latin-1", "replace")):
            raise Rejected(
                400, "BadDigest", f"The {kind.upper()} you specified did not match the calculated checksum."
            )
    return found
