"""Sign-in where there is no browser: a code to compare, entered on another device (RFC 8628).

A command that may not wait for long leaves with exit code 8, and the next one goes on with the same code.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from daypass import CLIENT_ID, files, sealed, signin
from daypass.errors import DENIED, PENDING, UNREACHABLE, Fail, Local
from daypass.http import Answer, Http, refused

if TYPE_CHECKING:
    from daypass.context import Context

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SHORT = 45.0
"""Seconds to wait where nobody sits at the terminal: AWS's Go SDK kills a `credential_process` at 60."""
_SLOWER = 5.0
_LEAST = 20.0
"""Seconds that a code from before must still be good for."""


def tokens(context: Context) -> Answer:
    """Show the code, wait until the person has decided.

    Raises:
        Fail: refused (4), not approved yet (8), unreachable (5).
    """
    http = Http(context)
    waiting = _earlier(context) or _started(context, http)
    _show(context, waiting)
    interval, until = float(waiting["interval"]), float(waiting["until"])
    ends = min(until, context.now() + (900.0 if context.output.talks else SHORT))
    while context.now() < ends:
        time.sleep(interval)
        said, interval = _asked(http, waiting, interval)
        if said is None:
            continue
        files.remove(_file(context))
        if said.status < 300:
            return said
        if said.document.get("error") == "expired_token":
            until = 0.0
            break
        if said.document.get("error") == "access_denied":
            raise Fail(
                DENIED,
                "The sign-in was refused on the other device.",
                next="daypass login",
                request_id=said.request_id,
            )
        raise refused(said)
    if context.now() >= until:
        raise Fail(PENDING, "Nobody approved the code in time.", next="daypass login --device")
    why = f"Approve {waiting['user_code']} at {waiting['uri']}; the next command goes on with it."
    raise Fail(PENDING, "The code is not approved yet.", why=why, next="daypass login")


def _pause(told: Any) -> float:
    """Seconds between two polls as the broker says, within reason."""
    try:
        return min(60.0, max(0.02, float(told)))
    except (TypeError, ValueError):
        return 5.0


def _asked(http: Http, waiting: dict[str, Any], interval: float) -> tuple[Answer | None, float]:
    """One poll (RFC 8628, 3.5): the last answer, or None to go on; and the pause before the next."""
    form = {"grant_type": GRANT, "device_code": str(waiting["device_code"]), "client_id": CLIENT_ID}
    try:
        said = http.ask("POST", "/oauth/token", form=form)
    except Fail as problem:
        if problem.code != UNREACHABLE:
            raise
        return None, interval + _SLOWER  # "exponential backoff … on encountering a connection timeout"
    error = said.document.get("error")
    if error == "authorization_pending" or said.status >= 500:
        return None, interval
    if error == "slow_down" or said.status == 429:
        return None, interval + _SLOWER
    return said, interval


def _started(context: Context, http: Http) -> dict[str, Any]:
    form = {"client_id": CLIENT_ID, "scope": signin.SCOPE, "device": signin.device_name(context)}
    said = http.ask("POST", "/oauth/device_authorization", form=form)
    if said.status >= 300:
        raise refused(said)
    told = said.document
    try:
        waiting = {
            "device_code": str(told["device_code"]),
            "user_code": str(told["user_code"]),
            "uri": str(told["verification_uri"]),
            "complete": str(told.get("verification_uri_complete") or ""),
            "interval": _pause(told.get("interval", 5)),
            "until": context.now() + float(told["expires_in"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise Fail(UNREACHABLE, "The broker's answer holds no device code.", next="daypass doctor") from error
    files.write(_file(context), sealed.sealed(json.dumps(waiting).encode()))
    return waiting


def _earlier(context: Context) -> dict[str, Any] | None:
    """A code that an earlier command has shown and that is still good."""
    content = files.read(_file(context))
    if content is None:
        return None
    try:
        waiting = json.loads(sealed.opened(content))
        left = float(waiting["until"]) - context.now()
        good = _LEAST < left < 3600 and {"device_code", "user_code", "uri", "complete", "interval"} <= set(
            waiting
        )
    except (ValueError, TypeError, KeyError, Local):
        return None
    return dict(waiting) if good else None


def _show(context: Context, waiting: dict[str, Any]) -> None:
    out = context.output
    out.tell("Sign in on any device with a browser:")
    out.tell(f"  {waiting['uri']}")
    out.mark(f"and enter the code  {out.bold(waiting['user_code'])}")
    if waiting["complete"]:
        out.tell("or open this, and compare the code:")
        out.tell(f"  {waiting['complete']}")


def _file(context: Context) -> str:
    return context.paths.join(context.paths.broker(context.key), "device")
