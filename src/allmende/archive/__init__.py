"""The archive: a delta store in a folder of its own, without a hub."""

from allmende.archive.adding import Added, ContentChanged, add_file
from allmende.archive.archive import DEFAULT_WAIT_S, Archive
from allmende.archive.candidates import MAX_CANDIDATES, candidates_for, kin_key
from allmende.archive.checking import Checked, Found, check_archive
from allmende.archive.collecting import Collected, collect_garbage
from allmende.archive.entries import (
    Entry,
    entries_below,
    entry_of,
    has_content,
    list_entries,
    open_content,
    recipe_of,
    remove_entries,
)
from allmende.archive.errors import (
    EncodingRefused,
    EntryMissing,
    MalformedPack,
    NameTaken,
    NotAStore,
    StoreDamaged,
    StoreInUse,
    StoreMissing,
    StoreUnusable,
    UnfitName,
)
from allmende.archive.figures import MEANS, EntryFigures, StoreFigures, figures_of
from allmende.archive.getting import FileInTheWay, get_content
from allmende.archive.intake import ArchiveIntake
from allmende.archive.names import EntryName, entry_name
from allmende.archive.rebuilding import Rebuilt, rebuild_database
from allmende.archive.shelf import ArchiveShelf

__all__ = [
    "DEFAULT_WAIT_S",
    "MAX_CANDIDATES",
    "MEANS",
    "Added",
    "Archive",
    "ArchiveIntake",
    "ArchiveShelf",
    "Checked",
    "Collected",
    "ContentChanged",
    "EncodingRefused",
    "Entry",
    "EntryFigures",
    "EntryMissing",
    "EntryName",
    "FileInTheWay",
    "Found",
    "MalformedPack",
    "NameTaken",
    "NotAStore",
    "Rebuilt",
    "StoreDamaged",
    "StoreFigures",
    "StoreInUse",
    "StoreMissing",
    "StoreUnusable",
    "UnfitName",
    "add_file",
    "candidates_for",
    "check_archive",
    "collect_garbage",
    "entries_below",
    "entry_name",
    "entry_of",
    "figures_of",
    "get_content",
    "has_content",
    "kin_key",
    "list_entries",
    "open_content",
    "rebuild_database",
    "recipe_of",
    "remove_entries",
]
