"""Tables of the Xet transfer: what is known of the chunks of contents, and what clients have uploaded.

Hashes are in the spelling of the protocol (`XetHash`). Lists of chunks are stored packed, in the format of
`allmende.xorbs.pack_chunks`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from allmende.storage.schema import Moment, metadata

__all__ = [
    "dedup_chunk",
    "file_xorb",
    "uploaded_xorb",
    "xet_epoch",
    "xet_file",
    "xet_scope",
    "xorb_run",
]

xet_file = Table(
    "xet_file",
    metadata,
    Column("xet_hash", String(64), primary_key=True),
    Column("sha256", String(64), ForeignKey("content.sha256", ondelete="CASCADE"), nullable=False),
    Column("complete", Boolean, nullable=False, comment="whether all its xorbs are recorded"),
    Column(
        "canonical", Boolean, nullable=False, comment="whether the hub's own chunker was seen to cut it so"
    ),
    Column("created_at", Moment, nullable=False),
    Column("mentioned_at", Moment, nullable=False, comment="when a client was last told of its chunks"),
    Index("ix_xet_file_sha256", "sha256"),
    comment="a content under the Xet hash of one way to cut it into chunks; other cuts have other hashes",
)

file_xorb = Table(
    "file_xorb",
    metadata,
    Column("xet_hash", String(64), ForeignKey("xet_file.xet_hash", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, comment="counts from 0, in the order of the file"),
    Column("hash", String(64), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False, comment="in the content"),
    Column("size_bytes", BigInteger, nullable=False),
    Column("chunks", LargeBinary, nullable=False, comment="packed"),
    Index("ix_file_xorb_hash", "hash"),
    comment="the xorbs that the hub makes of a content: each a run of its chunks",
)

dedup_chunk = Table(
    "dedup_chunk",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("xet_hash", String(64), ForeignKey("xet_file.xet_hash", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, nullable=False, comment="of the xorb that holds it"),
    Index("ix_dedup_chunk_xet_hash", "xet_hash"),
    comment="the chunks by which clients ask what is stored already: about one in a thousand",
)

uploaded_xorb = Table(
    "uploaded_xorb",
    metadata,
    Column("account_id", Integer, primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False, comment="of its chunks, unpacked"),
    Column("chunks", LargeBinary, nullable=False, comment="packed"),
    Column("location", Text, comment="where its bytes are; NULL when contents hold all of them"),
    Column("seen_at", Moment, nullable=False, comment="when its client last uploaded or named it"),
    Index("ix_uploaded_xorb_seen_at", "seen_at"),
    comment="what an account uploaded and its clients may name for three weeks",
)

xorb_run = Table(
    "xorb_run",
    metadata,
    Column("account_id", Integer, primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("first", Integer, primary_key=True, comment="its first chunk in the xorb"),
    Column("end", Integer, nullable=False, comment="the chunk after its last"),
    Column("sha256", String(64), ForeignKey("content.sha256", ondelete="CASCADE"), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False, comment="of the first chunk in the content"),
    ForeignKeyConstraint(
        ["account_id", "hash"], ["uploaded_xorb.account_id", "uploaded_xorb.hash"], ondelete="CASCADE"
    ),
    Index("ix_xorb_run_sha256", "sha256"),
    comment="ranges of uploaded xorbs, and the contents in which the same bytes lie",
)

xet_scope = Table(
    "xet_scope",
    metadata,
    Column("account_id", Integer, primary_key=True),
    Column("generation", Integer, nullable=False),
    comment="how often the scope of an account was renewed; without a row: never",
)

xet_epoch = Table(
    "xet_epoch",
    metadata,
    Column("id", Integer, primary_key=True, comment="always 1"),
    Column("epoch", String(16), nullable=False),
    Column("mark", Text, nullable=False, comment="what the data folder looked like at the last start"),
    comment="the epoch that the address of the Xet store carries",
)
