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

_canonical: Final = json.JSONEncoder(
    ensure_ascii=True, separators=(",", ":"), sort_keys=True, allow_nan=False
).encode


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
    return clean(text, LONGEST_FIELD)


@lru_cache(maxsize=1024)
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
    key_id = detail.get("access_key_id")
    return Record(
        at=event.at.astimezone(UTC),
        kind=event.kind.value,
        request_id=field(event.request_id),
        address=field(event.address),
        source=None if event.source is None else field(event.source),
        subject=None if event.subject is None else field(event.subject),
        username=None if event.username is None else field(event.username),
        session=None if event.session is None else field(event.session),
        role=None if event.role is None else field(event.role),
        revision=event.revision,
        access_key_id=field(key_id) if isinstance(key_id, str) else None,
        detail=_bounded(detail),
    )


def _bounded(detail: Mapping[str, object]) -> str:
    text = _canonical(detail)
    if len(text) <= LONGEST_DETAIL:
        return text
    # Facts of one value are short (and at most MOST_ITEMS many): what is long are lists and mappings.
    kept: dict[str, object] = {}
    room = LONGEST_DETAIL // 2
    for key, value in detail.items():
        cost = len(_canonical([key, value]))
        if not isinstance(value, list | dict) and cost <= room:
            kept[key] = value
            room -= cost
    kept["cut"] = f"detail had {len(text)} characters; lists and long values were left out"
    return _canonical(kept)


def _mapping(mapping: Mapping[object, object] | Mapping[str, object], depth: int) -> dict[str, object]:
    rendered: dict[str, object] = {}
    for key, value in islice(mapping.items(), MOST_ITEMS):
        if not isinstance(key, str):
            raise Internal("an audit event's detail has a key that is no text")
        if names_a_secret(key):
            raise Internal(f"an audit event's detail has the key `{clean(key, 64)}`, which names a secret")
        rendered[clean(key, 128)] = _value(value, depth)
    if len(mapping) > MOST_ITEMS:
        rendered["cut"] = f"{len(mapping) - MOST_ITEMS} more"
    return rendered


def _items(items: Iterable[object], depth: int) -> list[object]:
    all_of_them = list(items)
    rendered = [_value(item, depth) for item in all_of_them[:MOST_ITEMS]]
    if len(all_of_them) > MOST_ITEMS:
        rendered.append(f"… {len(all_of_them) - MOST_ITEMS} more")
    return rendered


def _value(value: object, depth: int) -> object:
    match value:
        case None | bool():
            return value
        case int():
            return int(value) if abs(value) < 1 << 63 else str(value)[:LONGEST_TEXT]
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)
        case str():
            return clean(value)
        case datetime():
            return value.isoformat()
        case timedelta():
            return int(value.total_seconds())
        case Mapping() | list() | tuple() | set() | frozenset() if depth >= DEEPEST:
            return "… (deeper than is recorded)"
        case Mapping():
            return _mapping(value, depth + 1)
        case list() | tuple():
            return _items(value, depth + 1)
        case set() | frozenset():
            return _items(sorted(value, key=str), depth + 1)
        case _:
            raise Internal(f"an audit event's detail holds a {type(value).__name__}, which is no JSON value")
