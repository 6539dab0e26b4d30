"""Flat groups: what each carries, and who of the local users is in it."""

from __future__ import annotations

from dataclasses import dataclass

from app.web.admin.areas import Tab, tabs
from app.web.admin.users import user_href
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group."""

    name: str
    description: str
    mfa: bool
    policies: tuple[str, ...]
    roles: tuple[str, ...]
    """ACCOUNT-NAME/ROLE of the short form."""
    users: tuple[tuple[str, str], ...]
    """(href, username)"""


@dataclass(frozen=True, slots=True)
class GroupsPage:
    """All of them."""

    tabs: tuple[Tab, ...]
    groups: tuple[GroupView, ...]


def groups(visit: Visit) -> Response:
    """`GET /admin/groups`. Raises Unknown, Unavailable."""
    found = visit.administration.groups(visit.person, caller=visit.caller)
    users = visit.administration.users(visit.person, caller=visit.caller)
    views = tuple(
        GroupView(
            name=each.name,
            description=each.description,
            mfa=each.mfa,
            policies=each.policies,
            roles=each.roles,
            users=tuple((user_href(user.id), user.username) for user in users if each.name in user.groups),
        )
        for each in found
    )
    return show("admin/groups.html", GroupsPage(tabs(visit), views), visit)
