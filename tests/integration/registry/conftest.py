"""Short ways to repos, commits and contents."""

import hashlib
from collections.abc import Callable, Sequence

import pytest

from allmende.ids import GitOid, RepoType, Sha256
from allmende.jobs import SqlJobQueue
from allmende.registry import (
    Actor,
    AddFile,
    Operation,
    Received,
    Repo,
    Submission,
    create_repo,
    folder_at,
    prepare,
    receive,
    resolve_revision,
)
from allmende.storage import Database, LocalContentStore, add_content, take_possession

MakeRepo = Callable[..., Repo]
Commit = Callable[..., Received]
Upload = Callable[[Actor, bytes], Sha256]


@pytest.fixture
def make_repo(database: Database, queue: SqlJobQueue) -> MakeRepo:
    def make(
        actor: Actor, name: str = "model", *, private: bool | None = None, kind: RepoType = "model"
    ) -> Repo:
        namespace, _, short = name.rpartition("/")
        assert actor.account is not None
        with database.write() as uow:
            return create_repo(
                uow,
                queue,
                actor,
                kind,
                namespace or actor.account.name,
                short,
                private=private,
            )

    return make


@pytest.fixture
def commit(database: Database, queue: SqlJobQueue) -> Commit:
    def make(
        actor: Actor,
        repo: Repo,
        *operations: Operation,
        title: str = "change",
        parent: GitOid | None = None,
        create_pr: bool = False,
        revision: str = "main",
    ) -> Received:
        submission = Submission(revision, title, "", operations, parent, create_pr)
        prepared = prepare(submission, 10_000_000)
        with database.write() as uow:
            return receive(uow, queue, actor, repo, prepared)

    return make


@pytest.fixture
def upload(database: Database, contents: LocalContentStore) -> Upload:
    """Put bytes into the hub as an account's own upload."""

    def put(actor: Actor, data: bytes) -> Sha256:
        sha256 = Sha256(hashlib.sha256(data).hexdigest())
        writer = contents.open_write(sha256, len(data))
        writer.write(data)
        location = writer.finish()
        assert actor.account is not None
        with database.write() as uow:
            add_content(uow, sha256, len(data), location)
            take_possession(uow, actor.account.id, sha256)
        return sha256

    return put


def text(path: str, data: str = "x") -> AddFile:
    return AddFile(path, data.encode())


def paths_of(database: Database, repo: Repo, revision: str = "main") -> Sequence[str]:
    with database.read() as uow:
        found = folder_at(uow, resolve_revision(uow, repo, revision), "", recursive=True)
        return [entry.path for entry in found if not entry.is_directory]
