"""`policies/NAME.json` and `guardrails/LEVEL/NAME.json`: IAM documents; the policy room reads what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.configuration.document import readable
from app.configuration.places import Path, Place
from app.configuration.problems import Problems
from app.errors import RequestNotPossible
from app.model import PolicyText
from app.policy import (
    IDENTITY_ID,
    NAMES,
    SOURCE,
    Kind,
    PolicyInvalid,
    managed,
    needed,
    parse,
    resolve,
    unknown,
)
from app.policy.text import fold

TEMPLATES: Final = frozenset(managed.PREFIX + name for name in managed.NAMES)
"""Managed templates that ship with daypass."""
_SAMPLE: Final = "00000000-0000-4000-8000-000000000000"
"""An identity's id, as long as they all are."""


def text(name: str, file: str, content: str, kind: Kind, problems: Problems) -> PolicyText | None:
    """The document, read as this kind; None if it cannot be used."""
    if not readable(file, content, problems):
        return None
    document = PolicyText(name=name, text=content, file=file)
    return document if valid(document, kind, problems) else None


def valid(document: PolicyText, kind: Kind, problems: Problems) -> bool:
    """Whether IAM would take the document as this kind; what is wrong is said."""
    try:
        parse(document, kind)
    except PolicyInvalid as invalid:
        for found in invalid.problems:
            words = f"{found.statement}: {found.message}" if found.statement else found.message
            problems.put(found.file, found.line, 0, "", words)
        return False
    return True


def check_attached(
    names: Sequence[str], known: Mapping[str, object], place: Place, path: Path, problems: Problems
) -> None:
    """Policies that a group carries: a template, or a file."""
    for position, name in enumerate(names):
        if name and name not in TEMPLATES and name not in known:
            words = "unknown policy; expected a template or a file of `policies/`"
            problems.add(place, (*path, position), words + problems.near(name, [*known, *TEMPLATES]))


def check_session(
    name: str | None, documents: Mapping[str, PolicyText | None], place: Place, path: Path, problems: Problems
) -> None:
    """A policy that goes to STS with a session: a file, valid there, short enough, its variables where they work."""
    if not name:
        return
    if name.startswith("aws:"):
        words = "a template says which roles may be entered, not what a session may do; name a file of `policies/`"
        problems.add(place, path, words)
    elif name not in documents:
        words = f"unknown policy; expected `NAME` of `policies/NAME.json`{problems.near(name, documents)}"
        problems.add(place, path, words)
    elif (document := documents[name]) is not None and valid(document, Kind.SESSION, problems):
        _check_variables(document, problems)


def check_emergency(
    name: str | None, documents: Mapping[str, PolicyText | None], place: Place, path: Path, problems: Problems
) -> None:
    """The session policy of a role that root may assume: it can be filled in for root, who has no app and no claims."""
    document = documents.get(name or "")
    if document is None:
        return
    try:
        lacking = sorted(needed(document.text) - {fold(SOURCE)})
    except RequestNotPossible:  # said where it stands
        return
    if lacking:
        words = (
            f"root could never use this role: it has no `{lacking[0]}`, which the session policy `{name}` needs; take it "
            "out, or name another `session_policy`"
        )
        problems.add(place, path, words, on="key")


def _check_variables(document: PolicyText, problems: Problems) -> None:
    """Fill in samples, as is done with each session's own values: what fails then would fail for everybody."""
    try:
        for variable in unknown(document.text):
            words = f"no session has a value for `{variable.text}`{problems.near(variable.key, NAMES)}"
            _put(document, variable.text, words, problems)
        samples = dict.fromkeys(needed(document.text), "x")
        resolve(document.text, {**samples, IDENTITY_ID: _SAMPLE})
    except RequestNotPossible as refusal:
        words = refusal.detail.removeprefix("session policy: ")
        _put(document, words.partition("`")[2].partition("`")[0], f"as a session policy: {words}", problems)


def _put(document: PolicyText, part: str, words: str, problems: Problems) -> None:
    """Say it on the line where that part of the document stands."""
    at = document.text.find(part)
    line = document.line + document.text.count("\n", 0, max(at, 0))
    problems.put(document.file, line, 0, "", words)
