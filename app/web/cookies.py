"""The cookies: the session's, the short one that binds a sign-in to its browser, the long one of a known device.

On https all carry the `__Host-` prefix (RFC 6265bis, 4.1.3.2), so that no other host of the domain can
plant them. On loopback http, which only a developer's machine uses, the prefix is not to be had.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

from app.model import Settings
from app.web.wire import Request, Response

BROWSER_LIFE = timedelta(minutes=10)
DEVICE_LIFE = timedelta(days=180)
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
    for name, _, _ in _elsewhere_too("signin", settings):
        if found := _read(request, name):
            return found
    return ""


def new_browser_secret() -> str:
    """32 random bytes, URL-safe."""
    return secrets.token_urlsafe(32)


def set_browser(response: Response, settings: Settings, secret: str) -> None:
    """Bind the sign-in to this browser for ten minutes."""
    _set(response, _elsewhere_too("signin", settings), secret, BROWSER_LIFE)


def clear_browser(response: Response, settings: Settings) -> None:
    """Take the binding back."""
    _clear(response, _elsewhere_too("signin", settings))


def device_secret(request: Request, settings: Settings) -> str:
    """The secret of a browser in which somebody has signed in before; else a new one."""
    for name, _, _ in _elsewhere_too("device", settings):
        if found := _read(request, name):
            return found
    return secrets.token_urlsafe(32)


def set_device(response: Response, settings: Settings, secret: str) -> None:
    """Let the browser be known again for half a year from now."""
    _set(response, _elsewhere_too("device", settings), secret, DEVICE_LIFE)


def clear_device(response: Response, settings: Settings) -> None:
    """Take that back."""
    _clear(response, _elsewhere_too("device", settings))


def _elsewhere_too(name: str, settings: Settings) -> tuple[tuple[str, str, bool], ...]:
    # SameSite=None, because a SAML response is a POST from another site and Lax would stay at home. Neither of
    # these cookies gives access to anything, and forms that go by them look at Origin.
    if not settings.loopback:
        return ((f"__Host-daypass-{name}", "None", True),)
    # Browsers take `Secure` from http://localhost; other clients do not, so they get a twin.
    return ((f"daypass-{name}", "None", True), (f"daypass-{name}-lax", "Lax", False))


def _set(response: Response, named: tuple[tuple[str, str, bool], ...], secret: str, life: timedelta) -> None:
    for name, samesite, secure in named:
        response.set_cookie(
            name,
            secret,
            max_age=int(life.total_seconds()),
            path="/",
            secure=secure,
            httponly=True,
            samesite=samesite,
        )


def _clear(response: Response, named: tuple[tuple[str, str, bool], ...]) -> None:
    for name, samesite, secure in named:
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite=samesite)


def _read(request: Request, name: str) -> str:
    value = request.cookies.get(name, "")
    return value if _SECRET.fullmatch(value) else ""
