"""Packed contents: objects, encodings, packs, recipes."""

import sqlalchemy as sa
from alembic import op

from allmende.storage.schema import Moment, RowId

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables."""
    _packs_and_objects()
    _recipes()
    op.create_table(
        "packing_attempt",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column(
            "basis",
            sa.String(length=64),
            nullable=False,
            comment="digest of the tool and of the bases that were tried",
        ),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kept_plain", sa.Text(), nullable=True, comment="why it was not packed, if so"),
        sa.ForeignKeyConstraint(
            ["sha256"], ["content.sha256"], name=op.f("fk_packing_attempt_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "scope", name=op.f("pk_packing_attempt")),
        comment="what packing a content came to; on the same basis it would come to the same",
    )
    op.create_table(
        "packing_switch",
        sa.Column("id", sa.Integer(), nullable=False, comment="always 1"),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packing_switch")),
        comment="whether an operator paused the packing",
    )


def _packs_and_objects() -> None:
    op.create_table(
        "object_pack",
        sa.Column("id", RowId, autoincrement=True, nullable=False),
        sa.Column("location", sa.Text(), nullable=False, comment="where the pack store keeps it"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_object_pack")),
        sqlite_autoincrement=True,
        comment="a file of many encodings, one after another",
    )
    op.create_index("uq_object_pack_location", "object_pack", ["location"], unique=True)
    op.create_table(
        "stored_object",
        sa.Column("number", RowId, autoincrement=True, nullable=False),
        sa.Column(
            "scope", sa.Integer(), nullable=False, comment="0: public; else the namespace whose own it is"
        ),
        sa.Column("id", sa.String(length=64), nullable=False, comment="BLAKE3 of its plain bytes"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_stored_object")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_stored_object_id_scope", "stored_object", ["id", "scope"], unique=True)
    op.create_table(
        "object_encoding",
        sa.Column("number", RowId, autoincrement=True, nullable=False),
        sa.Column("object_number", sa.BigInteger(), nullable=False),
        sa.Column("pack_id", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False, comment="in the pack"),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False, comment="BLAKE2b of the stored bytes"),
        sa.Column(
            "depth",
            sa.Integer(),
            nullable=False,
            comment="0: without a base; else one more than its deepest base",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("damaged", sa.Text(), nullable=True, comment="what was found wrong with it, if anything"),
        sa.ForeignKeyConstraint(
            ["object_number"],
            ["stored_object.number"],
            name=op.f("fk_object_encoding_object_number"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["pack_id"], ["object_pack.id"], name=op.f("fk_object_encoding_pack_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_object_encoding")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_object_encoding_object_number", "object_encoding", ["object_number"], unique=False)
    op.create_index("ix_object_encoding_pack_id", "object_encoding", ["pack_id"], unique=False)
    op.create_table(
        "encoding_base",
        sa.Column("encoding_number", sa.BigInteger(), nullable=False),
        sa.Column("base_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["encoding_number"],
            ["object_encoding.number"],
            name=op.f("fk_encoding_base_encoding_number"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["base_number"], ["stored_object.number"], name=op.f("fk_encoding_base_base_number")
        ),
        sa.PrimaryKeyConstraint("encoding_number", "base_number", name=op.f("pk_encoding_base")),
        comment="what has to be there to decode an encoding",
    )
    op.create_index("ix_encoding_base_base_number", "encoding_base", ["base_number"], unique=False)
    op.create_table(
        "chunk_place",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("object_number", sa.BigInteger(), nullable=False),
        sa.Column("start_bytes", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["object_number"],
            ["stored_object.number"],
            name=op.f("fk_chunk_place_object_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hash", "object_number", name=op.f("pk_chunk_place")),
        comment="where chunks of what is no tensor lie",
    )
    op.create_index("ix_chunk_place_object_number", "chunk_place", ["object_number"], unique=False)


def _recipes() -> None:
    op.create_table(
        "content_recipe",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False, comment="of the shelf through which it is read"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"], ["content.sha256"], name=op.f("fk_content_recipe_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "scope", name=op.f("pk_content_recipe")),
        comment="of what a content consists; one for each scope that has it",
    )
    op.create_table(
        "recipe_object",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("object_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256", "scope"],
            ["content_recipe.sha256", "content_recipe.scope"],
            name=op.f("fk_recipe_object_sha256_scope"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["object_number"], ["stored_object.number"], name=op.f("fk_recipe_object_object_number")
        ),
        sa.PrimaryKeyConstraint("sha256", "scope", "object_number", name=op.f("pk_recipe_object")),
    )
    op.create_index("ix_recipe_object_object_number", "recipe_object", ["object_number"], unique=False)
