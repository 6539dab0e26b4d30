"""Revisions remember who activated them, what came back by a rollback, and which folder was applied last."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # All may be absent: an older daypass that is still running goes on adding rows without them.
    op.add_column("revisions", sa.Column("by", sa.Text))
    op.add_column("revisions", sa.Column("restores", sa.BigInteger))
    op.add_column("revisions", sa.Column("folder", sa.String(64)))
