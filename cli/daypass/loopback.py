"""Sign-in by this machine's browser: authorization code with PKCE, the answer at a port of our own (RFC 8252).

Any program of this machine can send to that port, and any page in the browser too: so Host, `state` and `iss`
are looked at, what does not fit is turned away without ending the wait, and the code alone is worth nothing
without the verifier, which never leaves this process.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import queue
import re
import secrets
import select
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from daypass import CLIENT_ID, browser, settings, signin
from daypass.errors import DENIED, PENDING, UNREACHABLE, Fail, Usage
from daypass.http import Answer, Http, refused

if TYPE_CHECKING:
    from daypass.context import Context

PATIENCE = 300.0
"""Seconds for the person to sign in."""
_CALLBACK = "/callback"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>daypass</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}}</style>
<h1>{head}</h1><p>{words}</p></html>
"""
_SAFE = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


def tokens(context: Context) -> Answer:
    """Open the browser, wait for the code, redeem it.

    Raises:
        Fail: the person refused (4), nobody came in time (8), the broker is unreachable (5).
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    with listening(context.broker, state) as (answers, port):
        redirect = f"http://127.0.0.1:{port}{_CALLBACK}"
        code = _waited(context, _address(context, redirect, verifier, state), state, answers)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": verifier,
        "client_id": CLIENT_ID,
    }
    said = Http(context).ask("POST", "/oauth/token", form=form)
    if said.status >= 300:
        raise refused(said)
    return said


@contextlib.contextmanager
def listening(issuer: str, state: str) -> Iterator[tuple[queue.Queue[Fail | str], int]]:
    """A server on a free port of 127.0.0.1, for one answer.

    Yields:
        Where a code, or a refusal, will be; and the port.
    """
    answers: queue.Queue[Fail | str] = queue.Queue()
    server = _Server(issuer, state, answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield answers, server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_answer(query: str, issuer: str, state: str) -> Fail | str | None:
    """The code, or the refusal, in the query that came back (RFC 6749, 4.1.2; RFC 9207).

    Returns:
        None where it is not the answer to our question.
    """
    fields = parse_qs(query, keep_blank_values=True, max_num_fields=20)
    if any(len(values) != 1 for values in fields.values()):
        return None
    given = {name: values[0] for name, values in fields.items()}
    if not hmac.compare_digest(given.get("state", "").encode(), state.encode()):
        return None
    # Without `iss` another server's code could be mixed in (RFC 9207); ours always names itself.
    if not _names(given.get("iss", ""), issuer):
        return Fail(
            UNREACHABLE,
            "The answer came from another broker than was asked.",
            why=f"{issuer} was asked; the answer names {given.get('iss') or 'nobody'}.",
            next="daypass doctor",
        )
    if "error" in given:
        why = given.get("error_description") or given["error"]
        if given["error"] == "access_denied":
            return Fail(DENIED, "The sign-in was refused in the browser.", why=why, next="daypass login")
        return Fail(UNREACHABLE, "The broker did not take the sign-in.", why=why, next="daypass login")
    return given.get("code") or None


def _names(given: str, issuer: str) -> bool:
    """True for the issuer's address in any spelling (a capital letter, the usual port)."""
    try:
        return settings.address(given) == issuer
    except Usage:
        return False


class _Server(ThreadingHTTPServer):
    """Threads, so that a program that connects and says nothing keeps nobody waiting."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = os.name != "nt"
    """On Windows that would let another program listen on our port too."""

    def __init__(self, issuer: str, state: str, answers: queue.Queue[Fail | str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer, self.state, self.answers = issuer, state, answers
        self.answered = threading.Lock()

    def server_bind(self) -> None:
        """HTTPServer's own asks the name service for this address's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that broke is nobody's business."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        """The browser, back from the broker."""
        if self.headers.get_all("Host", []) != [f"127.0.0.1:{self.server.server_address[1]}"]:
            return self._page(421, "Not here", "This address is for one sign-in on this machine only.")
        parts = urlsplit(self.path)
        if parts.path != _CALLBACK:
            return self._page(404, "Nothing here", "This address is for one sign-in only.")
        try:
            answer = read_answer(parts.query, self.server.issuer, self.server.state)
        except ValueError:
            answer = None
        if answer is None:
            words = "This is not the answer that daypass waits for. Start again from the terminal."
            return self._page(400, "Not this one", words)
        if not self.server.answered.acquire(blocking=False):
            return self._page(409, "Already answered", "Go back to the terminal.")
        if isinstance(answer, Fail):
            self._page(200, "Not signed in", "Go back to the terminal; you can close this page.")
        else:
            self._page(200, "Signed in", "Go back to the terminal; you can close this page.")
        return self.server.answers.put(answer)

    def _page(self, status: int, head: str, words: str) -> None:
        body = _PAGE.format(head=head, words=words).encode()
        self.send_response(status)
        for name, value in {**_SAFE, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the code."""

    def version_string(self) -> str:
        return "daypass"


def _address(context: Context, redirect: str, verifier: str, state: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": redirect,
        "scope": signin.SCOPE,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "device": signin.device_name(context),
    }
    return f"{context.broker}/oauth/authorize?{urlencode(query)}"


def _waited(context: Context, url: str, state: str, answers: queue.Queue[Fail | str]) -> str:
    """The code, from the browser or pasted. Raises Fail."""
    opens = browser.opens(context)
    context.output.tell("Sign in in the browser. If none opens, here:" if opens else "Sign in here:")
    context.output.tell(f"  {url}")
    started = browser.opened(context, url) if opens else None
    ends = threading.Event()
    if context.output.interactive:
        context.output.tell("Browser on another machine? Paste the address that it ends at, then Enter.")
        reader = threading.Thread(target=_pasted, args=(context, state, answers, ends), daemon=True)
        reader.start()
    deadline, failed = time.monotonic() + PATIENCE, False
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                answer = answers.get(timeout=0.5)
                if isinstance(answer, Fail):
                    raise answer
                return answer
            if not failed and started is not None and started.poll():
                failed = True
                context.output.tell("The browser could not be opened; the address above is the way.")
    finally:
        ends.set()
    raise Fail(
        PENDING,
        "Nobody signed in within five minutes.",
        why="The browser did not come back to this machine.",
        next="daypass login --device",
    )


def _code(text: str) -> str | None:
    """A bare code, or None for what is none: a stray line must not end the sign-in."""
    return text if re.fullmatch(r"[A-Za-z0-9._~-]{16,512}", text, re.ASCII) else None


def _pasted(context: Context, state: str, answers: queue.Queue[Fail | str], ends: threading.Event) -> None:
    """Lines from the terminal: the whole address at which a browser elsewhere ended, or the code in it.

    A bare code comes without `state`; that it was made for our verifier is what the token endpoint checks.
    """
    assert context.output.stdin is not None  # noqa: S101 - `interactive` says so
    handle, rest = context.output.stdin.fileno(), b""
    while not ends.is_set():
        # Not `readline`: it would hold the stream's lock, and take the next command's input, after our end.
        if os.name != "nt" and not select.select([handle], [], [], 0.2)[0]:
            continue
        piece = os.read(handle, 4096)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            query = urlsplit(text).query if "://" in text else ""
            answer = read_answer(query, context.broker, state) if query else _code(text)
            if answer is None:
                context.output.tell(
                    "That is not it: paste the whole address that begins with http://127.0.0.1."
                )
            else:
                answers.put(answer)
                return
