"""Requests and replies as the double sees them, and STS's XML (query protocol, 2011-06-15)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as it came in."""

    method: str
    path: str
    """Raw, without the query."""
    query: str
    """Raw, without the question mark."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """In order, names as sent."""
    body: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        """The value of the header, None if it is absent. Raises Rejected if it is there twice."""
        found = [value for key, value in self.headers if key.lower() == name]
        if len(found) > 1:
            raise Rejected(400, "IncompleteSignature", f"Header {name} appears more than once.")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    content_type: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class Rejected(Exception):
    """A "no" in AWS's form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def validation_error(message: str) -> Rejected:
    """`ValidationError`, as STS words it."""
    return Rejected(400, "ValidationError", message)


Tree = str | Mapping[str, Any]


def _xml(tree: Tree) -> str:
    if isinstance(tree, str):
        return escape(tree)
    return "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in tree.items() if value is not None)


def success(action: str, result: Mapping[str, Any], request_id: str) -> Reply:
    """`<ActionResponse>` with its result."""
    body = _xml({f"{action}Result": result, "ResponseMetadata": {"RequestId": request_id}})
    text = f'<{action}Response xmlns="{NAMESPACE}">{body}</{action}Response>\n'
    return Reply(200, "text/xml", text.encode(), (("x-amzn-RequestId", request_id),))


def failure(rejected: Rejected, request_id: str) -> Reply:
    """`<ErrorResponse>`."""
    kind = "Sender" if rejected.status < 500 else "Receiver"
    error = {"Type": kind, "Code": rejected.code, "Message": rejected.message}
    text = f'<ErrorResponse xmlns="{NAMESPACE}">{_xml({"Error": error, "RequestId": request_id})}</ErrorResponse>\n'
    return Reply(rejected.status, "text/xml", text.encode(), (("x-amzn-RequestId", request_id),))


def as_json(status: int, value: object) -> Reply:
    """A JSON answer."""
    return Reply(status, "application/json", json.dumps(value).encode(), (("Cache-Control", "no-store"),))
