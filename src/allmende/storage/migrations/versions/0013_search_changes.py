"""Which repos changed in what a search asks of them, so that every process can keep that in memory."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

# A later script that makes one of these tables anew must make its triggers anew: a test looks for them.
_SEEN = "type, namespace_id, full_name_key, private, disabled, created_at, updated_at, downloads"
_WATCHED = (
    ("repo_made", "INSERT ON repo", "NEW.id", "1"),
    ("repo_changed", f"UPDATE OF {_SEEN} ON repo", "NEW.id", "1"),
    ("repo_deleted", "DELETE ON repo", "OLD.id", "1"),
    ("entry_made", "INSERT ON search_entry", "NEW.repo_id", "1"),
    ("entry_changed", "UPDATE ON search_entry", "NEW.repo_id", "1"),
    ("entry_deleted", "DELETE ON search_entry", "OLD.repo_id", "1"),
    ("base_measured", "INSERT ON repo_tag", "NEW.repo_id", "NEW.source = 'measured'"),
    ("base_forgotten", "DELETE ON repo_tag", "OLD.repo_id", "OLD.source = 'measured'"),
)


def upgrade() -> None:
    """Add the table and what writes it: the database itself, so that no change is missed."""
    op.create_table(
        "search_change",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("repo_id", sa.Integer(), nullable=False, comment="also of a repo that was deleted"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_search_change")),
        comment="the last change of each repo; numbers only grow",
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_search_change_repo_id"), "search_change", ["repo_id"], unique=True)
    for name, event, repo_id, condition in _WATCHED:
        steps = (
            f"DELETE FROM search_change WHERE repo_id = {repo_id}",  # noqa: S608
            f"INSERT INTO search_change (repo_id) VALUES ({repo_id})",  # noqa: S608
        )
        op.execute(
            f"CREATE TRIGGER search_{name} AFTER {event} WHEN {condition} BEGIN {'; '.join(steps)}; END"
        )
