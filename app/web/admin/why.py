"""Why may somebody use a role, or why not: the whole view, with the place of every statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.delegation import Case
from app.errors import AskRefused, PersonUnknown, RoleUnknown, Unknown
from app.policy import actions
from app.web import asks, forms, page, times
from app.web.admin.areas import Tab, tabs
from app.web.visit import Visit
from app.web.wire import Response

_SHORT: Final = re.compile(r"([0-9]{12})/([A-Za-z0-9+=,.@_/-]{1,576})", re.ASCII)
_TYPED: Final = 700


@dataclass(frozen=True, slots=True)
class CaseView:
    """The answer."""

    person: str
    arn: str
    verdict: str
    mood: str
    why: str
    """Sentences; what stands between backticks is code."""
    would_change: str
    matched: tuple[str, ...]
    groups: tuple[str, ...]
    seen: str
    seen_wire: str
    revision: int


@dataclass(frozen=True, slots=True)
class WhyPage:
    """The question, and the answer if there is one."""

    tabs: tuple[Tab, ...]
    person: str
    role: str
    wrong: str
    case: CaseView | None


def why(visit: Visit) -> Response:
    """`GET /admin/why?person=SOURCE/SUBJECT&role=ARN`; without them, the form alone.

    Raises:
        Unknown, Malformed, AuditUnavailable, StoreUnavailable.
    """
    fields = forms.query(visit.request, ("person", "role"))
    person = fields.get("person", "").strip()[:_TYPED]
    role = fields.get("role", "").strip()[:_TYPED]
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    wrong, case, status = "", None, 200
    if person or role:
        try:
            case = _case(visit, person, role)
        except AskRefused as refusal:
            wrong, status = refusal.words, 422
        except PersonUnknown:
            wrong, status = "Nobody of that name has signed in here.", 404
        except RoleUnknown:
            wrong, status = "The active revision has no such role.", 404
    if case is None and actions.EXPLAIN_ACCESS not in rights:
        raise Unknown("may explain nobody's access")
    shown = WhyPage(tabs(visit, rights), person, role, wrong, case)
    return page.render("admin/why.html", shown, page.frame_of(visit), status)


def _case(visit: Visit, person: str, role: str) -> CaseView:
    source, slash, subject = person.partition("/")
    if not (source and slash and subject):
        words = "Write the person as SOURCE/SUBJECT, as the page of people has it."
        raise AskRefused(f"person {person[:60]!r}", words=words)
    short = _SHORT.fullmatch(role)
    arn = f"arn:{visit.settings.aws.partition}:iam::{short[1]}:role/{short[2]}" if short else role
    try:
        arn = asks.role_arn(arn)
    except AskRefused as refusal:
        words = "Write the role as 111122223333/ReadOnly, or as its whole ARN."
        raise AskRefused(refusal.detail, words=words) from None
    return _view(visit.administration.explain(visit.person, source, subject, arn, caller=visit.caller), visit)


def _view(case: Case, visit: Visit) -> CaseView:
    who, told = case.known.identity, case.told
    allowed = told.decision.allowed
    return CaseView(
        person=f"{who.source}/{who.username}",
        arn=told.role,
        verdict="May use this role" if allowed else "Not as they are now" if told.within_reach else "May not",
        mood="yes" if allowed else "later" if told.within_reach else "no",
        why=told.why,
        would_change=told.would_change,
        matched=tuple(str(reference) for reference in told.decision.matched),
        groups=case.groups,
        seen=times.clock_time(case.known.last_seen, visit.now),
        seen_wire=times.wire(case.known.last_seen),
        revision=told.decision.revision,
    )
