"""Letting a device in (RFC 8628, 3.3): enter its code, see who asks, from where and for what, decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from app.errors import AskRefused, Malformed, SignInNotFresh, UserCodeUnknown
from app.model import DeviceRequest
from app.web import asks, forms, page, paths, records, scopes, times
from app.web.visit import Visit
from app.web.wire import Response

_TYPED: Final = 32
"""Characters of a code as somebody types it: eight letters, a dash, blanks."""


@dataclass(frozen=True, slots=True)
class AskCodePage:
    """Which device?"""

    typed: str
    wrong: str
    """Why the code that was typed is not good; empty before."""
    typed_longest: int


@dataclass(frozen=True, slots=True)
class DevicePage:
    """A device that waits."""

    user_code: str
    client: str
    device: str
    """What it calls itself; may be empty."""
    address: str
    here: str
    """The address of the browser that looks."""
    elsewhere: bool
    """The device asks from another address than the browser's."""
    user_agent: str
    asked: str
    asked_at: str
    scopes: tuple[str, ...]
    ends: str
    ends_at: str
    fresh: bool
    sign_in_href: str
    """One click: the same source again, and back to this page."""


@dataclass(frozen=True, slots=True)
class DecidedPage:
    """What became of it."""

    allowed: bool
    client: str
    device: str
    ends: str
    ends_at: str


def ask_device(visit: Visit) -> Response:
    """`GET /device?user_code=XXXX-XXXX`: the device that waits under the code; without one, the form to type it.

    Raises:
        Malformed, TooMany, Unavailable.
    """
    fields = forms.query(visit.request, ("user_code",))
    typed = fields.get("user_code", "").strip()
    if not typed:
        return _ask_code(visit)
    try:
        return _show(visit, _find(visit, typed))
    except UserCodeUnknown as refusal:
        return _unknown(visit, typed, refusal)


def decide_device(visit: Visit) -> Response:
    """`POST /device`: let it in or turn it away.

    Raises:
        Malformed, TooMany, Unavailable.
    """
    fields = forms.form(visit.request, ("user_code", "decision"))
    typed = fields.get("user_code", "").strip()
    decision = fields.get("decision")
    if decision not in ("approve", "refuse"):
        raise Malformed(f"decision {str(decision)[:40]!r}", words="Choose one of the two buttons.")
    try:
        waiting = _find(visit, typed)
        allow = decision == "approve"
        visit.broker.decide_device(visit.person, waiting.user_code, allow=allow, caller=visit.caller)
    except UserCodeUnknown as refusal:
        return _unknown(visit, typed, refusal)
    except SignInNotFresh as refusal:
        records.note(visit, refusal)
        return _show(visit, waiting, fresh=False, status=refusal.status)
    decided = DecidedPage(
        allowed=allow,
        client=waiting.client.name,
        device=waiting.device,
        ends=times.clock_time(waiting.ends_at, visit.now),
        ends_at=times.wire(waiting.ends_at),
    )
    return page.show("device_decided.html", decided, visit)


def _find(visit: Visit, typed: str) -> DeviceRequest:
    try:
        asks.line(typed, "user_code", _TYPED)
    except AskRefused as refusal:
        raise UserCodeUnknown(refusal.detail) from None
    return visit.broker.device(visit.person, typed, caller=visit.caller)


def _show(visit: Visit, waiting: DeviceRequest, *, fresh: bool | None = None, status: int = 200) -> Response:
    here = f"/device?user_code={quote(waiting.user_code, safe='')}"
    source = visit.person.identity.source
    shown = DevicePage(
        user_code=waiting.user_code,
        client=waiting.client.name,
        device=waiting.device,
        address=waiting.address,
        here=visit.caller.address,
        elsewhere=waiting.address != visit.caller.address,
        user_agent=waiting.user_agent,
        asked=times.clock_time(waiting.asked_at, visit.now),
        asked_at=times.wire(waiting.asked_at),
        scopes=scopes.words(waiting.scope),
        ends=times.clock_time(waiting.ends_at, visit.now),
        ends_at=times.wire(waiting.ends_at),
        fresh=waiting.fresh if fresh is None else fresh,
        sign_in_href=paths.with_next(f"/sign-in/{quote(source, safe='')}", here),
    )
    return page.render("device.html", shown, page.frame_of(visit), status)


def _unknown(visit: Visit, typed: str, refusal: UserCodeUnknown) -> Response:
    records.note(visit, refusal)
    return _ask_code(visit, typed[:_TYPED], refusal.words, refusal.status)


def _ask_code(visit: Visit, typed: str = "", wrong: str = "", status: int = 200) -> Response:
    shown = AskCodePage("".join(char for char in typed if char.isprintable()), wrong, _TYPED)
    return page.render("device_ask.html", shown, page.frame_of(visit), status)
