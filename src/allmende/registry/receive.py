"""The one door through which a repo changes: `receive`.

The commit call, the web editor, imports and training runs all come here (a git push brings its objects
ready-made and joins at the ref). What must be true is checked here: permission, paths, possession of each
content, the parent that the caller claims. Then one transaction holds the git objects, the ref's
compare-and-set, the outbox event and the job that examines the new revision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from allmende.errors import TooLarge
from allmende.failpoints import reach
from allmende.formats import Pointer, find_pointer, write_pointer
from allmende.git import (
    CommitInfo,
    GitObject,
    PathMissing,
    TreeEditor,
    blob_object,
    commit_object,
    history,
    move_ref,
    read_commit,
    read_ref,
    write_objects,
)
from allmende.ids import AccountId, GitOid, Sha256
from allmende.jobs import JobQueue
from allmende.registry.accounts import Account
from allmende.registry.actors import Actor
from allmende.registry.cards import index_card
from allmende.registry.errors import (
    AccessDenied,
    ContentNotPossessed,
    EntryNotFound,
    HeadMoved,
    RevisionNotFound,
)
from allmende.registry.holdings import hold, usable
from allmende.registry.names import check_path
from allmende.registry.pull_requests import open_pull_request, pull_request_author, recent_pull_requests
from allmende.registry.repos import MAIN, Repo, enqueue_examination, signature_of, touch_repo
from allmende.storage import UnitOfWork

__all__ = [
    "AddFile",
    "LinkContent",
    "Operation",
    "Prepared",
    "Received",
    "Remove",
    "Submission",
    "check_may_submit",
    "prepare",
    "receive",
]

_REPEAT_WINDOW = timedelta(minutes=10)
_REPEAT_COMMITS = 20
"""How far back a repeated submission is looked for: clients repeat at once, or not at all."""


@dataclass(frozen=True, slots=True)
class AddFile:
    """A small file with its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class LinkContent:
    """A file whose bytes were uploaded before; without a size it is a copy of something known."""

    path: str
    sha256: Sha256
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Remove:
    """A file, or everything below a folder, goes."""

    path: str
    folder: bool


Operation = AddFile | LinkContent | Remove


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody wants to change. `revision` is a branch or a full ref name."""

    revision: str
    title: str
    message: str
    operations: Sequence[Operation]
    parent: GitOid | None
    create_pr: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission whose paths are checked and whose blobs are made: all that needs no transaction."""

    submission: Submission
    blobs: tuple[tuple[str, GitObject], ...]
    pointers: tuple[tuple[str, Pointer], ...]


@dataclass(frozen=True, slots=True)
class Received:
    """What came of it."""

    commit_oid: GitOid
    ref: str
    pull_request: int | None
    repeated: bool


def check_may_submit(uow: UnitOfWork, actor: Actor, repo: Repo, revision: str, *, create_pr: bool) -> Account:
    """The account, if `receive` would let it change this revision of a repo that it may read.

    Raises SignInRequired, AccessDenied, RevisionNotFound for what cannot be written to.
    """
    return _require_right(uow, actor, repo, _target(revision), create_pr=create_pr)


def prepare(submission: Submission, max_inline_bytes: int) -> Prepared:
    """Check paths and sizes, hash the small files. Raises PathInvalid, TooLarge."""
    blobs = []
    pointers = []
    for operation in submission.operations:
        path = check_path(operation.path)
        if not isinstance(operation, AddFile):
            continue
        if len(operation.data) > max_inline_bytes:
            raise TooLarge(
                f"{path!r} has {len(operation.data)} bytes; at most {max_inline_bytes} fit into a commit.",
                hint="Upload it as an LFS file.",
            )
        blobs.append((path, blob_object(operation.data)))
        pointer = find_pointer(operation.data)
        if pointer is not None:
            pointers.append((path, pointer))
    return Prepared(submission, tuple(blobs), tuple(pointers))


def receive(uow: UnitOfWork, queue: JobQueue, actor: Actor, repo: Repo, prepared: Prepared) -> Received:
    """Apply a submission to a repo that the actor may read, all or nothing.

    A submission that names its parent is applied only if that is the head: HeadMoved. One that names none
    is applied on the head of the moment. A repeat of a submission that was applied minutes ago (its answer
    was lost) returns the first commit. Raises AccessDenied, RevisionNotFound, ContentNotPossessed,
    EntryNotFound, PathConflict.
    """
    submission = prepared.submission
    ref_name = _target(submission.revision)
    author = _require_right(uow, actor, repo, ref_name, create_pr=submission.create_pr)
    current = read_ref(uow, repo.id, ref_name)
    if current is None:
        raise RevisionNotFound(submission.revision)
    sizes = _require_possession(uow, actor, repo, prepared)
    head = current.commit_oid
    if submission.parent is not None and submission.parent != head:
        repeated = _find_repeat(uow, author, prepared, sizes, head, parent=submission.parent)
        if repeated is None or submission.create_pr:
            raise HeadMoved
        return Received(repeated, ref_name, None, repeated=True)

    tree, objects = _edit(uow, read_commit(uow, head).tree_oid, prepared, sizes)
    if submission.create_pr:
        known_pr = _find_repeated_pull_request(uow, repo, author, submission, ref_name, head, tree)
        if known_pr is not None:
            return known_pr
    else:
        repeated = _find_repeat(uow, author, prepared, sizes, head, parent=None, tree=tree)
        if repeated is not None:
            return Received(repeated, ref_name, None, repeated=True)

    commit = commit_object(tree, [head], signature_of(author, uow.now), submission.title, submission.message)
    write_objects(uow, repo.id, [*objects, commit])
    number = None
    if submission.create_pr:
        number = open_pull_request(uow, repo.id, author.id, submission.title, submission.message, ref_name)
        ref_name = f"refs/pr/{number}"
    reach("commit.before_ref")
    move_ref(uow, repo.id, ref_name, expected=None if number else head, new=commit.oid)
    _record(uow, queue, repo, author.id, ref_name, head, commit.oid, prepared)
    return Received(commit.oid, ref_name, number, repeated=False)


def _record(
    uow: UnitOfWork,
    queue: JobQueue,
    repo: Repo,
    author_id: AccountId,
    ref_name: str,
    before: GitOid,
    after: GitOid,
    prepared: Prepared,
) -> None:
    """What follows from a moved ref, in the same transaction."""
    paths = {
        operation.sha256: operation.path
        for operation in prepared.submission.operations
        if isinstance(operation, LinkContent)
    }
    paths.update({pointer.oid: path for path, pointer in prepared.pointers})
    hold(uow, repo.id, paths, ref_name, after)
    if ref_name == MAIN:
        touch_repo(uow, repo.id)
        index_card(uow, repo, after)
    uow.emit(
        "ref.updated",
        {"ref": ref_name, "before": before, "after": after},
        repo_id=repo.id,
        actor_id=author_id,
    )
    enqueue_examination(uow, queue, repo.id, after)


def _target(revision: str) -> str:
    return revision if revision.startswith("refs/") else f"refs/heads/{revision}"


def _require_right(uow: UnitOfWork, actor: Actor, repo: Repo, ref_name: str, *, create_pr: bool) -> Account:
    if create_pr and not actor.may_change(repo.namespace_id, repo.type, repo.full_name):
        known = actor.require_account()
        if not actor.may_propose:
            raise AccessDenied("Your token may not open pull requests.", hint="Use one with the role write.")
        return known
    if ref_name.startswith("refs/pr/"):
        known = actor.require_account()
        if actor.may_propose and pull_request_author(uow, repo.id, ref_name) == known.id:
            return known
    elif not ref_name.startswith("refs/heads/"):
        raise RevisionNotFound(ref_name)
    return actor.require_change(repo.namespace_id, repo.type, repo.full_name)


def _require_possession(uow: UnitOfWork, actor: Actor, repo: Repo, prepared: Prepared) -> dict[Sha256, int]:
    """Real sizes of the contents that are linked; raises ContentNotPossessed, also for a false size."""
    wanted = [
        (operation.path, operation.sha256, operation.size_bytes)
        for operation in prepared.submission.operations
        if isinstance(operation, LinkContent)
    ]
    wanted += [(path, pointer.oid, pointer.size_bytes) for path, pointer in prepared.pointers]
    found = usable(uow, actor, repo, [sha256 for _path, sha256, _size in wanted])
    for path, sha256, size_bytes in wanted:
        if sha256 not in found or size_bytes not in (None, found[sha256].size_bytes):
            raise ContentNotPossessed(path, sha256)
    return {sha256: content.size_bytes for sha256, content in found.items()}


def _edit(
    uow: UnitOfWork, tree: GitOid, prepared: Prepared, sizes: dict[Sha256, int]
) -> tuple[GitOid, list[GitObject]]:
    """The tree after the operations, in their order, and every object that comes with it."""
    editor = TreeEditor(uow, tree)
    inline = dict(prepared.blobs)
    objects: list[GitObject] = []
    for operation in prepared.submission.operations:
        if isinstance(operation, Remove):
            try:
                editor.remove(operation.path, folder=operation.folder)
            except PathMissing as error:
                raise EntryNotFound(error.message) from error
            continue
        if isinstance(operation, AddFile):
            blob = inline[operation.path]
        else:
            blob = blob_object(write_pointer(Pointer(operation.sha256, sizes[operation.sha256])))
        editor.put(operation.path, blob.oid)
        objects.append(blob)
    root, trees = editor.write()
    return root, objects + trees


def _find_repeat(
    uow: UnitOfWork,
    author: Account,
    prepared: Prepared,
    sizes: dict[Sha256, int],
    head: GitOid,
    *,
    parent: GitOid | None,
    tree: GitOid | None = None,
) -> GitOid | None:
    """The commit that this very submission made minutes ago, if it did.

    With `parent`: a child of it with the same author, words and resulting tree. Without: the submission
    would change nothing now (`tree` is the head's own), and such a commit was the last word of its author.
    """
    if tree is not None and tree != read_commit(uow, head).tree_oid:
        return None
    for commit in history(uow, head, limit=_REPEAT_COMMITS):
        if uow.now - commit.at > _REPEAT_WINDOW:
            return None
        if not _same_words(commit, author, prepared.submission):
            continue
        if parent is None:
            return commit.oid
        if commit.parents == (parent,):
            expected, _objects = _edit(uow, read_commit(uow, parent).tree_oid, prepared, sizes)
            return commit.oid if expected == commit.tree_oid else None
    return None


def _find_repeated_pull_request(
    uow: UnitOfWork,
    repo: Repo,
    author: Account,
    submission: Submission,
    target: str,
    head: GitOid,
    tree: GitOid,
) -> Received | None:
    since = uow.now - _REPEAT_WINDOW
    for number in recent_pull_requests(uow, repo.id, author.id, submission.title, target, since):
        ref = read_ref(uow, repo.id, f"refs/pr/{number}")
        if ref is None:
            continue
        commit = read_commit(uow, ref.commit_oid)
        if commit.parents == (head,) and commit.tree_oid == tree:
            return Received(commit.oid, ref.name, number, repeated=True)
    return None


def _same_words(commit: CommitInfo, author: Account, submission: Submission) -> bool:
    return (
        commit.author_name == author.name
        and commit.title == submission.title
        and commit.message == submission.message
    )
