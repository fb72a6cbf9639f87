"""What the texts of repos mean, as vectors that a model makes; there are none where no model is chosen."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_WATCHED = (
    ("vector_made", "INSERT ON search_vector", "NEW.repo_id"),
    ("vector_deleted", "DELETE ON search_vector", "OLD.repo_id"),
)


def upgrade() -> None:
    """Add the table; its changes are numbered as those of the index, and a new name makes a vector old."""
    op.create_table(
        "search_vector",
        sa.Column("repo_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(64), nullable=False, comment="which made it: SHA-256 of its files"),
        sa.Column(
            "vector",
            sa.LargeBinary(),
            nullable=False,
            comment="a signed byte for each number; empty: no word known",
        ),
        sa.ForeignKeyConstraint(
            ["repo_id"], ["repo.id"], name=op.f("fk_search_vector_repo_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("repo_id", name=op.f("pk_search_vector")),
        comment="what the texts of repos mean; gone when name, tags or card change, until it is made anew",
    )
    for name, event, repo_id in _WATCHED:
        steps = (
            f"DELETE FROM search_change WHERE repo_id = {repo_id}",  # noqa: S608
            f"INSERT INTO search_change (repo_id) VALUES ({repo_id})",  # noqa: S608
        )
        op.execute(f"CREATE TRIGGER search_{name} AFTER {event} BEGIN {'; '.join(steps)}; END")
    op.execute(
        "CREATE TRIGGER search_repo_renamed AFTER UPDATE OF full_name_key ON repo"
        " WHEN OLD.full_name_key <> NEW.full_name_key"
        " BEGIN DELETE FROM search_vector WHERE repo_id = NEW.id; END"
    )
