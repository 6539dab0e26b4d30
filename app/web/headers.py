"""Headers that every answer carries."""

from __future__ import annotations

from functools import lru_cache
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

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
}


def secure(response: Response, settings: Settings, request_id: str) -> None:
    """Put them on; `Cache-Control: no-store` unless the handler has said something else."""
    headers = response.headers
    for name, value in _ALWAYS.items():
        headers[name] = value
    headers["Content-Security-Policy"] = content_security_policy(
        settings.aws.partition, settings.aws.console_endpoint
    )
    headers["X-Request-Id"] = request_id
    if not settings.loopback:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    headers.setdefault("Cache-Control", "no-store")


@lru_cache(maxsize=8)
def content_security_policy(partition: str, console_endpoint: str | None) -> str:
    """Own files only, nothing inline, no frames (CSP Level 3)."""
    hosts = _CONSOLE.get(partition, ())
    if console_endpoint:
        parts = urlsplit(console_endpoint)
        hosts = (f"{parts.scheme}://{parts.netloc}",)
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
