"""What each address of /v1 does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta

from app.errors import AskRefused
from app.model import RoleAsk
from app.web import asks, forms, listing
from app.web.api import reading, shapes
from app.web.visit import Visit
from app.web.wire import Response

LIMIT = 100
MOST = 1000


def me(visit: Visit) -> Response:
    """`GET /v1/me`."""
    return _json(shapes.me(visit.person))


def roles(visit: Visit) -> Response:
    """`GET /v1/roles?q=&limit=&cursor=`.

    Raises:
        AskRefused, Malformed.
    """
    fields = _query(visit, ("q", "limit", "cursor"), "Only `q`, `limit` and `cursor` may be asked for.")
    words = asks.line(fields.get("q", ""), "q", asks.SEARCH_LONGEST)
    mine = visit.broker.roles(visit.person, caller=visit.caller)
    cursor = fields.get("cursor") or None
    return _json(shapes.roles(listing.piece(listing.find(mine, words), _limit(fields.get("limit")), cursor)))


def explain(visit: Visit) -> Response:
    """`GET /v1/explain?role=ARN`: why I may or may not use a role now.

    Raises:
        AskRefused, Malformed, RoleUnknown, TooMany.
    """
    fields = _query(visit, ("role",), "Only `role` may be asked for.")
    role = asks.role_arn(fields.get("role", ""))
    return _json(shapes.explanation(visit.broker.explain(visit.person, role, caller=visit.caller)))


def credentials(visit: Visit) -> Response:
    """`POST /v1/credentials`: what `credential_process` takes.

    Raises:
        AskRefused, DurationInvalid, MediaType, Malformed, and what the broker raises.
    """
    given = reading.body(visit.request, ("role", "duration", "reason"))
    ask = RoleAsk(
        role=asks.role_arn(reading.text(given, "role")),
        duration=_duration(given),
        reason=asks.line(reading.text(given, "reason", ""), "reason", asks.REASON_LONGEST),
    )
    return _json(shapes.credentials(visit.broker.credentials(visit.person, ask, caller=visit.caller)))


def console_link(visit: Visit) -> Response:
    """`POST /v1/console-link`.

    Raises:
        AskRefused, DurationInvalid, MediaType, Malformed, and what the broker raises.
    """
    given = reading.body(visit.request, ("role", "duration", "destination"))
    ask = RoleAsk(role=asks.role_arn(reading.text(given, "role")), duration=_duration(given))
    destination = asks.line(reading.text(given, "destination", ""), "destination", asks.DESTINATION_LONGEST)
    link = visit.broker.console_link(visit.person, ask, destination or None, caller=visit.caller)
    return _json(shapes.console_link(link))


def _query(visit: Visit, names: tuple[str, ...], words: str) -> dict[str, str]:
    """The parameters; one of another name is refused. Raises AskRefused, Malformed."""
    for name in visit.request.args:
        if name not in names:
            raise AskRefused(f"parameter {name[:60]!r}", words=words)
    return forms.query(visit.request, names)


def _duration(given: Mapping[str, object]) -> timedelta | None:
    if "duration" not in given:
        return None
    return asks.duration(given["duration"])


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise AskRefused(f"limit {text[:60]!r}", words=f"`limit` must be a whole number from 1 to {MOST}.")
    return int(text)


def _json(body: object) -> Response:
    return Response(json.dumps(body), content_type="application/json")
