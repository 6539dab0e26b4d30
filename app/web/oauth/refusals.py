"""Refusals as OAuth clients read them (RFC 6749, 5.2; RFC 7009, 2.2.1; RFC 7662, 2.3; RFC 8628, 3.5; RFC 8693, 2.2.2).

GrantError      its own word; 400, or 401 with `WWW-Authenticate` where the client is not believed
of a person     400: what an app brings of its person is not believed. `invalid_request`, as RFC 8693, 2.2.2 wants it
                of any subject token; `invalid_grant`, as RFC 7522, 3.1 wants it of an assertion as grant
of a role       400 `invalid_target`: no policy lets this person and app have it, or it is none (RFC 8693, 2.2.2)
429             `temporarily_unavailable` and `Retry-After`: RFC 6749 has no word of the token endpoint's for
                it, and `slow_down` would tell a device to poll more slowly for good (RFC 8628, 3.5)
502, 503        `temporarily_unavailable`: nothing was given, and it may be tried again; a defect of ours, and a role
                that AWS does not let us have, are `server_error` (both words from RFC 6749, 4.1.2.1)
all other       `invalid_request` with the status that says what it was (403, 405, 409, 413); 400 for 422
"""

from __future__ import annotations

import json
import re
from typing import Final

from app.errors import (
    GrantError,
    GrantInvalid,
    Internal,
    NoRoleForApp,
    ProofRefused,
    Refusal,
    RoleForbidden,
    RoleUnknown,
    StsRefused,
    TargetInvalid,
    TooMany,
    Unavailable,
    UpstreamFailed,
)
from app.web.oauth.exchange import SAML2_BEARER
from app.web.wire import Request, Response

# RFC 6749, 5.2: `error_description` has no quote and no backslash.
_NOT_SAID: Final = re.compile(r"[^ !#-\[\]-~]")
_PLAINER: Final = str.maketrans(
    {**dict.fromkeys('’“”"', "'"), **dict.fromkeys("–—", "-"), "…": "...", "\n": " "}
)
_OF_A_ROLE: Final = (NoRoleForApp, RoleForbidden, RoleUnknown)


def refused(refusal: Refusal, request_id: str, asked: Request) -> Response:
    """The refusal as JSON; `code` and `request_id` are ours, clients skip what they do not know."""
    body = {
        "error": word(refusal, asked.field("grant_type")),
        "error_description": description(refusal),
        "code": refusal.code,
        "request_id": request_id,
    }
    response = Response(json.dumps(body), status=_status(refusal), content_type="application/json")
    if response.status_code == 401:
        # RFC 9110, 15.5.2 wants it with every 401; RFC 6749, 5.2 with the scheme that the client used.
        response.headers["WWW-Authenticate"] = 'Basic realm="daypass"'
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def word(refusal: Refusal, grant: str = "") -> str:
    """`error` on the wire; `grant` is the grant type that was asked with."""
    if isinstance(refusal, GrantError):
        return refusal.error
    if isinstance(refusal, ProofRefused) and grant == SAML2_BEARER:
        return GrantInvalid.error
    if isinstance(refusal, _OF_A_ROLE):
        return TargetInvalid.error
    if isinstance(refusal, Internal | StsRefused):
        return "server_error"
    if isinstance(refusal, TooMany | Unavailable | UpstreamFailed):
        return "temporarily_unavailable"
    return GrantError.error


def description(refusal: Refusal) -> str:
    """The refusal's words in the characters that `error_description` may have."""
    return _NOT_SAID.sub("?", refusal.words.translate(_PLAINER))


def _status(refusal: Refusal) -> int:
    """RFC 6749, 5.2: 400, "unless specified otherwise". 401 is for a client that is not believed, and no other."""
    if isinstance(refusal, (ProofRefused, *_OF_A_ROLE)) or refusal.status == 422:
        return 400
    return refusal.status
