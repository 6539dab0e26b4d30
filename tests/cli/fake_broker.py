"""A broker as the helper sees it, in a thread: the wire of docs/reference, state in the open, everything counted."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

ADMIN = "arn:aws:iam::111122223333:role/Admin"
READER = "arn:aws:iam::444455556666:role/team/Reader"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ROLES = [
    {
        "arn": ADMIN,
        "account": "111122223333",
        "account_name": "production",
        "name": "Admin",
        "description": "All",
    },
    {
        "arn": READER,
        "account": "444455556666",
        "account_name": "staging",
        "name": "Reader",
        "description": "Look",
    },
]


class Broker:
    """What it would remember, and knobs that tests turn."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.person = {"source": "corp", "subject": "u1", "username": "ana"}
        self.roles: list[dict[str, Any]] = list(ROLES)
        self.codes: dict[str, dict[str, str]] = {}
        self.devices: dict[str, str] = {}
        """Device code: `pending`, `approved` or `denied`."""
        self.refresh: dict[str, str] = {}
        """Refresh token: its family, while it is the newest."""
        self.successors: dict[str, str] = {}
        """Used refresh token: what it gave."""
        self.access: dict[str, dict[str, str]] = {}
        self.access_life = 3600.0
        self.session_life = 43_200.0
        self.credential_life = 3600.0
        self.skew = 0.0
        """By how much its clock is ahead of this machine's."""
        self.pause = 0.0
        """Seconds that `/v1/credentials` takes."""
        self.refusals: dict[str, tuple[int, dict[str, Any]]] = {}
        """Path: what it answers instead."""
        self.mfa: dict[str, list[str]] = {}
        """ARN: kinds of second factor, one of which must have been proven for it."""
        self.mfa_at: str | None = None
        self.proves = True
        """Whoever opens `/step-up` proves the factor there at once."""
        self.interval = 0.05
        self.forms: list[dict[str, str]] = []
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.broker = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def needs(self, arn: str) -> dict[str, Any] | None:
        """As `GET /v1/roles` says it."""
        return {"mfa": {"kinds": self.mfa[arn]}} if arn in self.mfa and self.mfa_at is None else None

    def mfa_required(self, arn: str, kinds: list[str]) -> dict[str, Any]:
        """The refusal that names the address that settles it."""
        url = f"{self.url}/step-up?{urlencode({'role': arn, 'session': 's-1'})}"
        told = problem("mfa_required", "It needs MFA; you have none.", "One more proof is needed")
        return {**told, "step_up": {"url": url, "kinds": kinds}}

    def close(self) -> None:
        """Unreachable from now on."""
        self.server.shutdown()
        self.server.server_close()

    def now(self) -> float:
        return time.time() + self.skew

    def end_access(self) -> None:
        """All access tokens are refused from now on; refresh tokens are good."""
        with self.lock:
            self.access.clear()

    def end_all(self) -> None:
        """All sign-ins are ended."""
        with self.lock:
            self.access.clear()
            self.refresh.clear()
            self.successors.clear()

    def prove(self) -> None:
        """The person proves a second factor, now."""
        with self.lock:
            self.mfa_at = f"2030-01-01T00:00:{self.asked['GET /step-up']:02}Z"

    def tokens(self, family: str) -> dict[str, Any]:
        access, fresh = f"at-{secrets.token_urlsafe(16)}", f"rt-{secrets.token_urlsafe(32)}"
        self.access[access] = {**self.person, "family": family}
        self.refresh[fresh] = family
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.access_life,
            "refresh_token": fresh,
            "scope": "roles credentials",
            "session_expires_at": rfc3339(self.now() + self.session_life),
        }


def rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Server(ThreadingHTTPServer):
    broker: Broker
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        broker, parts = self.server.broker, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with broker.lock:
            broker.asked[f"{method} {parts.path}"] += 1
        if parts.path in broker.refusals:
            status, document = broker.refusals[parts.path]
            return self._send(status, document)
        name = "on_" + parts.path.strip("/").replace("/", "_").replace("-", "_")
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            query = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            broker.forms.append(query)
        elif body:
            query = json.loads(body)
        handler = getattr(self, name, None)
        if handler is None:
            return self._send(404, problem("not_found", "There is no such page."))
        return handler(broker, query)

    def on_step_up(self, broker: Broker, query: dict[str, str]) -> None:
        if broker.proves:
            broker.prove()
        self._send(200, {})

    def on_oauth_authorize(self, broker: Broker, query: dict[str, str]) -> None:
        code = secrets.token_urlsafe(16)
        with broker.lock:
            broker.codes[code] = query
        back = urlencode({"code": code, "state": query["state"], "iss": broker.url})
        self.send_response(303)
        self.send_header("Location", f"{query['redirect_uri']}?{back}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def on_oauth_device_authorization(self, broker: Broker, form: dict[str, str]) -> None:
        code = secrets.token_urlsafe(16)
        with broker.lock:
            broker.devices[code] = "pending"
        uri = f"{broker.url}/device"
        self._send(
            200,
            {
                "device_code": code,
                "user_code": "BCDF-GHJK",
                "verification_uri": uri,
                "verification_uri_complete": f"{uri}?user_code=BCDF-GHJK",
                "expires_in": 600,
                "interval": broker.interval,
            },
        )

    def on_oauth_token(self, broker: Broker, form: dict[str, str]) -> None:
        kind = form.get("grant_type")
        with broker.lock:
            if kind == "authorization_code":
                return self._code(broker, form)
            if kind == DEVICE:
                return self._device(broker, form)
            token = form.get("refresh_token", "")
            if token in broker.successors:
                given = broker.successors[token]
                if json.loads(given)["refresh_token"] in broker.refresh:  # not used yet: the same again
                    return self._send(200, json.loads(given))
                return self._send(400, grant_error("invalid_grant", "Used twice. Sign in again."))
            family = broker.refresh.pop(token, None)
            if family is None:
                return self._send(400, grant_error("invalid_grant", "Not good any more. Sign in again."))
            given = broker.tokens(family)
            broker.successors[token] = json.dumps(given)
            return self._send(200, given)

    def _code(self, broker: Broker, form: dict[str, str]) -> None:
        asked = broker.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["code_challenge_method"] != "S256"
            or asked["redirect_uri"] != form.get("redirect_uri")
        ):
            return self._send(400, grant_error("invalid_grant", "The code is not good."))
        return self._send(200, broker.tokens(secrets.token_hex(4)))

    def _device(self, broker: Broker, form: dict[str, str]) -> None:
        state = broker.devices.get(form.get("device_code", ""), "expired")
        if state == "approved":
            broker.devices.pop(form["device_code"])
            return self._send(200, broker.tokens(secrets.token_hex(4)))
        error = {"pending": "authorization_pending", "denied": "access_denied"}.get(state, "expired_token")
        return self._send(400, grant_error(error, "Not yet."))

    def on_oauth_revoke(self, broker: Broker, form: dict[str, str]) -> None:
        with broker.lock:
            token = form.get("token", "")
            family = broker.access[token]["family"] if token in broker.access else broker.refresh.get(token)
            broker.refresh = {token: of for token, of in broker.refresh.items() if of != family}
            broker.access = {token: of for token, of in broker.access.items() if of["family"] != family}
        self._send(200, {})

    def _person(self, broker: Broker) -> dict[str, str] | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        with broker.lock:
            of = broker.access.get(token)
            if of is not None:
                # A used access token means that its refresh token arrived: the one before it is over.
                for used, given in list(broker.successors.items()):
                    if json.loads(given)["access_token"] == token:
                        broker.successors[used] = json.dumps({"refresh_token": "", "access_token": ""})
        if of is None:
            self._send(401, problem("not_signed_in", "Sign in first."))
        return of

    def on_v1_me(self, broker: Broker, query: dict[str, str]) -> None:
        of = self._person(broker)
        if of is not None:
            self._send(
                200,
                {
                    **{key: of[key] for key in ("source", "subject", "username")},
                    "groups": ["engineering"],
                    "authentication": {"mfa": broker.mfa_at is not None, "mfa_at": broker.mfa_at},
                },
            )

    def on_v1_roles(self, broker: Broker, query: dict[str, str]) -> None:
        if self._person(broker) is None:
            return
        start, most = int(query.get("cursor", 0)), int(query.get("limit", 100))
        more = str(start + most) if start + most < len(broker.roles) else None
        listed = [{**each, "needs": broker.needs(each["arn"])} for each in broker.roles[start : start + most]]
        self._send(200, {"roles": listed, "cursor": more})

    def on_v1_credentials(self, broker: Broker, ask: dict[str, Any]) -> None:
        of = self._person(broker)
        if of is None:
            return
        if needed := broker.needs(ask["role"]):
            self._send(403, broker.mfa_required(ask["role"], needed["mfa"]["kinds"]))
            return
        time.sleep(broker.pause)
        number = broker.asked["POST /v1/credentials"]
        self._send(
            200,
            {
                "Version": 1,
                "AccessKeyId": f"ASIA{number:016}",
                "SecretAccessKey": f"secret/{of['username']}+{number}",
                "SessionToken": f"token/{of['username']}/{hashlib.sha256(ask['role'].encode()).hexdigest()}/"
                + "t" * 900
                + "==",
                "Expiration": rfc3339(broker.now() + float(ask.get("duration", broker.credential_life))),
                "AccountId": ask["role"].split(":")[4],
            },
        )

    def _send(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.server.broker.now(), usegmt=True))
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def problem(code: str, detail: str, title: str = "No") -> dict[str, Any]:
    return {"title": title, "detail": detail, "code": code, "request_id": "req-1"}


def grant_error(error: str, words: str) -> dict[str, Any]:
    return {"error": error, "error_description": words, "code": f"oauth.{error}", "request_id": "req-2"}
