"""The console's federation endpoint and a console that says who is in.

Source: "Enable custom identity broker access to the AWS Management Console" (IAM User Guide).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

from demo.aws import page
from demo.aws.accounts import Accounts
from demo.aws.identity import Directory
from demo.aws.tokens import RoleSession, Seal
from demo.aws.wire import Rejected, Reply, Request, as_json

SIGNIN_TOKEN_LIFE = timedelta(minutes=15)
_CONSOLE_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


class Federation:
    """`/federation`, `/oauth`, `/console/…`."""

    def __init__(self, accounts: Accounts, directory: Directory, seal: Seal, own: str) -> None:
        """`own` is the double's address, scheme, host and port."""
        self._directory = directory
        self._seal = seal
        self._own = own
        self._console_host = _CONSOLE_HOSTS.get(accounts.partition, "")
        self._cookie = f"aws-double-console-{urlsplit(own).port}"
        self._used: dict[str, int] = {}
        self._lock = Lock()

    def handle(self, request: Request, now: datetime) -> tuple[Reply, str]:
        """The answer, and the action's name for the log."""
        if request.path == "/federation":
            return self._federation(request, now)
        if request.path == "/oauth":
            gone = ("Set-Cookie", f"{self._cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
            reply = page.message(200, "You are signed out", "The console session on this browser has ended.")
            return Reply(reply.status, reply.content_type, reply.body, (*reply.headers, gone)), "logout"
        return self._console(request, now), "console"

    def _federation(self, request: Request, now: datetime) -> tuple[Reply, str]:
        fields = _fields(request)
        if fields is None:
            return as_json(400, {"message": "The request could not be read."}), "unknown"
        action = fields.get("Action", "")
        if action == "getSigninToken":
            return self._signin_token(fields, now), action
        if action == "login" and request.method == "GET":
            return self._login(fields, now), action
        return as_json(400, {"message": f"Invalid action for {request.method}."}), "unknown"

    def _signin_token(self, fields: Mapping[str, str], now: datetime) -> Reply:
        session = self._session(fields.get("Session", ""), now)
        if session is None:
            return _invalid()
        until = session.expires
        if "SessionDuration" in fields:
            text = fields["SessionDuration"]
            # AWS refuses the parameter for credentials that came from temporary ones, whatever its value.
            if (
                session.chained
                or not re.fullmatch(r"[0-9]{3,5}", text, re.ASCII)
                or not 900 <= int(text) <= 43200
            ):
                return _invalid()
            until = int(now.timestamp()) + int(text)
        claims = {
            "id": secrets.token_hex(16),
            "expires": min(int((now + SIGNIN_TOKEN_LIFE).timestamp()), session.expires),
            "until": until,
            "arn": session.arn,
            "account": session.account,
            "role": session.role.rsplit("/", 1)[1],
            "name": session.name,
            "source_identity": session.source_identity,
        }
        return as_json(200, {"SigninToken": self._seal.seal("signin", claims)})

    def _session(self, text: str, now: datetime) -> RoleSession | None:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or set(found) != {"sessionId", "sessionKey", "sessionToken"}:
            return None
        if not all(isinstance(value, str) and value for value in found.values()):
            return None
        try:
            known = self._directory.holder(
                found["sessionId"], found["sessionKey"], found["sessionToken"], now
            )
        except Rejected:
            return None
        return known.session

    def _login(self, fields: Mapping[str, str], now: datetime) -> Reply:
        issuer = fields.get("Issuer", "")
        issuer = issuer if urlsplit(issuer).scheme in ("http", "https") else ""
        destination = fields.get("Destination", "")
        if not self._is_console(destination):
            return page.message(
                400, "This destination is not the console", "The link leads to another site.", issuer
            )
        claims = self._seal.open("signin", fields.get("SigninToken", ""))
        if claims is None or claims["expires"] <= now.timestamp() or not self._first_use(claims, now):
            words = "The sign-in token is not valid, was used already, or is older than 15 minutes."
            return page.message(400, "This sign-in link does not work", words, issuer)
        del claims["id"]
        cookie = self._seal.seal("console", {**claims, "destination": destination, "issuer": issuer})
        own = destination.startswith(self._own)
        headers = (
            ("Location", destination if own else f"{self._own}/console/home"),
            ("Set-Cookie", f"{self._cookie}={cookie}; Path=/; HttpOnly; SameSite=Lax"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
        )
        return Reply(302, "text/plain", b"", headers)

    def _is_console(self, destination: str) -> bool:
        if destination == f"{self._own}/console" or destination.startswith(
            (f"{self._own}/console/", f"{self._own}/console?")
        ):
            return True
        try:
            parts = urlsplit(destination)
        except ValueError:
            return False
        named, host = parts.hostname or "", self._console_host
        right = bool(host) and (named == host or named.endswith("." + host))
        # The whole authority: no user info, no port.
        return right and parts.scheme == "https" and parts.netloc == named

    def _first_use(self, claims: Mapping[str, object], now: datetime) -> bool:
        with self._lock:
            moment = now.timestamp()
            for identifier in [key for key, expires in self._used.items() if expires <= moment]:
                del self._used[identifier]
            if claims["id"] in self._used:
                return False
            self._used[str(claims["id"])] = int(str(claims["expires"]))
            return True

    def _console(self, request: Request, now: datetime) -> Reply:
        cookies = request.header("cookie") or ""
        pairs = (part.strip().partition("=") for part in cookies.split(";"))
        token = next((value for name, _, value in pairs if name == self._cookie), "")
        claims = self._seal.open("console", token)
        if claims is None:
            return page.message(401, "You are not signed in", "Open the console from the broker's page.")
        if claims["until"] <= now.timestamp():
            words = "The console session has reached its end. Open the console again from the broker."
            return page.message(401, "Your session has ended", words, claims["issuer"])
        return page.console(
            page.ConsolePage(
                arn=claims["arn"],
                account=claims["account"],
                role=claims["role"],
                session_name=claims["name"],
                source_identity=claims["source_identity"],
                until=datetime.fromtimestamp(claims["until"], UTC),
                destination=claims["destination"],
                issuer=claims["issuer"],
            )
        )


def _invalid() -> Reply:
    return as_json(400, {"message": "Invalid credentials parameter"})


def _fields(request: Request) -> dict[str, str] | None:
    """Fields of a GET's query or a POST's form; None if they cannot be read in one way only."""
    if request.method == "POST" and request.query:
        return None
    raw = request.body if request.method == "POST" else request.query.encode("latin-1")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
