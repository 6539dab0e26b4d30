"""Holding what has no row of its own yet, so that two transactions do not both find it absent."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from app.store.codec import digest

_HOLD: Final = text("SELECT pg_advisory_xact_lock(:upper, :lower)")


def hold(connection: Connection, *what: str) -> None:
    """Until the commit, nobody else who holds the same goes on, on any host.

    SQLite has one writer anyway. The keys of two numbers never meet those of `Serial`, which are of one
    (PostgreSQL, 9.28.10 "Advisory Lock Functions"); two things of one key only wait for one another.
    """
    if connection.dialect.name != "postgresql":
        return
    key = bytes.fromhex(digest("hold", *what)[:16])
    halves = {
        "upper": int.from_bytes(key[:4], "big", signed=True),
        "lower": int.from_bytes(key[4:], "big", signed=True),
    }
    connection.execute(_HOLD, halves)
