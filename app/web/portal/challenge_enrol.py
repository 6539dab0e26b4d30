"""A first device, within the sign-in or step-up that wants one."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import ChallengeOver
from app.people import ChallengePage, Enrolled
from app.web import cookies, forms, landing, page, paths
from app.web.portal import enrolling, typed
from app.web.portal.challenge import find, then
from app.web.portal.enrolling import Place
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class ReadyPage:
    """All devices are added, and nobody is signed in by it: root."""

    address: str


def ask_first(visit: Visit) -> Response:
    """`GET /challenge/enrol?c=HANDLE`: which kind? Raises ChallengeOver, Malformed."""
    handle = typed.handle(forms.query(visit.request, ("c",)).get("c", ""))
    wanted = find(visit, handle)
    if not wanted.enrol:
        return page.see_other(landing.challenge_path(handle))
    return enrolling.choose(visit, _place(handle, wanted), wanted.enrol)


def add_first(visit: Visit) -> Response:
    """`POST /challenge/enrol`: begin with a kind, or finish with the device's answer.

    Raises:
        ChallengeOver, FactorsFull, Malformed, MediaType, TooMany, Unavailable.
    """
    fields = enrolling.read(visit)
    handle = typed.handle(fields.get("c", ""))
    place = _place(handle, find(visit, handle))
    browser = cookies.browser_secret(visit.request, visit.settings)
    if fields.get("step") != "finish":
        return enrolling.begin(visit, place, browser, fields)
    device = cookies.device_secret(visit.request, visit.settings)
    result = enrolling.finish(visit, place, browser, device, fields)
    return _added(visit, place, result, device) if isinstance(result, Enrolled) else result


def _place(handle: str, wanted: ChallengePage) -> Place:
    return Place(
        action="/challenge/enrol",
        within=handle,
        why=wanted.why,
        then="" if wanted.counts_later and wanted.role else then(wanted),  # the role may be of level admin
        counts_later=wanted.counts_later,
    )


def _added(visit: Visit, place: Place, result: Enrolled, device: str) -> Response:
    signed_in = result.signed_in
    target = _more(visit, place.within) if signed_in is None else paths.own_path(signed_in.next)
    if result.recovery_codes:
        title, words = (
            f"{result.factor.name} is added",
            "If you lose it, one of these codes stands in for it.",
        )
        on = (target or "/root", "Go on")
        response = enrolling.codes_page(visit, place, result.recovery_codes, title, words, on)
    elif target:
        response = page.see_other(target)
    else:
        response = page.show("root_ready.html", ReadyPage(f"{visit.settings.base_url}/root"), visit)
        cookies.set_device(response, visit.settings, device)  # known to root from now on
    if signed_in is not None:
        landing.give(response, visit, signed_in, device=device)
    return response


def _more(visit: Visit, handle: str) -> str:
    """Where the challenge goes on; empty where it is finished."""
    try:
        find(visit, handle)
    except ChallengeOver:
        return ""
    return landing.challenge_path(handle)
