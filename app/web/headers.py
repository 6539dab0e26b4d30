"""Headers that every answer carries."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from flask import Response

from app.model import Settings

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

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
}


def secure(response: Response, settings: Settings, request_id: str) -> None:
    """Put them on; `Cache-Control: no-store` unless the handler has said something else.

    So may a handler's policy stand, where its page's form leads on to somewhere else (`lead_on`).
    """
    headers = response.headers
    there = {name.lower() for name, _ in headers}  # once: to set or look for one is to walk through them all
    ours = {**_ALWAYS, "X-Request-Id": request_id}
    if not settings.loopback:
        ours["Strict-Transport-Security"] = "max-age=31536000"
    for name, value in ours.items():
        if name.lower() in there:
            headers[name] = value
        else:
            headers.add(name, value)
    if "content-security-policy" not in there:
        policy = content_security_policy(settings.aws.partition, settings.aws.console_endpoint)
        headers.add("Content-Security-Policy", policy)
    if "referrer-policy" not in there:
        # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
        headers.add("Referrer-Policy", "same-origin")
    if "cache-control" not in there:
        headers.add("Cache-Control", "no-store")


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
