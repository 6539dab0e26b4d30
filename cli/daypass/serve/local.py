"""What every endpoint on loopback refuses, and how it answers: Host, Origin, sizes, deadlines, threads."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "127.0.0.1"
AT_ONCE = 64
"""Connections served at the same time; more are closed."""
LARGEST = 8 * 1024
"""Bytes of a body."""
_HOST = re.compile(r"127\.0\.0\.1(:[0-9]{1,5})?")


class Refused(Exception):
    """The question gets this status and these words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def check(headers: Message) -> None:
    """Refuses what a web page can make a browser send here.

    A page that had its own name resolve to loopback comes with that name as Host; a script of another site
    comes with Origin. The port may differ: `ssh -R` brings questions from another one. Raises Refused.
    """
    hosts = headers.get_all("Host") or []
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0].strip()):
        raise Refused(403, f"Only questions to {ADDRESS} are answered here.")
    if headers.get_all("Origin") is not None:
        raise Refused(403, "Questions from web pages are not answered here.")


def only(headers: Message, name: str) -> str:
    """A header that came once; empty where it is missing. Raises Refused where it came twice."""
    found = headers.get_all(name) or []
    if len(found) > 1:
        raise Refused(400, f"The header {name} came twice.")
    return str(found[0]).strip() if found else ""


class Server(ThreadingHTTPServer):
    """Listens on loopback only."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # on Windows it would let another program take the port over
    request_queue_size = 128

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        """Port 0: any free one. Raises OSError."""
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((ADDRESS, port), handler)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for this address's name, which can take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = ADDRESS, self.port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; nor may a trace show what was being sent."""


class Handler(BaseHTTPRequestHandler):
    """One question, one answer. Subclasses say what there is in `answers`."""

    timeout = 5  # seconds for which a silent client keeps a thread
    protocol_version = "HTTP/1.1"
    server_version = "daypass"
    sys_version = ""

    def answers(self, method: str, path: str) -> None:
        """Answers by `reply`, or raises Refused."""
        raise Refused(404, "There is nothing here.")

    def do_GET(self) -> None:
        self._serve("GET")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def do_POST(self) -> None:
        self._serve("POST")

    def reply(
        self, status: int, body: str, kind: str = "application/json", more: Mapping[str, str] | None = None
    ) -> None:
        """Sends one answer; nobody may keep it."""
        data = body.encode()
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def document(self) -> dict[str, Any]:
        """The body, a JSON object. Raises Refused."""
        length = only(self.headers, "Content-Length")
        if not re.fullmatch(r"[0-9]{1,5}", length) or int(length) > LARGEST:
            raise Refused(400, "The body's length is missing or too large.")
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "The body is not a JSON object.")
        return found

    def refuse(self, refused: Refused) -> None:
        """Sends a refusal in the shape that SDKs read from container endpoints."""
        self.reply(refused.status, json.dumps({"code": f"Daypass{refused.status}", "message": refused.words}))

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: stderr is the person's."""

    def _serve(self, method: str) -> None:
        try:
            check(self.headers)
            self.answers(method, self.path)
        except Refused as refused:
            self.refuse(refused)
