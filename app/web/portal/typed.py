"""What people type or browsers answer at the pages of sign-ins and factors, bounded before the broker hears it."""

from __future__ import annotations

import re
from typing import Final

from app.errors import AskRefused, ChallengeOver, CodeWrong, Malformed
from app.people import FactorAnswer
from app.web import asks
from app.web.portal import kinds

NAME_LONGEST: Final = 64
"""Of a device."""
USERNAME_LONGEST: Final = 256
CODE_LONGEST: Final = 64
_RESPONSE_LONGEST: Final = 16 * 1024
_HANDLE = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII)


def handle(text: str) -> str:
    """A challenge's or enrolment's handle. Raises ChallengeOver."""
    if not _HANDLE.fullmatch(text):
        raise ChallengeOver("no handle of ours")
    return text


def answer(fields: dict[str, str]) -> FactorAnswer:
    """The factor that a form answers with: its `kind`, and `code` or `response`. Raises Malformed, CodeWrong."""
    kind = kinds.known(fields.get("kind", ""))
    if kind is None:
        raise Malformed("kind", words="Choose one of the ways that the page offers.")
    text = fields.get("response" if kind == "webauthn" else "code", "").strip()
    longest = _RESPONSE_LONGEST if kind == "webauthn" else CODE_LONGEST
    if not text:
        raise CodeWrong("nothing was answered", words="Nothing arrived. Try again.")
    if len(text) > longest or "\0" in text:
        raise CodeWrong(f"{len(text)} characters")
    return FactorAnswer(kind, text)


def username(text: str) -> str:
    """A name as it can be looked up; empty if it is none that anybody could have."""
    try:
        return asks.line(text.strip(), "username", USERNAME_LONGEST)
    except AskRefused:
        return ""


def echo(text: str) -> str:
    """The same to stand in the form again."""
    return "".join(char for char in text if char.isprintable())[:USERNAME_LONGEST]
