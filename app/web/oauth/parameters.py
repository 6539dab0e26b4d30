"""Parameters of OAuth requests, by the rules that all of them share (RFC 6749, 3.1, 3.2 and appendix A).

One without a value counts as left out, one of an unknown name is not looked at, none may stand twice, and
none has any but printable ASCII characters; `device`, which is ours and for people to read, is cleaned.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from authlib.oauth2.rfc6749.util import scope_to_list

from app.errors import GrantError, TargetInvalid
from app.web import bodies
from app.web.wire import Request

DEVICE_LONGEST: Final = 64
_QUERY: Final = 16 * 1024
_PLAIN: Final = re.compile(r"[ -~]*")

_Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Given:
    """What was sent under the known names."""

    values: Mapping[str, str] = field(repr=False)
    """Only those that are in order."""
    wrong: Mapping[str, GrantError] = field(default_factory=dict)
    """Name: what is wrong with it, in the order of the known names."""

    @property
    def problem(self) -> GrantError | None:
        """The first thing that is wrong."""
        return next(iter(self.wrong.values()), None)


def of_form(request: Request, names: Collection[str]) -> Mapping[str, str]:
    """The parameters of an endpoint that clients post to; those in its address do not count (RFC 6749, 2.3.1).

    Raises:
        GrantError (no form, a parameter twice or with odd characters), TargetInvalid, TooLarge.
    """
    given = _read(_form(request), names)
    if given.problem is not None:
        raise given.problem
    return given.values


def of_page(request: Request, names: Collection[str]) -> Given:
    """The parameters of an authorization request: from the address, or from the form that our page made of it.

    Raises:
        GrantError (no form, too long), TooLarge.
    """
    if request.method == "POST":
        return _read(_form(request), names)
    if len(request.query_string) > _QUERY:
        raise GrantError("query string", words="The address is too long.")
    return _read(dict(request.args.lists()), names)


def scope(values: Mapping[str, str]) -> tuple[str, ...]:
    """The values of `scope`, each once (RFC 6749, 3.3); whether they exist is the broker's to say."""
    return tuple(dict.fromkeys(scope_to_list(values.get("scope", ""))))


def target(values: Mapping[str, str]) -> str:
    """What it is for, by `resource` or `audience`; both may stand there if they say the same. Raises TargetInvalid."""
    resource, audience = values.get("resource", ""), values.get("audience", "")
    if resource and audience and resource != audience:
        raise TargetInvalid(
            "resource and audience differ", words="`resource` and `audience` name two things; ask for one."
        )
    return resource or audience


def needed(values: Mapping[str, str], name: str) -> str:
    """A parameter that must be there. Raises GrantError."""
    if name not in values:
        raise GrantError(f"{name} is missing", words=f"`{name}` is missing.")
    return values[name]


def device(values: Mapping[str, str]) -> str:
    """What the machine calls itself: one line of at most 64 characters, whatever was sent."""
    shown = "".join(char if char.isprintable() else " " for char in values.get("device", ""))
    return " ".join(shown.split())[:DEVICE_LONGEST].rstrip()


def _form(request: Request) -> _Fields:
    if not bodies.is_form(request):
        raise GrantError(f"body of type {request.mimetype[:80]!r}", words=f"Send a form as `{bodies.FORM}`.")
    return bodies.fields(request)


def _read(fields: _Fields, names: Collection[str]) -> Given:
    values: dict[str, str] = {}
    wrong: dict[str, GrantError] = {}
    for name in names:
        sent = fields.get(name, ())
        if len(sent) > 1:
            # Several are allowed (RFC 8707, 2; RFC 8693, 2.1), but what we give is for one.
            kind = TargetInvalid if name in ("resource", "audience") else GrantError
            wrong[name] = kind(
                f"{name} stands {len(sent)} times", words=f"`{name}` stands more than once here."
            )
        elif sent and sent[0]:
            if name != "device" and not _PLAIN.fullmatch(sent[0]):
                wrong[name] = GrantError(
                    f"{name} has odd characters", words=f"`{name}` has characters that do not belong there."
                )
            else:
                values[name] = sent[0]
    return Given(values, wrong)
