"""The Console button, and the page on which a step-up for it lands."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from app.errors import MfaRequired
from app.model import RoleAsk
from app.web import asks, forms, records
from app.web.page import see_other, show
from app.web.portal import step_up
from app.web.portal.keys import mine, needs_page
from app.web.portal.roles import RoleView, role_view
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """Open it?"""

    role: RoleView
    destination: str


def ask_console(visit: Visit) -> Response:
    """`GET /console?role=ARN&destination=URL`: the button alone, since opening it is a POST.

    Raises:
        AskRefused, RoleUnknown, RoleForbidden, TooMany, Malformed.
    """
    if "role" not in visit.request.args:
        return see_other("/")
    fields = forms.query(visit.request, ("role", "destination"))
    destination = asks.line(fields.get("destination", ""), "destination", asks.DESTINATION_LONGEST)
    entitlement = mine(visit, asks.role_arn(fields.get("role", "")))
    if entitlement.needs is not None:
        return needs_page(visit, entitlement, _here(entitlement.role.arn, destination))
    return show("console.html", ConsolePage(role_view(entitlement), destination), visit)


def console(visit: Visit) -> Response:
    """`POST /console`: a sign-in link to the AWS console, minted now and followed at once.

    Raises:
        AskRefused, RoleUnknown, DestinationForbidden, UpstreamFailed, Unavailable.
    """
    fields = forms.form(visit.request, ("role", "destination"))
    ask = RoleAsk(role=asks.role_arn(fields.get("role", "")))
    destination = asks.line(fields.get("destination", ""), "destination", asks.DESTINATION_LONGEST)
    try:
        link = visit.broker.console_link(visit.person, ask, destination or None, caller=visit.caller)
    except MfaRequired as refusal:
        records.note(visit, refusal)
        return see_other(step_up.path(ask.role, _here(ask.role, destination)))
    return see_other(link.url)


def _here(role: str, destination: str) -> str:
    fields = {"role": role, "destination": destination} if destination else {"role": role}
    return f"/console?{urlencode(fields)}"
