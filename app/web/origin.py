"""Did a request come from our own pages? By what browsers say and scripts cannot forge."""

from __future__ import annotations

import secrets

from app.errors import CrossSite
from app.model import Settings
from app.web.wire import Request


def check_form(request: Request, settings: Settings) -> None:
    """For forms: whatever of `Origin` and `Sec-Fetch-Site` is there must name us.

    A client that sends neither is no browser, or an old one; the form's token still protects it.

    Raises:
        CrossSite.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None and site != "same-origin":
        raise CrossSite(f"Sec-Fetch-Site is {site[:40]!r}")
    if origin is not None and origin != settings.base_url:
        raise CrossSite(f"Origin is {origin[:200]!r}")


def check_browser(request: Request, settings: Settings) -> None:
    """For forms without a session, whose token could be checked: a browser must say that it was our page.

    A page with `Referrer-Policy: no-referrer` sends `Origin: null` (Fetch, "append a request `Origin` header"), so
    that is no answer where `Sec-Fetch-Site` gives one.

    Raises:
        CrossSite.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None and origin != settings.base_url:
        raise CrossSite(f"no Sec-Fetch-Site, and Origin is {str(origin)[:200]!r}")
    if site is not None and (site != "same-origin" or origin not in (None, "null", settings.base_url)):
        raise CrossSite(f"Sec-Fetch-Site is {site[:40]!r}, Origin {str(origin)[:200]!r}")


def check_api(request: Request, settings: Settings) -> None:
    """For JSON calls with a cookie: as for forms; an address typed by hand (`none`) may be read.

    Raises:
        CrossSite.
    """
    if request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site") == "none":
        return
    check_form(request, settings)


def check_token(given: str, expected: str) -> None:
    """The form's token is the session's, compared in constant time.

    Raises:
        CrossSite.
    """
    if not secrets.compare_digest(given.encode(), expected.encode()):
        raise CrossSite("form token is missing or another session's")
