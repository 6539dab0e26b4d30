"""Root as the others watch it: how it stands, and each use until somebody signs it off."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import AskRefused
from app.people import ROOT, RootUse
from app.policy import actions
from app.web import forms, page, times
from app.web.admin.areas import Tab, tabs
from app.web.page import see_other
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class UseView:
    """A use of root."""

    id: str
    reason: str
    address: str
    at: str
    at_wire: str
    until: str
    until_wire: str
    going_on: bool
    signed_off: str
    """Empty: open."""
    note: str


@dataclass(frozen=True, slots=True)
class RootPage:
    """All of them."""

    tabs: tuple[Tab, ...]
    wrong: str
    ready: bool
    devices: int
    open: tuple[UseView, ...]
    closed: tuple[UseView, ...]
    may_sign_off: bool


def root(visit: Visit) -> Response:
    """`GET /admin/root`. Raises Unknown, Unavailable."""
    return _show(visit, "", 200)


def sign_off_root(visit: Visit) -> Response:
    """`POST /admin/root`. Raises Unknown, SecondPersonNeeded, Unavailable."""
    fields = forms.form(visit.request, ("id", "note"))
    try:
        visit.administration.sign_off_root(
            visit.person, fields.get("id", "")[:64], fields.get("note", "")[:1000], caller=visit.caller
        )
    except AskRefused as refusal:
        return _show(visit, refusal.words, refusal.status)
    return see_other("/admin/root")


def _show(visit: Visit, wrong: str, status: int) -> Response:
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    state = visit.administration.root_state(visit.person, caller=visit.caller)
    uses = [_view(use, visit) for use in visit.administration.root_uses(visit.person, caller=visit.caller)]
    shown = RootPage(
        tabs=tabs(visit, rights),
        wrong=wrong,
        ready=state.ready,
        devices=len(state.factors),
        open=tuple(use for use in uses if not use.signed_off),
        closed=tuple(use for use in uses if use.signed_off),
        may_sign_off=actions.SIGN_OFF_ROOT in rights and visit.person.identity.source != ROOT,
    )
    return page.render("admin/root.html", shown, page.frame_of(visit), status)


def _view(use: RootUse, visit: Visit) -> UseView:
    signed = ""
    if use.signed_off_at is not None:
        signed = f"{use.signed_off_by}, {times.clock_time(use.signed_off_at, visit.now)}"
    return UseView(
        id=use.id,
        reason=use.reason,
        address=use.address,
        at=times.clock_time(use.at, visit.now),
        at_wire=times.wire(use.at),
        until=times.clock_time(use.ends_at, visit.now),
        until_wire=times.wire(use.ends_at),
        going_on=use.ends_at > visit.now,
        signed_off=signed,
        note=use.note,
    )
