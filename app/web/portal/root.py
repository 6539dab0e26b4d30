"""Break-glass: the root user's own door, for the day when nothing else opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.errors import AskRefused, Busy, CredentialsWrong, Refusal, TooManyGuesses
from app.model import SignInAsk
from app.web import asks, cookies, forms, landing, page, paths
from app.web.visit import Visit
from app.web.wire import Response

REASON_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class RootPage:
    """Password and reason."""

    next: str
    reason: str
    wrong: str
    wrong_reason: str
    reason_longest: int


def ask_root(visit: Visit) -> Response:
    """`GET /root`: the same whether or not root is set up. Raises Malformed."""
    return _show(visit, paths.own_path(forms.query(visit.request, ("next",)).get("next")))


def enter_root(visit: Visit) -> Response:
    """`POST /root`: on to the second factor. Raises TooMany, Malformed, MediaType, Unavailable."""
    fields = forms.form(visit.request, ("password", "reason", "next"))
    target = paths.own_path(fields.get("next"))
    given = fields.get("reason", "").strip()
    browser = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    device = cookies.device_secret(visit.request, visit.settings)
    try:
        asked = visit.broker.root_sign_in(
            fields.get("password", ""),
            asks.line(given, "reason", REASON_LONGEST),
            SignInAsk(next=target, browser=browser),
            caller=visit.caller,
            device=device,
        )
    except AskRefused as refusal:
        return _again(visit, target, given, refusal, wrong_reason=refusal.words)
    except (CredentialsWrong, TooManyGuesses, Busy) as refusal:
        words = "That is not the password." if isinstance(refusal, CredentialsWrong) else refusal.words
        return _again(visit, target, given, refusal, wrong=words)
    return landing.arrive(visit, asked, browser=browser, device=device)


def _again(
    visit: Visit, target: str, given: str, refusal: Refusal, *, wrong: str = "", wrong_reason: str = ""
) -> Response:
    reason = "".join(char for char in given if char.isprintable())[:REASON_LONGEST]
    return page.refused(_show(visit, target, reason, wrong, wrong_reason), refusal)


def _show(visit: Visit, target: str, reason: str = "", wrong: str = "", wrong_reason: str = "") -> Response:
    return page.show("root.html", RootPage(target, reason, wrong, wrong_reason, REASON_LONGEST), visit)
