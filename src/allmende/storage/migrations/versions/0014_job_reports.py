"""What a job found when it last ran, for people who ask later."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Document, Moment

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "job_report",
        sa.Column(
            "kind", sa.String(64), nullable=False, comment="of the job; one report each, of its last run"
        ),
        sa.Column("found", Document(), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_job_report")),
    )
