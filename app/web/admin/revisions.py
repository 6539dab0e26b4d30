"""The configuration's past: every revision, and what changed from one to another."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Final

from app.admin import FileChange
from app.policy import actions
from app.store import Activation
from app.web import forms, times
from app.web.admin import reading
from app.web.admin.areas import Tab, tabs
from app.web.page import show
from app.web.visit import Visit
from app.web.wire import Response

PAGE: Final = 50
_LINES: Final = 2_000
"""Of one file's difference; the rest is counted, not shown."""


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision in the list."""

    number: int
    active: bool
    at: str
    at_wire: str
    by: str
    restores: int | None
    digest: str
    """Its first 12 characters."""
    changes_href: str | None
    """To what it changed; None for the first."""


@dataclass(frozen=True, slots=True)
class RevisionsPage:
    """The newest first."""

    tabs: tuple[Tab, ...]
    revisions: tuple[RevisionView, ...]
    total: int
    older_href: str | None
    latest: int
    may_roll_back: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference; `kind` is `add`, `cut`, `place` or `same`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that differs."""

    path: str
    what: str
    """`changed`, `added`, `removed`"""
    lines: tuple[Line, ...]
    more: int
    """Lines that are not shown."""


@dataclass(frozen=True, slots=True)
class DifferencePage:
    """From one revision to another."""

    tabs: tuple[Tab, ...]
    older: RevisionView
    newer: RevisionView
    files: tuple[FileView, ...]


def revisions(visit: Visit) -> Response:
    """`GET /admin/revisions?before=N`. Raises Unknown, AskRefused."""
    fields = forms.query(visit.request, ("before",))
    before = reading.number(fields["before"], "before") if fields.get("before") else None
    every = visit.administration.revisions(visit.person, caller=visit.caller)
    latest = every[0].number if every else 0
    rest = [each for each in every if before is None or each.number < before]
    part = rest[:PAGE]
    rights = visit.administration.rights(visit.person, caller=visit.caller)
    shown = RevisionsPage(
        tabs=tabs(visit, rights),
        revisions=tuple(revision_view(each, latest, visit) for each in part),
        total=len(every),
        older_href=f"/admin/revisions?before={part[-1].number}" if len(rest) > PAGE else None,
        latest=latest,
        may_roll_back=actions.ROLLBACK_CONFIGURATION in rights,
    )
    return show("admin/revisions.html", shown, visit)


def difference(visit: Visit) -> Response:
    """`GET /admin/difference?from=N&to=M`. Raises Unknown, RevisionUnknown, AskRefused."""
    fields = forms.query(visit.request, ("from", "to"))
    older = reading.number(fields.get("from", ""), "from")
    newer = reading.number(fields.get("to", ""), "to")
    found = visit.administration.difference(visit.person, older, newer, caller=visit.caller)
    shown = DifferencePage(
        tabs=tabs(visit),
        older=revision_view(found.older, 0, visit),
        newer=revision_view(found.newer, 0, visit),
        files=file_views(found.files),
    )
    return show("admin/difference.html", shown, visit)


def file_views(files: tuple[FileChange, ...]) -> tuple[FileView, ...]:
    """Files that differ, line by line."""
    return tuple(map(_file, files))


def _file(change: FileChange) -> FileView:
    what = "added" if change.before is None else "removed" if change.after is None else "changed"
    lines = unified_diff(
        (change.before or "").splitlines(), (change.after or "").splitlines(), n=3, lineterm=""
    )
    shown = [_line(text) for text in islice(lines, 2, 2 + _LINES)]  # without the two lines that name files
    return FileView(change.path, what, tuple(shown), sum(1 for _ in lines))


def _line(text: str) -> Line:
    kinds = {"+": "add", "-": "cut", "@": "place"}
    return Line(kinds.get(text[:1], "same"), text)


def revision_view(each: Activation, latest: int, visit: Visit) -> RevisionView:
    """As lists show it; `latest` is the number of the active one."""
    return RevisionView(
        number=each.number,
        active=each.number == latest,
        at=times.clock_time(each.activated_at, visit.now),
        at_wire=times.wire(each.activated_at),
        by=each.by,
        restores=each.restores,
        digest=each.digest[:12],
        changes_href=f"/admin/difference?from={each.number - 1}&to={each.number}"
        if each.number > 1
        else None,
    )
