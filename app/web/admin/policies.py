"""The policy generator: choose, look at the document and at what it would do, take it along.

Nothing is saved here: the configuration is files that somebody reviews and applies, and where the broker
runs that folder is read-only. The page offers the document and the command that writes it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from app.configuration.fields import POLICY_NAME
from app.delegation import Choices
from app.drafts import Draft, Drafted
from app.errors import AskRefused, Malformed, TooLarge
from app.policy import PolicyInvalid, PolicyProblem
from app.policy.actions import ACTIONS
from app.policy.conditions import NULL, OPERATORS
from app.policy.generate import Term, Wanted, operators
from app.policy.offered import Offered
from app.web import page
from app.web.admin.areas import Tab, tabs
from app.web.admin.shifts import ShiftView, shift_views
from app.web.visit import Visit
from app.web.wire import Request, Response

_ROWS: Final = 2
_MOST_ROWS: Final = 12
_LISTED: Final = 200
"""Roles to tick; of more, the rest is typed."""
_QUERY: Final = 16 * 1024
_LONGEST: Final = 4_000


@dataclass(frozen=True, slots=True)
class Tick:
    """Something to choose."""

    value: str
    label: str
    more: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A condition, as far as it is filled in."""

    number: int
    key: str
    operator: str
    values: str
    hint: str
    """About the chosen key."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The document and what it would do."""

    text: str
    file: str
    warnings: tuple[str, ...]
    replaces: bool
    shifts: tuple[ShiftView, ...]
    looked_at: int
    groups: tuple[str, ...]
    command: str
    """Writes the same document on the command line."""
    attach: str
    """What to write into groups.yaml."""
    download_href: str


@dataclass(frozen=True, slots=True)
class NewPolicyPage:
    """The form, and the preview once something is chosen."""

    tabs: tuple[Tab, ...]
    name: str
    effect: str
    roles: tuple[Tick, ...]
    unlisted: int
    """Roles that are not among those to tick."""
    typed: str
    actions: tuple[Tick, ...]
    groups: tuple[Tick, ...]
    keys: tuple[Tick, ...]
    operators: tuple[Tick, ...]
    conditions: tuple[ConditionRow, ...]
    next_rows: int
    problems: tuple[str, ...]
    preview: Preview | None


@dataclass(frozen=True, slots=True)
class _Filled:
    """The form as it was sent."""

    name: str
    effect: str
    roles: tuple[str, ...]
    typed: str
    actions: tuple[str, ...]
    groups: tuple[str, ...]
    conditions: tuple[tuple[str, str, str], ...]
    sent: bool
    download: bool


def new_policy(visit: Visit) -> Response:
    """`GET /admin/policies/new?…`: the choices are the address, so that a draft can be passed on.

    Raises:
        Unknown, AskRefused, Malformed, TooLarge, AuditUnavailable, StoreUnavailable.
    """
    filled = _read(visit.request)
    choices = visit.administration.choices(visit.person, caller=visit.caller)
    problems: tuple[str, ...] = ()
    drafted: Drafted | None = None
    if filled.sent:
        try:
            wanted = Draft(_name(filled), _wanted(filled, choices), filled.groups)
            drafted = visit.administration.draft(visit.person, wanted, caller=visit.caller)
        except PolicyInvalid as invalid:
            problems = tuple(map(_words, invalid.problems))
        except AskRefused as refusal:
            problems = (refusal.words,)
    if drafted is not None and filled.download:
        return _file(drafted)
    shown = _page(visit, filled, choices, problems, drafted)
    return page.render("admin/new_policy.html", shown, page.frame_of(visit), 422 if problems else 200)


def _file(drafted: Drafted) -> Response:
    response = Response(drafted.text, content_type="application/json; charset=utf-8")
    # The name has the alphabet of policy names: no quotes and no line ends.
    response.headers["Content-Disposition"] = f'attachment; filename="{drafted.draft.name}.json"'
    return response


# --- what was sent --------------------------------------------------------------------------------


def _read(request: Request) -> _Filled:
    if len(request.query_string) > _QUERY:
        raise TooLarge("query string", words="The address is too long; draft fewer roles at once.")
    given = request.args

    def one(name: str) -> str:
        values = given.getlist(name)
        if len(values) > 1:
            raise Malformed(f"{name} stands {len(values)} times", words=f"`{name}` may stand only once.")
        return values[0].strip() if values else ""

    rows = one("rows")
    count = min(int(rows), _MOST_ROWS) if rows.isascii() and rows.isdecimal() and len(rows) < 4 else _ROWS
    conditions = tuple((one(f"key{n}"), one(f"operator{n}"), one(f"values{n}")) for n in range(1, count + 1))
    return _Filled(
        name=one("name"),
        effect=one("effect") or "Allow",
        roles=tuple(given.getlist("role")),
        typed=one("roles")[:_LONGEST],
        actions=tuple(given.getlist("action")),
        groups=tuple(given.getlist("group")),
        conditions=conditions,
        sent=bool(one("preview") or one("download")),
        download=bool(one("download")),
    )


def _name(filled: _Filled) -> str:
    if not POLICY_NAME.fullmatch(filled.name):
        words = "Give the policy a name of 1 to 128 letters, digits and `_+=,.@-`."
        raise AskRefused(f"policy name {filled.name[:60]!r}", words=words)
    return filled.name


def _wanted(filled: _Filled, choices: Choices) -> Wanted:
    if filled.effect not in ("Allow", "Deny"):
        raise AskRefused(f"effect {filled.effect[:60]!r}", words="The effect is Allow or Deny.")
    effect: Literal["Allow", "Deny"] = "Allow" if filled.effect == "Allow" else "Deny"
    known = {key.name: key for key in choices.keys}
    terms = []
    for key, operator, values in filled.conditions:
        if not key and not operator and not values:
            continue
        if not key or not operator:
            raise AskRefused("half a condition", words="A condition needs a key and an operator.")
        offered = known.get(key)
        several = offered is not None and offered.several
        told = tuple(line.strip() for line in values.splitlines() if line.strip())
        terms.append(Term(key, operator, told, several))
    return Wanted(effect, (*filled.roles, *filled.typed.split()), filled.actions, tuple(terms))


# --- what is shown --------------------------------------------------------------------------------


def _page(
    visit: Visit, filled: _Filled, choices: Choices, problems: tuple[str, ...], drafted: Drafted | None
) -> NewPolicyPage:
    listed = choices.roles[:_LISTED]
    known = {key.name: key for key in choices.keys}
    return NewPolicyPage(
        tabs=tabs(visit),
        name=filled.name,
        effect=filled.effect,
        roles=tuple(
            Tick(role.arn, f"{role.account_name} / {role.name}", role.level, role.arn in filled.roles)
            for role in listed
        ),
        unlisted=len(choices.roles) - len(listed),
        typed=filled.typed,
        actions=tuple(Tick(row.name, row.name, row.meaning, row.name in filled.actions) for row in ACTIONS),
        groups=tuple(Tick(group, group, "", group in filled.groups) for group in choices.groups),
        keys=tuple(Tick(key.name, key.name, key.meaning, False) for key in choices.keys),
        operators=tuple(Tick(name, name, "", False) for name in (*OPERATORS, NULL)),
        conditions=tuple(
            ConditionRow(number, key, operator, values, _hint(known.get(key)))
            for number, (key, operator, values) in enumerate(filled.conditions, 1)
        ),
        next_rows=min(len(filled.conditions) + 1, _MOST_ROWS),
        problems=problems,
        preview=_preview(visit, drafted) if drafted is not None else None,
    )


def _hint(key: Offered | None) -> str:
    if key is None:
        return ""
    parts = [f"{key.type}, {'several values' if key.several else 'one value'}: {key.meaning}."]
    parts.append(f"Operators that fit: {', '.join(operators(key.type, several=key.several))}.")
    if key.sources:
        parts.append(f"Sent by {', '.join(key.sources)}.")
    if key.seen:
        parts.append(f"Seen: {'; '.join(islice(key.seen, 8))}.")
    return " ".join(parts)


def _preview(visit: Visit, drafted: Drafted) -> Preview:
    wanted = drafted.draft
    query = visit.request.query_string.decode("latin-1")
    return Preview(
        text=drafted.text,
        file=f"config/policies/{wanted.name}.json",
        warnings=tuple(map(_words, drafted.warnings)),
        replaces=drafted.replaces,
        shifts=shift_views(drafted.shifts, drafted.handed),
        looked_at=drafted.looked_at,
        groups=wanted.groups,
        command=_command(wanted),
        attach="\n".join(f"{group}:\n  policies: [{wanted.name}]" for group in wanted.groups),
        download_href=f"/admin/policies/new?{query}&download=1",
    )


def _words(problem: PolicyProblem) -> str:
    return f"{problem.statement}: {problem.message}" if problem.statement else problem.message


def _command(wanted: Draft) -> str:
    """The same on the command line, quoted for POSIX shells."""
    made = wanted.wanted
    parts = ["python", "-m", "app", "config", "new", "policy", "--name", wanted.name, "--effect", made.effect]
    for flag, values in (
        ("--roles", made.roles),
        ("--actions", made.administer),
        ("--groups", wanted.groups),
    ):
        if values:
            parts += [flag, *dict.fromkeys(values)]
    for term in made.conditions:
        parts += ["--condition", term.key, term.operator, *term.values]
    return shlex.join(parts)
