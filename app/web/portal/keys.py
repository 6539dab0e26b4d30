"""Keys: choose how long, then see temporary credentials once, in the form that your shell takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlencode

from app.errors import MfaRequired, RoleForbidden, RoleUnknown
from app.model import DEFAULT_DURATION, SHORTEST, Entitlement, RoleAsk
from app.web import asks, forms, paths, records, times
from app.web.page import see_other, show
from app.web.portal import step_up
from app.web.portal.roles import RoleView, role_view
from app.web.portal.shells import Snippet, profile_name, snippets
from app.web.visit import Visit
from app.web.wire import Response

_OFFERED = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60))


@dataclass(frozen=True, slots=True)
class DurationChoice:
    """One length to choose."""

    seconds: int
    words: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class AskKeysPage:
    """Before: how long, and why."""

    role: RoleView
    durations: tuple[DurationChoice, ...]
    reason: str
    """As far as it was written already, before a step-up."""
    reason_longest: int


@dataclass(frozen=True, slots=True)
class NeedsPage:
    """A second factor first."""

    role: RoleView
    step_up_href: str
    why_href: str


@dataclass(frozen=True, slots=True)
class KeysPage:
    """After: the credentials, once."""

    role: RoleView
    snippets: tuple[Snippet, ...]
    profile: str
    length: str
    """`1 hour`"""
    ends: str
    ends_at: str


def ask_keys(visit: Visit) -> Response:
    """`GET /keys?role=ARN&duration=SECONDS&reason=TEXT`: choose the duration.

    Raises:
        AskRefused, DurationInvalid, RoleUnknown, RoleForbidden, TooMany.
    """
    if "role" not in visit.request.args:
        return see_other("/")  # nothing was chosen yet
    fields = forms.query(visit.request, ("role", "duration", "reason"))
    entitlement = mine(visit, asks.role_arn(fields.get("role", "")))
    reason = asks.line(fields.get("reason", "").strip(), "reason", asks.REASON_LONGEST)
    wanted = asks.duration_text(fields["duration"]) if "duration" in fields else None
    if entitlement.needs is not None:
        return needs_page(visit, entitlement, _here(entitlement.role.arn, wanted, reason))
    choices = durations(entitlement.role.max_duration, wanted)
    page = AskKeysPage(role_view(entitlement), choices, reason, asks.REASON_LONGEST)
    return show("keys_ask.html", page, visit)


def give_keys(visit: Visit) -> Response:
    """`POST /keys`: issue and show. The page is the only copy; nothing of it is kept.

    Raises:
        AskRefused, DurationInvalid, RoleUnknown, RoleForbidden, TooMany, UpstreamFailed, Unavailable.
    """
    fields = forms.form(visit.request, ("role", "duration", "reason"))
    ask = RoleAsk(
        role=asks.role_arn(fields.get("role", "")),
        duration=asks.duration_text(fields["duration"]) if "duration" in fields else None,
        reason=asks.line(fields.get("reason", "").strip(), "reason", asks.REASON_LONGEST),
    )
    try:
        entitlement = mine(visit, ask.role)
        credentials = visit.broker.credentials(visit.person, ask, caller=visit.caller)
    except MfaRequired as refusal:
        records.note(visit, refusal)
        return see_other(step_up.path(ask.role, _here(ask.role, ask.duration, ask.reason)))
    profile = profile_name(entitlement.role.account_name, entitlement.role.name)
    page = KeysPage(
        role=role_view(entitlement),
        snippets=snippets(credentials, profile, windows="Windows" in visit.caller.user_agent),
        profile=profile,
        length=times.length(_to_the_minute(credentials.expiration - visit.now)),
        ends=times.clock_time(credentials.expiration, visit.now),
        ends_at=times.wire(credentials.expiration),
    )
    return show("keys.html", page, visit)


def needs_page(visit: Visit, entitlement: Entitlement, back: str) -> Response:
    """What a role needs first, and the way there and back; never there by itself, lest one goes round in circles."""
    arn = entitlement.role.arn
    shown = NeedsPage(role_view(entitlement), step_up.path(arn, back), f"/why?role={quote(arn, safe='')}")
    return show("needs.html", shown, visit)


def durations(longest: timedelta, wanted: timedelta | None = None) -> tuple[DurationChoice, ...]:
    """What to choose from: 15, 30, 60 minutes and the role's own maximum; the longest is chosen, or what is wanted."""
    longest = max(SHORTEST, min(longest, DEFAULT_DURATION))
    lengths = sorted({length for length in _OFFERED if length <= longest} | {longest})
    chosen = wanted if wanted in lengths else longest
    return tuple(
        DurationChoice(int(length.total_seconds()), times.short(length), length == chosen)
        for length in lengths
    )


def mine(visit: Visit, arn: str) -> Entitlement:
    """The role, if it is this person's, now or after a step-up. Raises RoleUnknown, RoleForbidden, TooMany."""
    for entitlement in visit.broker.roles(visit.person, caller=visit.caller):
        if entitlement.role.arn == arn:
            return entitlement
    told = visit.broker.explain(visit.person, arn, caller=visit.caller)  # raises RoleUnknown
    if told.decision.allowed:
        raise RoleUnknown("not among this person's roles")
    raise RoleForbidden(told.detail, words=told.refusal)


def _here(role: str, duration: timedelta | None, reason: str) -> str:
    fields = {"role": role}
    if duration is not None:
        fields["duration"] = str(int(duration.total_seconds()))
    short = f"/keys?{urlencode(fields)}"
    whole = f"{short}&{urlencode({'reason': reason})}" if reason else short
    return whole if len(whole) <= paths.LONGEST else short


def _to_the_minute(span: timedelta) -> timedelta:
    return timedelta(minutes=round(span.total_seconds() / 60))
