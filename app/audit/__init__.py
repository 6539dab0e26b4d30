"""audit: an event in, a durable, chained record out, before the answer leaves.

render (clean, bounded text) → writer (one commit for all who wait) → rows (the store) → log line.
No record, no answer: the writer returns only once the record is durable.
"""

from app.audit.chain import Chain, link
from app.audit.record import AuditRows, Receipt, Record, StoredRecord, Verified
from app.audit.render import clean, field, render
from app.audit.writer import AuditWriter

__all__ = [
    "AuditRows",
    "AuditWriter",
    "Chain",
    "Receipt",
    "Record",
    "StoredRecord",
    "Verified",
    "clean",
    "field",
    "link",
    "render",
]
