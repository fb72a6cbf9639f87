"""Accounts that an administrator has locked: since when."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("account") as table:
        table.add_column(
            sa.Column("locked_at", Moment(), nullable=True, comment="when it was locked; NULL: it is not")
        )
