"""The one write path: who may, what is checked, what a repeat does, what follows from a commit."""

import threading

import pytest
from sqlalchemy import select

from allmende.errors import TooLarge
from allmende.formats import Pointer, write_pointer
from allmende.git import PathConflict
from allmende.ids import GitOid, Sha256
from allmende.jobs import SqlJobQueue
from allmende.registry import (
    ANONYMOUS,
    AccessDenied,
    Actor,
    AddFile,
    ContentNotPossessed,
    EntryNotFound,
    HeadMoved,
    LinkContent,
    PathInvalid,
    Remove,
    RevisionNotFound,
    SignInRequired,
    Submission,
    file_at,
    held_content,
    log,
    prepare,
    receive,
    resolve_revision,
    storage_of,
    tags_by_repo,
)
from allmende.storage import Database, outbox
from tests.integration.conftest import HeldClock
from tests.integration.registry.conftest import Commit, MakeRepo, Upload, paths_of, text


def test_operations_apply_in_their_order(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    commit(alice, repo, text("a/1"), text("a/2"), text("b"))
    commit(
        alice,
        repo,
        Remove("a", folder=True),
        text("a"),
        Remove("b", folder=False),
        title="turn a into a file",
    )
    assert paths_of(database, repo) == [".gitattributes", "a"]


def test_a_failed_operation_changes_nothing(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    commit(alice, repo, text("a/1"))
    for operations, error in (
        ((text("new"), Remove("missing", folder=False)), EntryNotFound),
        ((text("new"), Remove("a", folder=False)), EntryNotFound),
        ((text("new"), Remove("a/1", folder=True)), EntryNotFound),
        ((text("new"), text("a")), PathConflict),
        ((text("new"), text("a/1/2")), PathConflict),
        ((text("new"), text("../up")), PathInvalid),
    ):
        with pytest.raises(error):
            commit(alice, repo, *operations)
    assert paths_of(database, repo) == [".gitattributes", "a/1"]


def test_a_large_file_must_not_come_inline() -> None:
    with pytest.raises(TooLarge, match="at most 100 fit into a commit"):
        prepare(Submission("main", "t", "", [AddFile("a", b"x" * 101)], None, create_pr=False), 100)


def test_a_commit_is_an_event_and_a_job(
    database: Database, queue: SqlJobQueue, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    with database.read() as uow:
        before = resolve_revision(uow, repo, "main").oid
    received = commit(alice, repo, text("a"))
    with database.read() as uow:
        events = uow.all(select(outbox).where(outbox.c.kind == "ref.updated"))
    assert [event.payload for event in events] == [
        {"ref": "refs/heads/main", "before": before, "after": received.commit_oid}
    ]
    assert events[0].repo_id == repo.id
    assert events[0].actor_id == alice.account_id
    waiting = queue.list_jobs(state="waiting", limit=10)
    assert received.commit_oid in [job.payload["commit_oid"] for job in waiting if job.kind == "examine"]


def test_the_parent_must_be_the_head(alice: Actor, make_repo: MakeRepo, commit: Commit) -> None:
    repo = make_repo(alice)
    first = commit(alice, repo, text("a"))
    second = commit(alice, repo, text("b"), parent=first.commit_oid)
    with pytest.raises(HeadMoved, match="The branch was updated since you opened this page"):
        commit(alice, repo, text("c"), parent=first.commit_oid)
    commit(alice, repo, text("c"), parent=second.commit_oid)


def test_a_repeat_returns_the_first_commit(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    with database.read() as uow:
        start = resolve_revision(uow, repo, "main").oid
    first = commit(alice, repo, text("a"), parent=start)
    again = commit(alice, repo, text("a"), parent=start)
    assert (again.commit_oid, again.repeated) == (first.commit_oid, True)
    commit(alice, repo, text("b"), title="later")
    third = commit(alice, repo, text("a"), parent=start)
    assert third.commit_oid == first.commit_oid
    without_parent = commit(alice, repo, text("b"), title="later")
    assert without_parent.repeated
    with database.read() as uow:
        assert len(log(uow, resolve_revision(uow, repo, "main"), skip=0, limit=10)) == 3


def test_what_only_looks_like_a_repeat_is_none(
    alice: Actor, make_repo: MakeRepo, commit: Commit, clock: HeldClock
) -> None:
    repo = make_repo(alice)
    first = commit(alice, repo, text("a", "1"))
    commit(alice, repo, text("a", "2"))
    back = commit(alice, repo, text("a", "1"))  # the same words and bytes, but it changes something now
    assert not back.repeated
    assert back.commit_oid != first.commit_oid
    clock.advance(minutes=11)
    late = commit(alice, repo, text("a", "1"))
    assert not late.repeated


def test_another_author_with_the_same_words_is_no_repeat(
    alice: Actor, bob: Actor, database: Database, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    first = commit(alice, repo, text("a"), create_pr=True)
    other = commit(bob, repo, text("a"), create_pr=True)
    again = commit(alice, repo, text("a"), create_pr=True)
    assert first.pull_request == 1
    assert other.pull_request == 2
    assert (again.pull_request, again.repeated) == (1, True)


def test_who_may_commit(alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit) -> None:
    repo = make_repo(alice)
    with pytest.raises(AccessDenied):
        commit(bob, repo, text("a"))
    with pytest.raises(SignInRequired):
        commit(ANONYMOUS, repo, text("a"))
    with pytest.raises(SignInRequired):
        commit(ANONYMOUS, repo, text("a"), create_pr=True)


def test_a_pull_request_belongs_to_its_author(
    alice: Actor, bob: Actor, database: Database, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    proposed = commit(bob, repo, text("idea"), create_pr=True)
    assert proposed.ref == "refs/pr/1"
    assert "idea" not in paths_of(database, repo)
    commit(bob, repo, text("more"), revision="refs/pr/1")
    commit(alice, repo, text("owner may too"), revision="refs/pr/1")
    assert set(paths_of(database, repo, "refs/pr/1")) >= {"idea", "more", "owner may too"}
    stranger_pr = commit(alice, repo, text("x"), create_pr=True, title="mine")
    with pytest.raises(AccessDenied):
        commit(bob, repo, text("y"), revision=stranger_pr.ref)


def test_a_proposal_starts_from_the_parent_that_it_names(
    alice: Actor, bob: Actor, database: Database, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    first = commit(alice, repo, text("a"))
    commit(alice, repo, text("b"), title="later")
    proposed = commit(bob, repo, text("idea"), create_pr=True, parent=first.commit_oid)
    assert set(paths_of(database, repo, proposed.ref)) == {".gitattributes", "a", "idea"}
    with pytest.raises(RevisionNotFound):
        commit(bob, repo, text("idea"), create_pr=True, parent=GitOid("0" * 40))


@pytest.mark.parametrize("revision", ["missing", "refs/tags/v1", "refs/pr/99", "refs/pr/x", "0" * 40])
def test_only_branches_and_own_proposals_take_commits(
    alice: Actor, make_repo: MakeRepo, commit: Commit, revision: str
) -> None:
    with pytest.raises(RevisionNotFound):
        commit(alice, make_repo(alice), text("a"), revision=revision)


def test_bytes_are_linked_by_those_who_uploaded_them(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit, upload: Upload
) -> None:
    repo = make_repo(alice, private=True)
    sha256 = upload(alice, b"secret weights")
    commit(alice, repo, LinkContent("w.bin", sha256, 14))
    with database.read() as uow:
        assert file_at(uow, resolve_revision(uow, repo, "main"), "w.bin").size_bytes == 14
        assert storage_of(uow, [repo.id]) == {repo.id: 14}
        assert held_content(uow, repo.id, sha256) is not None
    own = make_repo(bob)
    with pytest.raises(ContentNotPossessed) as known:
        commit(bob, own, LinkContent("w.bin", sha256, 14))
    with pytest.raises(ContentNotPossessed) as unknown:
        commit(bob, own, LinkContent("w.bin", Sha256("0" * 64), 14))
    assert known.value.message.replace(sha256, "") == unknown.value.message.replace("0" * 64, "")
    upload(bob, b"secret weights")
    commit(bob, own, LinkContent("w.bin", sha256, 14))


def test_bytes_of_readable_repos_may_be_linked_without_uploading(
    alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit, upload: Upload
) -> None:
    sha256 = upload(alice, b"public weights")
    commit(alice, make_repo(alice), LinkContent("w.bin", sha256, None))
    commit(bob, make_repo(bob), LinkContent("copy.bin", sha256, None))


def test_a_false_size_is_refused(alice: Actor, make_repo: MakeRepo, commit: Commit, upload: Upload) -> None:
    sha256 = upload(alice, b"12345")
    with pytest.raises(ContentNotPossessed):
        commit(alice, make_repo(alice), LinkContent("w.bin", sha256, 6))


def test_a_pointer_sent_as_text_opens_nothing(
    database: Database, alice: Actor, bob: Actor, make_repo: MakeRepo, commit: Commit, upload: Upload
) -> None:
    sha256 = upload(alice, b"secret weights")
    commit(alice, make_repo(alice, private=True), LinkContent("w.bin", sha256, 14))
    forged = AddFile("w.bin", write_pointer(Pointer(sha256, 14)))
    with pytest.raises(ContentNotPossessed):
        commit(bob, make_repo(bob), forged)
    own = make_repo(alice, "second")
    commit(alice, own, forged)  # whoever has the bytes may name them this way too
    with database.read() as uow:
        assert held_content(uow, own.id, sha256) is not None


def test_the_card_is_indexed_with_its_commit(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    commit(alice, repo, text("README.md", "---\nlicense: mit\ntags: [x]\npipeline_tag: fill-mask\n---\n# hi"))
    with database.read() as uow:
        assert set(tags_by_repo(uow, [repo.id])[repo.id]) >= {"x", "license:mit"}
    commit(alice, repo, text("README.md", "---\n: broken: [\n---\n"), title="break the card")
    with database.read() as uow:
        assert tags_by_repo(uow, [repo.id]).get(repo.id, []) == []
    commit(alice, repo, Remove("README.md", folder=False), title="drop the card")
    with database.read() as uow:
        assert tags_by_repo(uow, [repo.id]).get(repo.id, []) == []


def test_eight_writers_without_a_parent_all_land(
    database: Database, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    failures: list[Exception] = []

    def write(worker: int) -> None:
        try:
            for n in range(5):
                commit(alice, repo, text(f"{worker}/{n}"), title=f"{worker} {n}")
        except Exception as error:  # noqa: BLE001 - a thread must hand its failure over
            failures.append(error)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(paths_of(database, repo)) == 41


def test_eight_writers_with_one_parent_have_one_winner(
    database: Database, queue: SqlJobQueue, alice: Actor, make_repo: MakeRepo, commit: Commit
) -> None:
    repo = make_repo(alice)
    with database.read() as uow:
        parent: GitOid = resolve_revision(uow, repo, "main").oid
    outcomes: list[str] = []

    def write(worker: int) -> None:
        submission = Submission("main", f"by {worker}", "", [text(f"{worker}")], parent, create_pr=False)
        try:
            with database.write() as uow:
                receive(uow, queue, alice, repo, prepare(submission, 1000))
            outcomes.append("won")
        except HeadMoved:
            outcomes.append("lost")

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost"] * 7 + ["won"]
