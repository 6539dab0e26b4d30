"""What an app brings for its person, or a guest, becomes a token of ours or AWS credentials.

    urn:ietf:params:oauth:grant-type:token-exchange   RFC 8693   subject_token, subject_token_type
    urn:ietf:params:oauth:grant-type:saml2-bearer     RFC 7522   assertion
    urn:daypass:params:oauth:grant-type:guest         ours       nothing: somebody who has not signed in

All three are asked and answered alike (RFC 8693, 2.1 and 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from app.errors import AskRefused, GrantError, TargetInvalid
from app.model import EXCHANGE, ClientProof, Credentials, ExchangeAsk, Exchanged
from app.web import asks, process
from app.web.oauth import answers, parameters, subjects
from app.web.visit import Visit

SAML2_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
GUEST: Final = "urn:daypass:params:oauth:grant-type:guest"
AWS_CREDENTIALS: Final = "urn:daypass:params:oauth:token-type:aws-credentials"
NAMES: Final = (
    *subjects.names("subject"),
    *("assertion", "guest_token", "actor_token", "actor_token_type"),
    *("requested_token_type", "resource", "audience", "scope", "duration"),
)

_Fields = Mapping[str, str]


def exchange(visit: Visit, shown: ClientProof, fields: _Fields) -> Exchanged:
    """RFC 8693, 2.1. Raises GrantError and its kin, and what the broker raises."""
    for name in ("actor_token", "actor_token_type"):
        if name in fields:
            words = f"`{name}` is not taken: an app asks for its own people, and nobody acts for another."
            raise GrantError(name, words=words)
    return visit.broker.exchange(shown, subjects.token(fields), _ask(fields), caller=visit.caller)


def saml2_bearer(visit: Visit, shown: ClientProof, fields: _Fields) -> Exchanged:
    """RFC 7522, 2.1. Raises GrantError and its kin, and what the broker raises."""
    return visit.broker.exchange(shown, subjects.assertion(fields), _ask(fields), caller=visit.caller)


def guest(visit: Visit, shown: ClientProof, fields: _Fields) -> Exchanged:
    """Ours. Raises GrantError and its kin, and what the broker raises."""
    return visit.broker.begin_guest(shown, _ask(fields), caller=visit.caller)


GRANTS: Final[Mapping[str, Callable[[Visit, ClientProof, _Fields], Exchanged]]] = {
    EXCHANGE: exchange,
    SAML2_BEARER: saml2_bearer,
    GUEST: guest,
}


def answer(given: Exchanged, now: datetime) -> Mapping[str, object]:
    """RFC 8693, 2.2.1; `identity_id`, and with AWS credentials `role`, `reason` and their own members, are ours."""
    if given.credentials is not None:
        return _aws(given, given.credentials, now)
    assert given.tokens is not None  # noqa: S101  # exactly one of the two, by its contract
    return {
        **answers.tokens(given.tokens),
        "issued_token_type": subjects.ACCESS_TOKEN,
        "identity_id": given.identity_id,
    }


def _aws(given: Exchanged, credentials: Credentials, now: datetime) -> Mapping[str, object]:
    """As access token the part of them that is one; `N_A`, since no address takes it as a bearer token."""
    return {
        "access_token": credentials.session_token,
        "issued_token_type": AWS_CREDENTIALS,
        "token_type": "N_A",
        "expires_in": max(0, int((credentials.expiration - now).total_seconds())),
        **process.members(credentials),
        "role": given.role,
        "reason": given.reason,
        "identity_id": given.identity_id,
    }


def _ask(fields: _Fields) -> ExchangeAsk:
    """What is wanted for it. Raises GrantError, TargetInvalid."""
    wanted = fields.get("requested_token_type", subjects.ACCESS_TOKEN)
    target = parameters.target(fields)
    if wanted == AWS_CREDENTIALS:
        return ExchangeAsk(
            aws=True,
            role=_role(target),
            duration=_duration(fields),
            scope=parameters.scope(fields),
            guest_token=fields.get("guest_token", ""),
        )
    if wanted != subjects.ACCESS_TOKEN:
        words = f"`requested_token_type` must be `{subjects.ACCESS_TOKEN}` or `{AWS_CREDENTIALS}`."
        raise GrantError(f"requested_token_type {wanted[:80]!r}", words=words)
    if "duration" in fields:
        words = (
            "`duration` is for AWS credentials; how long an access token lives is not for its client to say."
        )
        raise GrantError("duration of an access token", words=words)
    return ExchangeAsk(
        resource=target,
        scope=parameters.scope(fields),
        guest_token=fields.get("guest_token", ""),
    )


def _role(target: str) -> str:
    """Raises TargetInvalid."""
    try:
        return asks.role_arn(target) if target else ""
    except AskRefused as refusal:
        raise TargetInvalid(refusal.detail, words=refusal.words) from None


def _duration(fields: _Fields) -> timedelta | None:
    """Raises GrantError."""
    if "duration" not in fields:
        return None
    try:
        return asks.duration_text(fields["duration"])
    except AskRefused as refusal:
        raise GrantError(refusal.detail, words=refusal.words) from None
