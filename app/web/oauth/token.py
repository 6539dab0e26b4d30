"""The endpoints that clients post to: tokens given, ended, looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.errors import GrantTypeUnknown
from app.model import DEVICE_CODE, CodeProof, DeviceProof, GrantProof, RefreshProof, TokenState
from app.web.oauth import answers, client, exchange, parameters
from app.web.visit import Visit
from app.web.wire import Response

_Fields = Mapping[str, str]


def token(visit: Visit) -> Response:
    """`POST /oauth/token` (RFC 6749, 3.2).

    Raises:
        GrantError and its kin, TooMany, TooLarge, Unavailable, and of what an app brings what `Broker.exchange` raises.
    """
    asked = parameters.of_form(visit.request, _ALWAYS)
    grant = parameters.needed(asked, "grant_type")
    shown = client.proof(visit.request, asked)
    if (brought := exchange.GRANTS.get(grant)) is not None:
        fields = parameters.of_form(visit.request, exchange.NAMES)
        return answers.json_of(exchange.answer(brought(visit, shown, fields), visit.now))
    read = _GRANTS.get(grant)
    if read is None:
        raise GrantTypeUnknown(f"grant_type {grant[:80]!r}")
    proof = read(parameters.of_form(visit.request, _NAMES))
    return answers.json_of(answers.tokens(visit.broker.redeem(shown, proof, caller=visit.caller)))


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
    return answers.json_of(_state(state, visit.settings.base_url))


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
GRANT_TYPES: Final = (*_GRANTS, *exchange.GRANTS)
"""For the metadata."""
_ALWAYS: Final = ("grant_type", *client.FIELDS)
_NAMES: Final = (
    *("code", "redirect_uri", "code_verifier", "device_code", "refresh_token", "scope", "resource"),
)
_ONE: Final = ("token", *client.FIELDS)  # `token_type_hint` is only to make a search shorter


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
