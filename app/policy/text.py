"""Letters: the one way in which names that IAM takes without regard to case are compared."""

from __future__ import annotations

import string

_ASCII = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(name: str) -> str:
    """The name with A–Z in lower case and every other character left alone.

    Not `str.lower`: U+212A (the Kelvin sign) would become `k`, and a claim of that name another key.
    """
    return name.lower() if name.isascii() else name.translate(_ASCII)
