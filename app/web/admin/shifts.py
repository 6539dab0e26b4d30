"""Who gains and loses what, as pages show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app.access import Known, Shift, Turn
from app.drafts import Handed

_SHOWN: Final = 100
"""People named in one group of changes."""
_TURNS: Final = {
    Turn.GAINS: "gains",
    Turn.WIDENS: "has from now on, whatever the conditions,",
    Turn.CHANGES: "has on other conditions",
    Turn.NARROWS: "keeps",
    Turn.LOSES: "loses",
}
_SIGNS: Final = {
    Turn.GAINS: "more",
    Turn.WIDENS: "more",
    Turn.CHANGES: "other",
    Turn.NARROWS: "less",
    Turn.LOSES: "less",
}
MARKS: Final = {"more": "+", "less": "−", "other": "~"}


@dataclass(frozen=True, slots=True)
class TurnView:
    """What becomes of a role or an action."""

    sign: str
    """`more`, `less` or `other`"""
    mark: str
    words: str
    what: str
    conditional: bool
    privileged: bool


@dataclass(frozen=True, slots=True)
class ShiftView:
    """People for whom a change does the same."""

    people: tuple[str, ...]
    more: int
    """How many are not named."""
    turns: tuple[TurnView, ...]


def shift_views(shifts: Iterable[Shift], handed: Iterable[Handed] = ()) -> tuple[ShiftView, ...]:
    """Roles first, then actions on daypass itself."""
    found = [
        _view(
            shift.people,
            (
                _turn(
                    _SIGNS[turn.turn],
                    _TURNS[turn.turn],
                    f"{turn.role.account_name} / {turn.role.name}",
                    conditional=turn.conditional,
                    privileged=turn.privileged,
                )
                for turn in shift.turns
            ),
        )
        for shift in shifts
    ]
    for each in handed:
        turns = [_turn("more", "may administer", row.name, privileged=True) for row in each.gains]
        turns += [_turn("less", "may no longer administer", row.name) for row in each.loses]
        found.append(_view(each.people, turns))
    return tuple(found)


def _turn(
    sign: str, words: str, what: str, *, conditional: bool = False, privileged: bool = False
) -> TurnView:
    return TurnView(sign, MARKS[sign], words, what, conditional, privileged)


def _view(people: Iterable[Known], turns: Iterable[TurnView]) -> ShiftView:
    names = sorted(f"{each.identity.source}/{each.identity.username}" for each in people)
    return ShiftView(tuple(names[:_SHOWN]), max(0, len(names) - _SHOWN), tuple(turns))
