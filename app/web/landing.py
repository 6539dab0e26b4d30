"""Where a browser goes after a step of a sign-in or step-up, and which cookies it is given there."""

from __future__ import annotations

from urllib.parse import quote

from app.model import SignedIn
from app.people import Asked
from app.web import cookies, paths
from app.web.page import see_other
from app.web.visit import Visit
from app.web.wire import Response


def arrive(visit: Visit, result: SignedIn | Asked, *, browser: str, device: str) -> Response:
    """On to where the person wanted to go, or to the next proof. `browser`, `device`: the secrets of their cookies."""
    if isinstance(result, Asked):
        response = see_other(challenge_path(result.handle))
        cookies.set_browser(response, visit.settings, browser)
        return response
    response = see_other(paths.own_path(result.next))
    give(response, visit, result, device=device)
    return response


def give(response: Response, visit: Visit, signed_in: SignedIn, *, device: str) -> None:
    """The session that was opened or renewed, and the browser known from now on."""
    cookies.set_session(response, visit.settings, signed_in.token, signed_in.session.expires_at - visit.now)
    cookies.set_device(response, visit.settings, device)
    # After a step-up another tab may still be in the middle of one.
    if visit.session is None or visit.session.id != signed_in.session.id:
        cookies.clear_browser(response, visit.settings)


def challenge_path(handle: str) -> str:
    """The page of a challenge."""
    return f"/challenge?c={quote(handle, safe='')}"
