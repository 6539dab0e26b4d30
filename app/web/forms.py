"""HTML forms and query strings as plain text fields: each name once, nothing odd inside."""

from __future__ import annotations

from collections.abc import Collection

from flask import Request
from werkzeug.datastructures import MultiDict

from app.errors import Malformed, MediaType, TooLarge
from app.web import bodies

_QUERY = 16 * 1024


def form(request: Request, names: Collection[str]) -> dict[str, str]:
    """The named fields of a urlencoded form; others are not looked at.

    Raises:
        MediaType, Malformed (a field twice), TooLarge.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        raise MediaType(words="The form must be sent as `application/x-www-form-urlencoded`.")
    bodies.read(request)
    return _once(request.form, names)


def query(request: Request, names: Collection[str]) -> dict[str, str]:
    """The named parameters of the query; others are not looked at (RFC 6749, 4.1.2).

    Raises:
        Malformed (a parameter twice), TooLarge.
    """
    if len(request.query_string) > _QUERY:
        raise TooLarge("query string", words="The address is too long.")
    return _once(request.args, names)


def _once(fields: MultiDict[str, str], names: Collection[str]) -> dict[str, str]:
    found = {}
    for name in names:
        values = fields.getlist(name)
        if len(values) > 1:
            raise Malformed(f"{name} stands {len(values)} times", words=f"`{name}` may stand only once.")
        if values:
            found[name] = values[0]
    return found
