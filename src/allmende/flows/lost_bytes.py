"""Finding out which stored bytes an upload fails on, and forgetting what is known of them.

A client builds on what it has sent, and does not send it again as long as the hub seems to have it. So what
is lost or damaged must be unknown from then on: an uploaded xorb is forgotten, a content is marked damaged.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import BinaryIO

from allmende.codecs import DamagedObject
from allmende.errors import NotFound
from allmende.flows.services import Services
from allmende.flows.xorb_sources import Ask, Piece, XorbSource, XorbSources, XorbUnknown
from allmende.storage import Content, XorbKey, forget_lost_xorb, record_scrub
from allmende.xorbs import ShardFile, Term, chunk_hash

__all__ = ["forget_lost", "mark_damaged"]

_log = logging.getLogger(__name__)


def forget_lost(services: Services, ask: Ask, file: ShardFile) -> bool:
    """Read all that a file is made of, chunk by chunk, and forget what is not as it should be.

    Returns whether there was such a thing; otherwise it is the upload that says something false.
    """
    found = False
    for term in file.terms:
        with services.database.read() as uow:
            uploader = ask(uow)
            try:
                source = XorbSources(uow, uploader).find(term.xorb)
            except XorbUnknown:
                # Forgotten since by another request that failed on it: nothing is left to find.
                continue
        for piece in _unsound(services, source, term):
            found = True
            if piece.content is not None:
                mark_damaged(services, piece.content, "A chunk of it is lost or does not have its hash.")
            else:
                _forget_xorb(services, XorbKey(uploader.account.id, term.xorb), piece.location)
    return found


def mark_damaged(services: Services, content: Content, damage: str) -> None:
    """Record that a content is not what it was, unless it was replaced since it was looked up.

    It is served no more until it is uploaded again.
    """
    with services.database.write() as uow:
        recorded = record_scrub(uow, content, damage)
    if recorded:
        _log.error("content %s is damaged: %s", content.sha256, damage)


def _unsound(services: Services, source: XorbSource, term: Term) -> Iterator[Piece]:
    """Where chunks of a term should lie and do not, once for each place."""
    readers: dict[str, BinaryIO | None] = {}
    unsound: set[str] = set()
    with ExitStack() as stack:
        for number in range(term.first, term.end):
            for piece in source.pieces(number, number + 1) or ():
                if piece.location not in readers:
                    readers[piece.location] = _opened(services, piece, stack)
                reader = readers[piece.location]
                sound = reader is not None and _has(reader, piece, source.chunks[number].hash)
                if not sound and piece.location not in unsound:
                    unsound.add(piece.location)
                    yield piece


def _opened(services: Services, piece: Piece, stack: ExitStack) -> BinaryIO | None:
    try:
        return stack.enter_context(closing(piece.open(services)))
    except NotFound:
        return None


def _has(reader: BinaryIO, piece: Piece, expected: bytes) -> bool:
    reader.seek(piece.offset_bytes)
    try:
        return chunk_hash(reader.read(piece.size_bytes)) == expected
    except DamagedObject:
        return False


def _forget_xorb(services: Services, key: XorbKey, location: str) -> None:
    with services.database.write() as uow:
        gone = forget_lost_xorb(uow, key, location)
    if gone:
        _log.error("the uploaded xorb %s is lost or damaged; its client will send it again", key.hash)
        services.xorbs.delete(location)
