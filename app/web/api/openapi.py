"""The OpenAPI 3.1 document of /v1, made from one table of operations and the shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.model import Scope
from app.web import asks, cookies
from app.web.api import handlers
from app.web.api.shapes import ROLE_ARN, SCHEMAS, Json
from app.web.visit import Visit
from app.web.wire import Response


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API."""

    path: str
    method: str
    name: str
    summary: str
    answer: str | None
    """Name of the answer's schema; None for the document itself."""
    body: str | None = None
    """Name of the request body's schema."""
    parameters: tuple[Json, ...] = ()
    errors: tuple[int, ...] = ()
    """Statuses that can come beyond those of every operation."""
    scope: Scope | None = "roles"
    """What an access token must have been given for, as the table of addresses says; None: anybody may ask."""


def _query(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    made: Json = {"name": name, "in": "query", "description": description, "schema": schema}
    return {**made, "required": True} if required else made


OPERATIONS: Final = (
    Operation("/v1/me", "get", "getMe", "Who am I", "Me"),
    Operation(
        "/v1/roles",
        "get",
        "listRoles",
        "Roles that I may use now",
        "Roles",
        parameters=(
            _query(
                "q",
                "Words to look for in account, name, description, level and ARN.",
                {"type": "string", "maxLength": asks.SEARCH_LONGEST, "pattern": asks.LINE},
            ),
            _query(
                "limit",
                "Most roles in one answer.",
                {"type": "integer", "minimum": 1, "maximum": handlers.MOST, "default": handlers.LIMIT},
            ),
            _query(
                "cursor",
                "`cursor` of the last answer.",
                {"type": "string", "format": "cursor"},
            ),
        ),
        errors=(422,),
    ),
    Operation(
        "/v1/explain",
        "get",
        "explainRole",
        "Why I may or may not use a role now",
        "Explanation",
        parameters=(_query("role", "ARN of the role.", ROLE_ARN, required=True),),
        errors=(404, 422),
    ),
    Operation(
        "/v1/credentials",
        "post",
        "createCredentials",
        "Temporary credentials for a role",
        "Credentials",
        body="CredentialsAsk",
        scope="credentials",
        errors=(404, 413, 415, 422, 502),
    ),
    Operation(
        "/v1/console-link",
        "post",
        "createConsoleLink",
        "A link that opens the AWS console with a role",
        "ConsoleLink",
        body="ConsoleLinkAsk",
        scope="credentials",
        errors=(404, 413, 415, 422, 502),
    ),
    Operation("/v1/openapi.json", "get", "getOpenApi", "This document", None, scope=None),
)

_ERRORS: Mapping[int, str] = {
    400: "The request could not be read.",
    401: "Not signed in, or the token is not accepted.",
    403: "The decision is no, the token was given for less, or the request came from another site or origin.",
    404: "There is no such thing, or nothing you could do would open it.",
    405: "This address does not take that method.",
    413: "The request is too large.",
    415: "The body must be JSON.",
    422: "The question is malformed.",
    429: "Too many requests; `Retry-After` says when to come back.",
    502: "A provider or AWS failed.",
    503: "It cannot be decided safely now.",
}
_EVERYWHERE = (400, 405, 429, 503)
_SIGNED_IN = (401, 403)


def document(cookie: str) -> Json:
    """The whole document; `cookie` is the name of the session cookie."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "daypass",
            "version": "1",
            "description": (
                "Sign in with who you are, leave with an AWS pass that expires. Errors are "
                "`application/problem+json` (RFC 9457) with a stable `code`."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": {str(status): _error(words) for status, words in _ERRORS.items()},
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie,
                    "description": "The portal's session; calls must come from the portal's own origin.",
                },
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": (
                        "An access token of `/oauth/token` (RFC 6750), with the scope that stands beside it. "
                        "What a 401 or 403 is about stands in `WWW-Authenticate`. A page may call with one (CORS) "
                        "from the origins that the token's client declares, and from no other."
                    ),
                },
            },
        },
    }


def openapi(visit: Visit) -> Response:
    """`GET /v1/openapi.json`."""
    text = json.dumps(document(cookies.session_name(visit.settings)))
    return Response(text, content_type="application/json")


def _operation(operation: Operation) -> Json:
    schema: Json = {"type": "object"}
    if operation.answer is not None:
        schema = _ref(f"schemas/{operation.answer}")
    statuses = (*_EVERYWHERE, *(() if operation.scope is None else _SIGNED_IN), *operation.errors)
    made: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [] if operation.scope is None else [{"session": []}, {"bearer": [operation.scope]}],
        "responses": {
            "200": {"description": "The answer.", "content": {"application/json": {"schema": schema}}},
            **{str(status): _ref(f"responses/{status}") for status in sorted(statuses)},
        },
    }
    if operation.parameters:
        made["parameters"] = list(operation.parameters)
    if operation.body is not None:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(f"schemas/{operation.body}")}},
        }
    return made


def _error(words: str) -> Json:
    return {
        "description": words,
        "content": {"application/problem+json": {"schema": _ref("schemas/Problem")}},
    }


def _ref(place: str) -> Json:
    return {"$ref": f"#/components/{place}"}
