"""The Xet transfer: chunks of contents, xorbs that clients uploaded, the epoch of the store's address."""

import secrets

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables of the Xet transfer, and the switch of each repo."""
    op.create_table(
        "uploaded_xorb",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="of its chunks, unpacked"),
        sa.Column("chunks", sa.LargeBinary(), nullable=False, comment="packed"),
        sa.Column(
            "location",
            sa.Text(),
            nullable=True,
            comment="where its bytes are; NULL when contents hold all of them",
        ),
        sa.Column("seen_at", Moment(), nullable=False, comment="when its client last uploaded or named it"),
        sa.PrimaryKeyConstraint("account_id", "hash", name=op.f("pk_uploaded_xorb")),
        comment="what an account uploaded and its clients may name for three weeks",
    )
    op.create_index("ix_uploaded_xorb_seen_at", "uploaded_xorb", ["seen_at"], unique=False)
    op.create_table(
        "xet_epoch",
        sa.Column("id", sa.Integer(), nullable=False, comment="always 1"),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column(
            "mark", sa.Text(), nullable=False, comment="what the data folder looked like at the last start"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_xet_epoch")),
        comment="the epoch that the address of the Xet store carries",
    )
    op.execute(
        sa.text("INSERT INTO xet_epoch (id, epoch, mark) VALUES (1, :epoch, '')").bindparams(
            epoch=secrets.token_hex(6)
        )
    )
    op.create_table(
        "xet_scope",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_xet_scope")),
        comment="how often the scope of an account was renewed; without a row: never",
    )
    op.create_table(
        "xet_file",
        sa.Column("xet_hash", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False, comment="whether all its xorbs are recorded"),
        sa.Column(
            "canonical",
            sa.Boolean(),
            nullable=False,
            comment="whether the hub's own chunker was seen to cut it so",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column(
            "mentioned_at", Moment(), nullable=False, comment="when a client was last told of its chunks"
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["content.sha256"], name=op.f("fk_xet_file_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("xet_hash", name=op.f("pk_xet_file")),
        comment="a content under the Xet hash of one way to cut it into chunks; other cuts have other hashes",
    )
    op.create_index("ix_xet_file_sha256", "xet_file", ["sha256"], unique=False)
    op.create_table(
        "xorb_run",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False, comment="its first chunk in the xorb"),
        sa.Column("end", sa.Integer(), nullable=False, comment="the chunk after its last"),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "offset_bytes", sa.BigInteger(), nullable=False, comment="of the first chunk in the content"
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "hash"],
            ["uploaded_xorb.account_id", "uploaded_xorb.hash"],
            name=op.f("fk_xorb_run_account_id_hash"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["content.sha256"], name=op.f("fk_xorb_run_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "hash", "first", name=op.f("pk_xorb_run")),
        comment="ranges of uploaded xorbs, and the contents in which the same bytes lie",
    )
    op.create_index("ix_xorb_run_sha256", "xorb_run", ["sha256"], unique=False)
    op.create_table(
        "dedup_chunk",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("xet_hash", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="of the xorb that holds it"),
        sa.ForeignKeyConstraint(
            ["xet_hash"], ["xet_file.xet_hash"], name=op.f("fk_dedup_chunk_xet_hash"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", "xet_hash", name=op.f("pk_dedup_chunk")),
        comment="the chunks by which clients ask what is stored already: about one in a thousand",
    )
    op.create_index("ix_dedup_chunk_xet_hash", "dedup_chunk", ["xet_hash"], unique=False)
    op.create_table(
        "file_xorb",
        sa.Column("xet_hash", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="counts from 0, in the order of the file"),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False, comment="in the content"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.LargeBinary(), nullable=False, comment="packed"),
        sa.ForeignKeyConstraint(
            ["xet_hash"], ["xet_file.xet_hash"], name=op.f("fk_file_xorb_xet_hash"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("xet_hash", "number", name=op.f("pk_file_xorb")),
        comment="the xorbs that the hub makes of a content: each a run of its chunks",
    )
    op.create_index("ix_file_xorb_hash", "file_xorb", ["hash"], unique=False)
    op.add_column(
        "repo",
        sa.Column(
            "xet_reads",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="whether its files are offered over Xet beside plain HTTP",
        ),
    )
