"""The endpoints that clients post to: tokens given, ended, looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from flask import Response

from app.errors import GrantTypeUnknown
from app.model import DEVICE_CODE, CodeProof, DeviceProof, GrantProof, RefreshProof, Tokens, TokenState
from app.web import times
from app.web.oauth import client, parameters
from app.web.visit import Visit

_Fields = Mapping[str, str]


def token(visit: Visit) -> Response:
    """`POST /oauth/token` (RFC 6749, 3.2).

    Raises:
        GrantError and its kin, TooMany, TooLarge, Unavailable.
    """
    fields = parameters.of_form(visit.request, _TOKEN)
    read = _GRANTS.get(parameters.needed(fields, "grant_type"))
    if read is None:
        raise GrantTypeUnknown(f"grant_type {fields['grant_type'][:80]!r}")
    given = visit.broker.redeem(client.proof(visit.request, fields), read(fields), caller=visit.caller)
    return _json(_tokens(given))


def revoke(visit: Visit) -> Response:
    """`POST /oauth/revoke` (RFC 7009): 200 and nothing more, for a token that never was one too (2.2).

    Raises:
        GrantError and its kin, TooMany, TooLarge, Unavailable.
    """
    fields = parameters.of_form(visit.request, _ONE)
    ended = parameters.needed(fields, "token")
    visit.broker.revoke(client.proof(visit.request, fields), ended, caller=visit.caller)
    return Response(status=200, content_type="application/json")


def introspect(visit: Visit) -> Response:
    """`POST /oauth/introspect` (RFC 7662), for clients that have a secret.

    Raises:
        GrantError and its kin, TooMany, TooLarge, Unavailable.
    """
    fields = parameters.of_form(visit.request, _ONE)
    asked = parameters.needed(fields, "token")
    state = visit.broker.introspect(client.proof(visit.request, fields), asked, caller=visit.caller)
    return _json(_state(state, visit.settings.base_url))


def _code(fields: _Fields) -> GrantProof:
    """RFC 6749, 4.1.3; RFC 7636, 4.5."""
    return CodeProof(
        code=parameters.needed(fields, "code"),
        redirect_uri=parameters.needed(fields, "redirect_uri"),
        verifier=parameters.needed(fields, "code_verifier"),
        resource=fields.get("resource", ""),
    )


def _device(fields: _Fields) -> GrantProof:
    """RFC 8628, 3.4."""
    return DeviceProof(parameters.needed(fields, "device_code"))


def _refresh(fields: _Fields) -> GrantProof:
    """RFC 6749, 6."""
    return RefreshProof(
        token=parameters.needed(fields, "refresh_token"),
        scope=parameters.scope(fields),
        resource=fields.get("resource", ""),
    )


_GRANTS: Final[Mapping[str, Callable[[_Fields], GrantProof]]] = {
    "authorization_code": _code,
    DEVICE_CODE: _device,
    "refresh_token": _refresh,
}
GRANT_TYPES: Final = tuple(_GRANTS)
"""For the metadata."""
_TOKEN: Final = (
    "grant_type",
    *client.FIELDS,
    *("code", "redirect_uri", "code_verifier", "device_code", "refresh_token", "scope", "resource"),
)
_ONE: Final = ("token", *client.FIELDS)  # `token_type_hint` is only to make a search shorter


def _tokens(given: Tokens) -> dict[str, object]:
    """RFC 6749, 5.1; `session_expires_at` is ours: when the person has to sign in again."""
    body: dict[str, object] = {
        "access_token": given.access_token,
        "token_type": "Bearer",
        "expires_in": int(given.expires_in.total_seconds()),
        "scope": " ".join(given.scope),
        "session_expires_at": times.wire(given.session_ends_at),
    }
    if given.refresh_token is not None:
        body["refresh_token"] = given.refresh_token
    return body


def _state(state: TokenState, issuer: str) -> dict[str, object]:
    """RFC 7662, 2.2; of a token that is not good, only that."""
    if not state.active:
        return {"active": False}
    told: dict[str, object] = {
        "iss": issuer,
        "client_id": state.client,
        "scope": " ".join(state.scope),
        "sub": state.subject,
        "username": state.username,
        "aud": state.audience,
        "jti": state.token_id,
        "iat": None if state.issued_at is None else int(state.issued_at.timestamp()),
        "exp": None if state.expires_at is None else int(state.expires_at.timestamp()),
    }
    return {"active": True, **{name: value for name, value in told.items() if value not in ("", None)}}


def _json(body: object) -> Response:
    response = Response(json.dumps(body), content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"  # RFC 6749, 5.1
    return response
