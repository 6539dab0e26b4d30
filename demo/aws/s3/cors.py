"""CORS of a bucket: which pages of which origins may read its answers (S3 User Guide, "Using CORS")."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Final

from demo.aws.accounts import Bucket
from demo.aws.wire import Rejected, Reply, Request

METHODS: Final = ("GET", "HEAD", "PUT", "DELETE")
_EXPOSED: Final = "ETag, x-amz-request-id, x-amz-checksum-crc32, x-amz-meta-name"
_SECONDS: Final = 300


def preflight(request: Request, bucket: Bucket | None) -> Reply:
    """The answer to OPTIONS. Raises Rejected (AccessForbidden) for an origin or method that is not allowed."""
    origin = request.header("origin")
    method = request.header("access-control-request-method")
    if origin is None or method is None:
        words = "Insufficient information. Origin request header needed."
        raise Rejected(400, "BadRequest", words)
    if bucket is None or not _allowed(origin, bucket.origins) or method not in METHODS:
        words = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, "
        words += "request method / Access-Control-Request-Method or Access-Control-Request-Headers are not "
        words += "whitelisted by the resource's CORS spec."
        raise Rejected(403, "AccessForbidden", words)
    asked = request.header("access-control-request-headers")
    return Reply(
        200,
        "",
        b"",
        (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Methods", ", ".join(METHODS)),
            *((("Access-Control-Allow-Headers", asked),) if asked else ()),
            ("Access-Control-Max-Age", str(_SECONDS)),
            *_VARY,
        ),
    )


_VARY: Final = (("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"),)


def headers(request: Request, bucket: Bucket | None) -> tuple[tuple[str, str], ...]:
    """What the answer to a real request carries, refusals included: else a page cannot tell why."""
    origins = [value for name, value in request.headers if name.lower() == "origin"]
    if len(origins) != 1 or bucket is None or not _allowed(origins[0], bucket.origins):
        return _VARY if bucket is not None and bucket.origins else ()
    return (
        ("Access-Control-Allow-Origin", origins[0]),
        ("Access-Control-Expose-Headers", _EXPOSED),
        *_VARY,
    )


def _allowed(origin: str, patterns: Iterable[str]) -> bool:
    """As S3 compares: letter by letter, with at most one `*` (checked when the accounts are read)."""
    return any(fnmatch.fnmatchcase(origin, pattern.replace("[", "[[]")) for pattern in patterns)
