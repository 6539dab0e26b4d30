"""Numbers in words."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 policy`, `2 policies`."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """`policies`, `people`, `roles`."""
    return {"policy": "policies", "person": "people"}.get(noun, f"{noun}s")
