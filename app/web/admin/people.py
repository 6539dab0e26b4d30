"""Everybody who has signed in, as far as one may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from app.policy import actions
from app.store import KnownPerson
from app.web import asks, forms, times
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response

PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody."""

    username: str
    name: str
    source: str
    """The source's label."""
    subject: str
    groups: tuple[str, ...]
    seen: str
    seen_wire: str
    audit_href: str | None
    why_href: str | None


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of them."""

    tabs: tuple[Tab, ...]
    people: tuple[PersonView, ...]
    q: str
    total: int
    matched: int
    more_href: str | None


def people(visit: Visit) -> Response:
    """`GET /admin/people?q=WORDS&after=N`. Raises Unknown, AskRefused."""
    fields = forms.query(visit.request, ("q", "after"))
    q = "".join(char if char.isprintable() else " " for char in fields.get("q", "")).strip()
    q = q[: asks.SEARCH_LONGEST]
    after = reading.number(fields["after"], "after") if fields.get("after") else 0
    every = visit.administration.people(visit.person, caller=visit.caller)
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    labels = {str(source): label for source, label, _ in visit.broker.sources()}
    words = q.casefold().split()
    found = [each for each in every if all(word in _text(each, labels) for word in words)]
    part = found[after : after + PAGE]
    more = None
    if len(found) > after + PAGE:
        more = "/admin/people?" + urlencode({"q": q, "after": after + PAGE})
    shown = PeoplePage(
        tabs=tabs(visit, rights),
        people=tuple(_view(each, labels, rights, visit) for each in part),
        q=q,
        total=len(every),
        matched=len(found),
        more_href=more,
    )
    return show("admin/people.html", shown, visit)


def _text(known: KnownPerson, labels: dict[str, str]) -> str:
    who = known.identity
    parts = (
        who.source,
        labels.get(who.source, ""),
        who.username,
        who.name,
        who.email,
        who.subject,
        *known.groups,
    )
    return " ".join(part for part in parts if part).casefold()


def _view(
    known: KnownPerson, labels: dict[str, str], rights: frozenset[actions.AdminAction], visit: Visit
) -> PersonView:
    who = known.identity
    key = f"{who.source}/{who.subject}"
    return PersonView(
        username=who.username,
        name=who.name or "",
        source=labels.get(who.source, who.source),
        subject=who.subject,
        groups=known.groups,
        seen=times.clock_time(known.last_seen, visit.now),
        seen_wire=times.wire(known.last_seen),
        audit_href="/admin/audit?" + urlencode({"person": key}) if actions.READ_AUDIT in rights else None,
        why_href="/admin/why?" + urlencode({"person": key}) if actions.EXPLAIN_ACCESS in rights else None,
    )
