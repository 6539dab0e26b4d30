"""Answers that several of the endpoints give."""

from __future__ import annotations

import json

from app.model import Tokens
from app.web import times
from app.web.wire import Response


def json_of(body: object) -> Response:
    """JSON that nobody keeps (RFC 6749, 5.1)."""
    response = Response(json.dumps(body), content_type="application/json")
    response.headers.add("Cache-Control", "no-store")
    response.headers.add("Pragma", "no-cache")
    return response


def tokens(given: Tokens) -> dict[str, object]:
    """RFC 6749, 5.1. `session_expires_at`, when the person has to sign in again, and `identity_id` are ours."""
    body: dict[str, object] = {
        "access_token": given.access_token,
        "token_type": "Bearer",
        "expires_in": int(given.expires_in.total_seconds()),
        "scope": " ".join(given.scope),
        "session_expires_at": times.wire(given.session_ends_at),
    }
    if given.refresh_token is not None:
        body["refresh_token"] = given.refresh_token
    if given.identity_id:
        body["identity_id"] = given.identity_id
    return body
