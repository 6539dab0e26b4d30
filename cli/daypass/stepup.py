"""A second factor in the middle of a command: where it is proven, and the wait until it is.

It is proven in a browser, this machine's or another one; the broker's `GET /v1/me` tells when.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from daypass import browser, roles, session, settings
from daypass.errors import PENDING, UNREACHABLE, Fail, ProofNeeded, Usage

if TYPE_CHECKING:
    from daypass.context import Context

PATIENCE = 300.0
"""Seconds for the person to prove it."""
SHORT = 45.0
"""Where nobody sits at the terminal: AWS's Go SDK kills a `credential_process` at 60."""
PAUSE = 1.0
_SLOWER = 5.0
_QUERY = re.compile(r"[A-Za-z0-9._~%=&:/?+,@-]*", re.ASCII)


def settle(context: Context, needed: ProofNeeded) -> None:
    """Say what is needed and where, open it as a sign-in would be opened, and come back once it is proven.

    Raises:
        Fail: not in time (8), another broker's address (5), what asking raises.
    """
    _refuse_stranger(context, needed)
    before = _proven(context)
    opens = browser.opens(context)
    out = context.output
    if needed.why:
        out.tell(needed.why)
    out.tell(
        f"Prove it by {roles.in_words(needed.kinds)}{'. If no browser opens, here:' if opens else ', here:'}"
    )
    out.tell(f"  {needed.url}")
    started = browser.opened(context, needed.url) if opens else None
    out.tell("Waiting for it; Ctrl-C ends that.")
    deadline = time.monotonic() + (PATIENCE if out.talks else SHORT)
    pause, failed = PAUSE, False
    while time.monotonic() < deadline:
        time.sleep(pause)
        if not failed and started is not None and started.poll():
            failed = True
            out.tell("The browser could not be opened; the address above is the way.")
        try:
            now = _proven(context)
        except Fail as problem:
            if problem.code != UNREACHABLE:
                raise
            pause = _SLOWER
            continue
        if now and now != before:
            out.say("Proven.")
            roles.outdated(context)
            return
    raise Fail(
        PENDING,
        "The second factor was not proven in time.",
        why="Prove it at the address, then run the command again.",
        url=needed.url,
        request_id=needed.request_id,
    )


def _proven(context: Context) -> str:
    """When a second factor was last proven in this sign-in, as the broker says; empty if never."""
    how = session.call(context, "GET", "/v1/me").get("authentication")
    return str(how.get("mfa_at") or "") if isinstance(how, dict) else ""


def _refuse_stranger(context: Context, needed: ProofNeeded) -> None:
    """Nothing but a page of the broker's own is opened. Raises Fail."""
    place, _, query = needed.url.partition("?")
    try:
        own = settings.address(place).startswith(f"{context.broker}/") and _QUERY.fullmatch(query)
    except Usage:
        own = None
    if not own:
        raise Fail(
            UNREACHABLE,
            "The broker's answer does not say where to prove the second factor.",
            why=f"It is no address below {context.broker}.",
            next="daypass doctor",
            request_id=needed.request_id,
        )
