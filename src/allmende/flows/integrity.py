"""Checking that nothing is missing or damaged: bytes, git objects, and what joins them.

A *problem* is damage: something that the hub said it keeps and does not have. A *note* is worth knowing and
no damage: garbage that the next collection removes, bytes that were deleted on purpose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from allmende.errors import NotFound
from allmende.flows.findings import Finding
from allmende.flows.garbage import all_contents, orphans_of
from allmende.flows.maintenance import find_damage
from allmende.flows.object_settling import orphan_packs
from allmende.flows.packed_integrity import damaged_copies, encoding_problems, recipe_problem
from allmende.flows.services import Services
from allmende.flows.xorb_garbage import kept, orphan_xorbs
from allmende.git import check_reachable, damaged_objects
from allmende.ids import GitOid, RepoId
from allmende.jobs import JobContext
from allmende.registry import deleted_contents, find_repo_by_id, held_contents, repo_ids
from allmende.storage import Content, find_content, find_uploaded_xorb, stored_contents

__all__ = ["Finding", "FsckReport", "fsck"]

_OBJECTS_PAGE = 500


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was checked and what was found."""

    deep: bool
    contents: int
    content_bytes: int
    repos: int
    objects: int
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether no damage was found."""
        return not self.problems


def fsck(services: Services, *, deep: bool, context: JobContext | None = None) -> FsckReport:
    """Check every content, ref, git object and pointer; with `deep` every byte of them by its hash.

    Safe while the hub runs, and changes nothing. Raises Unavailable when the database stays busy, and with
    a `context` JobInterrupted when the job should stop.
    """
    going = _Going(services, context)
    problems: list[Finding] = []
    notes: list[Finding] = []
    contents = content_bytes = objects = 0
    for found in all_contents(services):
        contents += 1
        content_bytes += found.size_bytes
        problems += _check_content(services, found, deep=deep)
        going.on(1)
    problems += encoding_problems(services, deep=deep)
    problems += _lost_xorbs(services)
    with services.database.read() as uow:
        repos = repo_ids(uow)
    for repo_id in repos:
        checked, repo_problems, repo_notes = _check_repo(services, repo_id)
        objects += checked
        problems += repo_problems
        notes += repo_notes
        going.on(1)
    if deep:
        problems += _damaged_objects(services)
        problems += (
            Finding("copy_damaged", sha256, "The plain copy of it that is served is not right.")
            for sha256 in damaged_copies(services)
        )
    notes += (
        Finding("orphan", stored.location, f"{stored.size_bytes} bytes that no content names.")
        for stored in chain(orphans_of(services), orphan_xorbs(services), orphan_packs(services))
    )
    return FsckReport(deep, contents, content_bytes, len(repos), objects, tuple(problems), tuple(notes))


class _Going:
    """How far a check is, told to the job that it runs in, if it runs in one."""

    def __init__(self, services: Services, context: JobContext | None) -> None:
        self._context = context
        self._done = 0
        with services.database.read() as uow:
            self._all = max(1, stored_contents(uow)[0] + len(repo_ids(uow)))

    def on(self, count: int) -> None:
        """So many more contents and repos are done. Raises JobInterrupted."""
        self._done += count
        if self._context is not None:
            self._context.checkpoint()
            self._context.progress(self._done / self._all, f"{self._done} of {self._all}")


def _check_content(services: Services, found: Content, *, deep: bool) -> list[Finding]:
    damage = find_damage(services, found) if deep else _wrong_size(services, found)
    if damage is not None:
        found, damage = _looked_at_again(services, found, damage, deep=deep)
    if damage is None and found.damaged is not None and not deep:
        damage = f"Found damaged at its last verification: {found.damaged}"
    if damage is None:
        return []
    with services.database.read() as uow:
        if find_content(uow, found.sha256) is None:
            return []  # garbage, collected since the page was read
    return [Finding("content_damaged", found.sha256, damage)]


def _looked_at_again(
    services: Services, found: Content, damage: str, *, deep: bool
) -> tuple[Content, str | None]:
    """A content that was packed or made plain since the page was read is not damaged by that."""
    with services.database.read() as uow:
        now = find_content(uow, found.sha256)
    if now is None or (now.representation, now.location) == (found.representation, found.location):
        return found, damage
    return now, find_damage(services, now) if deep else _wrong_size(services, now)


def _lost_xorbs(services: Services) -> Iterator[Finding]:
    """Uploaded xorbs whose bytes are not there: their client counts on them and will not send them again."""
    for found in kept(services):
        location = str(found.location)
        try:
            with services.xorbs.open_read(location) as reader:
                size_bytes = reader.seek(0, 2)
        except NotFound as error:
            with services.database.read() as uow:
                still = find_uploaded_xorb(uow, found.key)
            if still is not None and still.location == location:
                yield Finding("xorb_missing", found.key.hash, error.message)
            continue
        if size_bytes != found.size_bytes:
            detail = f"There are {size_bytes} bytes instead of {found.size_bytes}."
            yield Finding("xorb_damaged", found.key.hash, detail)


def _wrong_size(services: Services, found: Content) -> str | None:
    if found.is_packed:
        return recipe_problem(services, found)
    try:
        reader = services.contents.open_read(found.location)
    except NotFound as error:
        return error.message
    with reader:
        size_bytes = reader.seek(0, 2)
    if size_bytes != found.size_bytes:
        return f"There are {size_bytes} bytes instead of {found.size_bytes}."
    return None


def _check_repo(services: Services, repo_id: RepoId) -> tuple[int, list[Finding], list[Finding]]:
    with services.database.read() as uow:
        repo = find_repo_by_id(uow, repo_id)
        if repo is None:
            return 0, [], []
        reachable = check_reachable(uow, repo_id)
        unheld = reachable.pointers - set(held_contents(uow, repo_id, reachable.pointers))
        on_purpose = deleted_contents(uow, repo_id) if unheld else set()
    name = f"{repo.type} {repo.full_name}"
    problems = [
        Finding("object_missing", name, f"The git object {oid} is missing.") for oid in reachable.missing
    ]
    problems += [
        Finding("content_missing", name, f"A revision points to content {sha256}, which the repo lacks.")
        for sha256 in sorted(unheld - on_purpose)
    ]
    notes = [
        Finding("content_deleted", name, f"The content {sha256} was deleted; a revision still names it.")
        for sha256 in sorted(unheld & on_purpose)
    ]
    return reachable.objects, problems, notes


def _damaged_objects(services: Services) -> Iterator[Finding]:
    after: GitOid | None = None
    while True:
        with services.database.read() as uow:
            damaged, after = damaged_objects(uow, after, _OBJECTS_PAGE)
        for oid in damaged:
            yield Finding("object_damaged", oid, "The bytes of the git object do not have its id.")
        if after is None:
            return
