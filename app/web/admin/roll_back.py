"""Making an earlier revision the active one again: look at what it brings back, then say so."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import AskRefused
from app.policy import actions
from app.web import forms
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.admin.revisions import FileView, RevisionView, file_views, revision_view
from app.web.admin.shifts import ShiftView, shift_views
from app.web.page import see_other, show
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class RollBackPage:
    """What would come back."""

    tabs: tuple[Tab, ...]
    active: RevisionView
    wanted: RevisionView
    files: tuple[FileView, ...] | None
    """None for who may not read the configuration."""
    shifts: tuple[ShiftView, ...]
    looked_at: int
    """How many people the plan was worked out for; only those whom this person may see."""


def ask_roll_back(visit: Visit) -> Response:
    """`GET /admin/roll-back?to=N`. Raises Unknown, RevisionUnknown, AskRefused."""
    wanted = reading.number(forms.query(visit.request, ("to",)).get("to", ""), "to")
    found = visit.administration.plan_roll_back(visit.person, wanted, caller=visit.caller)
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    readable = actions.READ_CONFIGURATION in rights
    shown = RollBackPage(
        tabs=tabs(visit, rights),
        active=revision_view(found.difference.older, 0, visit),
        wanted=revision_view(found.difference.newer, 0, visit),
        files=file_views(found.difference.files) if readable else None,
        shifts=shift_views(found.shifts, found.handed),
        looked_at=found.looked_at,
    )
    return show("admin/roll_back.html", shown, visit)


def roll_back(visit: Visit) -> Response:
    """`POST /admin/roll-back`. Raises Unknown, RevisionUnknown, RevisionChanged, AskRefused."""
    fields = forms.form(visit.request, ("to", "active", "sure"))
    wanted = reading.number(fields.get("to", ""), "to")
    active = reading.number(fields.get("active", ""), "active")
    if fields.get("sure") != "yes":
        raise AskRefused("not confirmed", words="Tick that you mean it, then send the form again.")
    visit.administration.roll_back(visit.person, wanted, active, caller=visit.caller)
    return see_other("/admin/revisions" if _reads(visit) else "/admin")


def _reads(visit: Visit) -> bool:
    return any(tab.href == "/admin/revisions" for tab in tabs(visit))
