"""What you may administer: the way in."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import Unknown
from app.policy.actions import ACTIONS
from app.web.admin.areas import AREAS, Area
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class Right:
    """An action that is open to this person."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class HomePage:
    """Only what is allowed."""

    areas: tuple[Area, ...]
    rights: tuple[Right, ...]


def home(visit: Visit) -> Response:
    """`GET /admin`. Raises Unknown for who may administer nothing."""
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    if not rights:
        raise Unknown("nothing to administer")
    shown = HomePage(
        tuple(area for area in AREAS if area.action in rights),
        tuple(Right(row.name, row.meaning) for row in ACTIONS if row in rights),
    )
    return show("admin/home.html", shown, visit)
