"""Git over SQL: true git objects beside the hub's other rows, in the same transactions.

dulwich stays inside this room.
"""

from allmende.git.edit import PathConflict, PathMissing, TreeEditor
from allmende.git.history import (
    CommitInfo,
    ancestors,
    commits_by_prefix,
    history,
    read_commit,
    read_commits,
    recent,
)
from allmende.git.objects import (
    DIRECTORY,
    FILE,
    GitObject,
    Signature,
    TreeEntry,
    blob_object,
    commit_object,
    tag_object,
    tree_object,
)
from allmende.git.refs import Ref, RefMoved, check_ref_name, heads, list_refs, move_ref, read_ref
from allmende.git.store import (
    ObjectNotFound,
    disown,
    forget_repo,
    owned_objects,
    owns,
    read_blob,
    read_trees,
    share_objects,
    write_objects,
)
from allmende.git.trail import Step, changed_names, first_parents, folders_named
from allmende.git.trees import FileEntry, find_entry, list_tree
from allmende.git.upkeep import (
    Reachable,
    check_reachable,
    count_unowned_objects,
    damaged_objects,
    delete_unowned_objects,
)

__all__ = [
    "DIRECTORY",
    "FILE",
    "CommitInfo",
    "FileEntry",
    "GitObject",
    "ObjectNotFound",
    "PathConflict",
    "PathMissing",
    "Reachable",
    "Ref",
    "RefMoved",
    "Signature",
    "Step",
    "TreeEditor",
    "TreeEntry",
    "ancestors",
    "blob_object",
    "changed_names",
    "check_reachable",
    "check_ref_name",
    "commit_object",
    "commits_by_prefix",
    "count_unowned_objects",
    "damaged_objects",
    "delete_unowned_objects",
    "disown",
    "find_entry",
    "first_parents",
    "folders_named",
    "forget_repo",
    "heads",
    "history",
    "list_refs",
    "list_tree",
    "move_ref",
    "owned_objects",
    "owns",
    "read_blob",
    "read_commit",
    "read_commits",
    "read_ref",
    "read_trees",
    "recent",
    "share_objects",
    "tag_object",
    "tree_object",
    "write_objects",
]
