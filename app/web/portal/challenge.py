"""The next proof: a code, a security key or passkey, or a recovery code; in a sign-in or in the middle of something."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from app.errors import Busy, CodeWrong, Refusal, TooManyGuesses
from app.people import ChallengePage
from app.web import cookies, forms, landing, page, paths, times
from app.web.portal import local, typed
from app.web.portal.step_up import DONE, again, fresh_sign_in
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class ProofPage:
    """What is wanted, and what comes then."""

    handle: str
    title: str
    why: str
    then: str
    username: str
    options: str
    """For `navigator.credentials.get`; empty where no security key is asked for."""
    code: bool
    recovery: bool
    wrong: str
    """Why the last answer did not do; empty before."""
    ends: str
    ends_at: str
    code_longest: int
    root: bool
    """Who signs in is root, whom nobody but the host lets start anew."""
    sign_in_href: str
    """Nothing here would do, but signing in again first would let the person add something; else empty."""


def ask_challenge(visit: Visit) -> Response:
    """`GET /challenge?c=HANDLE`. Who has nothing enrolled is led on to do that. Raises ChallengeOver, Malformed."""
    handle = typed.handle(forms.query(visit.request, ("c",)).get("c", ""))
    wanted = find(visit, handle)
    if not wanted.kinds and wanted.enrol:
        return page.see_other(enrol_path(handle))
    return _show(visit, handle, wanted)


def answer_challenge(visit: Visit) -> Response:
    """`POST /challenge`: prove a factor.

    Raises:
        ChallengeOver, SignInNotAllowed, CredentialsWrong, TooMany, Malformed, MediaType, Unavailable.
    """
    fields = forms.form(visit.request, ("c", "kind", "code", "response"))
    handle = typed.handle(fields.get("c", ""))
    browser = cookies.browser_secret(visit.request, visit.settings)
    device = cookies.device_secret(visit.request, visit.settings)
    try:
        result = visit.broker.answer(
            handle,
            browser,
            typed.answer(fields),
            caller=visit.caller,
            device=device,
            previous=cookies.session_token(visit.request, visit.settings) or None,
        )
    except (CodeWrong, TooManyGuesses, Busy) as refusal:
        return _again(visit, handle, refusal)
    return landing.arrive(visit, result, browser=browser, device=device)


def find(visit: Visit, handle: str) -> ChallengePage:
    """A challenge of this browser. Raises ChallengeOver."""
    browser = cookies.browser_secret(visit.request, visit.settings)
    return visit.broker.challenge(handle, browser, caller=visit.caller)


def enrol_path(handle: str) -> str:
    """Where a device is added within a challenge."""
    return f"/challenge/enrol?c={quote(handle, safe='')}"


def then(wanted: ChallengePage) -> str:
    """What comes after it: the rest of a sentence that begins with `Then`. Empty: it goes on by itself."""
    if wanted.purpose == "enrol":  # root's set-up
        return ""
    if wanted.next.startswith(DONE):
        return "go back to your terminal: it goes on by itself"
    if wanted.next.startswith("/keys"):
        return "you choose how long the keys work"
    if wanted.next.startswith("/console"):
        return "you open the console"
    if wanted.purpose == "root":
        return "you are root, for a quarter of an hour"
    if wanted.purpose == "sign_in":
        return "you are signed in"
    return "you go on where you were"


def _again(visit: Visit, handle: str, refusal: Refusal) -> Response:
    wanted = find(visit, handle)  # five wrong answers, and it is over
    if wanted.purpose == "passkey":
        return local.show(visit, paths.own_path(wanted.next), "", refusal)
    return page.refused(_show(visit, handle, wanted, refusal.words), refusal)


def _sign_in_first(visit: Visit, wanted: ChallengePage) -> str:
    if visit.session is None or wanted.purpose != "step_up" or wanted.kinds or wanted.enrol:
        return ""
    return fresh_sign_in(visit, again(wanted.role, paths.own_path(wanted.next)))


def _show(visit: Visit, handle: str, wanted: ChallengePage, wrong: str = "") -> Response:
    ends = wanted.expires_at
    shown = ProofPage(
        handle=handle,
        title="Prove that it is you" if wanted.purpose == "step_up" else "One more proof",
        why=wanted.why,
        then=then(wanted),
        username=wanted.username,
        options=wanted.webauthn_options if "webauthn" in wanted.kinds else "",
        code="totp" in wanted.kinds,
        recovery="recovery" in wanted.kinds,
        wrong=wrong,
        ends="" if ends is None else times.clock_time(ends, visit.now),
        ends_at="" if ends is None else times.wire(ends),
        code_longest=typed.CODE_LONGEST,
        root=wanted.purpose == "root",
        sign_in_href=_sign_in_first(visit, wanted),
    )
    return page.show("challenge.html", shown, visit)
