"""OAuth: codes, devices, refresh tokens, signing keys; when and from where a session was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger()
DIGEST = sa.String(64)


def upgrade() -> None:
    # Both may be absent: an older daypass that is still running goes on adding rows without them.
    op.add_column("sessions", sa.Column("last_used", INSTANT))
    op.add_column("sessions", sa.Column("last_address", sa.Text))

    op.create_table(
        "codes",
        sa.Column("code", DIGEST, primary_key=True),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("session", sa.String(64)),
        sa.Column("reused_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )

    op.create_table(
        "devices",
        sa.Column("device_code", DIGEST, primary_key=True),
        sa.Column("user_code", DIGEST, nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("poll_seconds", sa.Integer, nullable=False),
        sa.Column("polled_at", INSTANT),
        sa.Column("decision", sa.Text),
        sa.Column("redeemed_at", INSTANT),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("devices_address", "devices", ["address", "asked_at"])

    op.create_table(
        "refresh_tokens",
        sa.Column("token", DIGEST, primary_key=True),
        sa.Column(
            "session", sa.String(64), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("predecessor", DIGEST),
        sa.Column("used_at", INSTANT),
        sa.Column("successor", sa.Text),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("refresh_tokens_session", "refresh_tokens", ["session"])

    op.create_table(
        "token_keys",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("signs_from", INSTANT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
