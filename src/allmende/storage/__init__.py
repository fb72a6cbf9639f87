"""Storage: the database and its unit of work, contents and where their bytes live, signed links."""

from allmende.storage.content_store import (
    ContentStore,
    ContentWriter,
    HashMismatch,
    LocalContentStore,
    LocalFile,
    SignedUrl,
    SizeMismatch,
    StoredFile,
)
from allmende.storage.contents import (
    Content,
    add_content,
    batches,
    contents_by_age,
    find_content,
    find_contents,
    forget_content,
    mark_verified,
    possessed,
    take_possession,
)
from allmende.storage.durable import make_durable_directory, replace_durably
from allmende.storage.engine import Database
from allmende.storage.figures import damaged_contents, outbox_events, stored_contents
from allmende.storage.migrations import SchemaUnknown, migrate, pending_migrations
from allmende.storage.schema import Document, Moment, RowId, content, metadata, outbox, possession
from allmende.storage.signing import LinkExpired, LinkInvalid, LinkSigner, load_secret
from allmende.storage.unit_of_work import UnitOfWork
from allmende.storage.upkeep import known_locations, list_contents, record_scrub, unused_since
from allmende.storage.uploads import (
    Upload,
    begin_upload,
    check_parts,
    end_upload,
    expired_uploads,
    find_upload,
    record_part,
)

__all__ = [
    "Content",
    "ContentStore",
    "ContentWriter",
    "Database",
    "Document",
    "HashMismatch",
    "LinkExpired",
    "LinkInvalid",
    "LinkSigner",
    "LocalContentStore",
    "LocalFile",
    "Moment",
    "RowId",
    "SchemaUnknown",
    "SignedUrl",
    "SizeMismatch",
    "StoredFile",
    "UnitOfWork",
    "Upload",
    "add_content",
    "batches",
    "begin_upload",
    "check_parts",
    "content",
    "contents_by_age",
    "damaged_contents",
    "end_upload",
    "expired_uploads",
    "find_content",
    "find_contents",
    "find_upload",
    "forget_content",
    "known_locations",
    "list_contents",
    "load_secret",
    "make_durable_directory",
    "mark_verified",
    "metadata",
    "migrate",
    "outbox",
    "outbox_events",
    "pending_migrations",
    "possessed",
    "possession",
    "record_part",
    "record_scrub",
    "replace_durably",
    "stored_contents",
    "take_possession",
    "unused_since",
]
