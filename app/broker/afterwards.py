"""What is done after the answer, so that the time until the answer tells nothing.

Whether there is a user of some name must not be seen by how long a refusal takes: what is written for those who exist
alone is written later, by the upkeep of this worker. A worker that dies loses what waits, which is a mail that was
not sent yet and a line about a wrong password; whoever needs either asks again, or guesses again.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from app.errors import Refusal

MOST: Final = 1_024
"""That wait at once; more is dropped, with one line in the log: strangers decide how many there are."""

log = logging.getLogger("daypass.broker")


class Afterwards:
    """Things to do, one a key: the first that waits stays. Thread-safe, bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, Callable[[], None]] = OrderedDict()
        self._dropping = False

    def put(self, key: str, work: Callable[[], None]) -> None:
        """Do this later, unless something of that key waits already."""
        with self._lock:
            if key in self._waiting:
                return
            full = len(self._waiting) >= MOST
            said, self._dropping = self._dropping, full
            if not full:
                self._waiting[key] = work
        if full and not said:
            log.warning(
                "too much is to be done afterwards, this is dropped", extra={"what": key.split(" ")[0]}
            )

    def run(self) -> int:
        """Do all that waits now; how many those were. What fails is logged and not tried again."""
        with self._lock:
            taken, self._waiting = self._waiting, OrderedDict()
            self._dropping = False
        for key, work in taken.items():
            try:
                work()
            except Refusal as refusal:
                log.warning("not done afterwards", extra={"what": key.split(" ")[0], "why": refusal.detail})
            except Exception as error:  # noqa: BLE001 - one defect must not keep the others from being done
                log.error(
                    "not done afterwards", extra={"what": key.split(" ")[0], "why": type(error).__name__}
                )
        return len(taken)
