"""`python -m app access explain`: why somebody may or may not use a role; what a pasted proof would get."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from app.clock import Clock, SystemClock
from app.commands.databases import ENVIRONMENT, NoDatabase, database_url, sorry
from app.commands.known_people import known_people, say_left_out
from app.commands.times import moment
from app.configuration import ConfigurationUnreadable, load, read_folder
from app.errors import Refusal, RequestNotPossible, StoreUnavailable, Unavailable
from app.everybody import NEVER
from app.issue import build
from app.model import (
    Authentication,
    Caller,
    CredentialRequest,
    Decision,
    Explanation,
    Identity,
    Principal,
    Revision,
    Role,
    RoleArn,
    RoleAsk,
    SourceId,
    StatementRef,
)
from app.people import LocalUser
from app.policy import Index, RequestContext, explain
from app.policy.reach import reach
from app.principal import principal
from app.store import KnownPerson, Revisions, open_database


class _CannotAnswer(Exception):
    """The question has no answer here; the words say why. `status` is the exit status."""

    def __init__(self, words: str, status: int = 1) -> None:
        super().__init__(words)
        self.status = status


def parser(now: datetime) -> argparse.ArgumentParser:
    """The command's own words; times like `24h` are counted back from `now`."""
    made = argparse.ArgumentParser(
        prog="python -m app access explain",
        description="Say why a person may or may not use a role, and what would change it. With --claims, say which "
        "roles a proof would get that an operator has pasted: nothing of it is verified, and nobody is signed in.",
        epilog="PERSON is a username or subject, or SOURCE/ and either, of somebody who has signed in; local/USERNAME "
        "is a local user, also one who has not, and root the root user. ROLE is an ARN, or "
        "ACCOUNT/NAME with the account's id or name. TIME is `2026-11-24`, `2026-11-24T12:00:00Z` (UTC where no "
        f"zone is given), or how long ago: `15m`, `24h`, `7d`. {ENVIRONMENT} Exit status: 0 the answer is yes, 1 it "
        "is no or there is no such person, role or revision, 2 wrong usage.",
    )
    made.add_argument("person", metavar="PERSON", nargs="?", help="whom it is about; not with --claims")
    made.add_argument(
        "role", metavar="ROLE", nargs="?", help="which role; with --claims every role unless said"
    )
    made.add_argument(
        "--at",
        type=lambda text: moment(text, now),
        metavar="TIME",
        help="as it was then, by that day's revision",
    )
    made.add_argument(
        "--claims", metavar="FILE", help="JSON of claims or attributes; `-` reads standard input"
    )
    made.add_argument("--source", metavar="NAME", help="the source that --claims come from")
    made.add_argument("--address", default="", metavar="IP", help="ask as if from there; unknown unless said")
    made.add_argument("--mfa", action="store_true", help="ask as if a second factor had just been proven")
    made.add_argument(
        "--folder", action="store_true", help="decide by the configuration folder, not by the active revision"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> int:
    """Explain. Returns 0 yes, 1 no or nothing to answer with, 2 wrong usage."""
    now = (clock or SystemClock()).now()
    try:
        asked = parser(now).parse_args(argv)
    except SystemExit as stop:  # argparse has said why
        return stop.code if isinstance(stop.code, int) else 2
    try:
        _check(asked)
        return _claims(asked, environ, now) if asked.claims else _known(asked, environ, now)
    except _CannotAnswer as problem:
        print(problem, file=sys.stderr)
        return problem.status
    except (NoDatabase, StoreUnavailable) as problem:
        return sorry(problem)
    except Unavailable as problem:  # what is attached to them is not there, or is no policy
        print(_text(problem.detail), file=sys.stderr)
        return 1


def _check(asked: argparse.Namespace) -> None:
    if asked.claims is None:
        if asked.source is not None:
            raise _CannotAnswer("--source goes with --claims; a known person is SOURCE/NAME.", 2)
        if asked.person is None or asked.role is None:
            raise _CannotAnswer("Say whom and which role: access explain PERSON ROLE. See --help.", 2)
    else:
        if asked.source is None:
            raise _CannotAnswer("Say which source the claims come from: --source NAME.", 2)
        if asked.at is not None:
            raise _CannotAnswer("--at goes with a known person; claims are asked about now.", 2)
        if asked.role is not None:
            raise _CannotAnswer(
                "With --claims there is at most a role: access explain --claims FILE ROLE.", 2
            )


# --- what is asked with ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Inquiry:
    """A person and a revision, ready to be asked about roles."""

    revision: Revision
    index: Index
    person: Principal
    caller: Caller
    now: datetime

    @classmethod
    def of(
        cls,
        revision: Revision,
        identity: Identity,
        asked: argparse.Namespace,
        now: datetime,
        user: LocalUser | None = None,
    ) -> _Inquiry:
        if asked.mfa:
            proven = replace(identity.authentication, at=now, mfa_at=now)
            identity = replace(identity, authentication=proven)
        try:
            person = principal(identity, revision, user=user)
        except Refusal as refusal:
            if user is not None:
                words = f"{_text(user.username)} may do nothing: the local user is {user.state}."
                raise _CannotAnswer(words) from refusal
            raise _CannotAnswer(f"The {_named(revision)} has no source `{identity.source}`.") from refusal
        return cls(revision, Index.compile(revision), person, Caller("-", asked.address), now)

    def context(self, role: Role) -> RequestContext:
        """As a request for this role would be; what cannot be known (address, client) is absent."""
        return self.index.contexts(self.person, self.caller, self.now, self._request(role)[0])(role)

    def explain(self, role: Role) -> Explanation:
        told = explain(self.index, self.person, role, self.context(role), self.now, operator=True)
        impossible = self._request(role)[1]
        if told.decision.allowed and impossible:
            told = replace(told, would_change=f"Allowed, but it cannot be given: {impossible}.")
        return told

    def _request(self, role: Role) -> tuple[CredentialRequest | None, str]:
        try:
            return build(self.person, role, RoleAsk(role.arn), self.revision), ""
        except RequestNotPossible as refusal:
            return None, refusal.detail

    def gets(self) -> list[tuple[Role, Decision]]:
        """Every role that would be allowed now."""
        found = self.index.assumable(self.person, self.context)
        return sorted(found, key=lambda each: _order(each[0]))

    def within_reach(self) -> list[tuple[Role, tuple[str, ...]]]:
        """Roles that the person could open, with the steps."""
        found = []
        for role in sorted(self.revision.roles.values(), key=_order):
            context = self.context(role)
            if not self.index.decide(self.person, role, context).allowed:
                opened = reach(self.index, self.person, role, context, self.now)
                if opened is not None:
                    found.append((role, opened.steps))
        return found


def _order(role: Role) -> tuple[str, str, str]:
    return (role.account_name, role.account, role.name)


def _named(revision: Revision) -> str:
    return f"revision {revision.number}" if revision.number else "configuration folder"


# --- a known person -------------------------------------------------------------------------------


def _known(asked: argparse.Namespace, environ: Mapping[str, str], now: datetime) -> int:
    at = asked.at or now
    database = open_database(database_url(environ), migrate=False)
    try:
        people, left_out = known_people(database, environ, now, asked.at)
        say_left_out(left_out)
        known = _person(people, asked.person)
        revision = _folder(environ) if asked.folder else _stored(Revisions(database), environ, asked.at)
    finally:
        database.close()
    identity, notes = known.identity, []
    if known.last_seen == NEVER:
        identity = replace(identity, authentication=Authentication(at=at))
    if identity.authentication.at > at:
        # Only the last sign-in's proof is kept.
        identity = replace(identity, authentication=replace(identity.authentication, at=at, mfa_at=None))
        notes.append("How they had signed in by then is not kept: no second factor is assumed.")
    if not asked.address:
        notes.append("From where they ask is not known; --address says it.")
    inquiry = _Inquiry.of(revision, identity, asked, at, known.user)
    told = inquiry.explain(_role(revision, asked.role))
    seen = None if known.last_seen == NEVER else _zulu(known.last_seen)
    if seen is None:
        notes.append("They have not signed in; asked is as if they did just now, without a second factor.")
    if asked.json:
        print(json.dumps(_object(inquiry, told) | {"claims_since": _zulu(known.since), "last_seen": seen}))
    else:
        since = f"{'claims ' if known.user is None else 'version'}    as of {_zulu(known.since)}"
        print("\n".join([*_head(inquiry), since, *_answer(told)]))
        for note in notes:
            print(note, file=sys.stderr)
    return 0 if told.decision.allowed else 1


def _person(people: Iterable[KnownPerson], name: str) -> KnownPerson:
    found = [each for each in people if name in _names(each.identity)]
    if not found:
        raise _CannotAnswer(f"Nobody called {_text(name)} has signed in by then, or is a local user then.")
    if len(found) > 1:
        which = ", ".join(sorted(f"{each.identity.source}/{each.identity.subject}" for each in found))
        raise _CannotAnswer(f"{_text(name)} is several people. Say which: {_text(which)}", 2)
    return found[0]


def _names(identity: Identity) -> tuple[str, ...]:
    bare = (identity.username, identity.subject)
    return (*bare, *(f"{identity.source}/{name}" for name in bare))


def _stored(revisions: Revisions, environ: Mapping[str, str], at: datetime | None) -> Revision:
    stored = revisions.latest() if at is None else revisions.at(at)
    if stored is None:
        raise _CannotAnswer("No revision was active then." if at else "No revision was activated yet.")
    # A secret opens nothing here, and the one of that day may be gone.
    folder = Path(environ.get("DAYPASS_CONFIG") or "config")
    loaded = load(stored.files, environ, folder, secrets=False)
    if loaded.revision is None:
        raise _CannotAnswer(f"Revision {stored.number} cannot be read by this version of daypass.")
    return replace(loaded.revision, number=stored.number)


def _folder(environ: Mapping[str, str]) -> Revision:
    folder = Path(environ.get("DAYPASS_CONFIG") or "config")
    try:
        loaded = load(read_folder(folder), environ, folder, secrets=False)
    except ConfigurationUnreadable as unreadable:
        raise _CannotAnswer(str(unreadable), 2) from unreadable
    if loaded.revision is None:
        raise _CannotAnswer(f"The configuration in {folder} is not right. Run `python -m app config check`.")
    return loaded.revision


def _role(revision: Revision, text: str) -> Role:
    """By ARN, or by account (id or name) and name."""
    exact = revision.roles.get(RoleArn(text))
    account, _, name = text.partition("/")
    found = (
        [exact]
        if exact is not None
        else [
            role
            for role in revision.roles.values()
            if role.name == name and account in (role.account, role.account_name)
        ]
    )
    if len(found) == 1:
        return found[0]
    if found:
        raise _CannotAnswer(
            f"{_text(text)} is several roles: {', '.join(sorted(role.arn for role in found))}", 2
        )
    raise _CannotAnswer(f"There is no role {_text(text)} in the {_named(revision)}.")


# --- pasted claims --------------------------------------------------------------------------------


def _claims(asked: argparse.Namespace, environ: Mapping[str, str], now: datetime) -> int:
    from app.signin.pasted import pasted  # with the libraries of SAML and OpenID

    revision = _folder(environ) if asked.folder else _active(environ)
    provider = revision.providers.get(SourceId(asked.source))
    if provider is None:
        there = ", ".join(revision.providers) or "none"
        raise _CannotAnswer(f"There is no source {_text(asked.source)}. There is: {there}.", 2)
    try:
        identity = pasted(provider, _read(asked.claims), now)
    except Refusal as refusal:
        raise _CannotAnswer(
            f"A sign-in with this is refused: {refusal.code}: {_text(refusal.detail)}"
        ) from None
    inquiry = _Inquiry.of(revision, identity, asked, now)
    if asked.person is not None:
        told = inquiry.explain(_role(revision, asked.person))
        if asked.json:
            print(json.dumps(_object(inquiry, told)))
        else:
            print("\n".join([*_head(inquiry), *_answer(told)]))
            _unverified()
        return 0 if told.decision.allowed else 1
    gets, later = inquiry.gets(), inquiry.within_reach()
    if asked.json:
        print(json.dumps(_everything(inquiry, gets, later)))
    else:
        print("\n".join([*_head(inquiry), *_list(gets, later)]))
        _unverified()
    return 0 if gets else 1


def _unverified() -> None:
    print("Nothing of what was pasted was verified: no signature, no audience, no expiry.", file=sys.stderr)


def _active(environ: Mapping[str, str]) -> Revision:
    database = open_database(database_url(environ), migrate=False)
    try:
        return _stored(Revisions(database), environ, None)
    finally:
        database.close()


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise _CannotAnswer(f"{_text(name)} cannot be read: {error.strerror}.", 2) from error


# --- printing -------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """Other people's text on a terminal: nothing in it moves the cursor or turns the line around."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _head(inquiry: _Inquiry) -> list[str]:
    who = inquiry.person.identity
    how = who.authentication
    factor = "no second factor" if how.mfa_at is None else f"second factor at {_zulu(how.mfa_at)}"
    revision = inquiry.revision.number or "the configuration folder"
    return [
        f"person     {_text(f'{who.source}/{who.username}')} (subject {_text(who.subject)})",
        f"groups     {_text(', '.join(sorted(inquiry.person.groups))) or 'none'}",
        f"signed in  {_zulu(how.at)}, {factor}",
        f"at         {_zulu(inquiry.now)}",
        f"revision   {revision}",
    ]


def _answer(told: Explanation) -> list[str]:
    lines = [f"role       {told.role}", f"decision   {told.decision.effect}", "", _text(told.why)]
    if told.would_change:
        lines.append(_text(told.would_change))
    return lines


def _list(gets: Sequence[tuple[Role, Decision]], later: Sequence[tuple[Role, tuple[str, ...]]]) -> list[str]:
    lines = ["", f"gets {len(gets)} {'role' if len(gets) == 1 else 'roles'}"]
    for role, decision in gets:
        lines.append(f"  {role.account_name}/{role.name}  {role.arn}")
        lines += [f"    by {_text(str(reference))}" for reference in decision.matched]
    if later:
        lines += ["", "could open"]
        for role, steps in later:
            lines += [f"  {role.account_name}/{role.name}  {role.arn}", f"    {_text(', and '.join(steps))}"]
    return lines


def _object(inquiry: _Inquiry, told: Explanation) -> dict[str, object]:
    near = told.nearest
    nearest = None
    if near is not None:
        nearest = {
            **_place(near.statement),
            "failed": near.failed,
            "group": near.group,
            "guardrail": near.level,
        }
    return {
        **_subject(inquiry),
        "role": told.role,
        "decision": told.decision.effect.value,
        "matched": [_place(each) for each in told.decision.matched],
        "why": told.why,
        "nearest": nearest,
        "would_change": told.would_change,
        "within_reach": told.within_reach,
    }


def _everything(
    inquiry: _Inquiry,
    gets: Sequence[tuple[Role, Decision]],
    later: Sequence[tuple[Role, tuple[str, ...]]],
) -> dict[str, object]:
    return {
        **_subject(inquiry),
        "roles": [{"role": role.arn, "matched": [_place(r) for r in d.matched]} for role, d in gets],
        "within_reach": [{"role": role.arn, "steps": list(steps)} for role, steps in later],
    }


def _subject(inquiry: _Inquiry) -> dict[str, object]:
    who = inquiry.person.identity
    return {
        "person": {
            "source": who.source,
            "subject": who.subject,
            "username": who.username,
            "groups": sorted(inquiry.person.groups),
        },
        "at": _zulu(inquiry.now),
        "revision": inquiry.revision.number or None,
    }


def _place(reference: StatementRef) -> dict[str, object]:
    return {
        "policy": reference.policy,
        "sid": reference.sid,
        "index": reference.index,
        "file": reference.file,
        "line": reference.line,
    }


def _zulu(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
