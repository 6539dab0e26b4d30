"""Where an authorization code may be sent: to exactly what the client declared (RFC 9700, 2.1 and 4.1).

The one freedom is the port of an address on this machine, which a native app cannot know beforehand (RFC 8252,
7.3). Addresses are compared as text: two programs that read one address differently cannot disagree about a
comparison that reads none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 2048
"""Characters of a redirect address."""

_LOOPBACK: Final = ("http://127.0.0.1", "http://[::1]")
"""Never `localhost`, which a resolver may send elsewhere (RFC 8252, 8.3)."""
_PORT: Final = re.compile(r":([1-9][0-9]{0,4})")
_TEXT: Final = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+")
"""What an address may be written in (RFC 3986, 2), without `#`: a redirect address has no fragment."""


def matches(declared: Iterable[str], asked: str) -> bool:
    """Whether a client that declared these addresses may have its answer at that one."""
    return len(asked) <= LONGEST and any(_is(one, asked) for one in declared)


def _is(declared: str, asked: str) -> bool:
    if declared == asked:
        return True
    rest = _after_loopback(declared)
    if rest is None:
        return False
    host = declared[: len(declared) - len(rest)]
    if not asked.startswith(host):
        return False
    port = _PORT.match(asked, len(host))
    return port is not None and int(port[1]) <= 65535 and asked[port.end() :] == rest


def _after_loopback(declared: str) -> str | None:
    """What follows the host of a declared loopback address that names no port; None if it is none."""
    for host in _LOOPBACK:
        if declared.startswith(host):
            rest = declared[len(host) :]
            if rest == "" or rest[0] in "/?":
                return rest
    return None
