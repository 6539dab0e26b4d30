"""JSON as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder
from typing import Final


def writer(
    *, ensure_ascii: bool = True, separators: tuple[str, str] = (", ", ": "), sort_keys: bool = False
) -> Callable[[object], str]:
    """What `json.JSONEncoder(...).encode` would write, by an encoder that is made once and not for each document.

    For documents that do not contain themselves: nobody watches for that here.
    """
    plain = json.JSONEncoder(ensure_ascii=ensure_ascii, separators=separators, sort_keys=sort_keys)
    make = getattr(encoder, "c_make_encoder", None)  # CPython's is in C
    if make is None:
        return plain.encode
    text = encoder.encode_basestring_ascii if ensure_ascii else encoder.encode_basestring
    item, key = separators
    chunks = make(None, plain.default, text, None, key, item, sort_keys, False, True)
    return lambda document: "".join(chunks(document, 0))


dump: Final = writer()
"""As `json.dumps` without further words."""
