"""`daypass why ROLE`: whether I may use a role now, and what decides."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from daypass import asking, roles, session, signin
from daypass.errors import DENIED, DONE, Fail

if TYPE_CHECKING:
    from daypass.context import Context
    from daypass.roles import Role

HELP = "explain why you may or may not use a role"
_BY_NUMBER = re.compile(r"([0-9]{12})/([A-Za-z0-9_+=,.@/-]{1,500})")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role",
        nargs="?",
        metavar="ROLE",
        help="one of your roles; ARN or ACCOUNT_NUMBER/ROLE for one that you lack",
    )
    parser.epilog = "Exit code 4 where the answer is no."
    signin.add_arguments(parser)


def run(context: Context, arguments: argparse.Namespace) -> int:
    output = context.output
    arn = which(context, arguments.role)
    told = session.call(context, "GET", f"/v1/explain?role={quote(arn, safe='')}", login=output.interactive)
    allowed = told.get("decision") == "allow"
    role = None if allowed else _mine(context, arn)
    if output.json:
        output.document({**told, "needs": role.needs if role else None})
        return DONE if allowed else DENIED
    for line in lines(told, allowed):
        output.print(line)
    if role is not None and role.factor:
        output.print(f"Yours after {role.factor}: the command that uses the role asks for it.")
    return DONE if allowed else DENIED


def _mine(context: Context, arn: str) -> Role | None:
    """The role in my list, where it is if a second factor opens it; None also where that cannot be asked."""
    try:
        return next((each for each in roles.mine(context) if each.arn == arn), None)
    except Fail:
        return None


def which(context: Context, term: str | None) -> str:
    """The ARN meant: also of a role that is not among the person's, where it can be told from its words. Raises Fail."""
    try:
        return asking.role(context, term, login=context.output.interactive).arn
    except Fail as failure:
        by_number = _BY_NUMBER.fullmatch(term or "")
        if failure.code != DENIED or not term:
            raise
        if by_number:
            return f"arn:aws:iam::{by_number[1]}:role/{by_number[2]}"
        raise Fail(
            DENIED,
            failure.what,
            why="Names are known of your own roles only; to ask about another one, say its whole ARN.",
            next="daypass why arn:aws:iam::ACCOUNT:role/ROLE",
        ) from None


def lines(told: dict[str, Any], allowed: bool) -> list[str]:
    """The answer for people, a fact a line."""
    from daypass.output import clean

    shown = [f"{'Yes' if allowed else 'No'}: {told.get('role', '')}", str(told.get("why") or "")]
    for each in told.get("matched") or ():
        place = f" ({each['file']}:{each['line']})" if each.get("file") else ""
        shown.append(f"  said by {_statement(each)}{place}")
    nearest = told.get("nearest")
    if isinstance(nearest, dict):
        shown.append(f"  nearest: {_statement(nearest)}: {nearest.get('failed', '')}")
    if told.get("would_change"):
        shown.append(f"What would change it: {told['would_change']}")
    shown.append(f"Decided by revision {told.get('revision', '?')}.")
    return [clean(line) for line in shown if line]


def _statement(each: dict[str, Any]) -> str:
    sid = f", statement {each['sid']}" if each.get("sid") else ""
    return f"policy {each.get('policy', '?')}{sid}"
