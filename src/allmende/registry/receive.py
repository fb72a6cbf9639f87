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
    commits_by_prefix,
    move_ref,
    read_commit,
    read_ref,
    recent,
    write_objects,
)
from allmende.ids import GitOid, Sha256
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
    "start_pull_request",
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
    is applied on the head of the moment. A proposal starts from the parent that it names, or from the head.
    A repeat of a submission that was applied minutes ago (its answer was lost) returns the first commit.
    Raises AccessDenied, RevisionNotFound, ContentNotPossessed, EntryNotFound, PathConflict.
    """
    submission = prepared.submission
    ref_name = _target(submission.revision)
    author = _require_right(uow, actor, repo, ref_name, create_pr=submission.create_pr)
    current = read_ref(uow, repo.id, ref_name)
    if current is None:
        raise RevisionNotFound(submission.revision)
    change = _Change(uow, repo, author, prepared, ref_name, _require_possession(uow, actor, repo, prepared))
    if submission.create_pr:
        return _propose(change, queue, current.commit_oid)
    return _advance(change, queue, current.commit_oid)


def start_pull_request(uow: UnitOfWork, actor: Actor, repo: Repo, title: str, description: str) -> int:
    """A pull request against `main` that changes nothing yet: its commits follow, to `refs/pr/<number>`.

    The number is that of its ref. Raises SignInRequired, AccessDenied, RevisionNotFound.
    """
    author = _require_right(uow, actor, repo, MAIN, create_pr=True)
    head = read_ref(uow, repo.id, MAIN)
    if head is None:
        raise RevisionNotFound(MAIN)
    number = open_pull_request(uow, repo.id, author.id, title, description, MAIN)
    move_ref(uow, repo.id, f"refs/pr/{number}", expected=None, new=head.commit_oid)
    return number


@dataclass(frozen=True, slots=True)
class _Change:
    """A submission whose author may make it; `sizes` are those of the contents that it links."""

    uow: UnitOfWork
    repo: Repo
    author: Account
    prepared: Prepared
    ref_name: str
    sizes: dict[Sha256, int]

    @property
    def submission(self) -> Submission:
        return self.prepared.submission

    def applied_to(self, commit_oid: GitOid) -> tuple[GitOid, list[GitObject]]:
        """The tree after the operations on a commit's tree, and every object that comes with it."""
        return _edit(self.uow, read_commit(self.uow, commit_oid).tree_oid, self.prepared, self.sizes)

    def write(self, parent: GitOid, tree: GitOid, objects: list[GitObject]) -> GitOid:
        """Make the commit; no ref leads to it yet."""
        signature = signature_of(self.author, self.uow.now)
        made = commit_object(tree, [parent], signature, self.submission.title, self.submission.message)
        write_objects(self.uow, self.repo.id, [*objects, made])
        return made.oid


def _advance(change: _Change, queue: JobQueue, head: GitOid) -> Received:
    """Put the submission on top of a branch."""
    parent = change.submission.parent
    if parent is not None and parent != head:
        repeated = _find_repeat(change, head, parent=parent)
        if repeated is None:
            raise HeadMoved
        return Received(repeated, change.ref_name, None, repeated=True)
    tree, objects = change.applied_to(head)
    if tree == read_commit(change.uow, head).tree_oid:
        repeated = _find_repeat(change, head, parent=None)
        if repeated is not None:
            return Received(repeated, change.ref_name, None, repeated=True)
    commit_oid = change.write(head, tree, objects)
    reach("commit.before_ref")
    move_ref(change.uow, change.repo.id, change.ref_name, expected=head, new=commit_oid)
    _record(change, queue, change.ref_name, head, commit_oid)
    return Received(commit_oid, change.ref_name, None, repeated=False)


def _propose(change: _Change, queue: JobQueue, head: GitOid) -> Received:
    """Make the submission a pull request."""
    uow, repo, submission = change.uow, change.repo, change.submission
    start = submission.parent or head
    if start != head and commits_by_prefix(uow, repo.id, start) != [start]:
        raise RevisionNotFound(start)
    tree, objects = change.applied_to(start)
    repeated = _find_repeated_pull_request(change, start, tree)
    if repeated is not None:
        return repeated
    commit_oid = change.write(start, tree, objects)
    author_id = change.author.id
    number = open_pull_request(uow, repo.id, author_id, submission.title, submission.message, change.ref_name)
    ref_name = f"refs/pr/{number}"
    reach("commit.before_ref")
    move_ref(uow, repo.id, ref_name, expected=None, new=commit_oid)
    _record(change, queue, ref_name, start, commit_oid)
    return Received(commit_oid, ref_name, number, repeated=False)


def _record(change: _Change, queue: JobQueue, ref_name: str, before: GitOid, after: GitOid) -> None:
    """What follows from a moved ref, in the same transaction."""
    uow, repo = change.uow, change.repo
    paths = {
        operation.sha256: operation.path
        for operation in change.submission.operations
        if isinstance(operation, LinkContent)
    }
    paths.update({pointer.oid: path for path, pointer in change.prepared.pointers})
    hold(uow, repo.id, paths, ref_name, after, change.author.id)
    if ref_name == MAIN:
        touch_repo(uow, repo.id)
        index_card(uow, repo, after)
    uow.emit(
        "ref.updated",
        {"ref": ref_name, "before": before, "after": after},
        repo_id=repo.id,
        actor_id=change.author.id,
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


def _find_repeat(change: _Change, head: GitOid, *, parent: GitOid | None) -> GitOid | None:
    """The commit that this very submission made minutes ago, if it did.

    With `parent`: a child of it with the same author, words and resulting tree. Without: the submission
    would change nothing now, and the commit has the same author and words.
    """
    for commit in recent(change.uow, head, _REPEAT_COMMITS):
        if change.uow.now - commit.at > _REPEAT_WINDOW:
            return None
        if not _same_words(commit, change.author, change.submission):
            continue
        if parent is None:
            return commit.oid
        if commit.parents == (parent,):
            expected, _objects = change.applied_to(parent)
            return commit.oid if expected == commit.tree_oid else None
    return None


def _find_repeated_pull_request(change: _Change, start: GitOid, tree: GitOid) -> Received | None:
    uow, repo = change.uow, change.repo
    since = uow.now - _REPEAT_WINDOW
    title = change.submission.title
    for number in recent_pull_requests(uow, repo.id, change.author.id, title, change.ref_name, since):
        ref = read_ref(uow, repo.id, f"refs/pr/{number}")
        if ref is None:
            continue
        commit = read_commit(uow, ref.commit_oid)
        if commit.parents == (start,) and commit.tree_oid == tree:
            return Received(commit.oid, ref.name, number, repeated=True)
    return None


def _same_words(commit: CommitInfo, author: Account, submission: Submission) -> bool:
    return (
        commit.author_name == author.name
        and commit.title == submission.title
        and commit.message == submission.message
    )
