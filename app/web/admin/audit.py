"""The audit record, searched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from app.audit import StoredRecord
from app.errors import AskRefused
from app.model import AuditKind
from app.store import Search
from app.web import asks, forms, page, times
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.visit import Visit
from app.web.wire import Response

PAGE: Final = 50
_FIELDS: Final = ("person", "role", "kind", "since", "until", "request_id", "access_key_id")
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Fact:
    """A detail of a record."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record."""

    sequence: int
    at: str
    at_wire: str
    kind: str
    mood: str
    """`no` for refusals and failures, else `yes`."""
    who: str
    who_href: str | None
    about: str
    """The role, or the action on daypass."""
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """What was looked for, and what was found."""

    tabs: tuple[Tab, ...]
    asked: dict[str, str]
    kinds: tuple[str, ...]
    records: tuple[RecordView, ...]
    wrong: str
    older_href: str | None


def audit(visit: Visit) -> Response:
    """`GET /admin/audit?person=&role=&kind=&since=&until=&request_id=&access_key_id=&before=`.

    Raises:
        Unknown, Malformed, AuditUnavailable, StoreUnavailable.
    """
    fields = forms.query(visit.request, (*_FIELDS, "before"))
    asked = {name: fields.get(name, "").strip()[:_LONGEST] for name in _FIELDS}
    wrong = ""
    records: tuple[StoredRecord, ...] = ()
    try:
        wanted = _search(asked, fields.get("before", ""), visit)
    except AskRefused as refusal:
        # Who may not look learns that first, as from every question.
        visit.administration.search_audit(visit.person, Search(limit=0), caller=visit.caller)
        wrong = refusal.words
    else:
        records = tuple(visit.administration.search_audit(visit.person, wanted, caller=visit.caller))
    more = len(records) > PAGE
    records = records[:PAGE]
    kept = {name: value for name, value in asked.items() if value}
    shown = AuditPage(
        tabs=tabs(visit),
        asked=asked,
        kinds=tuple(AuditKind),
        records=tuple(_view(each, visit) for each in records),
        wrong=wrong,
        older_href="/admin/audit?" + urlencode({**kept, "before": records[-1].sequence}) if more else None,
    )
    return page.render("admin/audit.html", shown, page.frame_of(visit), 422 if wrong else 200)


def _search(asked: dict[str, str], before: str, visit: Visit) -> Search:
    for name, value in asked.items():
        asks.line(value, name, _LONGEST)
    if asked["kind"] and asked["kind"] not in set(AuditKind):
        raise AskRefused(f"kind {asked['kind'][:60]!r}", words="`kind` must be one of the list.")
    return Search(
        person=asked["person"] or None,
        role=asked["role"] or None,
        kind=asked["kind"] or None,
        request_id=asked["request_id"] or None,
        access_key_id=asked["access_key_id"] or None,
        since=reading.instant(asked["since"], visit.now, "since") if asked["since"] else None,
        until=reading.instant(asked["until"], visit.now, "until") if asked["until"] else None,
        before=reading.number(before, "before") if before else None,
        limit=PAGE + 1,
    )


def _view(stored: StoredRecord, visit: Visit) -> RecordView:
    record = stored.record
    who = f"{record.source}/{record.username or record.subject}" if record.source else ""
    detail = _detail(record.detail)
    action = detail.get("action")
    facts: dict[str, object] = {
        "time": times.wire(record.at),
        "address": record.address,
        "request id": record.request_id,
        "subject": record.subject,
        "session": record.session,
        "revision": record.revision,
        **detail,
    }
    return RecordView(
        sequence=stored.sequence,
        at=times.clock_time(record.at, visit.now),
        at_wire=times.wire(record.at),
        kind=record.kind,
        mood="no" if record.kind.endswith((".refused", ".failed")) else "yes",
        who=who,
        who_href="/admin/audit?" + urlencode({"person": who}) if who else None,
        about=record.role or (action if isinstance(action, str) else ""),
        facts=tuple(
            Fact(name.replace("_", " "), _plain(value)) for name, value in facts.items() if _told(value)
        ),
    )


def _detail(text: str) -> dict[str, object]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    # A trail that somebody wrote to must still be readable.
    return read if isinstance(read, dict) else {"unreadable": text}


def _told(value: object) -> bool:
    return value not in (None, "", "-", [], {})


def _plain(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_plain(inner)}" for name, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value)
