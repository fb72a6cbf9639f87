"""Small files of one command go through the scanner together, which takes a process for all of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from allmende.cli.second_opinion import ask_picklescan
from allmende.scan import BATCH_BYTES, BATCH_FILES, SMALL_BYTES, FileReport, NamedFile, Scanner, open_ordinary

__all__ = ["LookedAt", "batches", "look_at"]

_OPEN_FILES = 512
"""Of all batches together: most systems give a process 1,024."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A file by its name in the folder, and its report; or, where there is none, why it could not be read."""

    name: str
    size_bytes: int
    report: FileReport | None
    error: str = ""


def batches(files: Iterable[tuple[str, Path]], jobs: int) -> Iterator[list[tuple[str, Path]]]:
    """The files in their order, cut so that small ones are together and large ones alone."""
    most = max(1, min(BATCH_FILES, _OPEN_FILES // jobs))
    batch: list[tuple[str, Path]] = []
    total_bytes = 0
    for name, place in files:
        size_bytes = _size_bytes(place)
        if batch and (
            size_bytes > SMALL_BYTES or len(batch) >= most or total_bytes + size_bytes > BATCH_BYTES
        ):
            yield batch
            batch, total_bytes = [], 0
        batch.append((name, place))
        total_bytes += size_bytes
        if size_bytes > SMALL_BYTES:
            yield batch
            batch, total_bytes = [], 0
    if batch:
        yield batch


def _size_bytes(place: Path) -> int:
    try:
        return place.stat().st_size
    except OSError:
        return 0  # opening it says what is wrong


def look_at(
    scanner: Scanner, batch: Sequence[tuple[str, Path]], second_opinion: str | None
) -> list[LookedAt]:
    """Scan a batch. Raises ScannerUnavailable, and SecondOpinionMissing."""
    opened: list[NamedFile] = []
    unreadable: dict[str, LookedAt] = {}
    with ExitStack() as stack:
        for name, place in batch:
            try:
                file, size_bytes = open_ordinary(place)
            except OSError as error:
                unreadable[name] = LookedAt(name, 0, None, f"{error.strerror or error}.")
                continue
            opened.append((stack.enter_context(file), size_bytes, name))
        reports = scanner.scan_batch(opened) if opened else []
    sizes = {name: size_bytes for _, size_bytes, name in opened}
    found = dict(zip(sizes, reports, strict=True))
    if second_opinion is not None:
        found = {name: ask_picklescan(place, found[name]) for name, place in batch if name in found}
    return [unreadable.get(name) or LookedAt(name, sizes[name], found[name]) for name, _ in batch]
