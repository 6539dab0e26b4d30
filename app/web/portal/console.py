"""The Console button."""

from __future__ import annotations

from flask import Response

from app.model import RoleAsk
from app.web import asks, forms
from app.web.page import see_other
from app.web.visit import Visit


def console(visit: Visit) -> Response:
    """`POST /console`: a sign-in link to the AWS console, minted now and followed at once.

    Raises:
        AskRefused, RoleUnknown, DestinationForbidden, UpstreamFailed, Unavailable.
    """
    fields = forms.form(visit.request, ("role", "destination"))
    ask = RoleAsk(role=asks.role_arn(fields.get("role", "")))
    destination = asks.line(fields.get("destination", ""), "destination", asks.DESTINATION_LONGEST) or None
    link = visit.broker.console_link(visit.person, ask, destination, caller=visit.caller)
    return see_other(link.url)
