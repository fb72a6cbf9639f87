"""Git ids are those that git itself gives: vectors made once with `git hash-object` and `mktree`."""

from datetime import UTC, datetime

from allmende.git import (
    DIRECTORY,
    FILE,
    Signature,
    TreeEntry,
    blob_object,
    commit_object,
    tag_object,
    tree_object,
)
from allmende.git.objects import parse_tree
from allmende.ids import GitOid

EMPTY_BLOB = GitOid("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
EMPTY_TREE = GitOid("4b825dc642cb6eb9a060e54bf8d69288fbee4904")
HELLO = GitOid("ce013625030ba8dba906f756967f9e9ca394464a")
WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_blobs() -> None:
    assert blob_object(b"").oid == EMPTY_BLOB
    assert blob_object(b"hello\n").oid == HELLO


def test_trees_sort_folders_as_git_does() -> None:
    assert tree_object([]).oid == EMPTY_TREE
    tree = tree_object(
        [
            TreeEntry("a.b", FILE, HELLO),
            TreeEntry("a", DIRECTORY, EMPTY_TREE),
            TreeEntry("a-b", FILE, EMPTY_BLOB),
        ]
    )
    assert tree.oid == "005ffe9fa82da374bc86a6a11e475e6ebc9353bb"
    assert [entry.name for entry in parse_tree(tree.data)] == ["a-b", "a.b", "a"]


def test_commits_and_tags() -> None:
    author = Signature("Ada <x>\n", "ada@example.org", WHEN)
    commit = commit_object(EMPTY_TREE, [], author, "first", "why it is")
    assert commit.data == (
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
        b"author Ada  x <ada@example.org> 1795348800 +0000\n"
        b"committer Ada  x <ada@example.org> 1795348800 +0000\n"
        b"encoding UTF-8\n"
        b"\n"
        b"first\n\nwhy it is"
    )
    tag = tag_object(commit.oid, "v1", author, "one")
    assert tag.data.startswith(b"object " + commit.oid.encode() + b"\ntype commit\ntag v1\ntagger Ada")
