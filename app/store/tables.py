"""The tables. Migrations build them; a test holds the two against each other.

Whatever is secret or chosen by strangers is kept as a digest where it is looked up (token, handle,
person, once-only value) and inside a document where it is only read back: so no odd character, no length
and no copy of the database matters.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from app.store.times import Instant

METADATA: Final = MetaData()

_Counter = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers itself on both engines; SQLite does so for INTEGER alone."""

PENDING: Final = Table(
    "pending",
    METADATA,
    Column("handle", String(64), primary_key=True),
    Column("address", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Index("pending_address", "address", "created_at"),
    Index("pending_expires_at", "expires_at"),
)

ONCE: Final = Table(
    "once",
    METADATA,
    Column("mark", String(64), primary_key=True),
    Column("until", Instant, nullable=False),
    # Whose it is, as a digest, where somebody may come again; NULL for what is marked a single time.
    Column("owner", String(64)),
    Index("once_until", "until"),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("token", String(64), nullable=False, unique=True),
    Column("person", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("idle_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("document", Text, nullable=False),
    # Change with use, so they are not in the document. Absent in rows of a daypass before these columns.
    Column("last_used", Instant),
    Column("last_address", Text),
    # None on when one ends: `expire` has to look at those that were ended as well, and so at all.
    Index("sessions_person", "person"),
)

CODES: Final = Table(
    "codes",
    METADATA,
    Column("code", String(64), primary_key=True),
    Column("client", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    # The session that its first use gives; not a foreign key, since the code is used up before that begins.
    Column("session", String(64)),
    Column("reused_at", Instant),
    Column("document", Text, nullable=False),
)

DEVICES: Final = Table(
    "devices",
    METADATA,
    Column("device_code", String(64), primary_key=True),
    Column("user_code", String(64), nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("poll_seconds", Integer, nullable=False),
    Column("polled_at", Instant),
    # Who decided what, sealed; NULL while nobody has.
    Column("decision", Text),
    Column("redeemed_at", Instant),
    Column("document", Text, nullable=False),
    Index("devices_address", "address", "asked_at"),
)

REFRESH_TOKENS: Final = Table(
    "refresh_tokens",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("session", String(64), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("client", Text, nullable=False),
    Column("predecessor", String(64)),
    Column("used_at", Instant),
    # Its successor, sealed, for as long as it may be given again.
    Column("successor", Text),
    Column("document", Text, nullable=False),
    Index("refresh_tokens_session", "session"),
    sqlite_with_rowid=False,  # one tree to write instead of two
)

TOKEN_KEYS: Final = Table(
    "token_keys",
    METADATA,
    Column("kid", String(64), primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("signs_from", Instant, nullable=False),
    Column("document", Text, nullable=False),
)

POOL_IDENTITIES: Final = Table(
    "pool_identities",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("pool", Text, nullable=False),
    # Where a guest came from, as a digest; NULL for the identity of somebody who signed in.
    Column("guest_address", String(64)),
    Column("created_at", Instant, nullable=False),
    Column("last_used", Instant, nullable=False),
    # When a guest became somebody.
    Column("claimed_at", Instant),
    Index("pool_identities_guests", "guest_address", "created_at"),
)
Index(
    "pool_identities_waiting",
    POOL_IDENTITIES.c.last_used,
    sqlite_where=POOL_IDENTITIES.c.guest_address.is_not(None) & POOL_IDENTITIES.c.claimed_at.is_(None),
    postgresql_where=POOL_IDENTITIES.c.guest_address.is_not(None) & POOL_IDENTITIES.c.claimed_at.is_(None),
)

POOL_LOGINS: Final = Table(
    "pool_logins",
    METADATA,
    # Digest of pool, source and subject: one identity a person and pool.
    Column("login", String(64), primary_key=True),
    Column("identity", String(64), ForeignKey("pool_identities.id", ondelete="CASCADE"), nullable=False),
    Column("linked_at", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Index("pool_logins_identity", "identity"),
)

PEOPLE: Final = Table(
    "people",
    METADATA,
    Column("person", String(64), primary_key=True),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("authentication", Text, nullable=False),
)

PEOPLE_CLAIMS: Final = Table(
    "people_claims",
    METADATA,
    Column("id", _Counter, primary_key=True),
    Column("person", String(64), ForeignKey("people.person", ondelete="CASCADE"), nullable=False),
    Column("since", Instant, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Index("people_claims_person", "person", "id"),
)

USERS: Final = Table(
    "users",
    METADATA,
    Column("id", String(64), primary_key=True),
    # Digest of the name while the user is not deleted; root's and deleted users' is NULL.
    Column("username", String(64), unique=True),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    # Changes whenever all sessions must end; in the open, since each request of a local user compares it.
    Column("epoch", String(64), nullable=False),
    # Password's hash and when it was set, sealed for this row.
    Column("account", Text, nullable=False),
)

USER_VERSIONS: Final = Table(
    "user_versions",
    METADATA,
    Column("id", _Counter, primary_key=True),
    Column("user", String(64), ForeignKey("users.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("user", "version", name="user_versions_version"),
)

FACTORS: Final = Table(
    "factors",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("kind", Text, nullable=False),
    # Digest of a WebAuthn credential's id, so that no two people have one; NULL for other kinds.
    Column("credential", String(64), unique=True),
    Column("enrolled_at", Instant, nullable=False),
    # The last time step or signature counter: raised by one conditional UPDATE.
    Column("counter", BigInteger, nullable=False),
    Column("last_used", Instant),
    Column("ended_at", Instant),
    Column("document", Text, nullable=False),
    Index("factors_person", "person"),
)

RECOVERY_CODES: Final = Table(
    "recovery_codes",
    METADATA,
    Column("code", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("recovery_codes_person", "person"),
)

CHALLENGES: Final = Table(
    "challenges",
    METADATA,
    Column("handle", String(64), primary_key=True),
    Column("browser", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Index("challenges_expires_at", "expires_at"),
)

GUESSES: Final = Table(
    "guesses",
    METADATA,
    # Digest of scope and key.
    Column("bucket", String(64), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Index("guesses_until", "until"),
)

LINKS: Final = Table(
    "links",
    METADATA,
    Column("token", String(64), primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("user", String(64), nullable=False),
    Column("by", Text, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    # The same again, sealed for this row: what is in the open is only searched for.
    Column("document", Text, nullable=False),
    Index("links_user", "user"),
)

KNOWN_DEVICES: Final = Table(
    "known_devices",
    METADATA,
    # Digest of person and cookie.
    Column("device", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("document", Text, nullable=False),
    Index("known_devices_person", "person"),
)

RECOVERIES: Final = Table(
    "recoveries",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", Text),
    Column("approved", Integer),
    Column("document", Text, nullable=False),
)

ROOT_USES: Final = Table(
    "root_uses",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("signed_off_at", Instant),
    Column("signed_off_by", Text),
    Column("note", Text),
    Column("document", Text, nullable=False),
)

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("id", String(64), nullable=False, primary_key=True),
    # One row for each channel: `log`, `webhook 1`, `email 2`, `person`.
    Column("channel", String(64), nullable=False, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("next_try", Instant),
    Column("tries", Integer, nullable=False),
    Column("done_at", Instant),
    Column("document", Text, nullable=False),
    Index("alerts_next_try", "next_try"),
)

REVISION_FILES: Final = Table(
    "revision_files",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("files", Text, nullable=False),
)

REVISIONS: Final = Table(
    "revisions",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), ForeignKey("revision_files.digest"), nullable=False),
    Column("activated_at", Instant, nullable=False),
    # Absent in rows of a daypass before these columns.
    Column("by", Text),
    Column("restores", BigInteger),
    Column("folder", String(64)),
)

PROVIDER_METADATA: Final = Table(
    "provider_metadata",
    METADATA,
    Column("id", _Counter, primary_key=True),
    Column("source", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("provider_metadata_source", "source", "id"),
)

REFUSALS: Final = Table(
    "refusals",
    METADATA,
    Column("minute", Instant, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("sequence", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    # Plain microseconds: the hot path converts once, in bulk.
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("source", Text),
    Column("subject", Text),
    Column("username", Text),
    Column("session", Text),
    Column("role", Text),
    Column("revision", BigInteger),
    Column("access_key_id", Text),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
# Few: each costs every record. What is searched for rarely (a role, a username, a time) reads the whole
# trail, about half a second for a million records.
Index("audit_request_id", AUDIT.c.request_id)
Index("audit_subject", AUDIT.c.subject)
Index(
    "audit_access_key_id",
    AUDIT.c.access_key_id,
    sqlite_where=AUDIT.c.access_key_id.is_not(None),
    postgresql_where=AUDIT.c.access_key_id.is_not(None),
)
