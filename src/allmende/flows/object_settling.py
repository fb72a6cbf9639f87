"""Keeping objects and packs in order: what is on its way out goes after all that rests on it was stored anew.

An object goes out when the last content of its own scope that consists of it has gone, or is kept in another
scope by now. What was predicted from it in the meantime is encoded again without it; recipes of other scopes
get an object of their own. Then nothing needs it. Packs of which more than half is no encoding any more are
written anew.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from allmende.codecs import DamagedObject, ObjectId, ObjectMissing
from allmende.failpoints import reach
from allmende.flows.content_packing import enqueue_packing
from allmende.flows.object_shelf import Settling
from allmende.flows.reading import shelf_of
from allmende.flows.services import Services
from allmende.packing import ObjectOpener, is_readable, reencode
from allmende.storage import (
    KeptEncoding,
    ObjectKey,
    ObjectsChanged,
    PackUse,
    StoredFile,
    UnitOfWork,
    add_pack,
    delete_unneeded_objects,
    encodings_in_pack,
    find_objects,
    forget_pack,
    known_packs,
    list_packs,
    move_encoding,
    outgoing_objects,
    recipes_with,
    relink_recipe,
    resting_on,
    substitute_base,
)

__all__ = ["PackGarbage", "SettlingReport", "orphan_packs", "remove_orphan_packs", "settle_objects"]

_log = logging.getLogger(__name__)

_PAGE = 200
_SETTLED = timedelta(hours=1)
"""Packs are in place before their rows are; what is older than this has none coming."""
_DEAD_SHARE = 0.5
_COPY_BYTES = 1024 * 1024

Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True)
class PackGarbage:
    """Packs that no row named."""

    packs: int
    pack_bytes: int


@dataclass(frozen=True, slots=True)
class SettlingReport:
    """What was done."""

    reencoded: int
    objects: int
    """That were removed."""
    packs: int
    """That were removed, or written anew."""


def settle_objects(services: Services, checkpoint: Checkpoint) -> SettlingReport:
    """Store anew what rests on objects that are on their way out, then remove them, then tidy the packs.

    Safe while the hub runs, and may be interrupted anywhere. Objects that cannot be decoded stay where they
    are.
    """
    reencoded = objects = 0
    unsettled: set[int] = set()
    while True:
        with services.database.read() as uow:
            outgoing = outgoing_objects(uow, _PAGE + len(unsettled))
        outgoing = [key for key in outgoing if key.number not in unsettled]
        if not outgoing:
            break
        for key in outgoing:
            checkpoint()
            done = _let_go(services, key)
            reencoded += done
            unsettled.add(key.number)
    while removed := _remove_unneeded(services):
        objects += removed
    reach("pack.settled")
    return SettlingReport(reencoded, objects, _tidy_packs(services, checkpoint))


def orphan_packs(services: Services) -> Iterator[StoredFile]:
    """Files of the pack store that no row names: what a crash left, or what is about to be recorded."""
    stored = services.packs.iterate()
    while page := list(islice(stored, _PAGE)):
        with services.database.read() as uow:
            known = known_packs(uow, [found.location for found in page])
        yield from (found for found in page if found.location not in known)


def remove_orphan_packs(services: Services, *, dry_run: bool) -> PackGarbage:
    """Remove packs that have had no row for an hour; with `dry_run` only count them."""
    before = services.database.clock() - _SETTLED
    packs = pack_bytes = 0
    for found in orphan_packs(services):
        if found.written_at < before:
            packs += 1
            pack_bytes += found.size_bytes
            if not dry_run:
                services.packs.delete(found.location)
    return PackGarbage(packs, pack_bytes)


def _let_go(services: Services, gone: ObjectKey) -> int:
    """Make all that rests on an object rest on something else; returns how many were encoded."""
    done = 0
    with services.database.read() as uow:
        children = resting_on(uow, [gone.number])
    for child in children:
        with services.database.write() as uow:
            if substitute_base(uow, gone, child):
                continue
        done += _encode_anew(services, child.scope, child.id)
    with services.database.read() as uow:
        scopes = {scope for _sha256, scope in recipes_with(uow, gone.number) if scope != gone.scope}
    for scope in sorted(scopes):
        done += _adopt(services, gone, scope)
    return done


def _adopt(services: Services, gone: ObjectKey, scope: int) -> int:
    """Give a scope an object of its own in place of a public one that goes, and link its recipes to that."""
    with services.database.write() as uow:
        own = find_objects(uow, scope, [gone.id]).get(gone.id)
        if own is not None and own.number != gone.number:
            relink_recipe(uow, scope, gone.number, own.number)
            return 0

    def relink(uow: UnitOfWork) -> None:
        added = find_objects(uow, scope, [gone.id])[gone.id]
        relink_recipe(uow, scope, gone.number, added.number)

    return _encode_anew(services, scope, gone.id, relink)


def _encode_anew(
    services: Services,
    scope: int,
    object_id: ObjectId,
    within: Callable[[UnitOfWork], None] = lambda _uow: None,
) -> int:
    """Encode an object so that it rests on no other; returns 1, or 0 where it could not be done.

    What consists of it is then packed again, which may find another base.
    """
    shelf = shelf_of(services, scope, Settling(lambda _stored_bytes: None, within))
    intake = shelf.intake()
    try:
        intake.add(reencode(shelf, object_id))
        # The former encoding goes with the commit: what takes its place is read back from the disk first.
        if not is_readable(lambda: ObjectOpener(intake, shelf.report_damage)(object_id)):
            raise DamagedObject("What was written does not come back.")
        intake.commit(None)
    except (DamagedObject, ObjectMissing, ObjectsChanged) as error:
        _log.warning("object %s could not be stored anew: %s", object_id, error.message)
        return 0
    finally:
        intake.discard()
    with services.database.write() as uow:
        found = find_objects(uow, scope, [object_id]).get(object_id)
        for sha256, _scope in [] if found is None else recipes_with(uow, found.number):
            enqueue_packing(services, uow, sha256)
    return 1


def _remove_unneeded(services: Services) -> int:
    with services.database.write() as uow:
        return delete_unneeded_objects(uow, _PAGE)


def _tidy_packs(services: Services, checkpoint: Checkpoint) -> int:
    tidied = 0
    for pack in _every_pack(services):
        checkpoint()
        if pack.live_bytes and pack.size_bytes - pack.live_bytes > _DEAD_SHARE * pack.size_bytes:
            _rewrite(services, pack)
        elif pack.live_bytes:
            continue
        with services.database.write() as uow:
            removed = forget_pack(uow, pack.id)
        if removed:
            services.packs.delete(pack.location)
            tidied += 1
    return tidied


def _every_pack(services: Services) -> Iterator[PackUse]:
    after = 0
    while True:
        with services.database.read() as uow:
            page = list_packs(uow, after, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _rewrite(services: Services, pack: PackUse) -> None:
    """Copy the encodings of a pack into a new one. Bytes that cannot be read any more stay in the old one."""
    with services.database.read() as uow:
        encodings = encodings_in_pack(uow, pack.id)
    writer = services.packs.open_write()
    try:
        offsets = {encoding: writer.append(_bytes_of(services, encoding)) for encoding in encodings}
        location = writer.finish()
    except DamagedObject as error:
        _log.error("pack %s could not be written anew: %s", pack.location, error.message)
        return
    finally:
        writer.discard()
    with services.database.write() as uow:
        pack_id = add_pack(uow, location, writer.size_bytes)
        for encoding, offset_bytes in offsets.items():
            move_encoding(uow, encoding, pack_id, offset_bytes)


def _bytes_of(services: Services, encoding: KeptEncoding) -> list[bytes | memoryview]:
    stored = services.packs.read(encoding.location, encoding.offset_bytes, encoding.size_bytes)
    return [
        stored.read_at(start, min(_COPY_BYTES, encoding.size_bytes - start))
        for start in range(0, encoding.size_bytes, _COPY_BYTES)
    ]
