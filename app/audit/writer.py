"""The writer: returns when the record is durable, and one commit serves all who wait.

Group commit without a thread of its own: while one caller commits, those who come gather; then one of
them is handed the lead, commits for all and wakes the others. Under load a commit's cost is shared, and
a caller who is alone waits for nobody.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Final

from app.audit import log
from app.audit.record import AuditRows, Receipt, Record
from app.audit.render import clean, render
from app.clock import Clock
from app.errors import AuditUnavailable, StoreUnavailable
from app.model import AuditEvent
from app.transaction import Transaction

LONGEST_WAIT: Final = timedelta(seconds=5)
_BREATH: Final = 50e-6
"""Seconds that a leader lets those come back who shared the commit before."""
_BREATHS: Final = 4


class AuditWriter:
    """Makes audit records durable. Safe to use from many threads; holds no thread and no file itself."""

    def __init__(self, rows: AuditRows, clock: Clock, *, wait: timedelta = LONGEST_WAIT) -> None:
        """`wait`: how long a caller waits for a commit that another leads before it gives up."""
        self._rows = rows
        self._clock = clock
        self._wait = wait.total_seconds()
        self._lock = Lock()
        self._gathering: list[_Waiter] = []
        self._led = False
        """Whether somebody has the lead; whoever comes then waits to be woken."""
        self._company = 1
        """How many shared the last commit."""
        self._failing_since: datetime | None = None

    def record(self, event: AuditEvent, within: Transaction | None = None) -> None:
        """Return once the event is durable; `within` a transaction, once it is as durable as that.

        Raises AuditUnavailable if it is not known to be: whatever was to be given out must not be. Raises
        Internal for an event that must not be recorded (see `render`).
        """
        if within is None:
            self.record_all([event])
        else:
            self._join(render(event), within)

    def record_all(self, events: Sequence[AuditEvent]) -> None:
        """As `record`, for several at once: all durable, in this order and adjacent, or AuditUnavailable."""
        if not events:
            return
        records = [render(event) for event in events]
        try:
            receipts = self._commit(records)
        except AuditUnavailable as refusal:
            for record in records:
                log.lost(record, clean(refusal.detail))
            raise
        for record, receipt in zip(records, receipts, strict=True):
            log.recorded(record, receipt)

    @property
    def failing_since(self) -> datetime | None:
        """When commits began to fail, for readiness and alerts; None while the last one succeeded."""
        return self._failing_since

    def _commit(self, records: Sequence[Record]) -> Sequence[Receipt]:
        waiter = _Waiter(records)
        with self._lock:
            self._gathering.append(waiter)
            if not self._led:
                self._led = waiter.leads = True
        if not waiter.leads:
            self._await(waiter)
        if waiter.leads:
            self._lead(waiter)
        if waiter.failure is not None:
            # Raised anew by each waiter: a shared exception would collect their tracebacks.
            raise AuditUnavailable(waiter.failure)
        return waiter.receipts

    def _join(self, record: Record, within: Transaction) -> None:
        """Let a transaction carry the record: what is to be given out, is given after its end."""
        try:
            (receipt,) = self._rows.append([record], within)
        except AuditUnavailable as refusal:
            self._ended(refusal.detail)
            log.lost(record, clean(refusal.detail))
            raise

        def ended(refusal: StoreUnavailable | None) -> None:
            self._ended(None if refusal is None else refusal.detail)
            if refusal is None:
                log.recorded(record, receipt)
            else:
                log.lost(record, clean(refusal.detail))

        within.after.append(ended)

    def _ended(self, failure: str | None) -> None:
        now = None if failure is None else self._clock.now()
        with self._lock:
            self._failing_since = now and (self._failing_since or now)

    def _await(self, waiter: _Waiter) -> None:
        """Wait until the records are dealt with or the lead is ours; raises AuditUnavailable after too long."""
        woken = False
        try:
            woken = waiter.gate.acquire(timeout=self._wait)
        finally:
            if not woken:
                self._give_up(waiter)

    def _give_up(self, waiter: _Waiter) -> None:
        with self._lock:
            if waiter.leads or waiter.finished:
                return  # woken in this very moment
            # What is not being written yet need not be. The rest may become durable all the same: a record
            # of something that was not given out, which is the safe way round.
            if waiter in self._gathering:
                self._gathering.remove(waiter)
        raise AuditUnavailable("the audit trail's commit took too long; others were under way")

    def _lead(self, leader: _Waiter) -> None:
        self._breathe()
        with self._lock:
            batch, self._gathering = self._gathering, []
            self._company = len(batch)
        failure: str | None = "the thread that led the commit was stopped"
        try:
            receipts = iter(self._rows.append([record for waiter in batch for record in waiter.records]))
            for waiter in batch:
                waiter.receipts = list(islice(receipts, len(waiter.records)))
            failure = None
        except AuditUnavailable as refusal:
            failure = refusal.detail or refusal.words
        finally:
            self._hand_on(leader, batch, failure)

    def _breathe(self) -> None:
        # Without this, threads that ask in turn fall into two halves that commit alternately.
        seen = 0
        for _ in range(_BREATHS):
            if not seen < len(self._gathering) < self._company:
                return
            seen = len(self._gathering)
            time.sleep(_BREATH)

    def _hand_on(self, leader: _Waiter, batch: Sequence[_Waiter], failure: str | None) -> None:
        now = None if failure is None else self._clock.now()
        with self._lock:
            self._failing_since = now and (self._failing_since or now)
            for waiter in batch:
                waiter.failure = failure
                waiter.finished = True
            following = self._gathering[0] if self._gathering else None
            if following is not None:
                following.leads = True
            self._led = following is not None
        if following is not None:
            following.gate.release()  # first of all: the next commit waits for nothing else
        for waiter in batch:
            if waiter is not leader:
                waiter.gate.release()


class _Waiter:
    """One caller's records, and what became of them. Guarded by the writer's lock."""

    __slots__ = ("failure", "finished", "gate", "leads", "receipts", "records")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.receipts: Sequence[Receipt] = ()
        self.failure: str | None = None
        self.finished = False
        self.leads = False
        self.gate = Lock()
        """Opened, once, to wake the caller."""
        self.gate.acquire()
