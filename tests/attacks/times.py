"""Whether two samples of times are of one kind."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain

APART = 5.0
"""|z| beyond which they are not: by chance once in 1.7 million runs."""


def ranks(one: Sequence[float], other: Sequence[float]) -> float:
    """z of the Mann-Whitney U test, by the normal approximation, ties shared (Mann and Whitney 1947)."""
    every = sorted(chain(((value, 0) for value in one), ((value, 1) for value in other)))
    below = Counter(value for value, _ in every)
    rank, at = {}, 0
    for value in sorted(below):
        rank[value] = at + (below[value] + 1) / 2
        at += below[value]
    n, m = len(one), len(other)
    u = sum(rank[value] for value in one) - n * (n + 1) / 2
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
