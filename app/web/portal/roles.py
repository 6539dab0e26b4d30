"""My roles: the home page."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote, urlencode

from app.model import Entitlement
from app.web import asks, forms, listing
from app.web.page import show, source_label
from app.web.portal import step_up
from app.web.visit import Visit
from app.web.wire import Response

PAGE = 200
"""Roles on one page; beyond that, search or go on."""
_HUES = 6

LEVELS = {"admin": "Admin", "power": "Power user", "read": "Read only"}


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role on a page."""

    arn: str
    name: str
    account: str
    account_name: str
    description: str
    level: str
    level_words: str
    """Empty where the role's name says it already."""
    keys_href: str
    """Through a step-up where a second factor is needed first."""
    console_href: str
    """The same for the console; without a step-up it is a form."""
    needs: bool
    """A second factor is needed first."""
    haystack: str
    """What the live search looks in."""


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account with its roles."""

    id: str
    name: str
    initial: str
    hue: int
    """0 to 5: the tint by which the eye tells accounts apart."""
    roles: tuple[RoleView, ...]


@dataclass(frozen=True, slots=True)
class RolesPage:
    """My roles."""

    accounts: tuple[AccountView, ...]
    q: str
    total: int
    """How many there are without the search."""
    matched: int
    live: bool
    """All that matches `q=''` is on this page, so the page itself can search."""
    more_href: str | None
    groups: tuple[str, ...]
    username: str
    source: str


def roles(visit: Visit) -> Response:
    """`GET /?q=WORDS&cursor=…`: the roles that this person may use now, by account."""
    fields = forms.query(visit.request, ("q", "cursor"))
    q = "".join(char if char.isprintable() else " " for char in fields.get("q", "")).strip()
    q = q[: asks.SEARCH_LONGEST]
    mine = visit.broker.roles(visit.person, caller=visit.caller)
    part = listing.piece(listing.find(mine, q), PAGE, fields.get("cursor"))
    more = None
    if part.cursor is not None:
        more = "/?" + urlencode({"q": q, "cursor": part.cursor} if q else {"cursor": part.cursor})
    who = visit.person.identity
    page = RolesPage(
        accounts=_accounts(part.entitlements),
        q=q,
        total=len(mine),
        matched=part.matched,
        live=not q and len(part.entitlements) == len(mine),
        more_href=more,
        groups=who.groups,
        username=who.username,
        source=source_label(visit, who.source),
    )
    return show("roles.html", page, visit)


def role_view(entitlement: Entitlement) -> RoleView:
    """A role as pages show it."""
    role = entitlement.role
    arn, needs = quote(role.arn, safe=""), entitlement.needs is not None
    keys, console = f"/keys?role={arn}", f"/console?role={arn}"
    words = LEVELS.get(role.level, role.level)
    if _squeezed(words) == _squeezed(role.name):
        words = ""
    return RoleView(
        arn=role.arn,
        name=role.name,
        account=role.account,
        account_name=role.account_name,
        description=role.description,
        level=role.level,
        level_words=words,
        keys_href=step_up.path(role.arn, keys) if needs else keys,
        console_href=step_up.path(role.arn, console) if needs else console,
        needs=needs,
        haystack=f"{role.account_name} {role.account} {role.name} {role.description} {role.level}".casefold(),
    )


def _squeezed(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _accounts(entitlements: Sequence[Entitlement]) -> tuple[AccountView, ...]:
    return tuple(
        AccountView(
            id=account,
            name=name,
            initial=(name or account)[:1].upper(),
            hue=zlib.crc32(account.encode()) % _HUES,
            roles=tuple(role_view(item) for item in items),
        )
        for (name, account), items in groupby(
            entitlements, key=lambda item: (item.role.account_name, item.role.account)
        )
    )
