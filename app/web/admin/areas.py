"""What there is to administer, and the part of it that a person sees."""

from __future__ import annotations

from collections.abc import Mapping
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
        "/admin/users",
        "Users",
        "Local users: who they are, what they have, and their versions",
        actions.READ_PEOPLE,
    ),
    Area("/admin/groups", "Groups", "What each group carries and opens", actions.READ_PEOPLE),
    Area(
        "/admin/recoveries",
        "Recoveries",
        "Second factors that are to be taken away: another administrator's word is needed",
        actions.RECOVER_FACTORS,
    ),
    Area(
        "/admin/root",
        "Root",
        "How root stands, and its uses until somebody signs them off",
        actions.READ_ROOT,
    ),
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


_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "/admin/revisions": ("/admin/difference", "/admin/roll-back"),
    "/admin/users": ("/admin/users/new", "/admin/user"),
}
"""Pages without a tab of their own."""


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
    return path in _PARTS.get(area.href, ())
