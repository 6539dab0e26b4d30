"""What there is to administer, and the part of it that a person sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.policy import actions
from app.policy.actions import AdminAction
from app.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Area:
    """A page, and what opens it."""

    href: str
    title: str
    words: str
    action: AdminAction


AREAS: Final = (
    Area(
        "/admin/revisions",
        "Revisions",
        "Every configuration that was active, by whom, and what changed",
        actions.READ_CONFIGURATION,
    ),
    Area(
        "/admin/plan",
        "Plan",
        "What the configuration folder would change, and whom it would give or take what",
        actions.APPLY_CONFIGURATION,
    ),
    Area("/admin/audit", "Audit", "Who signed in, asked, was given or was refused what", actions.READ_AUDIT),
    Area("/admin/people", "People", "Everybody who has signed in, and their groups", actions.READ_PEOPLE),
    Area(
        "/admin/why",
        "Explain access",
        "Why somebody may or may not use a role, and what would change it",
        actions.EXPLAIN_ACCESS,
    ),
    Area(
        "/admin/policies/new",
        "New policy",
        "Choose roles and conditions; see the document and whom it would give what",
        actions.WRITE_POLICY,
    ),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """An area in the head of a page."""

    href: str
    title: str
    here: bool


def tabs(visit: Visit, rights: frozenset[AdminAction] | None = None) -> tuple[Tab, ...]:
    """Those that are open to this person."""
    open_ = visit.administration.rights(visit.person, caller=visit.caller) if rights is None else rights
    path = visit.request.path
    return tuple(
        Tab(area.href, area.title, path == area.href or _parts_of(area, path))
        for area in AREAS
        if area.action in open_
    )


def _parts_of(area: Area, path: str) -> bool:
    return area.href == "/admin/revisions" and path in ("/admin/difference", "/admin/roll-back")
