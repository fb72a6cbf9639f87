"""What can go wrong with a store in a folder."""

from allmende.errors import BadRequest, Conflict, Damaged, NotFound, Unavailable

__all__ = [
    "EncodingRefused",
    "EntryMissing",
    "MalformedPack",
    "NameTaken",
    "NotAStore",
    "StoreDamaged",
    "StoreInUse",
    "StoreMissing",
    "StoreUnusable",
    "UnfitName",
]


class StoreMissing(NotFound):
    """There is no store where one was named."""

    code = "store_missing"


class NotAStore(BadRequest):
    """A folder holds something else than a store, or a store of a version that is not known here."""

    code = "not_a_store"


class StoreInUse(Conflict):
    """Another process writes to the store."""

    code = "store_in_use"


class StoreDamaged(Damaged):
    """The store's own records contradict themselves or cannot be read."""

    code = "store_damaged"


class StoreUnusable(Unavailable):
    """The store's database cannot be opened or written, for reasons of the file system."""

    code = "store_unusable"


class MalformedPack(BadRequest):
    """Bytes that should be a pack are none."""

    code = "malformed_pack"


class EncodingRefused(BadRequest):
    """An encoding may not come into this store: its bases are not there, or too many levels deep."""

    code = "encoding_refused"


class UnfitName(BadRequest):
    """A name that no entry may have."""

    code = "unfit_name"


class NameTaken(Conflict):
    """The name belongs to another content, or to a folder."""

    code = "name_taken"


class EntryMissing(NotFound):
    """Nothing in the store has this name."""

    code = "entry_missing"
