"""Apps: identities of people and guests by pool, and who may bring a token again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.BigInteger()
DIGEST = sa.String(64)
WAITING = sa.text("guest_address IS NOT NULL AND claimed_at IS NULL")


def upgrade() -> None:
    # May be absent: an older daypass that is still running goes on adding marks without it.
    op.add_column("once", sa.Column("owner", DIGEST))

    op.create_table(
        "pool_identities",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("guest_address", DIGEST),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_used", INSTANT, nullable=False),
        sa.Column("claimed_at", INSTANT),
    )
    op.create_index("pool_identities_guests", "pool_identities", ["guest_address", "created_at"])
    op.create_index(
        "pool_identities_waiting",
        "pool_identities",
        ["last_used"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )

    op.create_table(
        "pool_logins",
        sa.Column("login", DIGEST, primary_key=True),
        sa.Column(
            "identity", sa.String(64), sa.ForeignKey("pool_identities.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("linked_at", INSTANT, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("pool_logins_identity", "pool_logins", ["identity"])
