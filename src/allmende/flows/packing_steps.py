"""The steps of packing that change what is stored: writing a recipe, switching to it, giving up old ones."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from allmende.codecs import read_recipe
from allmende.errors import AllmendeError, NotFound
from allmende.failpoints import reach
from allmende.flows.object_shelf import Settling
from allmende.flows.packing_pace import PackingPace
from allmende.flows.reading import open_content, plain_file, shelf_of
from allmende.flows.services import Services
from allmende.flows.unpacking import is_whole, make_plain
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.packing import build
from allmende.registry import scopes_of
from allmende.storage import (
    Attempt,
    Content,
    KeptRecipe,
    ObjectsChanged,
    UnitOfWork,
    find_content,
    find_recipes,
    forget_recipe,
    put_attempt,
    switch_to_recipe,
)
from allmende.weights import MappedFile, Place, StreamPlace

__all__ = ["NotWorthPacking", "PackingTask", "go_back", "retire", "write_recipe_in"]

_log = logging.getLogger(__name__)


class NotWorthPacking(AllmendeError):
    """Packing a content saves less than it has to."""

    code = "not_worth_packing"


@dataclass(frozen=True, slots=True)
class PackingTask:
    """A content that is packed, as it was when the run began, and the scopes in which it is kept."""

    services: Services
    context: JobContext
    pace: PackingPace
    content: Content
    wanted: frozenset[int]
    as_base: bool

    @property
    def sha256(self) -> Sha256:
        """Its name."""
        return self.content.sha256


def write_recipe_in(
    task: PackingTask, scope: int, bases: Sequence[Sequence[KeptRecipe]], basis: str, *, improve: bool
) -> None:
    """Pack the content in a scope, on bases that are each made of several recipes, and switch to the recipe.

    Raises NotWorthPacking where too little is saved, and ObjectsChanged where something it rests on has
    changed meanwhile. Nothing is changed then.
    """
    services, content = task.services, task.content
    version = None if content.is_packed else services.contents.version(content.location)
    # Others may rest on what is packed as a base: its objects are stored, whatever that saves.
    free = improve or task.as_base or content.is_packed
    settling = Settling(
        accept=lambda stored_bytes: None if free else _check_worth(services, content, stored_bytes),
        within=lambda uow: _settle(task, uow, Attempt(task.sha256, scope, basis, None), version),
    )
    with ExitStack() as stack:
        place = _place(services, stack, content)
        build(
            place,
            shelf_of(services, scope, settling),
            content.sha256,
            [[read_recipe(one.body) for one in base] for base in bases],
            improve=improve,
            checkpoint=task.pace.checkpoint,
            progress=lambda done: task.context.progress(
                done / max(1, content.size_bytes), f"{content.sha256}: {done} bytes"
            ),
        )
    reach("pack.switched")
    if version is not None:
        _drop_plain(services, content, version)


def go_back(task: PackingTask, recipe: KeptRecipe) -> None:
    """A content that is plain again and has a recipe still is read by that, if it is found whole."""
    services, content = task.services, task.content
    if content.is_packed:
        return
    version = _version(services, content)
    if not is_whole(services, content, recipe, task.pace.checkpoint):
        _log.error("a recipe of content %s does not give it any more", content.sha256)
        with services.database.write() as uow:
            forget_recipe(uow, content.sha256, recipe.scope)
        return
    with services.database.write() as uow:
        if not _is_same(services, uow, content, version) or not switch_to_recipe(uow, content):
            return
    reach("pack.switched")
    if version is not None:
        _drop_plain(services, content, version)


def retire(task: PackingTask) -> bool:
    """Give up the recipes of scopes in which the content is not kept any more; returns whether there were
    any.

    One that is the only way to the bytes stays until they are plain again.
    """
    services = task.services
    with services.database.read() as uow:
        content = find_content(uow, task.sha256)
        scopes = {recipe.scope for recipe in find_recipes(uow, task.sha256)}
    stale = scopes - task.wanted
    if content is None or not stale:
        return False
    only_way = not scopes & task.wanted and not _has_plain(services, content)
    if only_way and not make_plain(services, content, task.context):
        return False
    with services.database.write() as uow:
        content = find_content(uow, task.sha256)
        wanted = scopes_of(uow, [task.sha256]).get(task.sha256, frozenset())
        left = {recipe.scope for recipe in find_recipes(uow, task.sha256)} - (stale - wanted)
        if content is None or not (left or _has_plain(services, content)):
            return False
        for scope in stale - wanted:
            forget_recipe(uow, task.sha256, scope)
    return True


def _has_plain(services: Services, content: Content) -> bool:
    return not content.is_packed and _version(services, content) is not None


def _version(services: Services, content: Content) -> str | None:
    """The version of the plain file; None where there is none, though the row says so."""
    try:
        return services.contents.version(content.location)
    except NotFound:
        return None


def _check_worth(services: Services, content: Content, stored_bytes: int) -> None:
    most_bytes = content.size_bytes * (1 - services.settings.pack_least_saving)
    if stored_bytes > most_bytes:
        raise NotWorthPacking(f"Of {content.size_bytes} bytes {stored_bytes} would be stored.")


def _settle(task: PackingTask, uow: UnitOfWork, attempt: Attempt, version: str | None) -> None:
    """Within the transaction that records a recipe: the content is still what was packed, and where."""
    wanted = scopes_of(uow, [task.sha256]).get(task.sha256, frozenset())
    if attempt.scope not in wanted:
        raise ObjectsChanged("The content is kept in other scopes by now.", hint="Pack it again.")
    put_attempt(uow, attempt)
    if version is not None and _is_same(task.services, uow, task.content, version):
        switch_to_recipe(uow, task.content)


def _is_same(services: Services, uow: UnitOfWork, content: Content, version: str | None) -> bool:
    """Whether the plain file is still the one that was read, and nobody brought another."""
    found = find_content(uow, content.sha256)
    if found is None or found.is_packed or found.location != content.location:
        return False
    return _version(services, content) == version


def _drop_plain(services: Services, content: Content, version: str) -> None:
    """Remove the plain file of a packed content, unless an upload has just put it in place anew.

    Within a transaction, as uploads are recorded in one: theirs comes before this and is seen, or after it.
    """
    with services.database.write() as uow:
        found = find_content(uow, content.sha256)
        if found is not None and found.is_packed:
            services.contents.delete_version(content.location, version)
    reach("pack.dropped")


def _place(services: Services, stack: ExitStack, content: Content) -> Place:
    file = plain_file(services, content)
    if file is not None and not content.is_packed:
        return MappedFile(content.sha256, file.path)
    reader = stack.enter_context(open_content(services, content))
    return StreamPlace(content.sha256, reader, content.size_bytes)
