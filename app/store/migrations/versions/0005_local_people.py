"""Local people: users with versions, second factors, challenges, guesses, links, break-glass, alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger()
DIGEST = sa.String(64)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", DIGEST, primary_key=True),
        sa.Column("username", DIGEST, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("epoch", DIGEST, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
    )
    op.create_table(
        "user_versions",
        sa.Column("id", COUNTER, primary_key=True),
        sa.Column("user", DIGEST, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.UniqueConstraint("user", "version", name="user_versions_version"),
    )

    op.create_table(
        "factors",
        sa.Column("id", DIGEST, primary_key=True),
        sa.Column("person", DIGEST, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("credential", DIGEST, unique=True),
        sa.Column("enrolled_at", INSTANT, nullable=False),
        sa.Column("counter", sa.BigInteger, nullable=False),
        sa.Column("last_used", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("factors_person", "factors", ["person"])
    op.create_table(
        "recovery_codes",
        sa.Column("code", DIGEST, primary_key=True),
        sa.Column("person", DIGEST, nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
    )
    op.create_index("recovery_codes_person", "recovery_codes", ["person"])
    op.create_table(
        "challenges",
        sa.Column("handle", DIGEST, primary_key=True),
        sa.Column("browser", DIGEST, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("challenges_expires_at", "challenges", ["expires_at"])
    op.create_table(
        "guesses",
        sa.Column("bucket", DIGEST, primary_key=True),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
    )
    op.create_index("guesses_until", "guesses", ["until"])

    op.create_table(
        "links",
        sa.Column("token", DIGEST, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user", DIGEST, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("links_user", "links", ["user"])
    op.create_table(
        "known_devices",
        sa.Column("device", DIGEST, primary_key=True),
        sa.Column("person", DIGEST, nullable=False),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("last_seen", INSTANT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("known_devices_person", "known_devices", ["person"])

    op.create_table(
        "recoveries",
        sa.Column("id", DIGEST, primary_key=True),
        sa.Column("person", DIGEST, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("decided_at", INSTANT),
        sa.Column("decided_by", sa.Text),
        sa.Column("approved", sa.Integer),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "root_uses",
        sa.Column("id", DIGEST, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("signed_off_at", INSTANT),
        sa.Column("signed_off_by", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("id", DIGEST, nullable=False, primary_key=True),
        sa.Column("channel", DIGEST, nullable=False, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("next_try", INSTANT),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("done_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("alerts_next_try", "alerts", ["next_try"])
