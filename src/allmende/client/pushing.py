"""Pushing files to a repo: what the hub lacks, with as few bytes over the network as can be, and a commit.

What the hub has is not sent. A file with weights whose base lies here and on the hub goes as what is new in
it; whatever does not pay, or is not understood by the hub, goes as it is. To repeat an interrupted push sends
what had not arrived.
"""

import hashlib
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from allmende.client.commits import LocalFile, Plan, ask_plans, commit
from allmende.client.connection import Connection
from allmende.client.errors import BytesDiffer
from allmende.client.listing import RemoteRepo
from allmende.client.push_bases import LocalBase, sha256_of
from allmende.client.uploads import LargeFile, Sender, ask_links, known_to
from allmende.codecs import DamagedObject, PredictionImpossible
from allmende.errors import BadRequest, Conflict, Forbidden, NotFound, TooLarge
from allmende.ids import Sha256
from allmende.packing import DELTA_TRANSFER, DeltaBuilder, DeltaDoesNotPay, has_tensors
from allmende.weights import ReadFile

__all__ = ["Pushed", "files_to_push", "push"]

_LEAST_DELTA_BYTES = 64 * 1024
_COMMIT_BYTES = 32 * 1024 * 1024
_COMMIT_FILES = 1000
_PLAIN = ("basic", "multipart")
_NO_DELTA = (BadRequest, Conflict, Forbidden, NotFound, TooLarge)
"""What a hub says against a delta is no reason not to send the file."""
_NOT_SENT = frozenset({".git", ".allmende"})

Told = Callable[[int], None]


@dataclass(slots=True)
class Pushed:
    """What a push came to; `commit` is None where all was there already."""

    commit: str | None = None
    files: int = 0
    size_bytes: int = 0
    present_bytes: int = 0
    """Of files that the hub had, in the repo or for the caller to link."""
    delta_bytes: int = 0
    """Of files that went as what is new in them."""
    plain_bytes: int = 0
    """Of files that went as they are."""
    sent_bytes: int = 0
    """Over the network, of all files."""
    knows_deltas: bool | None = None
    """Whether the hub knows what a delta is; None where there was no reason to ask."""


def files_to_push(
    path: Path, path_in_repo: str, include: Sequence[str], exclude: Sequence[str]
) -> list[LocalFile]:
    """The files of a folder, or a single one, under their paths in the repo, by name.

    Patterns are held against paths below the folder. Raises NotFound, and BadRequest for what is no file.
    """
    if not path.exists():
        raise NotFound(f"{path} is not there.")
    prefix = PurePosixPath(path_in_repo.strip("/"))
    if path.is_file():
        name = str(prefix) if path_in_repo.strip("/.") else path.name
        return [LocalFile(path, name, path.stat().st_size)]
    found = []
    for one in sorted(path.rglob("*")):
        inside = one.relative_to(path).as_posix()
        if not one.is_file() or _is_ours(one.relative_to(path)):
            continue
        if (not include or _matches(inside, include)) and not _matches(inside, exclude):
            found.append(LocalFile(one, str(prefix / inside), one.stat().st_size))
    return found


@dataclass
class _Pushing:
    hub: Connection
    repo: RemoteRepo
    told: Told
    stop: threading.Event
    sender: Sender
    pool: ThreadPoolExecutor
    pushed: Pushed = field(default_factory=Pushed)
    builder: DeltaBuilder = field(default_factory=DeltaBuilder)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def moved(self, count: int) -> None:
        with self.lock:
            self.pushed.sent_bytes += count


def push(
    hub: Connection,
    repo: RemoteRepo,
    revision: str,
    files: Sequence[LocalFile],
    title: str,
    bases: Callable[[threading.Event], Sequence[LocalBase]],
    told: Told,
    *,
    jobs: int = 4,
) -> Pushed:
    """Send what the hub lacks of the files, and commit them.

    `bases` is called when there is something for which one could be of use. `told` hears of each byte twice,
    when it is read and when it is done, from several threads. Raises what goes wrong with the first file that
    fails; what has arrived is not sent again.
    """
    plans = [plan for plan in ask_plans(hub, repo, revision, files) if not plan.is_ignored]
    stop = threading.Event()
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="push") as pool:
        pushing = _Pushing(hub, repo, told, stop, Sender(hub, stop), pool)
        try:
            return _pushed(pushing, revision, plans, title, bases)
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _pushed(
    pushing: _Pushing,
    revision: str,
    plans: Sequence[Plan],
    title: str,
    bases: Callable[[threading.Event], Sequence[LocalBase]],
) -> Pushed:
    pushed = pushing.pushed
    pushed.files = len(plans)
    pushed.size_bytes = sum(plan.file.size_bytes for plan in plans)
    small = [plan.file for plan in plans if not plan.is_large and not _is_same(pushing, plan)]
    large = _hashed(pushing, [plan for plan in plans if plan.is_large])
    changed = [(plan, file) for plan, file in large if plan.oid != file.sha256]
    wanted = {file.sha256: file for _, file in changed}
    _send(pushing, wanted, bases)
    pushed.present_bytes = pushed.size_bytes - pushed.delta_bytes - pushed.plain_bytes
    linked = [(plan.file.name, file.sha256, file.size_bytes) for plan, file in changed]
    batches = list(_batches(small))
    for number, batch in enumerate(batches or [[]], 1):
        last = number >= len(batches)
        if batch or linked:
            words = title if len(batches) < 2 else f"{title} ({number} of {len(batches)})"
            commit_oid = commit(pushing.hub, pushing.repo, revision, words, batch, linked if last else ())
            pushed.commit = commit_oid
            size = sum(file.size_bytes for file in batch)
            pushing.moved(size)
            pushed.plain_bytes += size
            pushed.present_bytes -= size
    return pushed


# --- what is there -----------------------------------------------------------------------------------------


def _is_same(pushing: _Pushing, plan: Plan) -> bool:
    """Whether the repo has a small file as it is here: git names it by its bytes."""
    data = plan.file.path.read_bytes()
    pushing.told(2 * len(data))
    name = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
    return plan.oid == name.hexdigest()


def _hashed(pushing: _Pushing, plans: Sequence[Plan]) -> list[tuple[Plan, LargeFile]]:
    """Large files with their hashes; several are read at a time."""

    def one(plan: Plan) -> LargeFile:
        sha256 = sha256_of(plan.file.path, pushing.stop, pushing.told)
        return LargeFile(plan.file.path, sha256, plan.file.size_bytes)

    running = [pushing.pool.submit(one, plan) for plan in plans]
    return [(plan, done.result()) for plan, done in zip(plans, running, strict=True)]


# --- what is sent ------------------------------------------------------------------------------------------


def _send(
    pushing: _Pushing,
    wanted: dict[Sha256, LargeFile],
    bases: Callable[[threading.Event], Sequence[LocalBase]],
) -> None:
    known = known_to(pushing.hub, pushing.repo, [(one, file.size_bytes) for one, file in wanted.items()])
    for sha256 in known:
        pushing.told(wanted[sha256].size_bytes)
    left = [file for sha256, file in wanted.items() if sha256 not in known]
    models = [file for file in left if _is_model(file)]
    running: list[Future[None]] = []
    if models:
        pushing.pushed.knows_deltas = _takes_deltas(pushing, models[0])
    if pushing.pushed.knows_deltas:
        for base in bases(pushing.stop):
            pushing.builder.add_base(ReadFile(base.path.name, base.path), base.sha256)
        _send_models(pushing, models, running)
    else:
        models = []
    others = [file for file in left if file not in models]
    running += [pushing.pool.submit(_send_plain, pushing, file) for file in others]
    for done in running:
        done.result()


def _send_models(pushing: _Pushing, models: Sequence[LargeFile], running: list[Future[None]]) -> None:
    """Files with weights one after another; what has arrived is a base of those of the same name after it."""
    alike = Counter(file.path.name for file in models)
    for file in models:
        alike[file.path.name] -= 1
        sent = pushing.builder.has_bases and _send_delta(pushing, file)
        if alike[file.path.name]:
            if not sent:
                _send_plain(pushing, file)
            pushing.builder.add_base(ReadFile(file.path.name, file.path), file.sha256)
        elif not sent:
            running.append(pushing.pool.submit(_send_plain, pushing, file))


def _send_delta(pushing: _Pushing, file: LargeFile) -> bool:
    """Send a file as what is new in it; whether that could be done."""
    done = 0

    def told(count: int) -> None:
        nonlocal done
        if pushing.stop.is_set():
            raise InterruptedError
        done += count
        pushing.told(count)

    with tempfile.TemporaryFile() as temporary:
        delta = cast(BinaryIO, temporary)
        try:
            pushing.builder.build(ReadFile(file.path.name, file.path), delta, told)
            contents = [(file.sha256, file.size_bytes)]
            link = ask_links(pushing.hub, pushing.repo, contents, (DELTA_TRANSFER, "basic"))[file.sha256]
            if link is not None and not link.takes_delta:
                raise DeltaDoesNotPay
            if link is not None:
                size = delta.seek(0, 2)
                pushing.sender.send_delta(file, delta, size, link, pushing.moved)
        except (DeltaDoesNotPay, DamagedObject, PredictionImpossible, *_NO_DELTA):
            pushing.told(-done)
            return False
    pushing.told(file.size_bytes - done)
    with pushing.lock:
        pushing.pushed.delta_bytes += file.size_bytes
    return True


def _send_plain(pushing: _Pushing, file: LargeFile) -> None:
    def moved(count: int) -> None:
        pushing.moved(count)
        pushing.told(count)

    link = ask_links(pushing.hub, pushing.repo, [(file.sha256, file.size_bytes)], _PLAIN)[file.sha256]
    if link is None:
        pushing.told(file.size_bytes)
        return
    if file.path.stat().st_size != file.size_bytes:
        raise BytesDiffer(f"{file.path} changed while it was pushed.", hint="Push again.")
    pushing.sender.send_plain(file, link, moved)
    with pushing.lock:
        pushing.pushed.plain_bytes += file.size_bytes


def _takes_deltas(pushing: _Pushing, file: LargeFile) -> bool | None:
    """Whether the hub knows what a delta is: it says so where it is asked for a link.

    None where it gives none, because the content has just come there.
    """
    contents = [(file.sha256, file.size_bytes)]
    link = ask_links(pushing.hub, pushing.repo, contents, (DELTA_TRANSFER, "basic"))[file.sha256]
    return None if link is None else link.takes_delta


def _is_model(file: LargeFile) -> bool:
    return file.size_bytes >= _LEAST_DELTA_BYTES and has_tensors(ReadFile(file.path.name, file.path))


# --- files -------------------------------------------------------------------------------------------------


def _batches(files: Iterable[LocalFile]) -> Iterator[list[LocalFile]]:
    """Small files as commits take them."""
    batch: list[LocalFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _COMMIT_FILES or size + file.size_bytes > _COMMIT_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size_bytes
    if batch:
        yield batch


def _is_ours(inside: Path) -> bool:
    """Whether it is what clients leave in folders."""
    parts = inside.parts
    return bool(_NOT_SENT & set(parts)) or parts[:2] == (".cache", "huggingface")


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
