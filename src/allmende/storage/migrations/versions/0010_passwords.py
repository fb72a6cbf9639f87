"""Signing in with a password: its hash, failures to give it, and the sessions of browsers."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the tables, and to tokens whether they are a session's."""
    op.create_table(
        "password",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False, comment="Argon2id with its parameters and salt"),
        sa.Column("set_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_password_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_password")),
    )
    op.create_table(
        "sign_in_failure",
        sa.Column(
            "key",
            sa.String(length=64),
            nullable=False,
            comment="digest of the name that was tried, and from where",
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_failure")),
    )
    with op.batch_alter_table("token") as table:
        table.add_column(
            sa.Column(
                "is_session",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="made by a browser's sign-in; nobody knows its secret",
            )
        )
