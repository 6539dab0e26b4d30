"""The two cookies: the session's, and the short one that binds a sign-in to its browser.

On https both carry the `__Host-` prefix (RFC 6265bis, 4.1.3.2), so that no other host of the domain can
plant them. On loopback http, which only a developer's machine uses, the prefix is not to be had.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from flask import Request, Response

from app.model import Settings

BROWSER_LIFE = timedelta(minutes=10)
_SECRET = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)


def session_name(settings: Settings) -> str:
    """Name of the session cookie."""
    return "daypass" if settings.loopback else "__Host-daypass"


def session_token(request: Request, settings: Settings) -> str:
    """The session cookie's value if it has the form of one of ours, else empty."""
    return _read(request, session_name(settings))


def set_session(response: Response, settings: Settings, token: str, life: timedelta) -> None:
    """Give the browser its session: Lax, so that a link from elsewhere arrives signed in."""
    response.set_cookie(
        session_name(settings),
        token,
        max_age=max(0, int(life.total_seconds())),
        path="/",
        secure=not settings.loopback,
        httponly=True,
        samesite="Lax",
    )


def clear_session(response: Response, settings: Settings) -> None:
    """Take the session cookie back."""
    response.delete_cookie(
        session_name(settings), path="/", secure=not settings.loopback, httponly=True, samesite="Lax"
    )


def browser_secret(request: Request, settings: Settings) -> str:
    """The secret of the browser that started a sign-in, or empty."""
    for name, _, _ in _browser_cookies(settings):
        if found := _read(request, name):
            return found
    return ""


def new_browser_secret() -> str:
    """32 random bytes, URL-safe."""
    return secrets.token_urlsafe(32)


def set_browser(response: Response, settings: Settings, secret: str) -> None:
    """Bind the sign-in to this browser for ten minutes."""
    for name, samesite, secure in _browser_cookies(settings):
        response.set_cookie(
            name,
            secret,
            max_age=int(BROWSER_LIFE.total_seconds()),
            path="/",
            secure=secure,
            httponly=True,
            samesite=samesite,
        )


def clear_browser(response: Response, settings: Settings) -> None:
    """Take the binding back."""
    for name, samesite, secure in _browser_cookies(settings):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite=samesite)


def _browser_cookies(settings: Settings) -> tuple[tuple[str, str, bool], ...]:
    # SameSite=None, because a SAML response is a POST from another site and Lax would stay at home.
    if not settings.loopback:
        return (("__Host-daypass-signin", "None", True),)
    # Browsers take `Secure` from http://localhost; other clients do not, so they get a twin.
    return (("daypass-signin", "None", True), ("daypass-signin-lax", "Lax", False))


def _read(request: Request, name: str) -> str:
    value = request.cookies.get(name, "")
    return value if _SECRET.fullmatch(value) else ""
