"""Search: words of tags and cards, and what facts say of a repo in one word."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables. Repos come into them as they are examined; those of before by a job at the start."""
    op.create_table(
        "search_entry",
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column(
            "facets",
            sa.Text(),
            nullable=False,
            comment="facet=value of all facets, a newline before and after each",
        ),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_search_entry_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repo_id", name=op.f("pk_search_entry")),
        comment="one row a repo: so many repos are counted by their facets in one pass",
    )
    op.execute(
        'CREATE VIRTUAL TABLE search_words USING fts5(tags, card, tokenize = "unicode61 remove_diacritics 2")'
    )
