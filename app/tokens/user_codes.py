"""The code that a device shows and a person types (RFC 8628, 6.1).

Twenty consonants: no vowels, so no words; no digits, so nothing that looks like a letter; eight of them are 34.5
bits, which with limits and ten minutes of life leave a guesser nothing.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_LENGTH: Final = 8
_TYPED: Final = re.compile(rf"[{ALPHABET}{ALPHABET.lower()}]{{{_LENGTH}}}")
_BETWEEN: Final = str.maketrans("", "", "- \t\r\n")
_LONGEST: Final = 64
"""Characters of what somebody typed; the rest is not looked at."""


def make() -> str:
    """A new code: `XXXX-XXXX`."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))
    return _grouped(letters)


def normalise(typed: str) -> str | None:
    """The code that somebody typed, as `make` writes it; None if it cannot be one.

    Case, spaces and dashes do not matter, wherever they are.
    """
    if len(typed) > _LONGEST:
        return None
    letters = typed.translate(_BETWEEN)
    return _grouped(letters.upper()) if _TYPED.fullmatch(letters) else None


def _grouped(letters: str) -> str:
    return f"{letters[:4]}-{letters[4:]}"
