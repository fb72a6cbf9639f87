"""Which contents of a store a new one may build upon: earlier ones of its name, and kin by their weights.

A training run writes one checkpoint after another, under names that differ in a number. For the next one a
single one is tried, however many there are; for anything else a handful.
"""

import logging
import re
from collections.abc import Iterable, Sequence
from io import SEEK_END
from typing import BinaryIO, cast

from allmende.archive.archive import Archive
from allmende.archive.entries import Entry, entries_below, list_entries, open_content
from allmende.archive.names import EntryName
from allmende.errors import Damaged, NotFound
from allmende.formats import Malformed
from allmende.ids import Sha256
from allmende.packing import MAX_DEPTH
from allmende.weights import (
    KIN_AGREEMENT,
    BytesMissing,
    Model,
    NoWeights,
    Place,
    SketchIndex,
    StreamPlace,
    UnreadableWeights,
    make_sketch,
    open_places,
    trace,
)

__all__ = ["MAX_CANDIDATES", "candidates_for", "kin_key"]

_log = logging.getLogger(__name__)

MAX_CANDIDATES = 8
_MOST_KIN = 2
"""Of those that are near and no parents."""
_MOST_TRACED = 24
_UNREADABLE = (NoWeights, UnreadableWeights, BytesMissing, Malformed)
_RENEWED_EVERY = 4
_NUMBER = re.compile(r"\d+-of-\d+|\d+")


def kin_key(place: Place) -> bytes | None:
    """The key by which kin of a file of weights are found; None where it holds no weights that tell."""
    try:
        return make_sketch(open_places(place.name, [place])).key
    except _UNREADABLE:
        return None


def candidates_for(
    archive: Archive, place: Place, name: EntryName, key: bytes | None, asked: Sequence[EntryName] = ()
) -> list[Sha256]:
    """Contents to build upon, the most promising first: those asked for, before what the store itself knows.

    An asked name may be a folder; its files of the same name come first. `key` is the place's `kin_key`.
    Raises EntryMissing.
    """
    entries = list_entries(archive)
    found: dict[Sha256, None] = {}
    for base in asked:
        below = entries_below(archive, base)
        below.sort(key=lambda entry: _file_pattern(entry.name) != _file_pattern(name))
        found |= dict.fromkeys(entry.sha256 for entry in below)
    akin = _agreements(entries, key)
    related = [
        entry
        for entry in entries
        if entry.name != name and (key is None or entry.key is None or entry.sha256 in akin)
    ]
    run = [entry for entry in related if _pattern(entry.name) == _pattern(name)]
    if run:
        found |= dict.fromkeys(_of_run(archive, run))
    else:
        nearest = sorted(akin, key=lambda sha256: -akin[sha256])
        parents = _parents(archive, place, nearest[:_MOST_TRACED]) if len(nearest) > 1 else []
        found |= dict.fromkeys([*parents, *nearest][: max(_MOST_KIN, len(parents))])
        same = [entry for entry in related if _file_pattern(entry.name) == _file_pattern(name)]
        found |= dict.fromkeys(_ends(same))
    return list(found)[:MAX_CANDIDATES]


def _agreements(entries: Iterable[Entry], key: bytes | None) -> dict[Sha256, float]:
    """How far the kin of a model agree with it."""
    if key is None:
        return {}
    known = [entry for entry in entries if entry.key is not None]
    index = SketchIndex()
    index.add((number, entry.key) for number, entry in enumerate(known) if entry.key is not None)
    return {
        known[near.number].sha256: near.agreement
        for near in index.near(key, least=KIN_AGREEMENT, most=len(known))
    }


def _of_run(archive: Archive, run: Iterable[Entry]) -> list[Sha256]:
    """Of a run's checkpoints the one to build upon: the last, or the last that does not lie deep.

    Each level that can be built upon is renewed in time: a level whose last checkpoint is too many behind is
    passed over, so that the new one comes to lie on the level above, and is near to those that follow it.
    """
    newest = sorted(run, key=lambda entry: -entry.sequence)
    depths: dict[Sha256, int] = {}
    for level in range(MAX_DEPTH - 1, -1, -1):
        behind = next((n for n, entry in enumerate(newest) if _depth(archive, entry, depths) <= level), None)
        if behind is not None and (behind < _RENEWED_EVERY ** (MAX_DEPTH - level) or level == 0):
            return [newest[behind].sha256]
    return []


def _parents(archive: Archive, place: Place, kin: Iterable[Sha256]) -> list[Sha256]:
    """Those of these contents that the weights at a place were made from, as far as they tell."""
    models: list[Model] = []
    try:
        for sha256 in kin:
            reader = cast(BinaryIO, open_content(archive, sha256))
            size_bytes = reader.seek(0, SEEK_END)
            models.append(open_places(sha256, [StreamPlace(sha256, reader, size_bytes)]))
        edges = trace(open_places(place.name, [place]), models).edges
    except (Damaged, NotFound, *_UNREADABLE) as error:
        _log.warning("not all kin of %s can be compared with it: %s", place.name, error)
        return []
    return [Sha256(parent.path) for edge in edges for parent in edge.parents]


def _ends(entries: Iterable[Entry]) -> list[Sha256]:
    """The last and the first of these."""
    newest = sorted(entries, key=lambda entry: -entry.sequence)
    return [newest[0].sha256, newest[-1].sha256] if newest else []


def _depth(archive: Archive, entry: Entry, known: dict[Sha256, int]) -> int:
    """How deep the deepest object of a content lies."""
    if entry.sha256 not in known:
        with archive.database.read() as connection:
            known[entry.sha256] = connection.execute(
                "SELECT ifnull(max(depth), 0) FROM recipe JOIN covers ON covers.recipe = recipe.number"
                " JOIN encoding ON encoding.object = covers.object WHERE sha256 = ?",
                [entry.sha256],
            ).fetchone()[0]
    return known[entry.sha256]


def _pattern(name: str) -> str:
    """The name without the numbers that count steps; those of shards stay."""
    return _NUMBER.sub(lambda number: number.group() if "-of-" in number.group() else "#", name)


def _file_pattern(name: EntryName) -> str:
    return _pattern(name.rpartition("/")[2])
