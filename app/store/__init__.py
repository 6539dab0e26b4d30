"""store: what must be remembered, one small repository per noun, over SQLite or PostgreSQL.

Every failure of the database leaves here as StoreUnavailable (the audit trail's as AuditUnavailable).
"""

from app.store.audit import AuditRecords, Search
from app.store.database import Database
from app.store.opening import open_database
from app.store.people import KnownPerson, People
from app.store.refusals import RefusalCount
from app.store.revisions import Activation, Revisions, StoredRevision
from app.store.store import Store, open_store

__all__ = [
    "Activation",
    "AuditRecords",
    "Database",
    "KnownPerson",
    "People",
    "RefusalCount",
    "Revisions",
    "Search",
    "Store",
    "StoredRevision",
    "open_database",
    "open_store",
]
