"""Which role a command is for: the one named, or the one picked in a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from daypass import picker, roles, settings
from daypass.errors import DENIED, Fail, Local, Usage

if TYPE_CHECKING:
    from daypass.context import Context
    from daypass.roles import Role

KEPT = 20
"""So many choices are remembered."""


def role(context: Context, term: str | None, *, login: bool) -> Role:
    """The role that `term` names, or that the person picks where there is none.

    Raises:
        Usage: no name, and nobody to ask.
        Fail: as `roles.resolve` and `roles.mine`; 130 where the person left the picker.
    """
    if term:
        return roles.resolve(context, term, login=login)
    if not context.output.interactive:
        raise Usage(
            "Which role?",
            why="A role can be picked only in a terminal; here it must be named.",
            next="daypass roles",
        )
    mine = roles.mine(context, login=login)
    if not mine:
        raise Fail(
            DENIED, "You have no roles.", why="Nothing that you could pick from.", next="daypass whoami"
        )
    if len(mine) == 1:
        context.output.say(f"Your one role: {mine[0].label}")
        return mine[0]
    places = {each.arn: place for place, each in enumerate(mine)}
    recent = [places[arn] for arn in remembered(context) if arn in places]
    chosen = mine[
        picker.pick(context.output, "Role", [_line(each) for each in mine], context.environ, recent)
    ]
    remember(context, chosen)
    context.output.say(f"Role: {chosen.label}")
    return chosen


def remembered(context: Context) -> list[str]:
    """ARNs picked before, the latest first; none where that cannot be read."""
    try:
        return (settings.remembered(context.paths, _name(context)) or "").split()
    except Local:
        return []


def remember(context: Context, chosen: Role) -> None:
    """Puts a choice first. A disk that is full is no reason not to go on."""
    arns = [chosen.arn, *(arn for arn in remembered(context) if arn != chosen.arn)]
    with contextlib.suppress(Local):
        settings.remember(context.paths, _name(context), " ".join(arns[:KEPT]))


def _name(context: Context) -> str:
    return f"recent {context.key}"


def _line(each: Role) -> str:
    proof = f"  (needs {each.factor})" if each.factor else ""
    return f"{each.label}  {each.account}  {each.description}".rstrip() + proof
