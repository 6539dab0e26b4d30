"""What a change does, for people and for scripts: files, and who gains and loses which roles."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from app.access import Known, RoleTurn, Shift, Turn
from app.admin import ClientChange, FileChange, SourceChange
from app.commands.config.words import count
from app.commands.times import zulu
from app.configuration.clients_file import GRANTS
from app.drafts import Handed
from app.model import EXCHANGE, LONGEST, Client

_NAMES = 8
"""People of one shift, …"""
_ROLES = 40
"""… its roles, …"""
_SHIFTS = 30
"""… and shifts, that are printed; --json has them all."""
_TOLD = frozenset({"name", "grants", "redirect_uris", "scopes", "secret"})
"""Facts of a new client that are told even where it has none."""
_SIGNS = {Turn.GAINS: "+", Turn.WIDENS: "+", Turn.CHANGES: "~", Turn.NARROWS: "-", Turn.LOSES: "-"}
_WORDS = {
    Turn.GAINS: "gain",
    Turn.WIDENS: "no longer on conditions",
    Turn.CHANGES: "on other conditions",
    Turn.NARROWS: "only on conditions from now on",
    Turn.LOSES: "lose",
}


def file_lines(files: Sequence[FileChange], *, diff: bool) -> Iterator[str]:
    """One line a file, or its changed lines too."""
    yield "Files"
    for each in files:
        yield f"  {'+' if each.before is None else '-' if each.after is None else '~'} {printable(each.path)}"
        if diff:
            yield from (f"      {printable(line)}" for line in _diff(each))


def access_lines(shifts: Sequence[Shift], people: int) -> Iterator[str]:
    """Who gains and loses what, those with most at stake first."""
    yield f"Access, of {count(people, 'person')} known"
    if not shifts:
        yield "  nobody gains or loses a role"
        return
    privileged = sum(len(shift.people) for shift in shifts if any(turn.privileged for turn in shift.turns))
    if privileged:
        yield f"  PRIVILEGED: {count(privileged, 'person')} would get more of roles of level admin, marked with !"
    for shift in shifts[:_SHIFTS]:
        names = [_name(known) for known in shift.people[:_NAMES]]
        yield f"  {', '.join(names)}{_more(len(shift.people) - _NAMES)}"
        for turn in sorted(shift.turns, key=_order)[:_ROLES]:
            yield f"   {'!' if turn.privileged else ' '}{_SIGNS[turn.turn]} {_role(turn)}"
        if len(shift.turns) > _ROLES:
            yield f"      {_more(len(shift.turns) - _ROLES).strip()}"
    if len(shifts) > _SHIFTS:
        left = sum(len(shift.people) for shift in shifts[_SHIFTS:])
        yield f"  and others: {count(left, 'person')} more (--json has all)"


def handed_lines(handed: Sequence[Handed]) -> Iterator[str]:
    """Who could administer more or less; nothing where that stays as it is."""
    if handed:
        yield "Administration of daypass"
    for each in handed[:_SHIFTS]:
        names = [_name(known) for known in each.people[:_NAMES]]
        yield f"  {', '.join(names)}{_more(len(each.people) - _NAMES)}"
        yield from (f"   !+ {row.name}: gain" for row in each.gains)
        yield from (f"    - {row.name}: lose" for row in each.loses)
    if len(handed) > _SHIFTS:
        yield f"  and others{_more(len(handed) - _SHIFTS)} (--json has all)"


def handed_objects(handed: Sequence[Handed]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [
        {
            "people": [person(known) for known in each.people],
            "gains": [row.name for row in each.gains],
            "loses": [row.name for row in each.loses],
        }
        for each in handed
    ]


def client_lines(changes: Sequence[ClientChange]) -> Iterator[str]:
    """Which helpers and apps could be let in, or in another way; nothing where that stays as it is."""
    if changes:
        yield "Clients: helpers and apps that people let in"
    for each in changes:
        known = each.after or each.before
        if known is None:
            continue
        sign = "+" if each.before is None else "-" if each.after is None else "~"
        yield f"  {sign} {known.id} ({printable(known.name)})"
        if each.after is None:
            yield "      whoever is signed in with it is signed out"
            continue
        before, after = _client(each.before), _client(each.after)
        for fact, value in after.items():
            was = before.get(fact)
            # Of a new one, all that it is, and of what only some have, what it has.
            if value != was and (value or was or fact in _TOLD):
                yield f"      {fact}: {value or 'none'}" + (f" (was {was or 'none'})" if each.before else "")


def source_lines(changes: Sequence[SourceChange]) -> Iterator[str]:
    """Which sources may be another provider now; nothing where all are the ones they were."""
    if changes:
        yield "Sources: providers that people sign in with"
    for each in changes:
        yield f"  ~ {each.id}"
        yield "      whoever is signed in by it is signed out"
        if each.pools:
            yield f"      IDENTITIES of its people stay, in {', '.join(each.pools)}; is it another provider now? Give it"
            yield "      another id then, or whoever has the same subject there gets what was somebody else's"


def source_objects(changes: Sequence[SourceChange]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [{"id": each.id, "pools": list(each.pools)} for each in changes]


def client_objects(changes: Sequence[ClientChange]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [
        {
            "id": known.id,
            "change": "added" if each.before is None else "removed" if each.after is None else "changed",
            "before": _client(each.before) or None,
            "after": _client(each.after) or None,
        }
        for each in changes
        if (known := each.after or each.before) is not None
    ]


def _client(client: Client | None) -> dict[str, str]:
    """What is told of a client; of its secret only whether it has one."""
    if client is None:
        return {}
    return {
        "name": printable(client.name),
        "grants": ", ".join(name for name, grant in GRANTS.items() if grant in client.grants),
        "redirect_uris": ", ".join(client.redirect_uris),
        "scopes": ", ".join(client.scopes),
        "secret": "has one" if client.confidential else "",
        "accepts": "; ".join(
            f"{source}: {printable(', '.join(audiences))}" for source, audiences in client.accepts.items()
        ),
        "pool": client.pool,
        "origins": ", ".join(client.origins),
        "guests": f"let in, in the group app/{client.id}/guests" if client.guests else "",
        "credentials": f"at most {_minutes(client.credentials)}" if client.credentials < LONGEST else "",
        "roles": "" if client.roles is None else f"only {', '.join(client.roles)}",
        "subject_tokens": ("once" if client.once else "reuse") if EXCHANGE in client.grants else "",
    }


def _minutes(span: timedelta) -> str:
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes}m" + (f"{seconds}s" if seconds else "")


def file_objects(files: Sequence[FileChange], *, diff: bool) -> list[dict[str, object]]:
    """The same for scripts."""
    found: list[dict[str, object]] = []
    for each in files:
        change = "added" if each.before is None else "removed" if each.after is None else "changed"
        found.append({"path": each.path, "change": change, **({"diff": list(_diff(each))} if diff else {})})
    return found


def access_objects(shifts: Sequence[Shift]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [
        {
            "people": [person(known) for known in shift.people],
            "roles": [
                {
                    "role": turn.role.arn,
                    "account_name": turn.role.account_name,
                    "name": turn.role.name,
                    "level": turn.role.level,
                    "turn": turn.turn.value,
                    "conditional": turn.conditional,
                    "privileged": turn.privileged,
                }
                for turn in sorted(shift.turns, key=_order)
            ],
        }
        for shift in shifts
    ]


def person(known: Known) -> Mapping[str, object]:
    """Somebody, and from when their claims are."""
    identity = known.identity
    return {
        "source": identity.source,
        "subject": identity.subject,
        "username": identity.username,
        "claims_since": zulu(known.since),
    }


def printable(text: str) -> str:
    """Somebody's text without characters that steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _name(known: Known) -> str:
    return printable(f"{known.identity.source}/{known.identity.username}")


def _role(turn: RoleTurn) -> str:
    role = turn.role
    extra = ", on conditions" if turn.turn is Turn.GAINS and turn.conditional else ""
    level = f" ({role.level})" if turn.privileged else ""
    return f"{printable(role.account_name)}/{role.name}{level}: {_WORDS[turn.turn]}{extra}"


def _order(turn: RoleTurn) -> tuple[bool, int, str, str]:
    return (not turn.privileged, list(Turn).index(turn.turn), turn.role.account_name, turn.role.name)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def _diff(change: FileChange) -> Iterator[str]:
    before, after = (change.before or "").splitlines(), (change.after or "").splitlines()
    lines = difflib.unified_diff(before, after, "before", "after", lineterm="", n=2)
    return (line for number, line in enumerate(lines) if number > 1)
