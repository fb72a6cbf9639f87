"""Revisions, branches, tags, history, and changing history."""

import pytest

from allmende.errors import BadRequest
from allmende.jobs import SqlJobQueue
from allmende.registry import (
    AccessDenied,
    Actor,
    EntryNotFound,
    LinkContent,
    RefExists,
    RevisionNotFound,
    create_branch,
    create_tag,
    delete_branch,
    delete_contents,
    delete_tag,
    file_at,
    folder_at,
    held_content,
    log,
    resolve_revision,
    squash,
)
from allmende.storage import Database
from tests.integration.registry.conftest import Commit, MakeRepo, Upload, paths_of, text


def test_names_that_a_revision_can_have(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    oid = commit(alice, repo, text("a")).commit_oid
    with database.write() as uow:
        create_branch(uow, alice, repo, "feature/x", None)
        create_tag(uow, alice, repo, "v1", oid[:8], "with words")
        for name in ("main", "refs/heads/main", "feature/x", "v1", "refs/tags/v1", oid, oid[:7]):
            assert resolve_revision(uow, repo, name).oid == oid
        blob = file_at(uow, resolve_revision(uow, repo, oid), "a").oid
        for name in ("", "x", oid[:6], blob, blob[:8], "refs/heads/x", "0" * 40, "main/x"):
            with pytest.raises(RevisionNotFound, match="Invalid rev id"):
                resolve_revision(uow, repo, name)


def test_commits_of_other_repos_are_no_revisions(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    secret = commit(alice, make_repo(alice, private=True), text("a")).commit_oid
    own = make_repo(bob)
    with database.read() as uow:
        for name in (secret, secret[:10]):
            with pytest.raises(RevisionNotFound):
                resolve_revision(uow, own, name)


def test_branches_and_tags_have_rules(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo
) -> None:
    repo = make_repo(alice)
    with database.write() as uow:
        create_branch(uow, alice, repo, "b", None)
        create_tag(uow, alice, repo, "b", "main", None)  # a tag of the same name is no obstacle
        with pytest.raises(RefExists, match="Reference refs/heads/b already exists"):
            create_branch(uow, alice, repo, "b", None)
        with pytest.raises(RefExists):
            create_tag(uow, alice, repo, "b", "main", None)
        with pytest.raises(BadRequest, match="Cannot delete refs/heads/main"):
            delete_branch(uow, alice, repo, "main")
        with pytest.raises(RevisionNotFound, match="Invalid rev id"):
            delete_branch(uow, alice, repo, "missing")
        with pytest.raises(RevisionNotFound):
            create_branch(uow, alice, repo, "c", "missing")
        for bad in ("a b", "a..b", "-", "x.lock", "a~1", "0" * 40, "refs/heads/..", "HEAD", "@{", ""):
            with pytest.raises(BadRequest):
                create_tag(uow, alice, repo, bad, "main", None)
        with pytest.raises(AccessDenied):
            create_branch(uow, bob, repo, "c", None)
        delete_branch(uow, alice, repo, "b")
        delete_tag(uow, alice, repo, "b")
        with pytest.raises(RevisionNotFound):
            delete_tag(uow, alice, repo, "b")


def test_history_is_newest_first_and_pages(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    for n in range(5):
        commit(alice, repo, text("a", str(n)), title=f"c{n}")  # all in the same second
    with database.read() as uow:
        main = resolve_revision(uow, repo, "main")
        titles = [entry.title for entry in log(uow, main, skip=0, limit=99)]
        assert titles == ["c4", "c3", "c2", "c1", "c0", "initial commit"]
        assert [entry.title for entry in log(uow, main, skip=2, limit=2)] == ["c2", "c1"]
        assert log(uow, main, skip=6, limit=2) == []


def test_folders_and_files_are_told_apart(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    oid = commit(alice, repo, text("d/e/f")).commit_oid
    with database.read() as uow:
        main = resolve_revision(uow, repo, "main")
        assert [entry.path for entry in folder_at(uow, main, "d", recursive=True)] == ["d/e", "d/e/f"]
        assert [entry.path for entry in folder_at(uow, main, "d", recursive=False)] == ["d/e"]
        for path in ("x", "d/e/f"):
            with pytest.raises(EntryNotFound):
                folder_at(uow, main, path, recursive=False)
        with pytest.raises(EntryNotFound) as missing:
            file_at(uow, main, "d/e")
        assert missing.value.commit_oid == oid


def test_a_squash_leaves_one_commit_with_the_same_files(
    database: Database, queue: SqlJobQueue, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    for n in range(3):
        commit(alice, repo, text(f"f{n}"), title=f"c{n}")
    before = paths_of(database, repo)
    with database.write() as uow:
        with pytest.raises(AccessDenied):
            squash(uow, queue, bob, repo, "main", None)
        with pytest.raises(RevisionNotFound):
            squash(uow, queue, alice, repo, "missing", None)
        squash(uow, queue, alice, repo, "main", "all in one")
        assert [entry.title for entry in log(uow, resolve_revision(uow, repo, "main"), skip=0, limit=9)] == [
            "all in one"
        ]
    assert paths_of(database, repo) == before


@pytest.mark.parametrize("rewrite", [True, False])
def test_deleted_contents_are_gone_from_every_revision(
    database: Database,
    queue: SqlJobQueue,
    alice: Actor,
    make_repo: MakeRepo,
    commit: Commit,
    upload: Upload,
    *,
    rewrite: bool,
) -> None:
    repo = make_repo(alice)
    doomed = upload(alice, b"doomed")
    kept = upload(alice, b"kept")
    first = commit(alice, repo, LinkContent("dir/doomed.bin", doomed, 6), LinkContent("kept.bin", kept, 4))
    with database.write() as uow:
        create_branch(uow, alice, repo, "side", None)
        create_tag(uow, alice, repo, "v1", "main", "annotated")
    commit(alice, repo, text("later"), title="later")
    with database.write() as uow:
        delete_contents(uow, queue, alice, repo, [doomed], rewrite=rewrite)
        assert held_content(uow, repo.id, doomed) is None
        assert held_content(uow, repo.id, kept) is not None
    if not rewrite:
        assert "dir/doomed.bin" in paths_of(database, repo)
        return
    for revision in ("main", "side", "v1"):
        assert "dir/doomed.bin" not in paths_of(database, repo, revision)
        assert "kept.bin" in paths_of(database, repo, revision)
    assert paths_of(database, repo) == [".gitattributes", "kept.bin", "later"]
    with database.read() as uow:
        titles = [entry.title for entry in log(uow, resolve_revision(uow, repo, "main"), skip=0, limit=9)]
        assert titles == ["later", "change", "initial commit"]
        with pytest.raises(RevisionNotFound):
            resolve_revision(uow, repo, first.commit_oid)
