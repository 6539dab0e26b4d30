"""Refusals as OAuth clients read them (RFC 6749, 5.2; RFC 7009, 2.2.1; RFC 7662, 2.3; RFC 8628, 3.5).

GrantError      its own word; 400, or 401 with `WWW-Authenticate` where the client is not believed
429             `temporarily_unavailable` and `Retry-After`: RFC 6749 has no word of the token endpoint's for
                it, and `slow_down` would tell a device to poll more slowly for good (RFC 8628, 3.5)
502, 503        `temporarily_unavailable`; a defect of ours is `server_error` (both from 4.1.2.1)
all other       `invalid_request` with the status that says what it was (405, 413)
"""

from __future__ import annotations

import json
import re
from typing import Final

from flask import Response

from app.errors import GrantError, Internal, Refusal, TooMany, Unavailable, UpstreamFailed

# RFC 6749, 5.2: `error_description` has no quote and no backslash.
_NOT_SAID: Final = re.compile(r"[^ !#-\[\]-~]")


def refused(refusal: Refusal, request_id: str) -> Response:
    """The refusal as JSON; `code` and `request_id` are ours, clients skip what they do not know."""
    body = {
        "error": word(refusal),
        "error_description": description(refusal),
        "code": refusal.code,
        "request_id": request_id,
    }
    response = Response(json.dumps(body), status=refusal.status, content_type="application/json")
    if refusal.status == 401:
        # RFC 9110, 15.5.2 wants it with every 401; RFC 6749, 5.2 with the scheme that the client used.
        response.headers["WWW-Authenticate"] = 'Basic realm="daypass"'
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def word(refusal: Refusal) -> str:
    """`error` on the wire."""
    if isinstance(refusal, GrantError):
        return refusal.error
    if isinstance(refusal, Internal):
        return "server_error"
    if isinstance(refusal, TooMany | Unavailable | UpstreamFailed):
        return "temporarily_unavailable"
    return GrantError.error


def description(refusal: Refusal) -> str:
    """The refusal's words in the characters that `error_description` may have."""
    words = refusal.words.replace("’", "'").replace("“", "'").replace("”", "'")
    return _NOT_SAID.sub("?", words)
