"""The configuration folder of this machine: what it would change, and making it active."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.errors import AskRefused, ConfigurationWrong
from app.web import forms, page
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.admin.revisions import FileView, file_views
from app.web.admin.shifts import ShiftView, shift_views
from app.web.visit import Visit
from app.web.wire import Response

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different in the folder."""

    active: int
    digest: str
    files: tuple[FileView, ...]
    shifts: tuple[ShiftView, ...]
    looked_at: int


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A change, problems, or neither: the folder is what is active."""

    tabs: tuple[Tab, ...]
    change: Change | None
    problems: tuple[str, ...]


def plan(visit: Visit) -> Response:
    """`GET /admin/plan`. Raises Unknown, AuditUnavailable, StoreUnavailable."""
    change: Change | None = None
    problems: tuple[str, ...] = ()
    try:
        found = visit.administration.plan(visit.person, caller=visit.caller)
    except ConfigurationWrong as wrong:
        problems = wrong.problems
    else:
        older, newer = found.difference.older, found.difference.newer
        if older.digest != newer.digest:
            change = Change(
                active=older.number,
                digest=newer.digest,
                files=file_views(found.difference.files),
                shifts=shift_views(found.shifts, found.handed),
                looked_at=found.looked_at,
            )
    shown = PlanPage(tabs(visit), change, problems)
    return page.render("admin/plan.html", shown, page.frame_of(visit))


def apply(visit: Visit) -> Response:
    """`POST /admin/plan`. Raises Unknown, ConfigurationWrong, RevisionChanged, AskRefused."""
    fields = forms.form(visit.request, ("digest", "active", "sure"))
    digest = fields.get("digest", "")
    if not _DIGEST.fullmatch(digest):
        raise AskRefused("no digest", words="The form is not whole. Look at the plan again.")
    active = reading.number(fields.get("active", ""), "active")
    if fields.get("sure") != "yes":
        raise AskRefused("not confirmed", words="Tick that you mean it, then send the form again.")
    visit.administration.apply(visit.person, digest, active, caller=visit.caller)
    return page.see_other("/admin/revisions" if _reads(visit) else "/admin")


def _reads(visit: Visit) -> bool:
    return any(tab.href == "/admin/revisions" for tab in tabs(visit))
