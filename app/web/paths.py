"""Where a browser may be sent inside our own site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

LONGEST = 2048
"""An authorization request with everything in it has about 600."""
HOME = "/"
# Printable ASCII without the backslash, which browsers read as a slash; the second character is no slash,
# since `//host` is another site (RFC 3986, 4.2).
_OWN = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)


def own_path(asked: str | None) -> str:
    """`asked` if it is an absolute path on this site of at most 2,048 characters, else `/` (RFC 9700, 4.11)."""
    if asked is None or len(asked) > LONGEST or not _OWN.fullmatch(asked):
        return HOME
    return asked


def step_up(members: Mapping[str, object]) -> str:
    """Where a refusal's own members (`step_up.url`) say that a factor is to be proven, on this site; else empty."""
    asked = members.get("step_up")
    url = urlsplit(str(asked.get("url", ""))) if isinstance(asked, Mapping) else urlsplit("")
    return own_path(f"{url.path}?{url.query}") if url.path == "/step-up" else ""


def with_next(path: str, target: str) -> str:
    """`path?next=target`, or `path` alone where the target is the home page."""
    return path if target == HOME else f"{path}?next={quote(target, safe='/')}"
