"""What two patterns have in common, as patterns. For `intersect`.

The common part of two wildcard patterns is a finite list of wildcard patterns: every way of laying their
literal pieces over one another. A policy variable is one opaque piece, so where it would have to be
compared with text, the answer is `Inexpressible`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.policy.patterns import Token, Variable, Wild

_MOST: Final = 16
_DEEPEST: Final = 400

Piece = Token
"""One letter, one wildcard or one variable."""
Pattern = tuple[Piece, ...]


class Inexpressible(Exception):
    """The common part cannot be written in the policy language, or not in reasonable length."""


def spread(tokens: Iterable[Token]) -> Pattern:
    """Tokens with literals cut into letters, and runs of stars made one."""
    found: list[Piece] = []
    for token in tokens:
        if isinstance(token, str):
            found.extend(token)
        elif not (token is Wild.MANY and found and found[-1] is Wild.MANY):
            found.append(token)
    return tuple(found)


def within(small: Pattern, large: Pattern) -> bool:
    """True if everything that `small` matches, `large` matches too (for any values of variables).

    Both as `spread` makes them. Bit n of `places` says that the first n pieces of `large` are used up.
    """
    stars = ones = 0
    letters: dict[Piece, int] = {}
    for place, piece in enumerate(large):
        bit = 1 << place
        if piece is Wild.MANY:
            stars |= bit
        elif piece is Wild.ONE:
            ones |= bit
        else:
            letters[piece] = letters.get(piece, 0) | bit
    places = 1
    places |= (places & stars) << 1
    for piece in small:
        steps = letters.get(piece, 0)
        if piece is Wild.ONE or isinstance(piece, str):
            steps |= ones
        places = (places & stars) | (places & steps) << 1
        places |= (places & stars) << 1
        if not places:
            return False
    return bool(places >> len(large) & 1)


def reduced(patterns: Iterable[Pattern]) -> list[Pattern]:
    """Without those that lie within another."""
    kept: list[Pattern] = []
    for pattern in sorted(set(patterns), key=lambda each: (len(each), str(each))):
        if not any(within(pattern, other) for other in kept):
            kept = [other for other in kept if not within(other, pattern)]
            kept.append(pattern)
    return kept


def common(left: Pattern, right: Pattern) -> list[Pattern]:
    """Patterns that together match exactly what both match. Raises Inexpressible."""
    if within(left, right):
        return [left]
    if within(right, left):
        return [right]
    start = 0
    shorter = min(len(left), len(right))
    while start < shorter and left[start] == right[start] and _letter(left[start]):
        start += 1
    end = 0
    while end < shorter - start and left[-1 - end] == right[-1 - end] and _letter(left[-1 - end]):
        end += 1
    remaining = shorter - start - end
    if remaining and (
        (_letter(left[start]) and _letter(right[start]))
        or (_letter(left[-1 - end]) and _letter(right[-1 - end]))
    ):
        return []
    inner = _overlay(left[start : len(left) - end], right[start : len(right) - end])
    tail = left[len(left) - end :]
    return reduced(spread((*left[:start], *middle, *tail)) for middle in inner)


def _letter(piece: Piece) -> bool:
    return isinstance(piece, str)


def _overlay(left: Pattern, right: Pattern) -> frozenset[Pattern]:
    """Every way of laying two patterns over one another, filled in from their ends."""
    if len(left) > _DEEPEST or len(right) > _DEEPEST:
        raise Inexpressible
    empty: frozenset[Pattern] = frozenset()
    below: list[frozenset[Pattern] | None] = []
    for i in range(len(left), -1, -1):
        row: list[frozenset[Pattern] | None] = [None] * (len(right) + 1)
        for j in range(len(right), -1, -1):
            a = left[i] if i < len(left) else None
            b = right[j] if j < len(right) else None
            down = below[j] if i < len(left) else empty
            across = row[j + 1] if j < len(right) else empty
            diagonal = below[j + 1] if a is not None and b is not None else empty
            row[j] = _cell(a, b, down, across, diagonal)
        below = row
    whole = below[0]
    if whole is None:
        raise Inexpressible
    return whole


def _cell(
    a: Piece | None,
    b: Piece | None,
    down: frozenset[Pattern] | None,
    across: frozenset[Pattern] | None,
    diagonal: frozenset[Pattern] | None,
) -> frozenset[Pattern] | None:
    """Ways from one pair of places on; None if they cannot be told (`Inexpressible`, if they are reached).

    `down`: the left piece is used up, `across`: the right one, `diagonal`: both.
    """
    if a is None and b is None:
        return frozenset({()})
    found: list[tuple[tuple[Piece, ...], frozenset[Pattern] | None]] = []
    if a is Wild.MANY and b is Wild.MANY:
        found = [((Wild.MANY,), down), ((Wild.MANY,), across)]
    elif a is Wild.MANY:
        found = [((), down)]
        if b is not None:
            found.append(((b,), across))
    elif b is Wild.MANY:
        found = [((), across)]
        if a is not None:
            found.append(((a,), down))
    elif a is None or b is None:
        return frozenset()
    elif isinstance(a, Variable) or isinstance(b, Variable):
        if a != b:
            return None
        found = [((a,), diagonal)]
    elif a is Wild.ONE or b is Wild.ONE or a == b:
        found = [((b if a is Wild.ONE else a,), diagonal)]
    ways: set[Pattern] = set()
    for lead, rest in found:
        if rest is None:
            return None
        ways.update(_lead(lead, each) for each in rest)
    if len(ways) > _MOST:
        ways = set(reduced(ways))
    return frozenset(ways) if len(ways) <= _MOST else None


def _lead(lead: Sequence[Piece], rest: Pattern) -> Pattern:
    if lead and lead[0] is Wild.MANY and rest and rest[0] is Wild.MANY:
        return rest
    return (*lead, *rest)
