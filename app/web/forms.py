"""HTML forms and query strings as plain text fields: each name once, nothing odd inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.errors import Malformed, MediaType, TooLarge
from app.web import bodies
from app.web.wire import Request

_QUERY = 16 * 1024


def form(request: Request, names: Collection[str]) -> dict[str, str]:
    """The named fields of a form; others are not looked at.

    Raises:
        MediaType, Malformed (a field twice), TooLarge.
    """
    if not bodies.is_form(request):
        raise MediaType(words=f"The form must be sent as `{bodies.FORM}`.")
    return _once(bodies.fields(request), names)


def several(request: Request, name: str) -> Sequence[str]:
    """All values of a field that may stand several times, of a form whose type `form` has found right.

    Raises:
        TooLarge.
    """
    return bodies.fields(request).get(name, ())


def query(request: Request, names: Collection[str]) -> dict[str, str]:
    """The named parameters of the query; others are not looked at (RFC 6749, 4.1.2).

    Raises:
        Malformed (a parameter twice), TooLarge.
    """
    if len(request.query_string) > _QUERY:
        raise TooLarge("query string", words="The address is too long.")
    return _once(dict(request.args.lists()), names)


def _once(fields: Mapping[str, Sequence[str]], names: Collection[str]) -> dict[str, str]:
    found = {}
    for name in names:
        values = fields.get(name, ())
        if len(values) > 1:
            raise Malformed(f"{name} stands {len(values)} times", words=f"`{name}` may stand only once.")
        if values:
            found[name] = values[0]
    return found
