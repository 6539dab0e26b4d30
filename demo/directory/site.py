"""What the listeners share: pages, headers, the guard against other hosts, sign-out, and the test controls."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from demo.directory.clock import MovableClock
from demo.directory.desk import Desk
from demo.directory.faults import Fault, Faults, drip
from demo.directory.people import People

CONTENT_SECURITY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""No form-action: a browser holds it against every redirect that follows a form, up to the AWS console."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a listener is made from."""

    origin: str
    """Its own address, `http://127.0.0.1:PORT`."""
    title: str
    broker: str
    people: People
    clock: MovableClock
    cookie_key: bytes = field(repr=False)
    page_origins: frozenset[str] = frozenset()
    """Origins of other pages that may call `PAGE_PATHS`."""


PAGE_PATHS = ("/token", "/me")
"""What is for pages of other origins, where there are any."""


def make_site(setting: Setting, desk: Desk) -> Flask:
    """A Flask app with the shared pages; the listener adds its protocol."""
    app = Flask(__name__)
    port = urlsplit(setting.origin).port
    app.config.update(
        SECRET_KEY=setting.cookie_key,
        # Cookies know no ports: the listeners, and two copies of the demo, must not share one.
        SESSION_COOKIE_NAME=f"demo_directory_{port}",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=256 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
    )
    faults = Faults()
    app.jinja_env.globals.update(title=setting.title, broker=setting.broker)
    app.before_request(lambda: _only_this_machine(port or 80, setting.page_origins))
    app.before_request(lambda: _misbehave(faults))
    app.after_request(_headers)
    app.register_error_handler(HTTPException, _error_page)

    @app.get("/")
    def home() -> str:
        return render_template("home.html", people=setting.people, sitting=desk.sitting())

    @app.get("/sign-out")
    def sign_out() -> Any:
        desk.leave()
        return redirect("/", 303)

    @app.route("/_demo/fault", methods=["GET", "POST", "DELETE"])
    def fault() -> Any:
        return _control(faults, setting.clock)

    return app


def _only_this_machine(port: int, pages: frozenset[str]) -> None:
    # The listener is on loopback; this keeps out pages of other sites that point a name or a form here.
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if request.host not in hosts:
        abort(421, "This demo answers to 127.0.0.1 only.")
    origin = request.headers.get("Origin")
    welcome = (
        not origin or urlsplit(origin).netloc in hosts or (origin in pages and request.path in PAGE_PATHS)
    )
    if request.method not in ("GET", "HEAD", "OPTIONS") and not welcome:
        abort(403, "This form was sent from another site.")


def _misbehave(faults: Faults) -> Response | None:
    if request.path.startswith(("/_demo/", "/static/")):
        return None
    fault = faults.take(request.path)
    if fault is None:
        return None
    if fault.kind == "error":
        abort(500, "This failure was asked for, by a test.")
    if fault.kind == "slow":
        time.sleep(fault.seconds)
        return None
    if fault.kind == "drip":
        return Response(drip(fault.seconds), 200)
    return Response(b"\x00\xff<<<not what you asked for{]", 200, content_type="application/octet-stream")


def _control(faults: Faults, clock: MovableClock) -> Any:
    if request.method == "DELETE":
        faults.set(None)
        clock.offset = timedelta()
    if request.method == "POST":
        if not request.is_json:
            abort(415, "Send JSON.")
        wanted = request.get_json()
        try:
            wanted = dict(wanted)
            offset = timedelta(seconds=float(wanted.pop("clock", clock.offset.total_seconds())))
            clock.now() + offset
            fault = Fault(**wanted) if wanted else None
        except (TypeError, ValueError, OverflowError) as error:
            abort(422, f"No such fault: {error}")
        clock.offset = offset
        if fault is not None:
            faults.set(fault)
    return jsonify(left=faults.left, clock=clock.offset.total_seconds())


def _headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "strict-origin")
    if not request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _error_page(error: HTTPException) -> Any:
    return render_template("message.html", heading=error.name, words=error.description), error.code or 500


def refusal_page(words: str) -> Any:
    """A request that this directory does not answer, for the person who was sent here with it."""
    return render_template("message.html", heading="This sign-in cannot go on", words=words), 400
