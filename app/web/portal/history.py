"""A person's own sign-ins, as they stand on record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.audit import StoredRecord
from app.model import AuditKind
from app.web import times
from app.web.visit import Visit

_WHAT: Final[Mapping[str, str]] = {
    AuditKind.SIGNIN_SUCCEEDED: "Signed in",
    AuditKind.SIGNIN_REFUSED: "Sign-in",
    AuditKind.MFA_PROVEN: "Second factor proven",
    AuditKind.MFA_REFUSED: "Second factor",
    AuditKind.SESSION_STARTED: "Helper or app let in",
    AuditKind.SESSION_ENDED: "Signed out",
    AuditKind.DEVICE_NEW: "New browser",
    AuditKind.ROOT_USED: "Signed in as root",
    AuditKind.FACTOR_ENROLLED: "Second factor added",
    AuditKind.FACTOR_REMOVED: "Second factor removed",
    AuditKind.FACTOR_CHANGED: "Second factor changed",
    AuditKind.RECOVERY_CODES_MADE: "Recovery codes made",
    AuditKind.PASSWORD_CHANGED: "Password changed",
    AuditKind.LINK_USED: "One-time link used",
}
_BY: Final[Mapping[str, str]] = {
    "pwd": "password",
    "otp": "code of an app",
    "hwk": "security key",
    "swk": "passkey",
    "rc": "recovery code",
    "recovery": "recovery code",
    "totp": "code of an app",
    "webauthn": "security key or passkey",
}
_OF_A_DEVICE: Final = (AuditKind.FACTOR_ENROLLED, AuditKind.FACTOR_REMOVED, AuditKind.FACTOR_CHANGED)
_MADE_BY_KIND: Final = ("otp", "hwk", "swk")
"""What a factor's kind says in better words."""
# In this order: Edge calls itself Chrome too, and everything calls itself Safari.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_WORD = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of it."""

    at: str
    at_wire: str
    what: str
    refused: bool
    address: str
    by: str
    """With what: `password, code of an app`."""
    browser: str


def views(visit: Visit, records: Sequence[StoredRecord]) -> tuple[EventView, ...]:
    """The records as the page shows them."""
    return tuple(_view(visit, stored) for stored in records)


def browser(user_agent: str) -> str:
    """`Firefox on Linux`: what a browser says it is; other programs by their first word."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return f"{name} on {system}"
    first = _WORD.sub("?", user_agent).split(" ")[0][:40]
    return name or system or first


def _view(visit: Visit, stored: StoredRecord) -> EventView:
    record = stored.record
    detail = _detail(record.detail)
    what = _WHAT.get(record.kind, record.kind)
    methods, name, agent = detail.get("methods"), detail.get("name"), detail.get("user_agent")
    named = [each for each in methods if isinstance(each, str)] if isinstance(methods, list) else []
    if record.kind in _OF_A_DEVICE:
        what = f"{what}: {name}" if isinstance(name, str) else what
    elif isinstance(kind := detail.get("kind"), str):
        named = [*(each for each in named if each not in _MADE_BY_KIND), kind]
    return EventView(
        at=times.clock_time(record.at, visit.now),
        at_wire=times.wire(record.at),
        what=what,
        refused=record.kind.endswith("refused"),
        address=record.address,
        by=", ".join(dict.fromkeys(_BY[each] for each in named if each in _BY)),
        browser=browser(agent) if isinstance(agent, str) else "",
    )


def _detail(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
