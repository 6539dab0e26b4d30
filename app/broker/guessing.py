"""Guesses of passwords and codes: counted over all workers before anything is looked at (NIST SP 800-63B-4, 3.2.2).

A browser in which the person has signed in before has a budget of its own: whoever attacks an account from everywhere
uses up the strangers' and keeps its owner out of nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.broker.desk import Desk
from app.errors import TooManyGuesses
from app.limits import (
    CODES_PER_DEVICE,
    CODES_PER_PERSON,
    GUESS_WINDOW,
    PASSWORDS_PER_ACCOUNT,
    PASSWORDS_PER_ADDRESS,
    PASSWORDS_PER_DEVICE,
    prefix,
)
from app.model import SourceId
from app.people import Budget

_WAIT: Final = int(GUESS_WINDOW.total_seconds())


class Guessing(Desk):
    """The part of a conversation in which somebody may be guessing."""

    def _known(self, source: SourceId, subject: str, device: str) -> bool:
        """Whether that person has signed in before in the browser of that cookie."""
        return bool(device) and self._store.known_devices.known(source, subject, device)

    def _reserve(self, budgets: Sequence[Budget], now: datetime, words: str | None = None) -> None:
        """Count a guess before it is looked at; to be given back if it was right. Raises TooManyGuesses."""
        used_up = self._store.guesses.reserve(budgets, now)
        if used_up is not None:
            raise TooManyGuesses(
                f"{used_up.most} in a window: {used_up.scope}", words=words, retry_after=_WAIT
            )


def password_budgets(name: str, address: str, device: str, *, known: bool) -> tuple[Budget, ...]:
    """Of a password for an account of that name. A known device has its own alone, so that neither an attack on the
    account nor a neighbour behind the same address matters to it."""
    if known:
        return (Budget("password/device", _key(name, device), PASSWORDS_PER_DEVICE, GUESS_WINDOW),)
    return (
        Budget("password/account", name, PASSWORDS_PER_ACCOUNT, GUESS_WINDOW),
        Budget("password/address", prefix(address), PASSWORDS_PER_ADDRESS, GUESS_WINDOW),
    )


def code_budgets(source: str, subject: str, device: str, *, known: bool) -> tuple[Budget, ...]:
    """Of a code for a person whose first factor was right."""
    if known:
        return (Budget("code/device", _key(source, subject, device), CODES_PER_DEVICE, GUESS_WINDOW),)
    return (Budget("code/person", _key(source, subject), CODES_PER_PERSON, GUESS_WINDOW),)


def _key(*parts: str) -> str:
    return json.dumps(parts)  # framed, so that no two lists of parts look alike
