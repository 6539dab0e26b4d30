"""The sign-in desk of a listener: its form, and the directory's own session, so that SSO is felt.

The form posts to the very address that asked for a sign-in, query string and all; once the person is
known the browser is sent there again, and then gets its answer. Nothing is remembered but a signed cookie.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from flask import redirect, render_template, request, session
from werkzeug.wrappers import Response

from demo.directory.clock import MovableClock
from demo.directory.people import People, Person

SESSION_LIFE: Final = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class Sitting:
    """Somebody who is signed in to this directory."""

    person: Person
    at: datetime
    two_factors: bool
    index: str
    """Names the session towards others; says nothing."""
    asked_by: str
    """Which request the sign-in answered."""


class Desk:
    """Signs people in and out. Its methods need a Flask request."""

    def __init__(self, people: People, clock: MovableClock) -> None:
        self._people = people
        self._clock = clock

    def sitting(self) -> Sitting | None:
        """Who is signed in with this browser, if anybody."""
        person = self._people.named(str(session.get("who", "")))
        if person is None:
            return None
        at = datetime.fromtimestamp(int(session["at"]), UTC)
        if not at <= self._clock.now() < at + SESSION_LIFE:
            return None
        return Sitting(
            person=person,
            at=at,
            two_factors=bool(session["two"]),
            index=str(session["index"]),
            asked_by=str(session["asked_by"]),
        )

    def form(self, *, message: str = "", status: int = 200) -> Response:
        """The sign-in page for the present address."""
        chosen = self._people.named(request.args.get("fill", ""))
        page = render_template(
            "sign_in.html",
            action=_here(),
            people=self._people,
            username=chosen.username if chosen else request.form.get("username", ""),
            password=chosen.password if chosen else "",
            message=message,
        )
        return Response(page, status, mimetype="text/html")

    def take(self, asked_by: str) -> Response:
        """What was typed into the form: on to the address that asked, or the form again."""
        person = self._people.with_password(
            request.form.get("username", "").strip(), request.form.get("password", "")
        )
        if person is None:
            words = "That username and password do not belong together. Look at the list below."
            return self.form(message=words, status=401)
        session.clear()
        session.update(
            who=person.username,
            at=int(self._clock.now().timestamp()),
            two=person.mfa and "password_only" not in request.form,
            index=f"_{secrets.token_hex(16)}",
            asked_by=asked_by,
        )
        return redirect(_here(), 303)

    def leave(self) -> None:
        """Forget who is signed in with this browser."""
        session.clear()


def _here() -> str:
    """The address that is asked for, without what only fills the form in; the rest byte by byte as it came."""
    query = request.query_string.decode("latin-1")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("fill="))
    return f"{request.path}?{kept}" if kept else request.path
