"""Switching, asking and stopping a running endpoint: its side, and the side of those who ask.

The way in is a file that only its owner can read: the port and a token of its own, which never leaves the
machine. Works alike on Windows, which has no owner-only sockets that Python knows.
"""

from __future__ import annotations

import hmac
import http.client
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable

from daypass import files, locks, sealed
from daypass.errors import PENDING, UNREACHABLE, USAGE, Fail, ProofNeeded
from daypass.serve import local

if TYPE_CHECKING:
    from daypass.context import Context

PATIENCE = 60.0
"""Seconds that a switch may take: it waits for the broker."""
_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[!-~]{1,600}")


@dataclass(frozen=True)
class Control:
    """What may be done to the running endpoint."""

    token: str = field(repr=False)
    switch: Callable[[str], dict[str, Any]]
    """By ARN; raises Fail."""
    status: Callable[[], dict[str, Any]]
    stop: Callable[[], None]

    def answer(self, method: str, path: str, given: str, body: dict[str, Any]) -> tuple[int, str]:
        """Status and body. Raises Refused."""
        if not hmac.compare_digest(given.encode("latin-1", "replace"), self.token.encode()):
            raise local.Refused(401, "This is for the helper itself.")
        if (method, path) == ("GET", "/control/status"):
            return 200, json.dumps(self.status())
        if (method, path) == ("POST", "/control/stop"):
            self.stop()
            return 200, "{}"
        if (method, path) == ("POST", "/control/switch"):
            arn = body.get("role")
            if not isinstance(arn, str) or not _ARN.fullmatch(arn):
                raise local.Refused(400, "`role` is not a role's ARN.")
            try:
                return 200, json.dumps(self.switch(arn))
            except Fail as failure:
                return 409, json.dumps(_told(failure))
        raise local.Refused(404, "There is no such thing to do.")


def publish(context: Context, port: int, token: str) -> None:
    """Says where the endpoint is, to its owner alone. Raises Fail."""
    files.write(_file(context), sealed.sealed(json.dumps({"port": port, "token": token}).encode()))


def withdraw(context: Context) -> None:
    """Takes that back. Raises Fail."""
    files.remove(_file(context))


def lock_path(context: Context) -> str:
    """The lock that a running endpoint holds to its end, however that comes."""
    return context.paths.join(context.paths.broker(context.key), "serve.lock")


def ask(context: Context, method: str, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Asks the endpoint that runs.

    Raises:
        Fail: none runs (2), or what it answered.
    """
    with locks.at_once(lock_path(context)) as free:
        # One that was killed has left its file behind: who listens at its port by now may be another user, whose
        # answer would become lines for a shell.
        place = None if free else _place(context)
    if place is None:
        raise absent()
    connection = http.client.HTTPConnection(local.ADDRESS, place[0], timeout=PATIENCE)
    try:
        sent = None if method == "GET" else json.dumps(body or {})
        connection.request(method, f"/control/{what}", sent, {"Authorization": place[1]})
        answer = connection.getresponse()
        told = json.loads(answer.read(1024 * 1024))
    except ConnectionRefusedError:
        raise absent() from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Fail(
            UNREACHABLE, "The running `daypass serve` does not answer.", why=f"{error}.", next="daypass serve"
        ) from None
    finally:
        connection.close()
    if not isinstance(told, dict) or answer.status == 401:
        raise absent()  # the port went to another program
    if answer.status == 409:
        raise _failure(told)
    if answer.status != 200:
        raise Fail(
            USAGE,
            "The running `daypass serve` refused.",
            why=str(told.get("message", "")),
            next="daypass serve --status",
        )
    return told


def absent() -> Fail:
    """No endpoint runs."""
    return Fail(
        USAGE,
        "No `daypass serve` is running here.",
        why="It runs in a terminal of its own.",
        next="daypass serve ROLE",
    )


def _place(context: Context) -> tuple[int, str] | None:
    try:
        content = files.read(_file(context))
        found = json.loads(sealed.opened(content) if content else b"{}")
        return int(found["port"]), str(found["token"])
    except (ValueError, KeyError, TypeError):
        return None


def _told(failure: Fail) -> dict[str, Any]:
    return {
        "code": failure.code,
        "what": failure.what,
        "why": failure.why,
        "next": failure.next,
        "request_id": failure.request_id,
        "url": failure.url,
        "kinds": list(getattr(failure, "kinds", ())),
    }


def _failure(told: dict[str, Any]) -> Fail:
    code, url, kinds = told.get("code"), told.get("url"), told.get("kinds")
    if code == PENDING and isinstance(url, str) and url:
        named = [str(kind) for kind in kinds] if isinstance(kinds, list) else []
        return ProofNeeded(
            str(told.get("why") or ""), url=url, kinds=named, request_id=str(told.get("request_id") or "")
        )
    texts = {name: str(told.get(name) or "") for name in ("why", "next", "request_id")}
    return Fail(
        code if isinstance(code, int) else UNREACHABLE,
        str(told.get("what") or "It could not be switched."),
        **texts,
    )


def _file(context: Context) -> str:
    return context.paths.join(context.paths.broker(context.key), "serve")
