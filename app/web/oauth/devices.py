"""A device asks to be let in (RFC 8628, 3.1 and 3.2)."""

from __future__ import annotations

import json
from typing import Final

from app.web.oauth import client, parameters
from app.web.visit import Visit
from app.web.wire import Response

_NAMES: Final = (*client.FIELDS, "scope", "resource", "device")


def begin_device(visit: Visit) -> Response:
    """`POST /oauth/device_authorization`; `device` is ours: what the machine calls itself, for its person.

    Raises:
        GrantError and its kin, TooMany, TooLarge, Unavailable.
    """
    fields = parameters.of_form(visit.request, _NAMES)
    started = visit.broker.begin_device(
        client.proof(visit.request, fields),
        parameters.scope(fields),
        fields.get("resource", ""),
        parameters.device(fields),
        caller=visit.caller,
    )
    page = f"{visit.settings.base_url}/device"
    body = {
        "device_code": started.device_code,
        "user_code": started.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={started.user_code}",
        "expires_in": int(started.expires_in.total_seconds()),
        "interval": int(started.interval.total_seconds()),
    }
    return Response(json.dumps(body), content_type="application/json")
