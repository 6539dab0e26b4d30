"""The same question to one region after the other, until one answers.

Only for questions that may be asked twice. A region that cannot be reached, is slow or answers 5xx is
passed over, and for half a minute afterwards comes last; any other answer, a refusal too, is the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.aws.channel import Answer, Channel, NoAnswer
from app.aws.deadline import Deadline, Late

_SHUN = 30.0
_PAUSE = 0.1
_MOST = 3
"""Attempts for one question."""


@dataclass(frozen=True, slots=True)
class Place:
    """One regional endpoint."""

    region: str
    url: str
    """Scheme, host and port, no trailing slash."""
    channel: Channel = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One POST."""

    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Down(Exception):
    """No place answered; the text says what happened at each."""


class Places:
    """The endpoints of one service, first choice first. Safe to use from many threads."""

    def __init__(self, places: Sequence[Place], *, timeout: float) -> None:
        """`timeout` is for one attempt, in seconds."""
        if not places:
            raise ValueError("at least one endpoint is needed")
        self._places = tuple(places)
        self._timeout = timeout
        self._shunned: dict[str, float] = {}

    def ask(self, question: Callable[[Place], Message], deadline: Deadline) -> tuple[Place, Answer]:
        """The first answer below 500, and who gave it. Raises Down."""
        failures: list[str] = []
        for place in self._attempts():
            try:
                if failures and len(self._places) == 1:
                    time.sleep(min(_PAUSE, deadline.left()))
                message = question(place)
                answer = place.channel.post(
                    message.target, message.headers, message.body, deadline.within(self._timeout)
                )
            except Late:
                failures.append("the time is up")
                break
            except NoAnswer as error:
                failures.append(f"{place.region}: {error}")
                self._shun(place)
                if error.slow and len(self._places) == 1:
                    break  # it had its time; asking again would only make it slower
                continue
            if answer.status < 500:
                self._shunned.pop(place.region, None)
                return place, answer
            failures.append(f"{place.region}: HTTP {answer.status}")
            self._shun(place)
        raise Down("; ".join(failures))

    def warm(self, deadline: Deadline) -> None:
        """Have a connection to the first place ready; a failure is met when somebody asks."""
        try:
            self._places[0].channel.warm(deadline)
        except (NoAnswer, Late):
            self._shun(self._places[0])

    def _attempts(self) -> Sequence[Place]:
        if len(self._places) == 1:
            return self._places * 2
        now = time.monotonic()
        return sorted(self._places, key=lambda place: self._shunned.get(place.region, 0.0) > now)[:_MOST]

    def _shun(self, place: Place) -> None:
        self._shunned[place.region] = time.monotonic() + _SHUN
