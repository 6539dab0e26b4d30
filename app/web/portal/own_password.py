"""A local user's own password: a new one for the old one."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import (
    Busy,
    CredentialsWrong,
    PasswordRefused,
    ProofNotRecent,
    Refusal,
    TooManyGuesses,
    Unknown,
)
from app.web import cookies, forms, landing, page, records
from app.web.page import see_other
from app.web.portal.step_up import prove_path
from app.web.visit import Visit
from app.web.wire import Response

_HERE = "/security/password"
APART = "The two new passwords are not the same. Type the new one twice."


@dataclass(frozen=True, slots=True)
class PasswordPage:
    """The old one, and the new one twice."""

    username: str
    wrong_old: str
    wrong_new: str


def ask_password(visit: Visit) -> Response:
    """`GET /security/password`. Raises Unknown (none is kept here), Unavailable."""
    mine = visit.broker.own_factors(visit.person, caller=visit.caller)
    if not mine.has_password:
        raise Unknown(
            "no password is kept here", words="Your password is not kept here but in your directory."
        )
    return see_other(prove_path(_HERE)) if not mine.recent else _show(visit)


def change_password(visit: Visit) -> Response:
    """`POST /security/password`: all other sessions end. Raises TooMany, Malformed, MediaType, Unavailable."""
    fields = forms.form(visit.request, ("old", "new", "again"))
    old, new = fields.get("old", ""), fields.get("new", "")
    if new != fields.get("again", ""):
        return page.refused(_show(visit, new=APART), PasswordRefused())
    device = cookies.device_secret(visit.request, visit.settings)
    try:
        done = visit.broker.change_password(visit.person, old, new, caller=visit.caller, device=device)
    except ProofNotRecent as refusal:
        records.note(visit, refusal)
        return see_other(prove_path(_HERE))
    except CredentialsWrong as refusal:
        return page.refused(_show(visit, old="That is not your password."), refusal)
    except (PasswordRefused, TooManyGuesses, Busy) as refusal:
        return _again(visit, refusal)
    response = see_other("/security")
    if done is not None:
        landing.give(response, visit, done, device=device)
    return response


def _again(visit: Visit, refusal: Refusal) -> Response:
    records.note(visit, refusal)
    about_new = isinstance(refusal, PasswordRefused)
    words = refusal.words
    shown = _show(visit, new=words) if about_new else _show(visit, old=words)
    return page.refused(shown, refusal)


def _show(visit: Visit, old: str = "", new: str = "") -> Response:
    return page.show("password.html", PasswordPage(visit.person.identity.username, old, new), visit)
