"""Sessions lose two indexes that no query reads, and that each new session and each touch had to write."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What forgets the sessions that are over reads all of them: one that was ended is in neither index.
    op.drop_index("sessions_expires_at", "sessions")
    op.drop_index("sessions_idle_at", "sessions")
