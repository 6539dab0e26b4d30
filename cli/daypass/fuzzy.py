"""Fuzzy search: which lines fit what was typed, and which fits best. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_WHOLE, _PREFIX, _WORD, _INSIDE, _SCATTERED = 500, 400, 300, 200, 100


def rank(query: str, lines: Sequence[str], recent: Sequence[int] = ()) -> list[int]:
    """Places of the lines that fit, best first.

    Every blank-separated term must be in the line, as a piece or with its letters in order; upper and lower
    case are the same. Equal fits: recent ones first (places, latest first), then as given.
    """
    terms = query.lower().split()
    order = {place: number for number, place in enumerate(recent)}
    scored: list[tuple[int, int, int]] = []
    for place, line in enumerate(lines):
        text = line.lower()
        total = 0
        for term in terms:
            found = score(term, text)
            if found is None:
                break
            total += found
        else:
            scored.append((-total, order.get(place, len(order)), place))
    return [place for _score, _recent, place in sorted(scored)]


def score(term: str, text: str) -> int | None:
    """How well one term fits; None if it does not. Both in lower case."""
    if term == text:
        return _WHOLE
    start = text.find(term)
    if start == 0:
        return _PREFIX
    while start > 0:
        if not text[start - 1].isalnum():
            return _WORD
        later = text.find(term, start + 1)
        if later < 0:
            return _INSIDE
        start = later
    return _scattered(term, text)


def _scattered(term: str, text: str) -> int | None:
    """The letters in order with others between: nearer together is better, and at words' starts."""
    best: int | None = None
    begin = text.find(term[0])
    while begin >= 0:
        points, at, end = 0, begin, begin
        for letter in term:
            at = text.find(letter, at)
            if at < 0:
                return best
            points += 2 if at == 0 or not text[at - 1].isalnum() else 0
            at += 1
            end = at
        found = max(1, _SCATTERED - (end - begin - len(term)) + points)
        best = found if best is None else max(best, found)
        begin = text.find(term[0], begin + 1)
    return best
