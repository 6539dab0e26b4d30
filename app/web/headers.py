"""Headers that every answer carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from app.model import Settings
from app.web.wire import Response

# Where a form's answer may lead on to. Browsers apply `form-action` to redirects too (CSP 3, 6.4.1.1), and
# the Console button is a form. By partition: the hosts of sign-in and console.
_CONSOLE: dict[str, tuple[str, ...]] = {
    "aws": ("https://*.aws.amazon.com",),
    "aws-us-gov": ("https://*.amazonaws-us-gov.com",),
    "aws-cn": ("https://*.amazonaws.cn",),
    "aws-eusc": ("https://*.amazonaws-eusc.eu",),
}

# What a source expression can say of an app's origin (CSP 3, 2.3.1); it has no IPv6 addresses.
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
}


_NEVER_OTHERWISE: Final = frozenset(
    name.lower() for name in (*_ALWAYS, "X-Request-Id", "Strict-Transport-Security")
)
"""What no handler may say instead."""


def secure(response: Response, settings: Settings, request_id: str) -> None:
    """Put them on; `Cache-Control: no-store` unless the handler has said something else.

    So may a handler's policy stand, where its page's form leads on to somewhere else (`lead_on`).
    """
    headers = response.headers
    there = {name.lower() for name, _ in headers}
    for name in there & _NEVER_OTHERWISE:
        headers.remove(name)
        there.remove(name)
    ours = _ours(settings.loopback, settings.aws.partition, settings.aws.console_endpoint)
    # At once, since to set one by name is to walk through them all.
    added = [header for name, header in ours.items() if name not in there]
    headers[len(headers) :] = [*added, ("X-Request-Id", request_id)]


@lru_cache(maxsize=32)
def _ours(loopback: bool, partition: str, console_endpoint: str | None) -> Mapping[str, tuple[str, str]]:
    """Those that are the same for every request, each by its name in small letters."""
    ours = {
        **_ALWAYS,
        "Content-Security-Policy": content_security_policy(partition, console_endpoint),
        # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if not loopback:
        ours["Strict-Transport-Security"] = "max-age=31536000"
    return {name.lower(): (name, value) for name, value in ours.items()}


def lead_on(response: Response, settings: Settings, address: str) -> None:
    """Let the form on this one page lead on to the app at `address`, a redirect address that was checked."""
    response.headers["Content-Security-Policy"] = content_security_policy(
        settings.aws.partition, settings.aws.console_endpoint, _source(address)
    )


def ask_home(response: Response, settings: Settings) -> None:
    """Let the script of this one page ask our own server."""
    response.headers["Content-Security-Policy"] = (
        content_security_policy(settings.aws.partition, settings.aws.console_endpoint)
        + "; connect-src 'self'"
    )


def keep_address(response: Response) -> None:
    """Tell nobody, not even our own pages, at which address this page stood: the address is a secret."""
    response.headers["Referrer-Policy"] = "no-referrer"


@lru_cache(maxsize=32)
def content_security_policy(partition: str, console_endpoint: str | None, app: str = "") -> str:
    """Own files only, nothing inline, no frames (CSP Level 3); `app` is one more source for forms."""
    hosts = _CONSOLE.get(partition, ())
    if console_endpoint:
        parts = urlsplit(console_endpoint)
        hosts = (f"{parts.scheme}://{parts.netloc}",)
    if app:
        hosts = (*hosts, app)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            " ".join(("form-action 'self'", *hosts)),
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _source(address: str) -> str:
    """The origin as a source expression (CSP 3, 2.3.1).

    Only the scheme where there is no host (`com.acme.app:/signed-in`), or where the host is an IPv6 address,
    which a source expression cannot say.
    """
    parts = urlsplit(address)
    if not parts.hostname or not _HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}"
