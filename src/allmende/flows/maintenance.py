"""The periodic jobs: `sweep` clears away what was given up, `scrub` reads stored bytes again and again.

Both may be interrupted anywhere and simply go on at their next run.
"""

import hashlib
import logging
from datetime import timedelta
from typing import BinaryIO

from allmende.codecs import DamagedObject, MalformedEncoding, MalformedRecipe
from allmende.errors import NotFound
from allmende.flows.reading import open_packed
from allmende.flows.services import Services
from allmende.flows.xorb_garbage import sweep_xorbs
from allmende.jobs import JobContext, Schedule
from allmende.storage import (
    Content,
    contents_by_age,
    end_upload,
    expired_uploads,
    find_recipes,
    record_scrub,
)

__all__ = ["SCHEDULES", "find_damage", "scrub", "sweep"]

_log = logging.getLogger(__name__)

SCHEDULES = (Schedule("sweep", every_s=3600.0), Schedule("scrub", every_s=3600.0))

_DONE_JOBS_KEPT_S = 7 * 24 * 3600.0
_ABANDONED_SLACK_S = 3600.0
_SCRUB_BYTES = 64 * 1024**3
_SCRUB_CONTENTS = 1000
_READ_BYTES = 4 * 1024 * 1024


def sweep(services: Services, context: JobContext) -> None:
    """Remove uploads whose time is over, temporary files that nobody writes any more, and old done jobs."""
    with services.database.read() as uow:
        expired = expired_uploads(uow)
    for upload in expired:
        context.checkpoint()
        # The row first: a part of an upload that is known must not be missing.
        with services.database.write() as uow:
            end_upload(uow, upload.id)
        services.contents.discard_parts(upload.id)
    # A part may rest for as long as its upload may live.
    older_than_s = services.settings.upload_ttl_s + _ABANDONED_SLACK_S
    removed = services.contents.discard_abandoned(older_than_s, services.database.clock().timestamp())
    rebuilt = sweep_xorbs(services)
    services.hot.sweep(services.settings.scrub_age_s)
    with services.database.write() as uow:
        pruned = services.queue.prune(uow, _DONE_JOBS_KEPT_S)
    if expired or removed or rebuilt or pruned:
        _log.info(
            "swept %s expired uploads, %s abandoned files, %s rebuilt xorbs, %s done jobs",
            len(expired),
            removed,
            rebuilt,
            pruned,
        )


def scrub(services: Services, context: JobContext, max_bytes: int = _SCRUB_BYTES) -> None:
    """Read the contents whose last verification is longest ago, and record whether they still are right.

    A run ends after `max_bytes`; one content more is read even where it is larger. What is damaged is
    marked and logged as an error.
    """
    verified_before = services.database.clock() - timedelta(seconds=services.settings.scrub_age_s)
    with services.database.read() as uow:
        due = contents_by_age(uow, verified_before, _SCRUB_CONTENTS)
    total_bytes = min(sum(found.size_bytes for found in due), max_bytes) or 1
    read_bytes = 0
    for found in due:
        if read_bytes >= max_bytes:
            return
        damage = find_damage(services, found, context)
        read_bytes += found.size_bytes
        with services.database.write() as uow:
            # A content that was removed or uploaded anew meanwhile is not what was read.
            recorded = record_scrub(uow, found, damage)
        if damage is not None and recorded:
            _log.error("content %s is damaged: %s", found.sha256, damage)
        context.progress(min(1.0, read_bytes / total_bytes), f"{read_bytes} bytes verified")


def find_damage(services: Services, found: Content, context: JobContext | None = None) -> str | None:
    """What is wrong with the stored bytes of a content, in a sentence; None when they are right.

    With a `context`, raises JobInterrupted when the job should stop.
    """
    if not found.is_packed:
        try:
            reader = services.contents.open_read(found.location)
        except NotFound as error:
            return error.message
        return _damage_in(reader, found, context)
    with services.database.read() as uow:
        recipes = find_recipes(uow, found.sha256)
    try:
        damages = [_damage_in(open_packed(services, recipe), found, context) for recipe in recipes]
    except (DamagedObject, MalformedEncoding, MalformedRecipe, NotFound) as error:
        return error.message
    # Every one of them: a content that one scope cannot read any more is damaged there.
    return next(
        (damage for damage in damages if damage is not None), None if recipes else "It has no recipe."
    )


def _damage_in(reader: BinaryIO, found: Content, context: JobContext | None) -> str | None:
    digest = hashlib.sha256()
    size_bytes = 0
    with reader:
        while block := reader.read(_READ_BYTES):
            if context is not None:
                context.checkpoint()
            digest.update(block)
            size_bytes += len(block)
    if size_bytes != found.size_bytes:
        return f"There are {size_bytes} bytes instead of {found.size_bytes}."
    if digest.hexdigest() != found.sha256:
        return f"The bytes have the SHA-256 {digest.hexdigest()}."
    return None
