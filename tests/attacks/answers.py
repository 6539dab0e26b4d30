"""What every refusal over HTTP must look like, whatever was sent."""

from __future__ import annotations

import re
from functools import cache

import requests

from tests.company import ROOT

_ROW = re.compile(r"^\| (\d{3}) \| `([a-z_.]+)` \|", re.MULTILINE)
_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


@cache
def documented() -> frozenset[tuple[int, str]]:
    """(status, code) of every row of docs/reference/errors.md."""
    found = _ROW.findall((ROOT / "docs" / "reference" / "errors.md").read_text())
    return frozenset((int(status), code) for status, code in found)


def refused(answer: requests.Response, code: str | None = None) -> str:
    """The code of a refusal, after a look at all that is promised of one: JSON or page, 4xx, documented."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:500])
    request_id = answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{16}", request_id)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    kind = answer.headers["Content-Type"]
    if kind == "application/problem+json":
        problem = answer.json()
        assert set(problem) == _MEMBERS
        assert (problem["status"], problem["request_id"]) == (answer.status_code, request_id)
        assert problem["type"] == f"urn:daypass:error:{problem['code']}"
        found = problem["code"]
    else:
        assert kind == "text/html; charset=utf-8"
        assert f'<code id="request-id">{request_id}</code>' in answer.text
        shown = re.search(r"<dt>Code</dt><dd><code>([a-z_.]+)</code>", answer.text)
        assert shown, answer.text
        found = shown[1]
    assert (answer.status_code, found) in documented(), (answer.status_code, found)
    assert code is None or found == code, answer.text
    return str(found)
