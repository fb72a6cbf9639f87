"""Cutting a file into what becomes objects: tensors, bundles of small ones, and stretches of other bytes.

Small scales are in bundles of their own, those together that stand for equally many values: such a bundle can
be reckoned from the tensors that were quantised. A derivative is cut as its base was, as far as it has the
same tensors: where a tensor ends and what is small depends on the tensor alone, and for scales on what they
scale. Bytes that are in no object are literals of the recipe: headers and padding.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from allmende.codecs import MAX_OBJECT_BYTES, BytesPlain, DamagedObject, Plain
from allmende.packing.layout import PlacedTensor
from allmende.weights import Place

__all__ = [
    "SMALL_BYTES",
    "Cut",
    "Member",
    "PlacedBytes",
    "can_be_cut",
    "cut",
    "other_bytes",
    "plain_of",
    "scaled_names",
]

SMALL_BYTES = 16 * 1024
"""Tensors below this are bundled; other bytes below it are literals."""
_MOST_LITERALS = 16 * 1024 * 1024
_BUNDLE_BYTES = 32 * 1024 * 1024
_PART_BYTES = MAX_OBJECT_BYTES // 2
"""Larger tensors are cut into parts of about this size, by whole rows."""
_COMPANION = re.compile(r"[._](?:weight_)?(?:scales?|scale_inv|SCB|absmax|quant_map|zeros?)$")


@dataclass(frozen=True, slots=True)
class Member:
    """Bytes of a tensor: the first `start` of it are elsewhere."""

    tensor: PlacedTensor
    start: int
    size_bytes: int

    @property
    def file_start(self) -> int:
        """Where in the file they begin."""
        return self.tensor.start + self.start


@dataclass(frozen=True, slots=True)
class Cut:
    """What becomes one object: members of one type, one after another."""

    dtype: str
    members: tuple[Member, ...]
    every: int = 1
    """For how many values each value of a bundle of scales stands; 1 for all else."""

    @property
    def size_bytes(self) -> int:
        """The size of the object."""
        return sum(member.size_bytes for member in self.members)

    @property
    def columns(self) -> int:
        """The length of a row in values; 1 for a bundle."""
        return self.members[0].tensor.columns if len(self.members) == 1 else 1


class PlacedBytes:
    """The bytes of stretches of a place, one after another, as plain bytes."""

    def __init__(self, place: Place, stretches: Sequence[tuple[int, int]]) -> None:
        self._place = place
        self._stretches = tuple(stretches)
        self.size_bytes = sum(size for _, size in stretches)

    def read_at(self, start: int, count: int) -> memoryview:
        """See Plain."""
        if start < 0 or count < 0 or start + count > self.size_bytes:
            raise DamagedObject(f"There are {self.size_bytes} bytes, and {count} at {start} were asked for.")
        if len(self._stretches) == 1:
            return self._place.read_at(self._stretches[0][0] + start, count)
        parts: list[memoryview] = []
        for begin, size in self._stretches:
            if count and start < size:
                some = min(count, size - start)
                parts.append(self._place.read_at(begin + start, some))
                start, count = 0, count - some
            else:
                start -= min(start, size)
        return memoryview(b"".join(parts))


def plain_of(place: Place, one: Cut) -> Plain:
    """The bytes of a cut. A bundle is read at once: its members are many and small."""
    placed = PlacedBytes(place, [(member.file_start, member.size_bytes) for member in one.members])
    return placed if len(one.members) == 1 else BytesPlain(placed.read_at(0, placed.size_bytes))


def scaled_names(name: str) -> tuple[str, ...]:
    """What the tensor may be called to which a scale belongs; nothing for names of what is no scale."""
    shorter = _COMPANION.sub("", name)
    return () if shorter == name else (shorter, f"{shorter}.weight")


def cut(tensors: Iterable[PlacedTensor]) -> list[Cut]:
    """The objects that tensors of one file become, in the order of the file; bundles come last."""
    placed = list(tensors)
    by_name = {tensor.name: tensor for tensor in placed}
    cuts: list[Cut] = []
    small: dict[tuple[str, int], list[PlacedTensor]] = {}
    for tensor in placed:
        if tensor.size_bytes < SMALL_BYTES:
            small.setdefault((tensor.dtype, _values_of_each(tensor, by_name)), []).append(tensor)
        else:
            cuts += [Cut(tensor.dtype, (part,)) for part in _parts(tensor)]
    for dtype, every in sorted(small):
        cuts += _bundles(dtype, every, sorted(small[dtype, every], key=lambda one: one.name))
    return cuts


def _values_of_each(scale: PlacedTensor, by_name: Mapping[str, PlacedTensor]) -> int:
    """For how many values of another tensor each value of this one stands, if it is a scale; else 1."""
    scaled = next((by_name[name] for name in scaled_names(scale.name) if name in by_name), None)
    if scaled is None or not scale.values:
        return 1
    every, rest = divmod(scaled.values, scale.values)
    return every if every > 1 and not rest else 1


def can_be_cut(others: Iterable[tuple[int, int]]) -> bool:
    """Whether a recipe has room for the small ones of these stretches, which it holds itself.

    A file of countless small tensors far from each other has none to gain from being cut at them.
    """
    return sum(size for _, size in others if size < SMALL_BYTES) <= _MOST_LITERALS


def other_bytes(size_bytes: int, tensors: Iterable[PlacedTensor]) -> list[tuple[int, int]]:
    """The stretches of a file, as starts and sizes, that lie between and around its tensors."""
    found: list[tuple[int, int]] = []
    end = 0
    for tensor in tensors:
        if tensor.start > end:
            found.append((end, tensor.start - end))
        end = tensor.end
    if size_bytes > end:
        found.append((end, size_bytes - end))
    return found


def _parts(tensor: PlacedTensor) -> list[Member]:
    if tensor.size_bytes <= MAX_OBJECT_BYTES:
        return [Member(tensor, 0, tensor.size_bytes)]
    row = max(1, tensor.size_bytes // max(1, tensor.shape[0] if tensor.shape else 1))
    whole = tensor.size_bytes % row == 0 and row <= _PART_BYTES
    each = _PART_BYTES // row * row if whole else _PART_BYTES
    return [
        Member(tensor, start, min(each, tensor.size_bytes - start))
        for start in range(0, tensor.size_bytes, each)
    ]


def _bundles(dtype: str, every: int, tensors: list[PlacedTensor]) -> list[Cut]:
    bundles: list[Cut] = []
    members: list[Member] = []
    size = 0
    for tensor in tensors:
        if members and size + tensor.size_bytes > _BUNDLE_BYTES:
            bundles.append(Cut(dtype, tuple(members), every))
            members, size = [], 0
        members.append(Member(tensor, 0, tensor.size_bytes))
        size += tensor.size_bytes
    return [*bundles, Cut(dtype, tuple(members), every)] if members else bundles
