"""What happens to every request before its handler and after: ids, caps, guards, headers, one log line."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from app.clock import Clock
from app.errors import (
    Internal,
    NotSignedIn,
    OriginRefused,
    Refusal,
    RoleForbidden,
    RoleUnknown,
    TooMany,
    Unavailable,
    Unknown,
)
from app.model import Settings
from app.web import bodies, caller, cookies, cors, guards, headers, page, paths, problems, records, times
from app.web.doors import AdministrationDoor, BrokerDoor
from app.web.route import ORDINARY_BODY, Cors, Guard, Route
from app.web.visit import Visit

log = logging.getLogger("daypass.web")


class Gate:
    """Stands before and behind every handler. Holds no state of its own."""

    def __init__(
        self,
        broker: BrokerDoor,
        administration: AdministrationDoor,
        settings: Callable[[], Settings],
        clock: Clock,
        rows: Mapping[str, Route],
    ) -> None:
        self._broker = broker
        self._administration = administration
        self._settings = settings
        self._clock = clock
        self._rows = rows

    def install(self, app: Flask) -> None:
        """Put the gate around the application's addresses."""
        app.before_request(self.before)
        app.after_request(self.after)
        app.register_error_handler(Exception, self.failed)
        for row in self._rows.values():
            app.add_url_rule(
                row.address,
                endpoint=row.endpoint,
                view_func=_call(row),
                methods=list(row.methods),
                provide_automatic_options=False,
            )

    def before(self) -> Response | None:
        """Name the request, cap its body, find out who asks, and let the guard decide."""
        here, asked = _current()
        here.request_id = caller.new_request_id()
        here.started = time.perf_counter()
        here.settings = settings = self._settings()
        here.caller = caller.caller_of(asked, settings, here.request_id)
        row = self._rows.get(asked.endpoint or "")
        bodies.cap(asked, ORDINARY_BODY if row is None else row.body)
        here.visit = Visit(
            self._broker, self._administration, settings, asked, here.caller, self._clock.now()
        )
        if row is None:
            if isinstance(asked.routing_exception, RequestRedirect):
                raise Unknown("a redirect of Werkzeug's, which goes to the host that the request names")
            return self._preflight() if asked.method == "OPTIONS" else None
        if asked.method not in row.methods:  # Werkzeug lets HEAD in wherever GET is
            taken = {
                method for each in self._rows.values() if _matches(each, asked) for method in each.methods
            }
            raise MethodNotAllowed(valid_methods=sorted(taken))
        if row.guard is not Guard.API and (elsewhere := _other_name(asked, settings)):
            return page.see_other(elsewhere)
        if origin := cors.elsewhere(row, asked, settings):
            cors.check_declared(here.visit, origin)
            here.reader = origin
        try:
            here.visit = guards.identify(row, here.visit)
        except NotSignedIn:
            if row.guard is Guard.PAGE and asked.method in ("GET", "HEAD") and not problems.wants_json(asked):
                return self._to_sign_in(settings)
            raise
        if origin:
            self._check_reader(row, origin)
        guards.protect(row, here.visit)
        return None

    def after(self, response: Response) -> Response:
        """Headers on every answer, and the line in the log."""
        here, asked = _current()
        settings: Settings = here.get("settings") or self._settings()
        request_id: str = here.get("request_id", "-")
        headers.secure(response, settings, request_id)
        row = self._row()
        if row is not None and row.cors is not Cors.NONE:
            response.vary.add("Origin")
            if reader := here.get("reader"):
                cors.let_read(response, reader)
        where = here.get("caller")
        log.info(
            "answered",
            extra={
                "method": asked.method,
                "path": asked.path,
                "status": response.status_code,
                "ms": round((time.perf_counter() - here.get("started", time.perf_counter())) * 1000, 1),
                "request_id": request_id,
                "address": where.address if where else "-",
            },
        )
        return response

    def failed(self, error: Exception) -> Response:
        """Every exception as an answer; none is a 500."""
        request_id: str = g.get("request_id", "-")
        try:
            return self._refuse(error, request_id)
        except Exception as second:  # noqa: BLE001
            _log_defect(second, request_id)
            return problems.last_resort(request_id)

    def _preflight(self) -> Response | None:
        """The answer to a preflight; None if it is none, so that OPTIONS is as any method that is not taken."""
        rows = [row for row in self._rows.values() if _matches(row, request)]
        answer = cors.preflight(rows, g.visit)
        if answer is not None:
            g.reader = request.headers["Origin"]
        return answer

    def _check_reader(self, row: Route, origin: str) -> None:
        """Now that the client is known. Raises OriginRefused, which that page cannot read."""
        try:
            cors.check_own(row, g.visit, origin)
        except OriginRefused:
            g.reader = None
            raise

    def _refuse(self, error: Exception, request_id: str) -> Response:
        refusal = self._recorded(problems.of_exception(error))
        if isinstance(refusal, Internal) and error is not refusal:
            _log_defect(error, request_id)
        else:
            _log_refusal(refusal, request_id)
        row = self._row()
        if row is not None and row.refused is not None:
            response = row.refused(refusal, request_id, request)
        elif problems.wants_json(request):
            response = problems.as_problem(refusal, request_id, row.scope if row else None)
        else:
            response = problems.as_page(
                refusal,
                self._frame(request_id, refusal),
                times.wire(self._clock.now()),
                _back(request),
                _why(request, refusal),
            )
        if isinstance(error, HTTPException) and (allowed := getattr(error, "valid_methods", None)):
            response.headers["Allow"] = ", ".join(sorted(self._allowed(allowed)))
        return response

    def _recorded(self, refusal: Refusal) -> Refusal:
        """The refusal, on record if a signed-in person met it here and not in the broker."""
        visit: Visit | None = g.get("visit")
        if visit is None:
            return refusal
        try:
            records.note(visit, refusal)
        except (TooMany, Unavailable) as instead:
            return instead
        return refusal

    def _frame(self, request_id: str, refusal: Refusal) -> page.Frame:
        settings: Settings = g.get("settings") or self._settings()
        visit: Visit | None = g.get("visit")
        if visit is None or isinstance(refusal, Internal):
            return page.Frame(settings.name, request_id)
        return page.frame_of(visit)

    def _row(self) -> Route | None:
        """The row that was asked for; if the method was wrong, one of the address's."""
        asked = self._rows.get(request.endpoint or "")
        return asked or next((row for row in self._rows.values() if _matches(row, request)), None)

    def _allowed(self, methods: list[str]) -> set[str]:
        """Without the HEAD that Werkzeug adds to addresses whose row does not have it."""
        rows = [row for row in self._rows.values() if _matches(row, request)]
        return set(methods) & {method for row in rows for method in row.methods}

    def _to_sign_in(self, settings: Settings) -> Response:
        target = paths.own_path(_full_path(request))
        address = paths.with_next("/sign-in", target)
        response = page.see_other(address)
        if cookies.session_token(request, settings):
            response.headers["Location"] = f"{address}{'&' if '?' in address else '?'}ended=1"
            cookies.clear_session(response, settings)
        return response


def _current() -> tuple[Any, Request]:
    """What Flask's `g` and `request` stand for now, once: each look through them costs."""
    return g._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]


def _call(row: Route) -> Callable[..., Response]:
    def view(**parts: str) -> Response:
        return row.handler(g.visit, **parts)

    return view


def _matches(row: Route, asked: Request) -> bool:
    pattern, path = row.address.split("/"), asked.path.split("/")
    return len(pattern) == len(path) and all(
        part.startswith("<") or part == given for part, given in zip(pattern, path, strict=True)
    )


def _full_path(asked: Request) -> str:
    path = quote(asked.path, safe="/:@!$&'()*+,;=~-._")
    query = asked.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _other_name(asked: Request, settings: Settings) -> str | None:
    """On a developer's machine: the same page under base_url's name, if another name of loopback was used.

    Cookies and the answers of providers belong to one name. Never off loopback, where a proxy may rewrite
    Host and this would go round in circles; and never to a name from the request.
    """
    if not settings.loopback or asked.method != "GET":
        return None
    base = urlsplit(settings.base_url)
    given = asked.headers.get("Host", "")
    names = {f"{name}:{base.port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    if given == base.netloc or given not in names or asked.path in ("/healthz", "/readyz"):
        return None
    return settings.base_url + paths.own_path(_full_path(asked))


def _back(asked: Request) -> str | None:
    """The page whose form it was, as far as the form was read."""
    if asked.method != "POST" or asked.path != "/keys" or "form" not in vars(asked):
        return None
    role = asked.form.get("role", "")[:700]
    return f"/keys?role={quote(role, safe='')}" if role else None


def _why(asked: Request, refusal: Refusal) -> str | None:
    """Where a refused role is explained, as far as the question was read."""
    if not isinstance(refusal, RoleForbidden | RoleUnknown):
        return None
    fields = asked.form if "form" in vars(asked) else asked.args
    role = fields.get("role", "")[:700]
    return f"/why?role={quote(role, safe='')}" if role else None


def _log_refusal(refusal: Refusal, request_id: str) -> None:
    log.info(
        "refused",
        extra={
            "code": refusal.code,
            "status": refusal.status,
            "why": refusal.detail,
            "request_id": request_id,
        },
    )


def _log_defect(error: Exception, request_id: str) -> None:
    # Type and place, not the message: an exception's message may quote what must not be in a log.
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[::-1]
    )
    log.error("defect", extra={"error": type(error).__name__, "at": places, "request_id": request_id})
