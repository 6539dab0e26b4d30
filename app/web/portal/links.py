"""One-time links: setting a password by one, and asking for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.errors import Busy, LinkInvalid, PasswordRefused, SourceUnknown
from app.people import LinkPage
from app.web import cookies, forms, headers, landing, page, times
from app.web.portal import typed
from app.web.portal.own_password import APART
from app.web.visit import Visit
from app.web.wire import Response

_TOKEN_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class SetPasswordPage:
    """A new password, twice."""

    token: str
    root: bool
    username: str
    ends: str
    ends_at: str
    wrong: str


@dataclass(frozen=True, slots=True)
class PasswordSetPage:
    """Done: sign in by it."""

    username: str


@dataclass(frozen=True, slots=True)
class ForgotPage:
    """Which name?"""

    label: str
    by_mail: bool
    """Links go out by mail; else only an administrator makes one."""
    username_longest: int


@dataclass(frozen=True, slots=True)
class ForgotAnswerPage:
    """The same for everybody."""


def open_link(visit: Visit) -> Response:
    """`GET /link?t=TOKEN`: what it is for; it is not used up. Raises LinkInvalid, Malformed, TooMany, Unavailable."""
    token = _token(forms.query(visit.request, ("t",)))
    return _show(visit, token, visit.broker.one_time_link(token, caller=visit.caller))


def use_link(visit: Visit) -> Response:
    """`POST /link`: set the password; for root, on to its devices.

    Raises:
        LinkInvalid, Malformed, MediaType, TooMany, Unavailable.
    """
    fields = forms.form(visit.request, ("t", "new", "again"))
    token, new = _token(fields), fields.get("new", "")
    link = visit.broker.one_time_link(token, caller=visit.caller)
    if new != fields.get("again", ""):
        return page.refused(_show(visit, token, link, APART), PasswordRefused())
    browser = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    try:
        asked = visit.broker.use_one_time_link(token, new, browser, caller=visit.caller)
    except (PasswordRefused, Busy) as refusal:
        return page.refused(_show(visit, token, link, refusal.words), refusal)
    if asked is not None:
        return landing.arrive(visit, asked, browser=browser, device="")
    return page.show("password_set.html", PasswordSetPage(link.username), visit)


def forgot(visit: Visit) -> Response:
    """`GET /forgot`. Raises SourceUnknown (local users are off)."""
    shown = ForgotPage(_label(visit), visit.settings.mail is not None, typed.USERNAME_LONGEST)
    return page.show("forgot.html", shown, visit)


def ask_link(visit: Visit) -> Response:
    """`POST /forgot`: a link goes out if there is somebody to send it to. The answer is the same for everybody.

    Raises:
        SourceUnknown, Malformed, MediaType, TooMany, Unavailable.
    """
    _label(visit)
    given = typed.username(forms.form(visit.request, ("username",)).get("username", ""))
    visit.broker.ask_password_link(given, caller=visit.caller)
    return page.show("forgot_answer.html", ForgotAnswerPage(), visit)


def _token(fields: dict[str, str]) -> str:
    token = fields.get("t", "")
    if not token or len(token) > _TOKEN_LONGEST or not token.isascii() or not token.isprintable():
        raise LinkInvalid("no token of ours")
    return token


def _label(visit: Visit) -> str:
    label = visit.broker.local_label()
    if not label:
        raise SourceUnknown("local users are off")
    return label


def _show(visit: Visit, token: str, link: LinkPage, wrong: str = "") -> Response:
    shown = SetPasswordPage(
        token=token,
        root=link.purpose == "root",
        username=link.username,
        ends=times.clock_time(link.expires_at, visit.now),
        ends_at=times.wire(link.expires_at),
        wrong=wrong,
    )
    response = page.show("link.html", shown, visit)
    headers.keep_address(response)
    return response
