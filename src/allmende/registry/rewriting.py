"""Changing history: squashing a branch, taking contents out of every revision, duplicating a repo."""

from collections.abc import Iterable

from sqlalchemy import literal, select, true

from allmende.git import (
    CommitInfo,
    GitObject,
    Signature,
    TreeEditor,
    ancestors,
    commit_object,
    disown,
    list_refs,
    list_tree,
    move_ref,
    owned_objects,
    read_commit,
    read_commits,
    read_ref,
    read_trees,
    share_objects,
    write_objects,
)
from allmende.ids import GitOid, RepoId, Sha256
from allmende.jobs import JobQueue
from allmende.registry.actors import Actor
from allmende.registry.cards import index_card
from allmende.registry.errors import RevisionNotFound
from allmende.registry.holdings import foreign_sources, release
from allmende.registry.repos import (
    MAIN,
    Repo,
    check_gate,
    create_repo,
    enqueue_examination,
    signature_of,
    touch_repo,
    update_repo,
)
from allmende.registry.tables import content_hint, repo_content
from allmende.storage import UnitOfWork

__all__ = ["delete_contents", "duplicate_repo", "squash"]


def squash(
    uow: UnitOfWork, queue: JobQueue, actor: Actor, repo: Repo, branch: str, message: str | None
) -> GitOid:
    """Replace a branch's history by one commit with the same files. Raises AccessDenied, RevisionNotFound."""
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    name = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    current = read_ref(uow, repo.id, name)
    if current is None or name.startswith("refs/tags/"):
        raise RevisionNotFound(branch)
    title, _, rest = (message or f"Super-squash branch '{branch}'").partition("\n")
    tree = read_commit(uow, current.commit_oid).tree_oid
    commit = commit_object(tree, [], signature_of(known, uow.now), title, rest.strip())
    write_objects(uow, repo.id, [commit])
    move_ref(uow, repo.id, name, expected=current.oid, new=commit.oid)
    uow.emit(
        "ref.squashed",
        {"ref": name, "before": current.commit_oid, "after": commit.oid},
        repo_id=repo.id,
        actor_id=known.id,
    )
    enqueue_examination(uow, queue, repo.id, commit.oid)
    return commit.oid


def delete_contents(
    uow: UnitOfWork, queue: JobQueue, actor: Actor, repo: Repo, hashes: Iterable[Sha256], *, rewrite: bool
) -> None:
    """Take contents out of a repo for good. Raises AccessDenied.

    With `rewrite` their paths vanish from every revision that a ref leads to (commit ids change); without,
    the paths stay and their bytes are gone. Either way no revision of the repo gives the bytes any more,
    and an event tells of the deletion.
    """
    known = actor.require_change(repo.namespace_id, repo.type, repo.full_name)
    doomed = set(hashes)
    if rewrite:
        _rewrite(uow, queue, repo, doomed)
    release(uow, repo.id, doomed)
    touch_repo(uow, repo.id)
    uow.emit(
        "contents.deleted",
        {"sha256": sorted(doomed), "history_rewritten": rewrite},
        repo_id=repo.id,
        actor_id=known.id,
    )


def duplicate_repo(
    uow: UnitOfWork,
    queue: JobQueue,
    actor: Actor,
    source: Repo,
    namespace: str,
    name: str,
    *,
    private: bool | None,
) -> Repo:
    """A new repo with the source's branches, tags and files; no byte is copied.

    It is as private (unless `private` says otherwise) and as gated as its source: a copy must not open what
    the source keeps shut. What the scan stops or holds back in it is not theirs who could only read it.
    Raises RepoGated where the actor may not read the source's files, and what `create_repo` raises.
    """
    check_gate(uow, actor, source)
    copy = create_repo(
        uow,
        queue,
        actor,
        source.type,
        namespace,
        name,
        private=source.private if private is None else private,
        details=source.details,
    )
    update_repo(uow, actor, copy, gated=source.gated, xet_reads=source.xet_reads)
    own_first = read_ref(uow, copy.id, MAIN)
    refs = [ref for ref in list_refs(uow, source.id) if not ref.name.startswith("refs/pr/")]
    share_objects(uow, source.id, copy.id)
    own = actor.may_change(source.namespace_id, source.type, source.full_name)
    foreign = not own or bool(foreign_sources(uow, source.id))
    columns = ["sha256", "filename", "ref", "commit_oid", "pushed_at"]
    borrowed = repo_content.c.borrowed if own else true()
    uow.execute(
        repo_content.insert().from_select(
            ["repo_id", *columns, "borrowed"],
            select(literal(copy.id), *(repo_content.c[column] for column in columns), borrowed).where(
                repo_content.c.repo_id == source.id
            ),
        )
    )
    uow.execute(
        content_hint.insert().from_select(
            ["repo_id", "sha256", "hint"],
            select(literal(copy.id), content_hint.c.sha256, content_hint.c.hint).where(
                content_hint.c.repo_id == source.id
            ),
        )
    )
    for ref in refs:
        expected = own_first.oid if own_first is not None and ref.name == MAIN else None
        move_ref(uow, copy.id, ref.name, expected=expected, new=ref.oid, commit_oid=ref.commit_oid)
        told = {"ref": ref.name, "before": expected, "after": ref.commit_oid}
        uow.emit("ref.updated", told, repo_id=copy.id, actor_id=actor.account_id)
        enqueue_examination(uow, queue, copy.id, ref.commit_oid)
    head = read_ref(uow, copy.id, MAIN)
    if head is not None:
        index_card(uow, copy, head.commit_oid)
    named = {} if head is None else {"commit": head.commit_oid}
    uow.emit(
        "repo.duplicated",
        {"source_repo_id": source.id, "name": copy.full_name, "foreign": foreign, **named},
        repo_id=copy.id,
        actor_id=actor.account_id,
    )
    return copy


def _rewrite(uow: UnitOfWork, queue: JobQueue, repo: Repo, doomed: set[Sha256]) -> None:
    """Make every ref's history anew without the doomed paths, oldest commit first."""
    refs = list_refs(uow, repo.id)
    commits = read_commits(uow, ancestors(uow, [ref.commit_oid for ref in refs]))
    renamed: dict[GitOid, GitOid] = {}
    for commit in _oldest_first(commits):
        renamed[commit.oid] = _rewrite_commit(uow, repo.id, commit, renamed, doomed)
    for ref in refs:
        after = renamed[ref.commit_oid]
        if after == ref.commit_oid:
            continue
        move_ref(uow, repo.id, ref.name, expected=ref.oid, new=after)
        uow.emit(
            "ref.rewritten", {"ref": ref.name, "before": ref.commit_oid, "after": after}, repo_id=repo.id
        )
        enqueue_examination(uow, queue, repo.id, after)
        if ref.name == MAIN:
            index_card(uow, repo, after)
    _disown_unreachable(uow, repo.id)


def _rewrite_commit(
    uow: UnitOfWork, repo_id: RepoId, commit: CommitInfo, renamed: dict[GitOid, GitOid], doomed: set[Sha256]
) -> GitOid:
    paths = [
        entry.path
        for entry in list_tree(uow, commit.tree_oid, recursive=True)
        if entry.pointer is not None and entry.pointer.oid in doomed
    ]
    parents = [renamed.get(parent, parent) for parent in commit.parents]
    if not paths and tuple(parents) == commit.parents:
        return commit.oid
    editor = TreeEditor(uow, commit.tree_oid)
    for path in paths:
        editor.remove(path)
    tree, objects = editor.write()
    author = Signature(commit.author_name, commit.author_email, commit.at)
    made: GitObject = commit_object(tree, parents, author, commit.title, commit.message)
    write_objects(uow, repo_id, [*objects, made])
    return made.oid


def _oldest_first(commits: dict[GitOid, CommitInfo]) -> list[CommitInfo]:
    """Parents before children."""
    order: list[CommitInfo] = []
    done: set[GitOid] = set()
    for start in commits:
        trail = [start]
        while trail:
            commit = commits[trail[-1]]
            open_parents = [parent for parent in commit.parents if parent in commits and parent not in done]
            if open_parents:
                trail.extend(open_parents)
                continue
            trail.pop()
            if commit.oid not in done:
                done.add(commit.oid)
                order.append(commit)
    return order


def _disown_unreachable(uow: UnitOfWork, repo_id: RepoId) -> None:
    refs = list_refs(uow, repo_id)
    commits = read_commits(uow, ancestors(uow, [ref.commit_oid for ref in refs]))
    reachable: set[GitOid] = set(commits) | {ref.oid for ref in refs}
    level = {commit.tree_oid for commit in commits.values()} - reachable
    while level:
        reachable |= level
        trees = read_trees(uow, level)
        children = {entry.oid: entry.is_directory for entries in trees.values() for entry in entries}
        level = {oid for oid, is_directory in children.items() if is_directory} - reachable
        reachable |= set(children) - level
    disown(uow, repo_id, set(owned_objects(uow, repo_id)) - reachable)
