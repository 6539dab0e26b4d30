"""Roles that the person has, and which one a short name means."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from daypass import cache, files, session
from daypass.context import Context
from daypass.errors import DENIED, Fail, Unwritable, Usage

FRESH = 300.0
"""Seconds for which a list is good without asking."""
_PAGE = 1000
_FACTORS = {"webauthn": "a security key or passkey", "totp": "a code from an authenticator app"}
_ARN = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role/[!-~]{1,600}", re.ASCII)


@dataclass(frozen=True)
class Role:
    """One role that may be used."""

    arn: str
    account: str
    account_name: str
    name: str
    description: str = ""
    needs: dict[str, Any] | None = field(default=None, compare=False)
    """What must be proven first, as the broker says; None: nothing."""

    @property
    def label(self) -> str:
        """`ACCOUNT_NAME/ROLE`: how it is shown, and may be typed."""
        return f"{self.account_name or self.account}/{self.name}"

    @property
    def factor(self) -> str:
        """The second factor that it needs now, in words; empty if none."""
        mfa = (self.needs or {}).get("mfa")
        if not isinstance(mfa, dict):
            return ""
        return in_words([str(kind) for kind in mfa.get("kinds") or ()])


def in_words(kinds: Sequence[str]) -> str:
    """Kinds of second factor, any of which does, for people."""
    return " or ".join(_FACTORS.get(kind, kind) for kind in kinds) or "a second factor"


def mine(context: Context, *, login: bool = False, fresh: bool = False) -> list[Role]:
    """The person's roles, as the broker last said.

    Args:
        login: open a sign-in where one is needed.
        fresh: ask the broker, however new the list is.

    Raises:
        Fail.
    """
    if not fresh:
        kept = cached(context, FRESH)
        if kept is not None and session.signed_in(context):
            return kept
    found: list[Role] = []
    cursor = ""
    while True:
        more = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        said, person = session.answer(context, "GET", f"/v1/roles?limit={_PAGE}{more}", login=login)
        found.extend(_role(row) for row in said.document.get("roles") or ())
        cursor = said.document.get("cursor") or ""
        if not cursor:
            break
    with cache.hold(context):
        now = session.current(context)
        if now is not None and now.person == person:  # else somebody has signed out or in meanwhile
            with contextlib.suppress(Unwritable):  # a full disk: asked again the next time
                files.write(_file(context), json.dumps([asdict(role) for role in found]).encode())
    return found


def cached(context: Context, age: float | None = None) -> list[Role] | None:
    """The list as last fetched: no network, no keychain. None where there is none, or none so new.

    Raises:
        Local: the file is not ours.
    """
    content = files.read(_file(context))
    if content is None:
        return None
    if age is not None and not 0 <= context.now() - files.modified(_file(context)) < age:
        return None
    try:
        return [_role(row) for row in json.loads(content)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def outdated(context: Context) -> None:
    """The list is not what it was: a factor that some roles needed is proven. Raises Local."""
    files.remove(_file(context))


def resolve(context: Context, term: str, *, login: bool = False) -> Role:
    """The one role that `term` means: its ARN, `ACCOUNT_NAME/ROLE`, `ACCOUNT_NUMBER/ROLE`, `ROLE`, or
    beginnings of these that fit one role only. An exact name wins over beginnings. An ARN needs no network.

    Raises:
        Usage: several fit; they are listed.
        Fail: none fits (4), and what listing raises.
    """
    if _ARN.fullmatch(term):
        account, _, path = term.split(":", 4)[4].partition(":")
        return Role(term, account, "", path.rpartition("/")[2])
    known = cached(context, FRESH)
    fits = matching(known or (), term)
    if len(fits) != 1 or not session.signed_in(context):
        fits = matching(mine(context, login=login, fresh=known is None or not fits), term)
    if not fits:
        raise Fail(
            DENIED,
            f"You have no role `{term}`.",
            why="None of your roles begins so, or it would need something that you do not have now.",
            next="daypass roles",
        )
    if len(fits) > 1:
        shown = ", ".join(role.label for role in fits[:8]) + (", …" if len(fits) > 8 else "")
        raise Usage(
            f"`{term}` can mean {len(fits)} roles.", why=f"{shown}.", next="daypass roles " + _word(term)
        )
    return fits[0]


def matching(known: Sequence[Role], term: str) -> list[Role]:
    """The roles that a term may mean, the exact before the beginnings, letters of either case alike."""
    account, slash, name = term.lower().rpartition("/")
    for exact in (True, False):
        fits = [role for role in known if _fits(role, account, bool(slash), name, exact=exact)]
        if fits:
            return fits
    return []


def _fits(role: Role, account: str, named: bool, name: str, *, exact: bool) -> bool:
    def fits(value: str, wanted: str) -> bool:
        value = value.lower()
        return value == wanted if exact else value.startswith(wanted)

    if not named:
        return fits(role.name, name)
    return fits(role.name, name) and (fits(role.account_name, account) or fits(role.account, account))


def _role(row: dict[str, Any]) -> Role:
    needs = row.get("needs")
    return Role(
        arn=str(row["arn"]),
        account=str(row["account"]),
        account_name=str(row.get("account_name") or ""),
        name=str(row["name"]),
        description=str(row.get("description") or ""),
        needs=needs if isinstance(needs, dict) else None,
    )


def _file(context: Context) -> str:
    return context.paths.join(context.paths.passes(context.key), "roles.json")


def _word(term: str) -> str:
    return term if re.fullmatch(r"[\w./+=,@-]+", term, re.ASCII) else f'"{term}"'
