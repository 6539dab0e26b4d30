"""A JSON body as a checked mapping: one object, each member once, no other members, strict types."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import NoReturn

from app.errors import AskRefused, Malformed, MediaType
from app.web import bodies
from app.web.wire import Request


def body(request: Request, members: Collection[str]) -> Mapping[str, object]:
    """The object in the body, with no members but these.

    Raises:
        MediaType, Malformed (no JSON, member twice), AskRefused (no object, unknown member), TooLarge.
    """
    if request.mimetype != "application/json":
        raise MediaType
    try:
        parsed = json.loads(
            bodies.read(request).decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(f"body: {type(error).__name__}", words="The body must be valid JSON.") from None
    if not isinstance(parsed, dict):
        raise AskRefused("body is no object", words="The body must be a JSON object.")
    for name in parsed:
        if name not in members:
            known = ", ".join(f"`{member}`" for member in members)
            raise AskRefused(f"member {name[:60]!r}", words=f"The body may have only these members: {known}.")
    return parsed


def text(given: Mapping[str, object], name: str, default: str | None = None) -> str:
    """A string member. Raises AskRefused if it is another type, or missing and without default."""
    value = given.get(name, default)
    if value is None:
        raise AskRefused(f"{name} is missing", words=f"`{name}` is missing.")
    if not isinstance(value, str):
        raise AskRefused(f"{name} is no string", words=f"`{name}` must be a string.")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("member twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
