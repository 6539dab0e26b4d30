"""The second sink: one line a record in the operator's log, constant words and fields.

Written after the record is durable, with its place in the chain: a log kept on another machine
therefore shows if the end of the trail is cut off.
"""

from __future__ import annotations

import logging
from typing import Final

from app.audit.record import Receipt, Record

_LOG: Final = logging.getLogger("daypass.audit")


def recorded(record: Record, receipt: Receipt) -> None:
    """Say that the record is durable."""
    _LOG.info("recorded", extra={"sequence": receipt.sequence, "digest": receipt.digest, **_fields(record)})


def lost(record: Record, reason: str) -> None:
    """Say that the record could not be made durable, so that nothing was given out."""
    _LOG.error("not recorded, so nothing was given out", extra={"why": reason, **_fields(record)})


def _fields(record: Record) -> dict[str, object]:
    fields = {
        "at": record.at.isoformat(),
        "kind": record.kind,
        "request_id": record.request_id,
        "address": record.address,
        "source": record.source,
        "subject": record.subject,
        "username": record.username,
        "session": record.session,
        "role": record.role,
        "revision": record.revision,
        "access_key_id": record.access_key_id,
        "detail": record.detail,
    }
    return {name: value for name, value in fields.items() if value is not None}
