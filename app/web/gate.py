"""What happens to every request before its handler and after: ids, caps, guards, headers, one log line."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from app.clock import Clock
from app.errors import (
    Internal,
    Malformed,
    MethodNotAllowed,
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
from app.web.addresses import Addresses
from app.web.doors import AdministrationDoor, BrokerDoor
from app.web.route import ORDINARY_BODY, Cors, Guard, Route
from app.web.visit import Visit
from app.web.wire import Request, Response

log = logging.getLogger("daypass.web")


@dataclass(slots=True)
class Here:
    """What is known of a request so far."""

    request: Request
    request_id: str
    started: float
    settings: Settings | None = None
    row: Route | None = None
    """The row that was asked for; if the method was wrong, one of the address's."""
    visit: Visit | None = None
    reader: str = ""
    """The origin of another site's page that may read the answer."""


class Gate:
    """Stands before and behind every handler. Holds no state of its own."""

    def __init__(
        self,
        broker: BrokerDoor,
        administration: AdministrationDoor,
        settings: Callable[[], Settings],
        clock: Clock,
        addresses: Addresses,
    ) -> None:
        self._broker = broker
        self._administration = administration
        self._settings = settings
        self._clock = clock
        self._addresses = addresses

    def answer(self, request: Request) -> Response:
        """The answer to a request. Every exception becomes one; none is a 500."""
        here = Here(request, caller.new_request_id(), time.perf_counter())
        try:
            response = self._handled(here)
        except Exception as error:  # noqa: BLE001
            response = self._failed(here, error)
        try:
            self._finish(here, response)
        except Exception as error:  # noqa: BLE001
            _log_defect(error, here.request_id)
            return problems.last_resort(here.request_id)
        return response

    def _handled(self, here: Here) -> Response:
        """Cap the body, find out who asks, let the guard decide, and hand the visit to the row's handler."""
        asked = here.request
        here.settings = settings = self._settings()
        path = asked.path if asked.environ.get("PATH_INFO") else ""  # of which Werkzeug makes `/`
        row, parts = self._addresses.find(path, asked.method)
        here.row = row or next(iter(self._addresses.rows(path)), None)
        bodies.cap(asked, ORDINARY_BODY if row is None else row.body)
        here.visit = Visit(
            self._broker,
            self._administration,
            settings,
            asked,
            caller.caller_of(asked, settings, here.request_id),
            self._clock.now(),
        )
        if _host_is_broken(asked):
            raise Malformed
        if row is None:
            return self._otherwise(here, here.visit, path)
        if row.guard is not Guard.API and (elsewhere := _other_name(asked, settings)):
            return page.see_other(elsewhere)
        if origin := cors.elsewhere(row, asked, settings):
            cors.check_declared(here.visit, origin)
            here.reader = origin
        try:
            here.visit = guards.identify(row, here.visit)
        except NotSignedIn:
            if row.guard is Guard.PAGE and asked.method in ("GET", "HEAD") and not problems.wants_json(asked):
                return _to_sign_in(asked, settings)
            raise
        if origin:
            _check_reader(here, row, here.visit)
        guards.protect(row, here.visit)
        return row.handler(here.visit, **parts)

    def _otherwise(self, here: Here, visit: Visit, path: str) -> Response:
        """Where no row takes the request: the answer to a preflight.

        Raises:
            Unknown, MethodNotAllowed, OriginRefused, Unavailable.
        """
        if here.row is None:
            raise Unknown("" if path else "an empty path")
        rows = self._addresses.rows(path)
        if here.request.method == "OPTIONS" and (answer := cors.preflight(rows, visit)) is not None:
            here.reader = here.request.headers["Origin"]
            return answer
        raise MethodNotAllowed

    def _finish(self, here: Here, response: Response) -> None:
        """Headers on every answer, and the line in the log."""
        headers.secure(response, here.settings or self._settings(), here.request_id)
        if here.row is not None and here.row.cors is not Cors.NONE:
            response.headers.add("Vary", "Origin")
            if here.reader:
                cors.let_read(response, here.reader)
        log.info(
            "answered",
            extra={
                "method": here.request.method,
                "path": here.request.path,
                "status": response.status_code,
                "ms": round((time.perf_counter() - here.started) * 1000, 1),
                "request_id": here.request_id,
                "address": here.visit.caller.address if here.visit is not None else "-",
            },
        )

    def _failed(self, here: Here, error: Exception) -> Response:
        """An exception as an answer."""
        try:
            return self._refused(here, error)
        except Exception as second:  # noqa: BLE001
            _log_defect(second, here.request_id)
            return problems.last_resort(here.request_id)

    def _refused(self, here: Here, error: Exception) -> Response:
        asked, row, request_id = here.request, here.row, here.request_id
        refusal = _recorded(here.visit, problems.of_exception(error))
        if isinstance(refusal, Internal) and error is not refusal:
            _log_defect(error, request_id)
        else:
            _log_refusal(refusal, request_id)
        if row is not None and row.refused is not None:
            response = row.refused(refusal, request_id, asked)
        elif problems.wants_json(asked):
            response = problems.as_problem(refusal, request_id, row.scope if row else None)
        else:
            response = problems.as_page(
                refusal,
                self._frame(here, refusal),
                times.wire(self._clock.now()),
                _back(asked),
                _why(asked, refusal),
            )
        if isinstance(refusal, MethodNotAllowed):
            taken = {method for each in self._addresses.rows(asked.path) for method in each.methods}
            response.headers["Allow"] = ", ".join(sorted(taken))
        return response

    def _frame(self, here: Here, refusal: Refusal) -> page.Frame:
        if here.visit is None or isinstance(refusal, Internal):
            return page.Frame((here.settings or self._settings()).name, here.request_id)
        return page.frame_of(here.visit)


def _check_reader(here: Here, row: Route, visit: Visit) -> None:
    """Now that the client is known. Raises OriginRefused, which that page cannot read."""
    try:
        cors.check_own(row, visit, here.reader)
    except OriginRefused:
        here.reader = ""
        raise


def _recorded(visit: Visit | None, refusal: Refusal) -> Refusal:
    """The refusal, on record if a signed-in person met it here and not in the broker."""
    if visit is None:
        return refusal
    try:
        records.note(visit, refusal)
    except (TooMany, Unavailable) as instead:
        return instead
    return refusal


def _to_sign_in(asked: Request, settings: Settings) -> Response:
    target = paths.own_path(_full_path(asked))
    address = paths.with_next("/sign-in", target)
    response = page.see_other(address)
    if cookies.session_token(asked, settings):
        response.headers["Location"] = f"{address}{'&' if '?' in address else '?'}ended=1"
        cookies.clear_session(response, settings)
    return response


def _full_path(asked: Request) -> str:
    path = quote(asked.path, safe="/:@!$&'()*+,;=~-._")
    query = asked.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _host_is_broken(asked: Request) -> bool:
    """`Host` has a name of which a part is empty or too long (RFC 1035, 2.3.1)."""
    given = asked.environ.get("HTTP_HOST", "")
    if len(given) < 64 and ".." not in given and not given.startswith("."):
        return False
    try:
        asked.host.partition(":")[0].encode("idna")
    except UnicodeError:
        return True
    return False


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
    if asked.method != "POST" or asked.path != "/keys":
        return None
    role = asked.field("role")[:700]
    return f"/keys?role={quote(role, safe='')}" if role else None


def _why(asked: Request, refusal: Refusal) -> str | None:
    """Where a refused role is explained, as far as the question was read."""
    if not isinstance(refusal, RoleForbidden | RoleUnknown):
        return None
    role = (asked.args.get("role", "") if asked.fields is None else asked.field("role"))[:700]
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
