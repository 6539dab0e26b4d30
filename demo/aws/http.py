"""The double over HTTP, on 127.0.0.1 and nowhere else."""

from __future__ import annotations

import contextlib
import json
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

from demo.aws import sts as sts_actions
from demo.aws.accounts import Accounts, KeyPair, State, shipped
from demo.aws.bodies import BodyRefused, read_body
from demo.aws.clock import Clock
from demo.aws.faults import Fault, Faults
from demo.aws.federation import Federation
from demo.aws.identity import Directory
from demo.aws.log import Log
from demo.aws.s3 import S3
from demo.aws.s3.objects import too_large
from demo.aws.s3.service import LARGEST_BODY
from demo.aws.sts import Sts
from demo.aws.tokens import Seal
from demo.aws.wire import Rejected, Reply, Request, as_json, failure

HOST = "127.0.0.1"
LARGEST = 256 * 1024


class Double:
    """A running double. Use it as a context manager, or call `stop`."""

    def __init__(self, port: int, accounts: Accounts, state: State, clock: Clock) -> None:
        self.accounts = accounts
        self.broker: KeyPair = state.broker
        """The broker's long-term key."""
        self.clock = clock
        self.faults = Faults()
        self.log = Log()
        self.stopping = Event()
        self._server = _Server((HOST, port), _Handler)
        self._server.double = self
        self.port: int = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        seal = Seal(state.seal)
        directory = Directory(accounts, state.broker, seal)
        self._sts = Sts(accounts, directory, seal)
        self._federation = Federation(accounts, directory, seal, self.url)
        self._s3 = S3(accounts, directory)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="aws-double", daemon=True)
        self._started = False

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._server.accepted

    def start(self) -> Double:
        """Answer in a thread of its own."""
        self._thread.start()
        self._started = True
        return self

    def run(self) -> None:
        """Answer in this thread until `stop`, or an interrupt."""
        self._server.serve_forever(0.2)

    def stop(self) -> None:
        """Stop answering; open connections are closed."""
        self.stopping.set()
        if self._started:
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> Double:
        return self if self._started else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def answer(self, request: Request) -> tuple[Reply, Fault | None]:
        """The answer to one request, and the fault under which it goes out."""
        request_id = str(uuid.uuid4())
        if (request.header("host") or "") not in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
            # A name that a stranger points here (DNS rebinding) is not this machine.
            return Reply(421, "text/plain", b"This address answers on 127.0.0.1 only.\n"), None
        if request.path == "/_double" or request.path.startswith("/_double/"):
            return self._introspection(request), None
        if request.path in ("/federation", "/oauth", "/console") or request.path.startswith("/console/"):
            reply, action = self._federation.handle(request, self.clock.now())
            self.log.add(action, reply.status, method=request.method)
            return self._faulty(action, reply, request_id)
        if self._s3.owns(request):
            return self._bucket(request, request_id)
        return self._call(request, request_id)

    def largest(self, request: Request) -> int:
        """Bytes that the body of this request may have."""
        return LARGEST_BODY if self._s3.owns(request) else LARGEST

    def streams(self, request: Request) -> bool:
        """Whether the body may come in chunks, its size said by none of the headers."""
        return self._s3.owns(request)

    def too_large(self, request: Request) -> Reply:
        """The answer to a body that has more, or whose size cannot be known beforehand."""
        if self._s3.owns(request):
            return self._s3.refused(request, too_large(), str(uuid.uuid4()))
        return Reply(413, "text/plain", b"A body needs a Content-Length of at most 256 KiB.\n")

    def _bucket(self, request: Request, request_id: str) -> tuple[Reply, Fault | None]:
        done = self._s3.handle(request, request_id, self.clock.now())
        self.log.add(done.action, done.reply.status, request_id=request_id, **done.facts)
        fault = self.faults.take(done.action)
        if fault is None:
            return done.reply, None
        error = fault.error
        if error is not None:
            return self._s3.refused(request, error, request_id), fault
        return fault.apply(done.reply, request_id), fault

    def _call(self, request: Request, request_id: str) -> tuple[Reply, Fault | None]:
        action = "unknown"
        try:
            params = sts_actions.read(request)
            action = params.plain.get("Action", "missing")
            handled = self._sts.handle(request, params, request_id, self.clock.now())
            reply = handled.reply
            self.log.add(action, reply.status, request_id=request_id, caller=handled.caller, **handled.facts)
        except Rejected as rejected:
            reply = failure(rejected, request_id)
            self.log.add(action, reply.status, request_id=request_id, code=rejected.code)
        return self._faulty(action, reply, request_id)

    def _faulty(self, action: str, reply: Reply, request_id: str) -> tuple[Reply, Fault | None]:
        fault = self.faults.take(action)
        return (reply, None) if fault is None else (fault.apply(reply, request_id), fault)

    def _introspection(self, request: Request) -> Reply:
        """`/_double/…`: for tests. Changes need JSON, which a page of another site cannot send."""
        match (request.method, request.path):
            case ("GET", "/_double" | "/_double/"):
                return as_json(
                    200,
                    {
                        "double": "aws",
                        "broker": self.broker.access_key_id,
                        "roles": sorted(self.accounts.roles),
                    },
                )
            case ("GET", "/_double/requests"):
                return as_json(200, self.log.calls())
            case ("GET", "/_double/counters"):
                return as_json(200, self.log.counters())
            case ("GET", "/_double/clock"):
                return as_json(200, {"now": self.clock.now().isoformat()})
            case ("POST", "/_double/fault" | "/_double/clock" | "/_double/sessions" | "/_double/reset"):
                return self._switch(request)
            case ("DELETE", "/_double/fault"):
                self.faults.clear()
                return as_json(200, {})
        return as_json(404, {"message": "There is nothing at this address."})

    def _switch(self, request: Request) -> Reply:
        if (request.header("content-type") or "").partition(";")[0].strip() != "application/json":
            return as_json(415, {"message": "Send JSON."})
        try:
            raw = json.loads(request.body or b"{}")
            if not isinstance(raw, dict):
                raise ValueError("an object is expected")
            if request.path == "/_double/fault":
                self.faults.add(Fault.read(raw))
            elif request.path == "/_double/clock":
                self.clock.move(timedelta(seconds=float(raw["move"])))
            elif request.path == "/_double/sessions":
                self._sts.longest = _longest(raw["longest"])
            else:
                self.faults.clear()
                self.log.clear()
                self._sts.longest = None
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            return as_json(400, {"message": str(error)})
        return as_json(200, {})


def serve(
    *,
    port: int = 0,
    accounts: Accounts | None = None,
    state: State | None = None,
    clock: Clock | None = None,
    host: str = HOST,
) -> Double:
    """Start a double in a thread.

    `port` 0 takes a free one. Without `accounts` the shipped ones are used, without `state` fresh keys
    (see `Double.broker`). Raises ValueError for any host but 127.0.0.1, OSError if the port is taken.
    """
    if host != HOST:
        raise ValueError(
            f"The AWS double listens on {HOST} only, not on {host}: it gives anyone who reaches it a way in."
        )
    return Double(port, accounts or shipped(), state or State.made(), clock or Clock()).start()


def _longest(value: object) -> int | None:
    """Whole seconds, at least one, or None for AWS's own. Raises ValueError for anything else."""
    if value is None or (type(value) is int and value >= 1):
        return value
    raise ValueError("longest is a whole number of seconds, or null")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 256
    double: Double

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = Lock()
        self.accepted = 0
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
            self.accepted += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Cut what is still connected."""
        with self._open_lock:
            still = list(self._open)
        for one in still:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "aws-double"
    sys_version = ""
    disable_nagle_algorithm = True
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_OPTIONS(self) -> None:
        self._serve()

    def handle_expect_100(self) -> bool:
        """Before a body that the caller has not sent yet: not if it would be refused for its size."""
        if not self._announced_fits():
            self.close_connection = True
            self._send(self.server.double.too_large(self._request(b"")))
            return False
        return super().handle_expect_100()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: a query may hold a sign-in token."""

    def _serve(self) -> None:
        double = self.server.double
        request = self._request(b"")
        try:
            body = read_body(
                self.rfile, self.headers, double.largest(request), chunked=double.streams(request)
            )
        except BodyRefused:
            self.close_connection = True
            self._send(double.too_large(request))
            return
        try:
            reply, fault = double.answer(replace(request, body=body))
        except Rejected as rejected:
            reply, fault = failure(rejected, str(uuid.uuid4())), None
        self._send(reply, fault)

    def _request(self, body: bytes) -> Request:
        path, _, query = self.path.partition("?")
        headers = tuple((name, str(value)) for name, value in self.headers.items())
        return Request(self.command, path, query, headers, body)

    def _announced_fits(self) -> bool:
        length = self.headers.get("Content-Length", "0")
        return not length.isdecimal() or int(length) <= self.server.double.largest(self._request(b""))

    def _send(self, reply: Reply, fault: Fault | None = None) -> None:
        kind = fault.kind if fault else ""
        if kind == "drop":
            self.close_connection = True
            return
        if fault is not None and kind == "slow" and self.server.double.stopping.wait(fault.seconds):
            self.close_connection = True
            return
        closing = self.close_connection or kind == "cut"
        self.close_connection = closing
        fields = [
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
            *([f"Content-Type: {reply.content_type}"] if reply.content_type else []),
            *([f"Content-Length: {len(reply.body)}"] if reply.status != HTTPStatus.NO_CONTENT else []),
            *(f"{name}: {value}" for name, value in reply.headers),
            *(["Connection: close"] if closing else []),
        ]
        head = ("\r\n".join(fields) + "\r\n\r\n").encode("latin-1")
        if self.command == "HEAD":
            self.wfile.write(head)
            return
        if fault is not None and kind == "drip":
            self.wfile.write(head)
            for byte in self._dripping(reply.body, fault.seconds):
                self.wfile.write(byte)
            return
        self.wfile.write(head + (reply.body[: len(reply.body) // 2] if kind == "cut" else reply.body))

    def _dripping(self, body: bytes, seconds: float) -> Iterator[bytes]:
        for place in range(len(body)):
            if self.server.double.stopping.wait(seconds):
                return
            yield body[place : place + 1]
