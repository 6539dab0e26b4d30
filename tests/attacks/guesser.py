"""A process that guesses, through the broker's own conversations over the company's database: an attacker who needs no
network. Reads a line of JSON for each round from standard input, and answers with a line of what came of it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pyotp

from app import wiring
from app.errors import Refusal
from app.model import Caller, SignInAsk
from app.people import Asked, FactorAnswer
from tests.attacks.people_served import counted


class Clock:
    """The company's."""

    def __init__(self) -> None:
        self._ahead = Path(os.environ["DAYPASS_TEST_CLOCK"])

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._ahead.read_text() or 0))


class Guesser:
    """Tries from a new address each time."""

    def __init__(self, first: str) -> None:
        wiring.Hashing = counted  # type: ignore[assignment,misc]
        self._clock = Clock()
        self._broker = wiring.wire(clock=self._clock).broker
        self._addresses = count(int(ipaddress.IPv4Address(first)))

    def _caller(self) -> Caller:
        return Caller(secrets.token_hex(8), str(ipaddress.IPv4Address(next(self._addresses))))

    def passwords(self, name: str, times: int) -> Counter[str]:
        """So many of one name's."""
        came: Counter[str] = Counter()
        for at in range(times):
            ask = SignInAsk(next="/", browser="b" * 43)
            try:
                self._broker.password_sign_in(name, f"a guess of many words {at}", ask, caller=self._caller())
                came["in"] += 1
            except Refusal as refusal:
                came[refusal.code] += 1
        return came

    def codes(self, name: str, password: str, secret: str, times: int) -> Counter[str]:
        """So many codes after the right password, none of which is right."""
        came: Counter[str] = Counter()
        browser = secrets.token_urlsafe(32)
        handle = ""
        wrong = self._wrong(secret)
        for _ in range(times):
            try:
                if not handle:
                    ask = SignInAsk(next="/", browser=browser)
                    asked = self._broker.password_sign_in(name, password, ask, caller=self._caller())
                    assert isinstance(asked, Asked)
                    handle = asked.handle
                self._broker.answer(handle, browser, FactorAnswer("totp", next(wrong)), caller=self._caller())
                came["in"] += 1
            except Refusal as refusal:
                came[refusal.code] += 1
                if refusal.code == "mfa.over":
                    handle = ""
        return came

    def _wrong(self, secret: str) -> Iterator[str]:
        totp, at = pyotp.TOTP(secret), self._clock.now()
        right = {totp.at(at + timedelta(seconds=30 * steps)) for steps in range(-40, 41)}
        while True:
            code = f"{secrets.randbelow(10**6):06d}"
            if code not in right:
                yield code


def main() -> None:
    guesser = Guesser(sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        what = guesser.codes if "secret" in asked else guesser.passwords
        print(json.dumps(what(**asked)), flush=True)


if __name__ == "__main__":
    main()
