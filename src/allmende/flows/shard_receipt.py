"""Receiving a shard: its files are rebuilt from their chunks, verified, and become contents.

A shard is a claim. Each of its files is recorded only when the chunks that it names lie where its uploader
may name them, hash to its Xet hash, and their bytes to its SHA-256. Files that are done stay done: a repeat
of the shard, after a crash or a lost answer, passes over them.
"""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from allmende.codecs import DamagedObject
from allmende.errors import BadRequest, NotFound, TooLarge, Unavailable
from allmende.failpoints import reach
from allmende.flows.chunk_maps import enqueue_chunking, record_chunk_map, write_chunk_map
from allmende.flows.lost_bytes import forget_lost
from allmende.flows.rebuilding import (
    Rebuilding,
    ShardMismatch,
    ShardProgress,
    check_file,
    chunks_of_file,
    rebuild,
)
from allmende.flows.services import Services
from allmende.flows.xorb_sources import Ask, XorbSources, XorbUnknown
from allmende.ids import AccountId, Sha256, XetHash
from allmende.registry import usable
from allmende.storage import (
    HashMismatch,
    UnitOfWork,
    XorbKey,
    add_content,
    add_runs,
    batches,
    find_content,
    find_uploaded_xorb,
    find_xet_file,
    let_go_of_bytes,
    list_runs,
    possessed,
    renew_scope,
    see_xorbs,
    take_possession,
    xet_hashes_of,
)
from allmende.xorbs import (
    Shard,
    ShardFile,
    ShardXorb,
    chunk_count,
)

__all__ = ["SourceLost", "let_go_of_named", "let_go_of_rebuilt", "receive_shard"]

_ATTEMPTS = 3
_FILES_AT_ONCE = 4


class SourceLost(BadRequest):
    """Stored bytes that an upload builds on are lost or damaged; what is known of them was forgotten."""

    code = "source_lost"

    def __init__(self) -> None:
        super().__init__(
            "Bytes that this upload builds on are damaged in the store of this hub.",
            hint="Repeat the upload; the client then sends them again.",
        )


class SourceMoved(Unavailable):
    """Bytes were moved while they were read, again and again."""

    code = "source_moved"


def receive_shard(services: Services, ask: Ask, shard: Shard, progress: ShardProgress) -> None:
    """Rebuild, verify and record every file of a shard.

    Raises ShardMismatch, HashMismatch, TooLarge, XorbUnknown (after renewing the scope of the account, so
    that the repeat of the upload succeeds), and what `ask` raises.
    """
    with services.database.read() as uow:
        account_id = ask(uow).account.id
    described = {xorb.hash: xorb for xorb in shard.xorbs}

    def receive(file: ShardFile) -> None:
        with _ALONE.holding((account_id, file.xet_hash)):
            _receive_file(services, ask, file, described, progress)

    try:
        # Small files cost waiting for the disk: several wait at the same time.
        with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="shard") as pool:
            for batch in batches(shard.files):
                for _done in pool.map(receive, batch):
                    pass
    except (XorbUnknown, SourceLost):
        with services.database.write() as uow:
            renew_scope(uow, account_id)
        raise
    progress.recording = True
    reach("shard.before_answer")


def let_go_of_named(services: Services, account_id: AccountId, shard: Shard) -> None:
    """Remove the bytes of the account's xorbs that a received shard names, where contents hold all of them.

    Nobody waits for it, and whoever is killed before it leaves it to the next sweep.
    """
    for xorb_hash in sorted({term.xorb for file in shard.files for term in file.terms}):
        let_go_of_rebuilt(services, XorbKey(account_id, xorb_hash))


def let_go_of_rebuilt(services: Services, key: XorbKey) -> bool:
    """Remove the bytes of an uploaded xorb if contents hold all of them; returns whether."""
    with services.database.read() as uow:
        if not _is_rebuilt(uow, key):
            return False
    with services.database.write() as uow:
        found = find_uploaded_xorb(uow, key)
        if found is None or found.location is None or not _is_rebuilt(uow, key):
            return False
        let_go_of_bytes(uow, key, found.location)
    reach("shard.before_removal")
    services.xorbs.delete(found.location)
    return True


def _is_rebuilt(uow: UnitOfWork, key: XorbKey) -> bool:
    found = find_uploaded_xorb(uow, key)
    if found is None or found.location is None:
        return False
    covered = 0
    for run in list_runs(uow, key):
        if run.first > covered:
            return False
        covered = max(covered, run.end)
    return covered >= chunk_count(found.chunks)


def _receive_file(
    services: Services,
    ask: Ask,
    file: ShardFile,
    described: Mapping[XetHash, ShardXorb],
    progress: ShardProgress,
) -> None:
    sha256 = _sha256_of(services, file)
    if _is_known(services, ask, file, sha256):
        progress.add(file.size_bytes)
        return
    for _attempt in range(_ATTEMPTS):
        with services.database.read() as uow:
            rebuilding = check_file(XorbSources(uow, ask(uow)), file, sha256, described)
        try:
            location = rebuild(services, rebuilding.pieces, sha256, file.size_bytes, progress)
        except (NotFound, DamagedObject):
            # Somebody let go of uploaded bytes that are in a content by now: they are found there.
            continue
        except HashMismatch:
            if forget_lost(services, ask, file):
                raise SourceLost from None
            raise
        reach("shard.before_record")
        if _record(services, ask, file, sha256, location, rebuilding):
            break
    else:
        if forget_lost(services, ask, file):
            raise SourceLost
        raise SourceMoved("The bytes of this upload are being moved.", hint="Repeat the upload.")
    if rebuilding.chunk_map is None:
        with services.database.read() as uow:
            chunks = chunks_of_file(XorbSources(uow, ask(uow)), file)
            record_chunk_map(services, file.xet_hash, sha256, chunks)


def _sha256_of(services: Services, file: ShardFile) -> Sha256:
    if file.sha256 is None:
        raise ShardMismatch(
            f"The shard does not say which SHA-256 the file {file.xet_hash} has.",
            hint="This hub names contents by SHA-256; let the client compute it.",
        )
    if file.size_bytes > services.settings.max_file_bytes:
        raise TooLarge(f"This hub accepts files of at most {services.settings.max_file_bytes} bytes.")
    return file.sha256


def _is_known(services: Services, ask: Ask, file: ShardFile, sha256: Sha256) -> bool:
    """Whether the uploader may use this very content already: then there is nothing to rebuild."""
    with services.database.read() as uow:
        uploader = ask(uow)
        known = find_xet_file(uow, file.xet_hash)
        if known is None:
            return False
        content = usable(uow, uploader.actor, uploader.repo, [known.sha256]).get(known.sha256)
    if content is None or content.damaged is not None:
        return False
    if known.sha256 != sha256:
        raise HashMismatch(f"The file {file.xet_hash} does not have the SHA-256 {sha256}.")
    with services.database.write() as uow:
        account = ask(uow).account
        see_xorbs(uow, account.id, (term.xorb for term in file.terms))
        if possessed(uow, account.id, [sha256]):
            # Between this answer and the commit nothing but possession keeps the content.
            take_possession(uow, account.id, sha256)
        still = find_content(uow, sha256)
    return still is not None and still.damaged is None


def _record(
    services: Services,
    ask: Ask,
    file: ShardFile,
    sha256: Sha256,
    location: str | None,
    rebuilding: Rebuilding,
) -> bool:
    """Record the content and whose it is; False when it was compared only and is gone meanwhile."""
    with services.database.write() as uow:
        account = ask(uow).account
        if location is not None:
            add_content(uow, sha256, file.size_bytes, location)
        elif find_content(uow, sha256) is None:
            return False
        # Of bytes that came before there may be another's cut: then the hub makes its own.
        shared = bool(xet_hashes_of(uow, [sha256]))
        take_possession(uow, account.id, sha256)
        see_xorbs(uow, account.id, rebuilding.named)
        add_runs(uow, rebuilding.runs)
        if rebuilding.chunk_map is not None:
            write_chunk_map(uow, file.xet_hash, sha256, rebuilding.chunk_map)
        if shared:
            enqueue_chunking(uow, services.queue, sha256)
    return True


class _Alone:
    """One thread at a time for each key: a client that repeats a shard waits for the work that goes on."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[object, tuple[threading.Lock, int]] = {}

    @contextmanager
    def holding(self, key: object) -> Iterator[None]:
        with self._guard:
            lock, waiting = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, waiting + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, waiting = self._locks.pop(key)
                if waiting > 1:
                    self._locks[key] = (lock, waiting - 1)


_ALONE = _Alone()
