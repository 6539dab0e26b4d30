"""Why can't I use this role? The person's own case, and nobody else's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from app.errors import AskRefused, RoleUnknown
from app.model import Explanation
from app.web import asks, forms, page, times
from app.web.portal.step_up import path as step_up_path
from app.web.visit import Visit
from app.web.wire import Response

_SHORT = re.compile(r"([0-9]{12})/([A-Za-z0-9+=,.@_/-]{1,576})", re.ASCII)
_TYPED = 700


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told about one role."""

    arn: str
    verdict: str
    mood: str
    """`yes`, `later` or `no`: the look of the verdict."""
    why: str
    """Sentences; what stands between backticks is code."""
    would_change: str
    decided_by: tuple[str, ...]
    keys_href: str | None
    step_up_href: str
    """A second factor would open it: where it is proven; else empty."""
    revision: int | None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that decisions go by, as it is for this person."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class WhyPage:
    """The question, and the answer if there is one."""

    typed: str
    wrong: str
    """What is wrong with what was typed; empty if nothing is."""
    answer: Answer | None
    facts: tuple[Fact, ...]
    groups: tuple[str, ...]
    typed_longest: int


def why(visit: Visit) -> Response:
    """`GET /why?role=ARN`: also takes `ACCOUNT/ROLE`; without a role it is the form alone.

    Raises:
        Malformed, TooMany, Unavailable.
    """
    typed = forms.query(visit.request, ("role",)).get("role", "").strip()
    if not typed:
        return _show(visit, "")
    try:
        arn = asks.role_arn(_whole(typed, visit.settings.aws.partition))
    except AskRefused:
        wrong = "That is no role. Write it as 111122223333/ReadOnly, or as its whole ARN."
        return _show(visit, typed[:_TYPED], wrong=wrong, status=422)
    try:
        told = visit.broker.explain(visit.person, arn, caller=visit.caller)
    except RoleUnknown as refusal:
        # What people ask of their own case is not put on record; asking for roles that are none of theirs is.
        visit.broker.refused(visit.person, refusal, caller=visit.caller)
        return _show(visit, arn, _none(arn), status=404)
    return _show(visit, arn, _answer(told, _step_up(visit, told)))


def _whole(typed: str, partition: str) -> str:
    short = _SHORT.fullmatch(typed)
    return f"arn:{partition}:iam::{short[1]}:role/{short[2]}" if short else typed


def _none(arn: str) -> Answer:
    return Answer(
        arn=arn,
        verdict="Not open to you",
        mood="no",
        why=(
            "Nothing that you could do here would open this role, or there is no such role. "
            "Which of the two is told only to those who may use it."
        ),
        would_change=(
            "If you should have it, ask the people who run this service to give it to one of your groups, "
            "or you another group, and give them the request id."
        ),
        decided_by=(),
        keys_href=None,
        step_up_href="",
        revision=None,
    )


def _step_up(visit: Visit, told: Explanation) -> str:
    if told.decision.allowed or not told.within_reach:
        return ""
    mine = visit.broker.roles(visit.person, caller=visit.caller)
    found = next((item for item in mine if item.role.arn == told.role and item.needs is not None), None)
    return "" if found is None else step_up_path(told.role, f"/keys?role={quote(told.role, safe='')}")


def _answer(told: Explanation, step_up_href: str) -> Answer:
    # What is allowed and cannot be given here says what to do.
    had = told.decision.allowed and not told.would_change
    return Answer(
        arn=told.role,
        verdict="You may use this role" if had else "Not here" if told.decision.allowed else "Not now",
        mood="yes" if had else "later",
        why=told.why,
        would_change=told.would_change,
        decided_by=tuple(
            f"{each.policy}, {each.sid}" if each.sid else each.policy for each in told.decision.matched
        ),
        keys_href=f"/keys?role={quote(told.role, safe='')}" if had else None,
        step_up_href=step_up_href,
        revision=told.decision.revision,
    )


def _show(
    visit: Visit, typed: str, answer: Answer | None = None, *, wrong: str = "", status: int = 200
) -> Response:
    who = visit.person.identity
    how = who.authentication
    factor = "no" if how.mfa_at is None else f"yes, at {times.clock_time(how.mfa_at, visit.now)}"
    facts = (
        Fact("Signed in", f"{page.source_label(visit, who.source)}, {times.clock_time(how.at, visit.now)}"),
        Fact("Second factor", factor),
        Fact("Your address", visit.caller.address),
        Fact("Time here", times.clock_time(visit.now, visit.now)),
    )
    shown = WhyPage(typed, wrong, answer, facts, who.groups, _TYPED)
    return page.render("why.html", shown, page.frame_of(visit), status)
