"""From an event to a record: text made printable and bounded, values made JSON, secrets kept out.

What stands in an event was partly sent by strangers: names with line breaks, terminal escapes or
right-to-left overrides must not forge a log line or a table in a terminal (CWE-117).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii as _text
from typing import Final

from app.audit.record import Record
from app.errors import Internal
from app.model import AuditEvent

LONGEST_FIELD: Final = 512
"""Characters of a field that can be searched for, after escaping; an index of any engine takes it."""
LONGEST_TEXT: Final = 1024
"""Characters of one text within the detail, after escaping."""
MOST_ITEMS: Final = 100
"""Items of one list, or keys of one mapping."""
DEEPEST: Final = 6
LONGEST_DETAIL: Final = 32_768
"""Characters of the whole detail as JSON."""

_SECRETS: Final = re.compile("secret|token|password|passphrase|cookie")
_HARMLESS_ENDS: Final = frozenset({"id", "type", "kind", "count", "expires"})
"""`token_id`, `token_type`: about a secret, not the secret."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def clean(text: str, bound: int = LONGEST_TEXT) -> str:
    """`text` with every unprintable character escaped, at most `bound` characters long.

    Control characters, bidi overrides, invisible format characters, separators other than a space, lone
    surrogates and unassigned code points become `\\x1b`, `\\u202e`, …. Text that is cut ends with `…` and
    16 hex digits of the SHA-256 of the whole, so that two long names never become one.
    """
    if len(text) <= bound and text.isprintable():
        return text
    escaped = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[: bound + 1]
    )
    if len(text) <= bound and len(escaped) <= bound:
        return escaped
    whole = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{escaped[: bound - 17]}…{whole[:16]}"


def field(text: str) -> str:
    """A field of a record, or what is to be compared with one: clean, at most LONGEST_FIELD characters."""
    return text if len(text) <= LONGEST_FIELD and text.isprintable() else clean(text, LONGEST_FIELD)


def names_a_secret(key: str) -> bool:
    """Whether a detail under this key would be a secret: `password`, `session_token`, `clientSecret`, …"""
    if _SECRETS.search(key.lower().replace("_", "").replace("-", "")) is None:
        return False
    return _WORD.findall(key)[-1].lower() not in _HARMLESS_ENDS


def render(event: AuditEvent) -> Record:
    """The record of an event.

    Raises Internal if the detail holds a key that names a secret, a value that JSON has no word for, or
    if the time is without a zone: defects of ours, found before anything is given out.
    """
    if event.at.tzinfo is None:
        raise Internal("an audit event's time has no time zone")
    detail = _mapping(event.detail, 1)
    key_id = detail.get("access_key_id", "")
    return Record(
        at=event.at.astimezone(UTC),
        kind=str(event.kind),
        request_id=field(event.request_id),
        address=field(event.address),
        source=None if event.source is None else field(event.source),
        subject=None if event.subject is None else field(event.subject),
        username=None if event.username is None else field(event.username),
        session=None if event.session is None else field(event.session),
        role=None if event.role is None else field(event.role),
        revision=event.revision,
        access_key_id=field(json.loads(key_id)) if key_id.startswith('"') else None,
        detail=_bounded(detail),
    )


# What follows renders to JSON text at once, a mapping to the text of each of its values.


def _bounded(detail: Mapping[str, str]) -> str:
    text = _object(detail)
    if len(text) <= LONGEST_DETAIL:
        return text
    # Facts of one value are short (and at most MOST_ITEMS many): what is long are lists and mappings.
    kept: dict[str, str] = {}
    room = LONGEST_DETAIL // 2
    for key, value in detail.items():
        cost = len(f"[{_text(key)},{value}]")
        if value[0] not in "[{" and cost <= room:
            kept[key] = value
            room -= cost
    kept["cut"] = _text(f"detail had {len(text)} characters; lists and long values were left out")
    return _object(kept)


def _object(rendered: Mapping[str, str]) -> str:
    return f"{{{','.join([f'{_text(key)}:{rendered[key]}' for key in sorted(rendered)])}}}"


def _mapping(mapping: Mapping[object, object] | Mapping[str, object], depth: int) -> dict[str, str]:
    rendered: dict[str, str] = {}
    for key, value in islice(mapping.items(), MOST_ITEMS):
        if not isinstance(key, str):
            raise Internal("an audit event's detail has a key that is no text")
        name = _key(key)
        rendered[name] = _value(value, depth)
    if len(mapping) > MOST_ITEMS:
        rendered["cut"] = _text(f"{len(mapping) - MOST_ITEMS} more")
    return rendered


@lru_cache(maxsize=1024)
def _key(key: str) -> str:
    if names_a_secret(key):
        raise Internal(f"an audit event's detail has the key `{clean(key, 64)}`, which names a secret")
    return clean(key, 128)


def _items(items: Iterable[object], depth: int) -> str:
    all_of_them = list(items)
    rendered = [_value(item, depth) for item in all_of_them[:MOST_ITEMS]]
    if len(all_of_them) > MOST_ITEMS:
        rendered.append(_text(f"… {len(all_of_them) - MOST_ITEMS} more"))
    return f"[{','.join(rendered)}]"


def _value(value: object, depth: int) -> str:
    match value:
        case str():
            return _text(clean(value))
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value)) if abs(value) < 1 << 63 else _text(str(value)[:LONGEST_TEXT])
        case float():
            finite = value == value and abs(value) != float("inf")
            return float.__repr__(value) if finite else _text(str(value))
        case datetime():
            return _text(value.isoformat())
        case timedelta():
            return str(int(value.total_seconds()))
        case list() | tuple() | set() | frozenset() | Mapping() if depth >= DEEPEST:
            return _text("… (deeper than is recorded)")
        case list() | tuple():
            return _items(value, depth + 1)
        case set() | frozenset():
            return _items(sorted(value, key=str), depth + 1)
        case Mapping():
            return _object(_mapping(value, depth + 1))
        case _:
            raise Internal(f"an audit event's detail holds a {type(value).__name__}, which is no JSON value")
