"""One way to ask the broker: deadline, size cap, no redirects, the broker's words in every failure."""

from __future__ import annotations

import email.utils
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

from daypass import VERSION
from daypass.context import Context
from daypass.errors import AWS, DENIED, SIGN_IN, UNREACHABLE, USAGE, Fail, ProofNeeded
from daypass.settings import is_loopback

TIMEOUT = 30.0
"""Seconds for one answer; a call to AWS behind it included."""
LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What the broker said."""

    status: int
    document: dict[str, Any] = field(repr=False)
    """The JSON object; empty where there was none."""
    date: float | None = None
    """The broker's clock, seconds since 1970."""

    @property
    def request_id(self) -> str:
        """What its people can look it up by."""
        return _text(self.document, "request_id")


class Http:
    """Calls to one broker."""

    def __init__(self, context: Context) -> None:
        self._base = context.broker
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect(), _NoRaise()]
        if is_loopback(self._base):
            handlers.append(urllib.request.ProxyHandler({}))
        if self._base.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        token: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """Ask, and refuse whatever is not a 2xx.

        Args:
            path: with its query, below the broker's address.
            json: body as JSON.
            form: body as a form.
            token: access token.

        Raises:
            Fail: unreachable (5), or refused, with the broker's words and request id.
        """
        answer = self.ask(method, path, json=json, form=form, token=token, timeout=timeout)
        if not 200 <= answer.status < 300:
            raise refused(answer)
        return answer

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        form: Mapping[str, str] | None = None,
        token: str | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """Ask, and give back whatever JSON answer comes, for callers that tell refusals apart.

        Raises:
            Fail: unreachable (5), or not a broker's answer (5).
        """
        headers = {"Accept": "application/json", "User-Agent": f"daypass/{VERSION}"}
        body = None
        if json is not None:
            body, headers["Content-Type"] = _json(json), "application/json"
        elif form is not None:
            body = urllib.parse.urlencode(form).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self._base + path, body, headers, method=method)  # noqa: S310 - http(s) by `address`
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return self._read(response)
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from error

    def _read(self, response: Any) -> Answer:
        content = response.read(LARGEST + 1)
        headers: HTTPMessage = response.headers
        status = int(response.status)
        if 300 <= status < 400:
            raise self._stranger(f"It answers with a redirect to {headers.get('Location', 'nowhere')[:200]}.")
        if len(content) > LARGEST:
            raise self._stranger(f"The answer is larger than {LARGEST >> 20} MB.")
        if not content and status < 300:
            return Answer(status, {}, _date(headers))
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            if status >= 500:
                raise Fail(
                    UNREACHABLE, f"{self._base} is not working.", why=f"HTTP {status}.", next="daypass doctor"
                )
            raise self._stranger(f"The answer (HTTP {status}) is not JSON.")
        return Answer(status, document, _date(headers))

    def _stranger(self, why: str) -> Fail:
        return Fail(
            UNREACHABLE,
            f"{self._base} does not answer as a daypass broker does.",
            why=f"{why} A proxy, a sign-in page of the network, or another address?",
            next="daypass doctor",
        )

    def _unreachable(self, error: Exception) -> Fail:
        reason = getattr(error, "reason", error)
        what = f"{self._base} cannot be reached."
        if isinstance(reason, ssl.SSLCertVerificationError):
            return Fail(
                UNREACHABLE, what, why=f"Its certificate: {reason.verify_message}.", next="daypass doctor"
            )
        if isinstance(reason, TimeoutError):
            return Fail(UNREACHABLE, what, why="No answer in time.", next="daypass doctor")
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Fail(UNREACHABLE, what, why=f"{words}.", next="daypass doctor")


def refused(answer: Answer) -> Fail:
    """A refusal as the exit code that it means, with the broker's own words (RFC 9457, or RFC 6749 5.2)."""
    said = answer.document
    code = _text(said, "code")
    why = _text(said, "detail") or _text(said, "error_description") or _text(said, "error")
    what = _text(said, "title") or f"The broker refused (HTTP {answer.status})."
    if not what.endswith((".", "!", "?")):
        what += "."
    step_up = said.get("step_up")
    if code == MFA_REQUIRED and isinstance(step_up, dict) and _text(step_up, "url"):
        kinds = [str(kind) for kind in step_up.get("kinds") or ()]
        return ProofNeeded(why, url=_text(step_up, "url"), kinds=kinds, request_id=answer.request_id)
    exit_code, following = _meaning(answer.status, code)
    return Fail(exit_code, what, why=why, next=following, request_id=answer.request_id)


MFA_REQUIRED = "mfa_required"
"""A second factor of the person's settles it; `step_up` says where."""
_AWS_CODES = ("sts.", "console.failed")
"""Of the broker's refusals, those that say that AWS said no, or did not answer."""


def _meaning(status: int, code: str) -> tuple[int, str]:
    if status == 401:
        return SIGN_IN, "daypass login"
    if status in (403, 404):
        return DENIED, "daypass roles"
    if status == 429:
        return UNREACHABLE, ""
    if status >= 500:
        return (AWS if code.startswith(_AWS_CODES) else UNREACHABLE), "daypass doctor"
    if code == "oauth.invalid_grant":
        return SIGN_IN, "daypass login"
    return USAGE, "daypass --help"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A broker does not redirect its API; following one would show the token to somebody else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


class _NoRaise(urllib.request.HTTPErrorProcessor):
    """Answers of every status come back as answers."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _date(headers: HTTPMessage) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (TypeError, ValueError):
        return None
