"""A QR code as SVG text for a page that allows nothing inline and fetches nothing (`app.web.headers`)."""

from __future__ import annotations

from typing import Final

import segno

_QUIET: Final = 4
"""Modules of white around it (ISO/IEC 18004, 5.3.8)."""


def svg(text: str, title: str = "QR code") -> str:
    """`<svg>…</svg>` to stand in the page: shapes and presentation attributes only, no style, script or reference,
    which `style-src 'self'` and `default-src 'none'` let through. Black on white also on a dark page, as scanners
    want it; without a size, which the style sheet gives.
    """
    made = segno.make(text, error="m", micro=False, boost_error=False)
    return made.svg_inline(
        border=_QUIET, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None, title=title
    )
