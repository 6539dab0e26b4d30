"""`python -m app config new policy`: choices → a document, shown with what it would do, then written."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.access import Known, Turn, View
from app.clock import Clock, SystemClock
from app.commands.databases import NoDatabase, database_url
from app.configuration import ConfigurationUnreadable, load, read_folder
from app.configuration.fields import POLICY_NAME
from app.drafts import Draft, Drafted, draft, role_pattern
from app.errors import StoreUnavailable
from app.model import Revision
from app.policy import PolicyInvalid
from app.policy.actions import ACTIONS
from app.policy.generate import Term, Wanted, operators
from app.policy.offered import Offered, offered
from app.store import People, open_database

Ask = Callable[[str], str]
"""A question to the person at the terminal; EOFError ends it."""

_LISTED: Final = 60
_SHOWN: Final = 20
_EFFECTS: Final[Mapping[str, Literal["Allow", "Deny"]]] = {"allow": "Allow", "deny": "Deny"}


def parser() -> argparse.ArgumentParser:
    """The command's own words."""
    made = argparse.ArgumentParser(
        prog="python -m app config new policy",
        description="Make a policy from choices. The document, what is odd about it, and whom it would give or take "
        "what are shown before anything is written; then it is written to policies/NAME.json of the configuration "
        "folder (DAYPASS_CONFIG, default config/). What is left out is asked for, on a terminal.",
        epilog="Nothing becomes active by this: attach the policy in groups.yaml, then `config plan` and `config "
        "apply`. Exit status: 0 written or shown, 1 the choices make no policy or the file was not replaced, 2 wrong "
        "usage or no such folder.",
    )
    made.add_argument("--name", metavar="NAME", help="of policies/NAME.json")
    made.add_argument("--effect", type=str.lower, choices=tuple(_EFFECTS), help="allow (unless said) or deny")
    made.add_argument(
        "--roles",
        nargs="+",
        default=[],
        metavar="ROLE",
        help="ARNs, production/ReadOnly, */ReadOnly, patterns, or * for every role",
    )
    made.add_argument(
        "--actions",
        nargs="+",
        default=[],
        metavar="ACTION",
        help="actions on daypass itself: " + ", ".join(row.name for row in ACTIONS),
    )
    made.add_argument(
        "--condition",
        nargs="+",
        action="append",
        default=[],
        metavar=("KEY OPERATOR", "VALUE"),
        help="may be given several times; all must hold, and of the values of one any may fit",
    )
    made.add_argument(
        "--groups", nargs="+", default=[], metavar="GROUP", help="show what it does when attached to these"
    )
    made.add_argument("--yes", action="store_true", help="write without asking; never replaces a file")
    made.add_argument(
        "--replace", action="store_true", help="with --yes: also replace the file that is there"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


@dataclass(frozen=True, slots=True)
class _Company:
    """The configuration on disk, and the people who are known."""

    folder: Path
    view: View
    people: Sequence[Known]
    keys: tuple[Offered, ...]

    @property
    def revision(self) -> Revision:
        return self.view.revision


def main(argv: Sequence[str], ask: Ask | None = None, clock: Clock | None = None) -> int:
    """Run `config new policy`. `ask` is given where a person can answer; without it a terminal is, if there is one.

    Returns 0 written or shown, 1 no policy or not replaced, 2 wrong usage or no folder.
    """
    try:
        asked = parser().parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    if ask is None and sys.stdin.isatty() and not asked.json:
        ask = _terminal
    try:
        company = _company(Path(os.environ.get("DAYPASS_CONFIG") or "config"), os.environ)
        wanted = _complete(asked, company, ask)
        drafted = draft(wanted, company.view, company.people, (clock or SystemClock()).now())
    except _Cannot as problem:
        print(problem, file=sys.stderr)
        return problem.status
    except PolicyInvalid as invalid:
        for each in invalid.problems:
            print(f"{each.statement}: {each.message}" if each.statement else each.message, file=sys.stderr)
        return 1
    except (EOFError, KeyboardInterrupt):
        print("\nNothing was written.", file=sys.stderr)
        return 1
    return _finish(asked, company, drafted, ask)


class _Cannot(Exception):
    """It cannot go on; the words say why."""

    def __init__(self, words: str, status: int = 2) -> None:
        super().__init__(words)
        self.status = status


def _company(folder: Path, environ: Mapping[str, str]) -> _Company:
    try:
        # Secrets may lead nowhere here: a policy needs none of them.
        loaded = load(read_folder(folder), environ, folder, secrets=False)
    except ConfigurationUnreadable as unreadable:
        raise _Cannot(str(unreadable)) from unreadable
    if loaded.revision is None:
        raise _Cannot(f"The configuration in {folder} is not right. Run `python -m app config check`.", 1)
    people = _people(environ)
    roles = loaded.revision.roles.values()
    pooled = any(client.pool for client in loaded.revision.clients.values())
    keys = offered(loaded.revision.providers, roles, (each.identity for each in people), pooled=pooled)
    return _Company(folder, View.of(loaded.revision), people, keys)


def _people(environ: Mapping[str, str]) -> Sequence[Known]:
    try:
        database = open_database(database_url(environ), migrate=False)
    except (NoDatabase, StoreUnavailable):
        print("No database: nobody is known, so nobody is shown.", file=sys.stderr)
        return ()
    try:
        return People(database).all()
    except StoreUnavailable:
        print("The database cannot be read: nobody is shown.", file=sys.stderr)
        return ()
    finally:
        database.close()


# --- what is wanted -------------------------------------------------------------------------------


def _complete(asked: argparse.Namespace, company: _Company, ask: Ask | None) -> Draft:
    """What the flags say; without name or without anything to allow, the rest is asked for."""
    name, effect = asked.name, asked.effect
    roles, administer, groups = list(asked.roles), list(asked.actions), list(asked.groups)
    terms = [_term(parts, company) for parts in asked.condition]
    if not name or not (roles or administer):
        if ask is None:
            raise _Cannot("Give --name, and --roles or --actions; `--help` says more.")
        name = name or _named(ask)
        effect = effect or _effect(ask)
        if not (roles or administer):
            roles = _roles(ask, company)
            administer = _actions(ask)
            groups = groups or _groups(ask, company)
            terms += _terms(ask, company)
    if not POLICY_NAME.fullmatch(name):
        raise _Cannot(f"`{name}` is no name for a policy; write 1 to 128 letters, digits and `_+=,.@-`.")
    unknown = [group for group in groups if group not in company.revision.groups and "/" not in group]
    if unknown:
        known = ", ".join(sorted(company.revision.groups))
        raise _Cannot(f"There is no group `{unknown[0]}`; there are {known}.")
    patterns = tuple(role_pattern(each, company.revision) for each in roles)
    wanted = Wanted(_EFFECTS[effect or "allow"], patterns, tuple(administer), tuple(terms))
    return Draft(name, wanted, tuple(groups))


def _term(parts: Sequence[str], company: _Company) -> Term:
    if len(parts) < 3:
        raise _Cannot("--condition takes KEY OPERATOR VALUE, and further values.")
    key, operator, *values = parts
    several = any(each.several and each.name == key for each in company.keys)
    return Term(key, operator, tuple(values), several)


# --- asking ---------------------------------------------------------------------------------------


def _terminal(question: str) -> str:
    # On standard error, so that what is printed can be redirected.
    sys.stderr.write(question)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _named(ask: Ask) -> str:
    while True:
        name = ask("Name of the policy: ")
        if POLICY_NAME.fullmatch(name):
            return name
        _say("Write 1 to 128 letters, digits and `_+=,.@-`.")


def _effect(ask: Ask) -> str:
    while True:
        effect = (ask("Effect, allow or deny [allow]: ") or "allow").lower()
        if effect in _EFFECTS:
            return effect
        _say("Write allow or deny.")


def _roles(ask: Ask, company: _Company) -> list[str]:
    roles = sorted(company.revision.roles.values(), key=lambda role: (role.account_name, role.name))
    names = [f"{role.account_name}/{role.name}" for role in roles[:_LISTED]]
    more = f"  … and {len(roles) - len(names)} more" if len(roles) > len(names) else ""
    _say("\nRoles" + (f"\n{more}" if more else ""))
    return _several(ask, "Roles (numbers, names, patterns such as */ReadOnly; none with Enter): ", names)


def _actions(ask: Ask) -> list[str]:
    _say("\nActions on daypass itself")
    return _several(ask, "Actions (numbers or names; none with Enter): ", [row.name for row in ACTIONS])


def _groups(ask: Ask, company: _Company) -> list[str]:
    _say("\nGroups to try it on")
    return _several(ask, "Groups (everybody with Enter): ", sorted(company.revision.groups))


def _terms(ask: Ask, company: _Company) -> list[Term]:
    found: list[Term] = []
    listed = False
    while True:
        question = "\nCondition: key" + (
            " (? lists them; none with Enter): " if not listed else " (Enter ends): "
        )
        key = ask(question)
        if not key:
            return found
        if key == "?":
            _say(
                "\n".join(
                    f"  {each.name:<32} {each.meaning}"
                    + (f" ({', '.join(each.sources)})" if each.sources else "")
                    for each in company.keys
                )
            )
            continue
        listed = True
        known = next((each for each in company.keys if each.name.lower() == key.lower()), None)
        if known is None:
            _say(f"No source of yours sends `{key}`; ? lists what they send.")
            continue
        fitting = operators(known.type, several=known.several)
        if known.seen:
            _say("  seen: " + "; ".join(known.seen[:8]))
        [operator] = _several(ask, f"Operator [{fitting[0]}]: ", list(fitting))[:1] or [fitting[0]]
        values = tuple(value.strip() for value in ask("Values, separated by |: ").split("|") if value.strip())
        found.append(Term(known.name, operator, values, known.several))


def _several(ask: Ask, question: str, names: Sequence[str]) -> list[str]:
    """Choices by number or as text."""
    for number, name in enumerate(names, 1):
        _say(f"  {number:>3}  {name}")
    chosen = ask(question).replace(",", " ").split()
    return [
        names[int(each) - 1]
        if each.isascii() and each.isdecimal() and 0 < int(each[:6]) <= len(names)
        else each
        for each in chosen
    ]


def _say(words: str) -> None:
    print(words, file=sys.stderr)


# --- showing and writing --------------------------------------------------------------------------


def _finish(asked: argparse.Namespace, company: _Company, drafted: Drafted, ask: Ask | None) -> int:
    path = company.folder / "policies" / f"{drafted.draft.name}.json"
    if not asked.json:
        print(drafted.text, end="")
        print(_told(drafted))
    there = path.exists()
    status, written = 0, False
    if asked.yes and there and not asked.replace:
        status = 1
        _say(f"`{path}` is there already and was left alone; add --replace, or choose another name.")
    elif asked.yes:
        status, written = _write(path, drafted.text, replace=there)
    elif ask is None:
        _say("Nothing was written; add --yes to write it.")
    elif _agreed(ask, path, there=there):
        status, written = _write(path, drafted.text, replace=there)
    else:
        _say("Nothing was written.")
    if asked.json:
        print(json.dumps(_object(drafted, path, written=written), indent=2, ensure_ascii=False))
    elif written and drafted.draft.groups:
        _say("Attach it in groups.yaml, then `python -m app config plan`:")
        for group in drafted.draft.groups:
            _say(f"  {group}:\n    policies: [{drafted.draft.name}]")
    return status


def _agreed(ask: Ask, path: Path, *, there: bool) -> bool:
    question = f"`{path}` is there already. Replace it? [y/N]: " if there else f"Write `{path}`? [y/N]: "
    try:
        return ask(question).lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        return False


def _write(path: Path, text: str, *, replace: bool) -> tuple[int, bool]:
    try:
        path.parent.mkdir(exist_ok=True)
        if replace:
            waiting = path.with_name(f".{path.name}.new")
            waiting.write_text(text, encoding="utf-8")
            waiting.replace(path)
        else:
            with path.open("x", encoding="utf-8") as file:  # not even one that came meanwhile is replaced
                file.write(text)
    except OSError as error:
        _say(f"`{path}` cannot be written: {error.strerror}.")
        return 1, False
    _say(f"Wrote `{path}`.")
    return 0, True


_SIGNS: Final = {Turn.GAINS: "+", Turn.WIDENS: "+", Turn.CHANGES: "~", Turn.NARROWS: "-", Turn.LOSES: "-"}


def _told(drafted: Drafted) -> str:
    lines = [f"warning: {each.message}" for each in drafted.warnings]
    where = (
        f"attached to {', '.join(drafted.draft.groups)}"
        if drafted.draft.groups
        else "attached to every group"
    )
    nobody = "" if drafted.shifts or drafted.handed else "; it changes nothing for them"
    plural = "person" if drafted.looked_at == 1 else "people"
    lines.append(
        f"\n{where[0].upper()}{where[1:]}, {drafted.looked_at} known {plural} would hold it{nobody}."
    )
    for shift in drafted.shifts:
        lines.append(_names(shift.people))
        for turn in shift.turns:
            marks = ["if the conditions hold"] if turn.conditional else []
            marks += ["PRIVILEGED"] if turn.privileged else []
            told = f"  ({', '.join(marks)})" if marks else ""
            lines.append(f"  {_SIGNS[turn.turn]} {turn.turn} {turn.role.account_name}/{turn.role.name}{told}")
    for handed in drafted.handed:
        lines.append(_names(handed.people))
        lines += [f"  + may administer {row.name}  (PRIVILEGED)" for row in handed.gains]
        lines += [f"  - may no longer administer {row.name}" for row in handed.loses]
    return "\n".join(lines)


def _names(people: Sequence[Known]) -> str:
    names = sorted(f"{each.identity.source}/{each.identity.username}" for each in people)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _object(drafted: Drafted, path: Path, *, written: bool) -> Mapping[str, object]:
    return {
        "name": drafted.draft.name,
        "file": str(path),
        "written": written,
        "replaces": drafted.replaces,
        "document": json.loads(drafted.text),
        "warnings": [each.message for each in drafted.warnings],
        "groups": list(drafted.draft.groups),
        "looked_at": drafted.looked_at,
        "changes": [
            {
                "people": [_person(each) for each in shift.people],
                "roles": [
                    {
                        "turn": turn.turn.value,
                        "role": turn.role.arn,
                        "conditional": turn.conditional,
                        "privileged": turn.privileged,
                    }
                    for turn in shift.turns
                ],
            }
            for shift in drafted.shifts
        ],
        "administration": [
            {
                "people": [_person(each) for each in handed.people],
                "gains": [row.name for row in handed.gains],
                "loses": [row.name for row in handed.loses],
            }
            for handed in drafted.handed
        ],
    }


def _person(known: Known) -> Mapping[str, str]:
    who = known.identity
    return {"source": who.source, "subject": who.subject, "username": who.username}
