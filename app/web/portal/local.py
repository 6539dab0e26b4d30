"""Signing in as a local user: name and password, or a passkey alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from app.errors import Busy, CredentialsWrong, Refusal, SourceUnknown, TooManyGuesses
from app.model import SignInAsk
from app.web import cookies, forms, headers, landing, page, paths
from app.web.portal import typed
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class LocalPage:
    """Name and password."""

    label: str
    typed: str
    wrong: str
    """Why it did not do; empty before."""
    next: str
    back_href: str
    forgot_href: str
    username_longest: int


def sign_in_local(visit: Visit) -> Response:
    """`GET /sign-in/local?next=PATH`. Raises SourceUnknown (local users are off), Malformed."""
    _label(visit)
    target = paths.own_path(forms.query(visit.request, ("next",)).get("next"))
    return show(visit, target)


def give_password(visit: Visit) -> Response:
    """`POST /sign-in/local`: a session, or on to the second factor.

    Raises:
        SourceUnknown, SignInNotAllowed, MfaMissing, TooMany, Malformed, MediaType, Unavailable.
    """
    _label(visit)
    fields = forms.form(visit.request, ("username", "password", "next"))
    target = paths.own_path(fields.get("next"))
    given = fields.get("username", "")
    browser = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    device = cookies.device_secret(visit.request, visit.settings)
    try:
        result = visit.broker.password_sign_in(
            typed.username(given),
            fields.get("password", ""),
            SignInAsk(next=target, browser=browser),
            caller=visit.caller,
            device=device,
            previous=cookies.session_token(visit.request, visit.settings) or None,
        )
    except (CredentialsWrong, TooManyGuesses, Busy) as refusal:
        return show(visit, target, typed.echo(given), refusal)
    return landing.arrive(visit, result, browser=browser, device=device)


def begin_passkey(visit: Visit) -> Response:
    """`POST /sign-in/passkey`: JSON for the page's script, which answers by a form at /challenge.

    Raises:
        SourceUnknown, TooMany, Malformed, MediaType, Unavailable.
    """
    _label(visit)
    target = paths.own_path(forms.form(visit.request, ("next",)).get("next"))
    browser = cookies.browser_secret(visit.request, visit.settings) or cookies.new_browser_secret()
    asked, options = visit.broker.begin_passkey(SignInAsk(next=target, browser=browser), caller=visit.caller)
    body = {"challenge": asked.handle, "options": json.loads(options)}
    response = Response(json.dumps(body), content_type="application/json")
    cookies.set_browser(response, visit.settings, browser)
    return response


def show(visit: Visit, target: str, echo: str = "", refusal: Refusal | None = None) -> Response:
    """The form, with what was wrong if something was."""
    shown = LocalPage(
        label=_label(visit),
        typed=echo,
        wrong="" if refusal is None else refusal.words,
        next=target,
        back_href=paths.with_next("/sign-in", target),
        forgot_href="/forgot",
        username_longest=typed.USERNAME_LONGEST,
    )
    response = page.render("sign_in_local.html", shown, page.frame_of(visit))
    headers.ask_home(response, visit.settings)
    return response if refusal is None else page.refused(response, refusal)


def _label(visit: Visit) -> str:
    label = visit.broker.local_label()
    if not label:
        raise SourceUnknown("local users are off")
    return label
