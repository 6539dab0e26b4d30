"""Local users: everybody, and a new one."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from app.admin import UserChange
from app.errors import AskRefused, SecondPersonNeeded
from app.people import LocalUser
from app.policy import actions
from app.web import asks, forms, page
from app.web.admin.areas import Tab, tabs
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response

_FIELDS = ("username", "name", "email", "send")
_MOST_PICKED = 64


@dataclass(frozen=True, slots=True)
class UserRow:
    """Somebody in the list."""

    href: str
    username: str
    name: str
    state: str
    groups: tuple[str, ...]
    attached: int
    """Policies of their own."""


@dataclass(frozen=True, slots=True)
class UsersPage:
    """All of them, or those that match."""

    tabs: tuple[Tab, ...]
    users: tuple[UserRow, ...]
    q: str
    total: int
    may_create: bool


@dataclass(frozen=True, slots=True)
class NewUserPage:
    """The form for one more."""

    tabs: tuple[Tab, ...]
    wrong: str
    username: str
    name: str
    email: str
    groups: tuple[tuple[str, bool], ...]
    """(name, ticked)"""
    mails: bool
    """Links can be mailed at all."""


@dataclass(frozen=True, slots=True)
class LinkShown:
    """A one-time link, shown this once."""

    tabs: tuple[Tab, ...]
    username: str
    href: str
    """Of the user's page."""
    link: str
    """Empty: it was mailed."""
    email: str
    created: bool
    powerless: bool
    """Nothing lets this user do anything yet."""


def users(visit: Visit) -> Response:
    """`GET /admin/users?q=WORDS`. Raises Unknown, Unavailable."""
    q = forms.query(visit.request, ("q",)).get("q", "")
    q = "".join(char if char.isprintable() else " " for char in q).strip()[: asks.SEARCH_LONGEST]
    every = visit.administration.users(visit.person, caller=visit.caller)
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    words = q.casefold().split()
    found = [user for user in every if all(word in _text(user) for word in words)]
    shown = UsersPage(
        tabs=tabs(visit, rights),
        users=tuple(_row(user) for user in found),
        q=q,
        total=len(every),
        may_create=actions.CREATE_USER in rights,
    )
    return show("admin/users.html", shown, visit)


def ask_user(visit: Visit) -> Response:
    """`GET /admin/users/new`. Raises Unknown, Unavailable."""
    return _form(visit, {}, frozenset(), "", 200)


def create_user(visit: Visit) -> Response:
    """`POST /admin/users/new`: create, and show the link once. Raises Unknown, Malformed, Unavailable."""
    fields = forms.form(visit.request, _FIELDS)
    picked = frozenset(forms.several(visit.request, "group")[:_MOST_PICKED])
    change = UserChange(
        name=fields.get("name", "").strip() or None,
        email=fields.get("email", "").strip() or None,
        groups=tuple(picked) or None,
    )
    send = fields.get("send") == "yes"
    try:
        made, link = visit.administration.create_user(
            visit.person, fields.get("username", "").strip(), change, send=send, caller=visit.caller
        )
    except (AskRefused, SecondPersonNeeded) as refusal:
        return _form(visit, fields, picked, refusal.words, refusal.status)
    return show_link(visit, made, link, created=True)


def show_link(visit: Visit, user: LocalUser, link: str, *, created: bool = False) -> Response:
    """Show a link, this once; an empty one was mailed."""
    shown = LinkShown(
        tabs=tabs(visit),
        username=user.username,
        href=user_href(user.id),
        link=link,
        email=user.email,
        created=created,
        powerless=not (user.groups or user.policies or user.inline),
    )
    return show("admin/user_link.html", shown, visit)


def user_href(id: str) -> str:
    """The page of a user."""
    return "/admin/user?" + urlencode({"id": id})


def _form(visit: Visit, fields: dict[str, str], picked: frozenset[str], wrong: str, status: int) -> Response:
    choices = visit.administration.new_user(visit.person, caller=visit.caller)
    shown = NewUserPage(
        tabs=tabs(visit),
        wrong=wrong,
        username=fields.get("username", "")[:128],
        name=fields.get("name", "")[:256],
        email=fields.get("email", "")[:256],
        groups=tuple((name, name in picked) for name in choices.groups),
        mails=visit.settings.mail is not None,
    )
    return page.render("admin/user_new.html", shown, page.frame_of(visit), status)


def _row(user: LocalUser) -> UserRow:
    return UserRow(
        href=user_href(user.id),
        username=user.username,
        name=user.name,
        state=str(user.state),
        groups=user.groups,
        attached=len(user.policies) + len(user.inline),
    )


def _text(user: LocalUser) -> str:
    return " ".join((user.username, user.name, user.email, str(user.state), *user.groups)).casefold()
