"""What the application answers: whole, and fit to be sent as HTTP.

A server that writes an answer in pieces finds out in the middle what is wrong with it, and can only hang up. Here it
is looked at before its first byte leaves, once, for every way to the client.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Final

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]
"""Status, headers with their names in lower case, whole body."""

LAST_RESORT: Final[Answer] = (
    503,
    [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"65"),
        (b"cache-control", b"no-store"),
    ],
    b"Something went wrong here. Nothing was given out.\nCode: internal\n",
)
"""Where the application cannot answer at all, or not in HTTP."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch
"""RFC 9110, 5.6.2: a token."""
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*").fullmatch
"""RFC 9110, 5.5: no CR, LF or NUL, nor any other control character but the tab."""
_BODILESS: Final = frozenset({204, 304})


def fit(method: str, answer: Answer) -> Answer:
    """The answer with its date and length, without a body where none is sent. Raises ValueError for one that HTTP
    cannot carry, or that would say another length than it has: what follows would be taken for the next answer.
    """
    status, headers, body = answer
    if not 200 <= status <= 599:
        raise ValueError("no status of an answer")
    length = None
    dated = False
    for name, value in headers:
        if _NAME(name) is None or _VALUE(value) is None:
            raise ValueError("no header")
        if name == b"content-length":
            if length is not None or not value.isdigit():
                raise ValueError("no length")
            length = int(value)
        elif name == b"transfer-encoding":
            raise ValueError("a transfer coding, which is the server's")  # PEP 3333, "Other HTTP Features"
        elif name == b"date":
            dated = True
    if method == "HEAD":  # RFC 9110, 9.3.2: its length is the one that a GET would have
        body = b""
    elif length not in (None, len(body)) or (body and status in _BODILESS):
        raise ValueError("another length than it says")
    elif length is None and status not in _BODILESS:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    if not dated:  # RFC 9110, 6.6.1
        headers = [_date(int(time.time())), *headers]
    return status, headers, body


@lru_cache(maxsize=2)
def _date(second: int) -> tuple[bytes, bytes]:
    return b"date", formatdate(second, usegmt=True).encode()
