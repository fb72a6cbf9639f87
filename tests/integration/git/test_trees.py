"""Editing and listing trees, against a plain dictionary and against git itself."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmende.git import (
    PathConflict,
    PathMissing,
    TreeEditor,
    blob_object,
    find_entry,
    list_tree,
    owns,
    read_blob,
    write_objects,
)
from allmende.git.store import ObjectNotFound
from allmende.ids import GitOid, RepoId
from allmende.storage import Database, UnitOfWork

REPO = RepoId(1)
names = st.sampled_from(["a", "b", "a.b", "a-b", "ä", "c c"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def build(uow: UnitOfWork, files: dict[str, bytes], root: GitOid | None = None) -> GitOid:
    editor = TreeEditor(uow, root)
    blobs = {path: blob_object(data) for path, data in files.items()}
    for path, blob in blobs.items():
        editor.put(path, blob.oid)
    oid, trees = editor.write()
    write_objects(uow, REPO, [*blobs.values(), *trees])
    return oid


def files_of(uow: UnitOfWork, root: GitOid) -> dict[str, bytes]:
    listing = list_tree(uow, root, recursive=True)
    return {entry.path: read_blob(uow, REPO, entry.oid) for entry in listing if not entry.is_directory}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.lists(st.tuples(paths, st.binary(max_size=4)), max_size=12), st.lists(paths, max_size=4))
def test_editing_is_what_a_dictionary_would_do(
    database: Database, puts: list[tuple[str, bytes]], removals: list[str]
) -> None:
    expected: dict[str, bytes] = {}
    with database.write() as uow:
        root = build(uow, {})
        for path, data in puts:
            clash = any(known.startswith(path + "/") or path.startswith(known + "/") for known in expected)
            if clash:
                with pytest.raises(PathConflict):
                    build(uow, {path: data}, root)
            else:
                expected[path] = data
                root = build(uow, {path: data}, root)
        for path in removals:
            editor = TreeEditor(uow, root)
            below = [known for known in expected if known.startswith(path + "/")]
            if not below and path not in expected:
                with pytest.raises(PathMissing):
                    editor.remove(path)
                continue
            editor.remove(path, folder=bool(below))
            for known in [*below, path]:
                expected.pop(known, None)
            root, trees = editor.write()
            write_objects(uow, REPO, trees)
        assert files_of(uow, root) == expected
        assert root == build(uow, expected)  # however it came about, the same files have the same id


def test_git_agrees(database: Database, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    git = require_tool("git")
    files = {"a/b/c.txt": b"1", "a.txt": b"2", "a-b/x": b"3", "README.md": b"4", "ä/ö": b"5"}
    for path, data in files.items():
        (tmp_path / "work" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / path).write_bytes(data)

    def run(*arguments: str) -> str:
        done = subprocess.run([git, *arguments], cwd=tmp_path / "work", check=True, capture_output=True)
        return done.stdout.decode().strip()

    run("init", "-q")
    run("add", ".")
    tree = run("write-tree")
    with database.write() as uow:
        assert build(uow, files) == tree


def test_entries_are_found_by_path(database: Database) -> None:
    with database.write() as uow:
        root = build(uow, {"a/b/c.txt": b"12345"})
        found = find_entry(uow, root, "a/b/c.txt")
        assert found is not None
        assert (found.size_bytes, found.is_directory) == (5, False)
        folder = find_entry(uow, root, "a/b")
        assert folder is not None
        assert folder.is_directory
        assert find_entry(uow, root, "a/b/c.txt/d") is None
        assert find_entry(uow, root, "a/x") is None


def test_objects_are_read_only_through_a_repo_that_owns_them(database: Database) -> None:
    blob = blob_object(b"secret")
    with database.write() as uow:
        write_objects(uow, RepoId(1), [blob])
        assert read_blob(uow, RepoId(1), blob.oid) == b"secret"
        assert not owns(uow, RepoId(2), blob.oid)
        with pytest.raises(ObjectNotFound):
            read_blob(uow, RepoId(2), blob.oid)


def test_a_file_may_stand_where_a_folder_was_emptied(database: Database) -> None:
    with database.write() as uow:
        root = build(uow, {"a/b/1": b"1", "a/2": b"2"})
        editor = TreeEditor(uow, root)
        blob = blob_object(b"3")
        editor.remove("a/b/1")
        with pytest.raises(PathConflict):
            editor.put("a", blob.oid)
        editor.remove("a/2")
        editor.put("a", blob.oid)
        oid, trees = editor.write()
        write_objects(uow, REPO, [blob, *trees])
        assert files_of(uow, oid) == {"a": b"3"}
