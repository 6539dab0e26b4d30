"""Faults that tests switch on: what a broken, slow or lying AWS answers.

A fault is `{"kind": …, "calls": N, "action": …}` and holds for the next N calls of that action
(`AssumeRole`, `GetCallerIdentity`, `getSigninToken`, `PutObject`, …, or `*`).

| kind | what happens |
|---|---|
| `error`, `unavailable` | 500 InternalFailure, 503 ServiceUnavailable |
| `throttle` | 400 Throttling |
| `slow` | the honest answer after `seconds` |
| `drip` | the honest answer, a byte every `seconds` |
| `drop` | the connection is closed without an answer |
| `cut` | the headers promise the whole answer, half of it comes |
| `truncated` | half of the answer, as if it were whole |
| `garbage` | 200 with noise |
| `answer` | `status`, `content_type`, `body`, `location` as given |
| `edit` | the honest answer with regular expression `pattern` replaced by `replacement` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from demo.aws.wire import Rejected, Reply, failure

KINDS = frozenset(
    (
        "error",
        "unavailable",
        "throttle",
        "slow",
        "drip",
        "drop",
        "cut",
        "truncated",
        "garbage",
        "answer",
        "edit",
    )
)
_ERRORS = {
    "error": Rejected(
        500, "InternalFailure", "The request processing has failed because of an unknown error."
    ),
    "unavailable": Rejected(503, "ServiceUnavailable", "The service is temporarily unavailable."),
    "throttle": Rejected(400, "Throttling", "Rate exceeded"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault."""

    kind: str
    calls: int = 1
    action: str = "*"
    seconds: float = 0.0
    status: int = 200
    content_type: str = "text/xml"
    body: str = ""
    location: str = ""
    pattern: str = ""
    replacement: str = ""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Fault:
        """From JSON. Raises ValueError for another shape."""
        try:
            fault = cls(**raw)
            re.compile(fault.pattern)
        except (TypeError, re.error) as error:
            raise ValueError(f"not a fault: {error}") from error
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind {fault.kind!r}; known: {', '.join(sorted(KINDS))}")
        return fault

    @property
    def error(self) -> Rejected | None:
        """What is refused with, for kinds that are an error of AWS's."""
        return _ERRORS.get(self.kind)

    def apply(self, reply: Reply, request_id: str) -> Reply:
        """The answer that goes out instead (kinds that are about time or connections are the server's)."""
        if self.kind in _ERRORS:
            return failure(_ERRORS[self.kind], request_id)
        if self.kind == "truncated":
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        if self.kind == "garbage":
            return Reply(200, "text/xml", b"\x00\xff<<<not an answer>>>" * 40)
        if self.kind == "answer":
            headers = (("Location", self.location),) if self.location else ()
            return Reply(self.status, self.content_type, self.body.encode(), headers)
        if self.kind == "edit":
            return replace(reply, body=re.sub(self.pattern, self.replacement, reply.body.decode()).encode())
        return reply


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Switch one on; several for the same action come one after the other."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._faults.clear()

    def take(self, action: str) -> Fault | None:
        """The fault for this call, counted down."""
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.action in ("*", action):
                    if fault.calls > 1:
                        self._faults[place] = replace(fault, calls=fault.calls - 1)
                    else:
                        del self._faults[place]
                    return fault
        return None
