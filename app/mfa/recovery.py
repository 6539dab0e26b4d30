"""Recovery codes: for whoever lost every device. Ten, each good once, shown once; only digests are kept (`store`)."""

from __future__ import annotations

import re
import secrets
from typing import Final

from app.errors import CodeWrong

COUNT: Final = 10
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O and U, so that nothing looks like something else."""
_LENGTH: Final = 16
"""Letters: 80 bits, so that a plain digest of them at rest needs no salt and no slow hash."""
_GROUP: Final = 4
_TYPED: Final = 64
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})
_BETWEEN: Final = re.compile(r"[\s\u2010-\u2015\u2212-]+")
"""White space and whatever editors make of a hyphen."""
_CODE: Final = re.compile(f"[{_LETTERS}]{{{_LENGTH}}}")


def make() -> tuple[str, ...]:
    """Ten new codes as they are shown: `7KQF-0M2X-…`. What is kept, and compared, is `normalise` of each."""
    return tuple(_grouped("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))) for _ in range(COUNT))


def normalise(typed: str) -> str:
    """A code as a person typed it, in the one form that is kept. Raises CodeWrong for what can be none."""
    if len(typed) > _TYPED:
        raise CodeWrong("too long for a recovery code")
    code = _BETWEEN.sub("", typed).upper().translate(_MISREAD)
    if not _CODE.fullmatch(code):
        raise CodeWrong("no recovery code")
    return code


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
