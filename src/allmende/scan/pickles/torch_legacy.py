"""torch files from before version 1.6: five pickles one behind the other, then bare storages.

torch/serialization.py, `_legacy_load`: magic number, protocol version, system information, the object, the
keys of its storages; then for each key the number of elements (8 bytes) and the elements.
"""

from typing import Final

from allmende.scan.findings import Rule, Severity
from allmende.scan.pickles.running import run_pickle
from allmende.scan.pickles.values import Global, Node, Value
from allmende.scan.scanning import Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["ELEMENT_BYTES", "READER", "RULES", "TorchStorages", "is_torch_legacy"]

TRAILING_BYTES = Rule(
    "torch-trailing-bytes",
    Severity.LOW,
    "bytes behind the last storage",
    "torch does not read them.",
    "Save the file again with a current version of torch.",
    "torch.serialization, legacy format.",
)
RULES = (TRAILING_BYTES,)

_MAGIC: Final = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_STREAMS: Final = 5
_COUNT_BYTES: Final = 8
ELEMENT_BYTES: Final = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8,
    "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
    "ComplexFloatStorage": 8, "ComplexDoubleStorage": 16, "QUInt8Storage": 1, "QInt8Storage": 1,
    "QInt32Storage": 4, "UntypedStorage": 1, "_UntypedStorage": 1, "TypedStorage": 1,
}  # fmt: skip


def is_torch_legacy(head: bytes) -> bool:
    """Whether the bytes begin with the magic number, in whatever protocol it is pickled."""
    return head[:1] == b"\x80" and head[2 : 2 + len(_MAGIC)] == _MAGIC


class TorchStorages:
    """Collects what the persistent ids of the object say of its storages, by key."""

    def __init__(self) -> None:
        self.size_bytes: dict[bytes, int | None] = {}

    def __call__(self, pid: Value) -> None:
        """See `running.run_pickle`. Of a storage that is named twice, the larger size counts."""
        items = pid.items if isinstance(pid, Node) and pid.items is not None else ()
        if len(items) < 5 or items[0] != b"storage" or not isinstance(items[2], bytes):
            return
        kind, count, key = items[1], items[4], items[2]
        each = ELEMENT_BYTES.get(kind.name) if isinstance(kind, Global) else None
        if each is None or not isinstance(count, int):
            self.size_bytes[key] = None
        elif key not in self.size_bytes or self.size_bytes[key] is not None:
            self.size_bytes[key] = max(each * count, self.size_bytes.get(key) or 0)

    def known(self) -> list[int] | None:
        """The sizes in the order of the file; None where one is of a type that is not known here."""
        sizes = [size for _, size in sorted(self.size_bytes.items())]
        known = [size for size in sizes if size is not None]
        return known if len(known) == len(sizes) else None


def _claims(probe: Probe) -> Claim:
    return Claim.CONTENT if is_torch_legacy(probe.head) else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """The five pickles, then the storages. Raises Unreadable, LimitReached."""
    storages = TorchStorages()
    position = 0
    for _ in range(_STREAMS):
        position = run_pickle(source, scan, position, torch=True, persistent=storages)
    if position == source.size_bytes:
        return
    sizes = storages.known()
    if sizes is None:
        # How long a storage of an unknown type is, torch alone can say.
        scan.inside("storages", source.window(position + _COUNT_BYTES, source.size_bytes), raw=True)
        return
    end = position
    for number, size_bytes in enumerate(sizes):
        start = end + _COUNT_BYTES
        end = start + size_bytes
        if end > source.size_bytes:
            raise Unreadable(f"Storage {number} needs more bytes than there are.", position)
        scan.inside(f"storage {number}", source.window(start, size_bytes), raw=True)
    if end < source.size_bytes:
        scan.found(TRAILING_BYTES, source.read_at(end, 32), offset=end)
        scan.inside("trailing bytes", source.window(end, source.size_bytes), raw=True)


READER = Reader("torch (legacy)", "pickle", _claims, _read)
