"""JSON from a provider, read strictly: one object or one list, or a ValueError."""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

_UNKEEPABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""What no store and no page takes: NUL, and a surrogate without its other half (RFC 8259 8.2)."""

_BYTE_ORDER_MARK: Final = "\ufeff"


def read_object(document: bytes) -> dict[str, object]:
    """The JSON object (RFC 8259) that a document holds.

    Raises ValueError: not UTF-8, not JSON, not an object at the top, a member named twice (two readers
    could see two values), NaN or Infinity, a number of thousands of digits, nested too deep, or text with
    a lone surrogate or a NUL, which no store could keep.
    """
    found = _read(document)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


def read_list(document: bytes) -> list[object]:
    """The JSON list that a document holds, as strictly. Raises ValueError."""
    found = _read(document)
    if not isinstance(found, list):
        raise ValueError("not a JSON list")
    return found


def _read(document: bytes) -> object:
    try:
        text = document.decode("utf-8")
        if text.startswith(_BYTE_ORDER_MARK):
            raise ValueError("Unexpected UTF-8 BOM (decode using utf-8-sig)")
        # Without an escape there is nothing of what `_members` looks for: UTF-8 has no half of a pair, and the
        # strict reader takes no bare NUL.
        found: object = (_ESCAPED if "\\" in text else _PLAIN).decode(text)
        return found
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ValueError as error:
        # json's own error holds the whole document, which may be a token; only its message goes on.
        raise ValueError(error.msg if isinstance(error, json.JSONDecodeError) else _why(error)) from None


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = _distinct(pairs)
    for name, value in pairs:
        texts = [name, *(value if isinstance(value, list) else [value])]
        if any(_UNKEEPABLE.search(text) for text in texts if isinstance(text, str)):
            raise ValueError("text holds a lone surrogate or a NUL")
    return members


def _constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _why(error: ValueError) -> str:
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error)


# Made once, as `json.loads` makes one for each document that is read with hooks.
_PLAIN: Final = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_constant, strict=True)
_ESCAPED: Final = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant, strict=True)
