"""Requests to take somebody's second factors away: who asked, and the second administrator's word."""

from __future__ import annotations

from dataclasses import dataclass

from app.delegation import RecoveryFacts
from app.errors import AskRefused, SecondPersonNeeded
from app.web import forms, page, times
from app.web.admin.areas import Tab, tabs
from app.web.page import see_other
from app.web.visit import Visit
from app.web.wire import Response

_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RecoveryView:
    """A request."""

    id: str
    person: str
    reason: str
    asked_by: str
    asked: str
    asked_wire: str
    until: str
    until_wire: str
    outcome: str
    """Empty: it waits."""
    own: bool
    """Asked by whoever looks, or about them."""


@dataclass(frozen=True, slots=True)
class RecoveriesPage:
    """Those that wait, and those decided lately."""

    tabs: tuple[Tab, ...]
    wrong: str
    waiting: tuple[RecoveryView, ...]
    decided: tuple[RecoveryView, ...]


def recoveries(visit: Visit) -> Response:
    """`GET /admin/recoveries`. Raises Unknown, Unavailable."""
    return _show(visit, "", 200)


def decide_recovery(visit: Visit) -> Response:
    """`POST /admin/recoveries`. Raises Unknown, UserUnknown, Malformed, Unavailable."""
    fields = forms.form(visit.request, ("id", "decision"))
    decision = fields.get("decision", "")
    if decision not in ("approve", "refuse"):
        raise AskRefused(f"decision {decision[:40]!r}")
    try:
        visit.administration.decide_recovery(
            visit.person, fields.get("id", "")[:64], approve=decision == "approve", caller=visit.caller
        )
    except (AskRefused, SecondPersonNeeded) as refusal:
        return _show(visit, refusal.words, refusal.status)
    return see_other("/admin/recoveries")


def _show(visit: Visit, wrong: str, status: int) -> Response:
    found = visit.administration.recoveries(visit.person, caller=visit.caller)
    every = [_view(each, visit) for each in found]
    shown = RecoveriesPage(
        tabs=tabs(visit),
        wrong=wrong,
        waiting=tuple(each for each in every if not each.outcome),
        decided=tuple(each for each in every if each.outcome)[:_SHOWN],
    )
    return page.render("admin/recoveries.html", shown, page.frame_of(visit), status)


def _view(facts: RecoveryFacts, visit: Visit) -> RecoveryView:
    asked = facts.recovery
    outcome = ""
    if asked.decided_at is not None:
        verb = "Approved" if asked.approved else "Refused"
        outcome = f"{verb} by {facts.decided_by}, {times.clock_time(asked.decided_at, visit.now)}"
    elif asked.expires_at <= visit.now:
        outcome = "Nobody decided within a day"
    return RecoveryView(
        id=asked.id,
        person=f"{asked.source}/{asked.username}",
        reason=asked.reason,
        asked_by=facts.asked_by,
        asked=times.clock_time(asked.asked_at, visit.now),
        asked_wire=times.wire(asked.asked_at),
        until=times.clock_time(asked.expires_at, visit.now),
        until_wire=times.wire(asked.expires_at),
        outcome=outcome,
        own=facts.own,
    )
