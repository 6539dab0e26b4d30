"""The first tables: sign-ins, sessions, people, revisions, provider metadata, refusals, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()
DIGEST = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "pending",
        sa.Column("handle", DIGEST, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("pending_address", "pending", ["address", "created_at"])
    op.create_index("pending_expires_at", "pending", ["expires_at"])

    op.create_table(
        "once",
        sa.Column("mark", DIGEST, primary_key=True),
        sa.Column("until", INSTANT, nullable=False),
    )
    op.create_index("once_until", "once", ["until"])

    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("token", DIGEST, nullable=False, unique=True),
        sa.Column("person", DIGEST, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("idle_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("sessions_person", "sessions", ["person"])
    op.create_index("sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("sessions_idle_at", "sessions", ["idle_at"])

    op.create_table(
        "people",
        sa.Column("person", DIGEST, primary_key=True),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("last_seen", INSTANT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("authentication", sa.Text, nullable=False),
    )
    op.create_table(
        "people_claims",
        sa.Column("id", COUNTER, primary_key=True),
        sa.Column("person", DIGEST, sa.ForeignKey("people.person", ondelete="CASCADE"), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("people_claims_person", "people_claims", ["person", "id"])

    op.create_table(
        "revision_files",
        sa.Column("digest", DIGEST, primary_key=True),
        sa.Column("files", sa.Text, nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", DIGEST, sa.ForeignKey("revision_files.digest"), nullable=False),
        sa.Column("activated_at", INSTANT, nullable=False),
    )

    op.create_table(
        "provider_metadata",
        sa.Column("id", COUNTER, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("provider_metadata_source", "provider_metadata", ["source", "id"])

    op.create_table(
        "refusals",
        sa.Column("minute", INSTANT, primary_key=True),
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("times", sa.BigInteger, nullable=False),
    )

    op.create_table(
        "audit",
        sa.Column("sequence", COUNTER, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("source", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("username", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("role", sa.Text),
        sa.Column("revision", sa.BigInteger),
        sa.Column("access_key_id", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("previous", DIGEST, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
    )
    op.create_index("audit_request_id", "audit", ["request_id"])
    op.create_index("audit_subject", "audit", ["subject"])
    op.create_index(
        "audit_access_key_id",
        "audit",
        ["access_key_id"],
        sqlite_where=sa.text("access_key_id IS NOT NULL"),
        postgresql_where=sa.text("access_key_id IS NOT NULL"),
    )
    guard_audit()


def guard_audit() -> None:
    """The trail only grows, at its end: no change, no removal, no place taken twice or left out."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
                f"BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
            )
        op.execute(
            "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit "
            "WHEN NEW.sequence IS NOT coalesce((SELECT max(sequence) FROM audit), 0) + 1 "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows at its end'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail only grows'; END $$"
    )
    op.execute(
        "CREATE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF NEW.sequence IS DISTINCT FROM coalesce((SELECT max(sequence) FROM audit), 0) + 1 THEN "
        "RAISE EXCEPTION 'the audit trail only grows at its end'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    )
    op.execute(
        "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_in_order()"
    )
