"""Packed contents made plain again: a copy for those that are asked for often, or for good.

The job `unpack` has the payload `{"sha256"}` and makes the copy.
"""

import hashlib
import logging
from collections.abc import Callable

from allmende.codecs import DamagedObject, MalformedEncoding, MalformedRecipe
from allmende.errors import NotFound
from allmende.flows.reading import BytesDamaged, open_content, open_packed
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.jobs import JobContext
from allmende.storage import (
    Content,
    ContentWriter,
    HashMismatch,
    KeptRecipe,
    SizeMismatch,
    UnitOfWork,
    add_content,
    find_content,
)

__all__ = ["enqueue_unpacking", "is_whole", "make_plain", "unpack_hot"]

_log = logging.getLogger(__name__)

_PRIORITY = -8
_BLOCK_BYTES = 1024 * 1024


def enqueue_unpacking(services: Services, uow: UnitOfWork, sha256: Sha256) -> None:
    """Have a plain copy made of a content that is asked for often."""
    services.queue.enqueue(uow, "unpack", {"sha256": sha256}, key=f"unpack:{sha256}", priority=_PRIORITY)


def unpack_hot(services: Services, context: JobContext) -> None:
    """The job `unpack`. Does nothing where there is a copy, or no room for one."""
    sha256 = Sha256(str(context.payload["sha256"]))
    with services.database.read() as uow:
        found = find_content(uow, sha256)
    if found is None or not found.is_packed or found.damaged is not None or services.hot.find(sha256):
        return
    writer = services.hot.open_write(sha256, found.size_bytes)
    if writer is None:
        _log.info("there is no room for a plain copy of content %s", sha256)
        return
    _copy(services, found, writer, context)


def make_plain(services: Services, content: Content, context: JobContext) -> bool:
    """Write a packed content as a plain file again, verified, and let it be read so from now on.

    Returns whether the content could be decoded. Its recipes stay; the caller decides on them.
    """
    writer = services.contents.open_write(content.sha256, content.size_bytes)
    try:
        location = _copy(services, content, writer, context)
    except DamagedObject as error:
        _log.error("content %s cannot be unpacked: %s", content.sha256, error.message)
        return False
    with services.database.write() as uow:
        if find_content(uow, content.sha256) is not None:
            add_content(uow, content.sha256, content.size_bytes, location)
    return True


def is_whole(
    services: Services, content: Content, recipe: KeptRecipe, checkpoint: Callable[[], None]
) -> bool:
    """Whether a recipe gives the content, every byte of it."""
    digest = hashlib.sha256()
    try:
        with open_packed(services, recipe, verify=False) as reader:
            while block := reader.read(_BLOCK_BYTES):
                checkpoint()
                digest.update(block)
    except (DamagedObject, MalformedEncoding, MalformedRecipe, NotFound):
        return False
    return digest.hexdigest() == content.sha256


def _copy(services: Services, content: Content, writer: ContentWriter, context: JobContext) -> str:
    try:
        with open_content(services, content, content.size_bytes, verify=False) as reader:
            copied = 0
            while block := reader.read(_BLOCK_BYTES):
                context.checkpoint()
                writer.write(block)
                copied += len(block)
                context.progress(copied / max(1, content.size_bytes), f"{copied} bytes unpacked")
        return writer.finish()
    except (HashMismatch, SizeMismatch) as error:
        raise BytesDamaged(error.message) from error
    finally:
        writer.discard()
