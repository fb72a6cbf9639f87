"""Tables of lineage: weights, which revisions hold them, and how they descend from each other."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from allmende.storage import Document, Moment, RowId, metadata

__all__ = [
    "declared_base",
    "lineage_edge",
    "lineage_parent",
    "lineage_run",
    "lineage_trace",
    "revision_weights",
    "weights",
    "weights_content",
]

weights = Table(
    "weights",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True, comment="SHA-256 over the names of the contents"),
    Column("tool_version", String(32), comment="of what measured them; NULL: not measured yet"),
    Column("measured_at", Moment),
    Column("sketch", LargeBinary),
    Column("search_key", LargeBinary, comment="signs to find kin by; NULL: the weights tell nothing"),
    Column("build", String(64), comment="digest of the names and shapes of all tensors"),
    Column("layout", String(16), comment="whose names the tensors have: safetensors, gguf, ..."),
    Column("parameters", BigInteger),
    Column("problems", Document, nullable=False, comment="sentences about what could not be read"),
    Column("error", Text, comment="why nothing could be measured, if so"),
    Index("ix_weights_build", "build"),
    Index("ix_weights_measured_at", "measured_at", "number"),
    sqlite_autoincrement=True,
    comment="sets of weight files that are a model together, each kept once, wherever it lies",
)

weights_content = Table(
    "weights_content",
    metadata,
    Column("weights_id", String(64), ForeignKey("weights.id", ondelete="CASCADE"), primary_key=True),
    Column("content_key", String(64), primary_key=True, comment="SHA-256, or git id of a small file"),
    Index("ix_weights_content_content_key", "content_key"),
)

revision_weights = Table(
    "revision_weights",
    metadata,
    Column("number", RowId, primary_key=True, autoincrement=True, comment="the order of being first seen"),
    Column("repo_id", Integer, nullable=False),
    Column("commit_oid", String(40), nullable=False),
    Column("weights_id", String(64), ForeignKey("weights.id", ondelete="CASCADE"), nullable=False),
    Column("files", Document, nullable=False, comment="path, content key and size of each weight file"),
    Column("config", Document, comment="path and content key of the configuration that goes with them"),
    Index("uq_revision_weights_repo_id_commit_oid", "repo_id", "commit_oid", unique=True),
    Index("ix_revision_weights_weights_id", "weights_id"),
    sqlite_autoincrement=True,
    comment="which revisions hold which weights",
)

declared_base = Table(
    "declared_base",
    metadata,
    Column("holder", Integer, ForeignKey("revision_weights.number", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("name", String(200), nullable=False, comment="as declared"),
    Column("name_key", String(200), nullable=False, comment="in lower case"),
    Column("relation", String(16), comment="as declared, if it is"),
    Index("ix_declared_base_name_key", "name_key"),
    comment="what a revision says of its base, in its card or the configuration of an adapter",
)

lineage_trace = Table(
    "lineage_trace",
    metadata,
    Column("weights_id", String(64), ForeignKey("weights.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "scope", Integer, primary_key=True, comment="0: among public models; else a namespace's own as well"
    ),
    Column("basis", String(64), nullable=False, comment="digest of all that the answer rests on"),
    Column("tool_version", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("compared", Document, nullable=False, comment="the weights that were looked into"),
    Column("relatives", Document, nullable=False),
    Column("descendants", Document, nullable=False),
    Column("error", Text, comment="why nothing could be compared, if so"),
    comment="one measurement of where weights come from",
)

lineage_edge = Table(
    "lineage_edge",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("weights_id", String(64), ForeignKey("weights.id", ondelete="CASCADE"), nullable=False),
    Column("scope", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False, comment="the best first"),
    Column("chain", Document, nullable=False, comment="all that was done, the last first"),
    Column("grade", String(16), nullable=False),
    Column("direction", String(16), nullable=False, comment="how it was told who came first"),
    Column("rank", Integer),
    Column("evidence", Document, nullable=False),
    Index("uq_lineage_edge_weights_id_scope_ordinal", "weights_id", "scope", "ordinal", unique=True),
    sqlite_autoincrement=True,
)

lineage_parent = Table(
    "lineage_parent",
    metadata,
    Column("edge_id", Integer, ForeignKey("lineage_edge.id", ondelete="CASCADE"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("parent_id", String(64), nullable=False, comment="weights that may have gone since"),
    Column("weight", Float, comment="its share, where it is one of several"),
    Index("ix_lineage_parent_parent_id", "parent_id"),
)

lineage_run = Table(
    "lineage_run",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("tool_version", String(32), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("last_repo_id", Integer, nullable=False, comment="repos up to this one are done"),
    sqlite_autoincrement=True,
    comment="one measurement of everything",
)
