"""What people and programs may ask for, checked before the broker hears it. The same for page and API."""

from __future__ import annotations

import re
from datetime import timedelta

from app.errors import AskRefused, DurationInvalid
from app.model import LONGEST, SHORTEST

ROLE = r"^arn:aws[a-z-]{0,20}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,576}$"
"""A role's ARN (IAM User Guide, "IAM identifiers"), as a pattern that Python and ECMAScript read alike."""
LINE = r"^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
"""One line of text: no control characters, line ends or bidirectional overrides."""
REASON_LONGEST = 256
DESTINATION_LONGEST = 2048
SEARCH_LONGEST = 200

_SHORTEST, _LONGEST = int(SHORTEST.total_seconds()), int(LONGEST.total_seconds())
_ROLE = re.compile(ROLE[1:-1], re.ASCII)
_LINE = re.compile(LINE[1:-1])
_HALF = re.compile("[\\ud800-\\udfff]")


def role_arn(text: str) -> str:
    """The text, if it is a role's ARN. Raises AskRefused."""
    if not _ROLE.fullmatch(text):
        raise AskRefused(
            f"role {text[:200]!r}",
            words="The role must be a full role ARN, such as `arn:aws:iam::111122223333:role/ReadOnly`.",
        )
    return text


def duration(seconds: object) -> timedelta:
    """A whole number of seconds from 900 to 3600. Raises DurationInvalid."""
    if isinstance(seconds, float) and seconds.is_integer():  # to JSON, 900 and 900.0 are one number
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
        raise DurationInvalid(f"duration {str(seconds)[:60]!r}")
    return timedelta(seconds=seconds)


def duration_text(text: str) -> timedelta:
    """The same from a form's field."""
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII):
        raise DurationInvalid(f"duration {text[:60]!r}")
    return duration(int(text))


def line(text: str, name: str, longest: int) -> str:
    """One line of at most `longest` characters. Raises AskRefused."""
    if len(text) > longest:
        raise AskRefused(f"{name} too long", words=f"`{name}` may have at most {longest} characters.")
    if not _LINE.fullmatch(text) or _HALF.search(text):  # half of a surrogate pair is no character
        raise AskRefused(f"{name} {text[:200]!r}", words=f"`{name}` must be one line of plain text.")
    return text
