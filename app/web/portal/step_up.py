"""Step-up: a signed-in person is asked for a factor in the middle of what they, or their helper, were doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from app.people import LOCAL, ROOT, Asked, StepUpAsk
from app.web import asks, cookies, forms, landing, page, paths
from app.web.visit import Visit
from app.web.wire import Response

DONE: Final = "/step-up/done"
_SESSION_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class DonePage:
    """Go back to the terminal."""


@dataclass(frozen=True, slots=True)
class ProvePage:
    """Sign in again, since there is no device to prove it by."""

    href: str
    back_href: str


def step_up(visit: Visit) -> Response:
    """`GET /step-up?role=ARN&session=ID&next=PATH`: begins it. Raises AskRefused, SessionUnknown, TooMany, Malformed."""
    fields = forms.query(visit.request, ("role", "session", "next"))
    role, session = fields.get("role", ""), fields.get("session", "")
    ask = StepUpAsk(
        next=paths.own_path(fields["next"]) if "next" in fields else _landing(role, session),
        role=asks.role_arn(role) if role else "",
        session=asks.line(session, "session", _SESSION_LONGEST),
    )
    return _begin(visit, ask)


def done(visit: Visit) -> Response:
    """`GET /step-up/done`: the helper goes on by itself."""
    return page.show("step_up_done.html", DonePage(), visit)


def prove(visit: Visit) -> Response:
    """`GET /security/prove?next=PATH`: by a factor if there is one, else by signing in again.

    Raises:
        TooMany, Malformed, Unavailable.
    """
    back = paths.own_path(forms.query(visit.request, ("next",)).get("next", "/security"))
    if visit.broker.own_factors(visit.person, caller=visit.caller).factors:
        return _begin(visit, StepUpAsk(next=back))
    return page.show("prove.html", ProvePage(fresh_sign_in(visit, back), "/security"), visit)


def prove_path(back: str) -> str:
    """The proof that a change of one's own factors needs, and back."""
    return paths.with_next("/security/prove", back)


def path(role: str, back: str) -> str:
    """The step-up for a role, which lands on `back`."""
    return f"/step-up?{urlencode({'role': role, 'next': back})}"


def fresh_sign_in(visit: Visit, back: str) -> str:
    """The same way in again, and back."""
    source = visit.person.identity.source
    where = {LOCAL: "/sign-in/local", ROOT: "/root"}.get(source, f"/sign-in/{quote(source, safe='')}")
    return paths.with_next(where, back)


def again(role: str, target: str) -> str:
    """The step-up that was begun for a role and lands on `target`, to be begun anew."""
    fields = {"role": role} if role else {}
    helper = parse_qs(urlsplit(target).query).get("session") if target.startswith(DONE) else None
    fields |= {"session": helper[0]} if helper else {"next": target}
    return f"/step-up?{urlencode(fields)}"


def _landing(role: str, session: str) -> str:
    if session:  # named here too, so that a step-up that was given up can be begun anew
        return f"{DONE}?{urlencode({'session': session})}"
    return f"/keys?role={quote(role, safe='')}" if role else paths.HOME


def _begin(visit: Visit, ask: StepUpAsk) -> Response:
    browser = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    asked: Asked = visit.broker.begin_step_up(visit.person, ask, browser, caller=visit.caller)
    return landing.arrive(visit, asked, browser=browser, device="")
