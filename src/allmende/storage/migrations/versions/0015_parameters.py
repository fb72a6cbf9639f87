"""How large models are, to find those of like size."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; the index fills it as it makes the entries of before anew."""
    # A plain ALTER TABLE: the triggers on this table stay.
    op.add_column(
        "search_entry",
        sa.Column("parameters", sa.BigInteger(), comment="of a model, where its files tell them"),
    )
