"""Figures of packed contents for those who may see them: what some contents take, and what is saved by which
means.

Only recipes of the viewer's scope and public ones are counted, and the others of a shared object only as far
as they have one of these: no figure tells of what another namespace keeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from allmende.ids import RepoId, Sha256
from allmende.registry import Repo, list_held
from allmende.storage import (
    PUBLIC_SCOPE,
    PackedObject,
    UnitOfWork,
    find_contents,
    packed_objects,
    recipe_sizes,
)

__all__ = ["ContentsFigures", "contents_figures", "held_by", "repo_figures", "scope_of_repo"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class ContentsFigures:
    """Bytes of contents, each counted once.

    `stored_bytes` is what they take together; of that, `shared_bytes` is taken by objects that other contents
    consist of too. The three savings and `stored_bytes` make `content_bytes`.
    """

    content_bytes: int
    packed_bytes: int
    stored_bytes: int
    shared_bytes: int
    saved_by_sharing_bytes: int
    saved_by_prediction_bytes: int
    saved_by_compression_bytes: int


def repo_figures(uow: UnitOfWork, repo: Repo) -> ContentsFigures:
    """The figures of all contents that a repo holds, in all its revisions."""
    return contents_figures(uow, scope_of_repo(repo), held_by(uow, repo.id))


def held_by(uow: UnitOfWork, repo_id: RepoId) -> list[Sha256]:
    """All contents that a repo holds, in all its revisions."""
    hashes: list[Sha256] = []
    while page := list_held(uow, repo_id, hashes[-1] if hashes else None, _PAGE):
        hashes += [held.sha256 for held in page]
    return hashes


def scope_of_repo(repo: Repo) -> int:
    """In which scope the contents of a repo are kept."""
    return int(repo.namespace_id) if repo.private or repo.disabled else PUBLIC_SCOPE


def contents_figures(uow: UnitOfWork, scope: int, hashes: Iterable[Sha256]) -> ContentsFigures:
    """The figures of some contents as a scope sees them: a namespace, or 0 for everybody."""
    contents = find_contents(uow, hashes)
    packed = [sha256 for sha256, content in contents.items() if content.is_packed]
    own = recipe_sizes(uow, scope, packed)
    public = {} if scope == PUBLIC_SCOPE else recipe_sizes(uow, PUBLIC_SCOPE, set(packed) - set(own))
    objects: dict[int, PackedObject] = {}
    for seen, listed in ((scope, own), (PUBLIC_SCOPE, public)):
        objects |= {one.number: one for one in packed_objects(uow, seen, listed)}
    content_bytes = sum(content.size_bytes for content in contents.values())
    packed_bytes = sum(contents[sha256].size_bytes for sha256 in (*own, *public))
    recipe_bytes = sum(own.values()) + sum(public.values())
    plain = {kind: sum(one.size_bytes for one in _of(objects, predicted=kind)) for kind in (False, True)}
    kept = {kind: sum(one.stored_bytes for one in _of(objects, predicted=kind)) for kind in (False, True)}
    return ContentsFigures(
        content_bytes=content_bytes,
        packed_bytes=packed_bytes,
        stored_bytes=content_bytes - packed_bytes + recipe_bytes + sum(kept.values()),
        shared_bytes=sum(one.stored_bytes for one in objects.values() if one.is_shared),
        saved_by_sharing_bytes=packed_bytes - recipe_bytes - sum(plain.values()),
        saved_by_prediction_bytes=plain[True] - kept[True],
        saved_by_compression_bytes=plain[False] - kept[False],
    )


def _of(objects: dict[int, PackedObject], *, predicted: bool) -> list[PackedObject]:
    return [one for one in objects.values() if one.is_predicted is predicted]
