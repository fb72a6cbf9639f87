"""Logs, keys and witnesses for the tests: small, and the same each time."""

from collections.abc import Iterable, Sequence

from allmende.merkle import (
    EMPTY_ROOT,
    Checkpoint,
    Cosigned,
    KeyKind,
    KnownLog,
    MemoryTree,
    Node,
    Note,
    SigningKey,
    TileMissing,
    bundle_names,
    grow,
    leaf_hash,
    make_bundle,
    signed_checkpoint,
)

ORIGIN = "hub.example/log"
NOW = 1_800_000_000
LOG_KEY = SigningKey(ORIGIN, KeyKind.ED25519, b"\1" * 32)
LOG = KnownLog.of_key(LOG_KEY.verifier)
OTHER_KEY = SigningKey("other.example/log", KeyKind.ED25519, b"\2" * 32)
WITNESS_KEYS = (
    SigningKey("witness.example/one", KeyKind.ED25519_COSIGNATURE, b"\3" * 32),
    SigningKey("witness.example/two", KeyKind.ED25519_COSIGNATURE, b"\4" * 32),
    SigningKey("witness.example/three", KeyKind.ML_DSA_44_COSIGNATURE, b"\5" * 32),
)


def entry(index: int, branch: str = "") -> bytes:
    """An entry; those of another branch differ from it."""
    return f"entry {index} {branch}".encode() * (index % 4 + 1)


def tree_of(size: int, fork_at: int | None = None) -> MemoryTree:
    """A tree over such entries; from `fork_at` on they are those of another branch."""
    fork = size if fork_at is None else fork_at
    return MemoryTree(leaf_hash(entry(at, "" if at < fork else "forked")) for at in range(size))


def leaves_of(tree: MemoryTree) -> list[bytes]:
    """The leaf hashes of a tree."""
    return tree.hashes([Node(0, at) for at in range(tree.size)])


def note_of(tree: MemoryTree, size: int | None = None, keys: Sequence[SigningKey] = (LOG_KEY,)) -> Note:
    """The checkpoint of a tree, signed."""
    size = tree.size if size is None else size
    return signed_checkpoint(Checkpoint(ORIGIN, size, tree.root(size)), keys, NOW)


class Folder:
    """A log's files as our functions write them, in the given steps; counts what is fetched."""

    def __init__(self, *sizes: int, keys: Sequence[SigningKey] = (LOG_KEY,)) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self._keys = keys
        self.size, self.root = 0, EMPTY_ROOT
        for size in sizes:
            self.grow_to(size)

    def grow_to(self, size: int) -> None:
        fresh = [leaf_hash(entry(at)) for at in range(self.size, size)]
        growth = grow(self.size, self.root, lambda name: self.files[name.path], fresh)
        self.files |= {name.path: data for name, data in growth.tiles.items()}
        self.files |= {name.path: make_bundle(name, self) for name in bundle_names(size, self.size)}
        self.size, self.root = growth.size, growth.root
        note = signed_checkpoint(Checkpoint(ORIGIN, self.size, self.root), self._keys, NOW)
        self.files["checkpoint"] = bytes(note)

    def entries(self, begin: int, end: int) -> list[bytes]:
        return [entry(at) for at in range(begin, end)]

    def fetch(self, path: str, at_most_bytes: int) -> bytes:
        self.fetched.append(path)
        if path not in self.files:
            raise TileMissing(f"There is no {path}.")
        return self.files[path][: at_most_bytes + 1]


class MemoryStore:
    """Where the witness of a test keeps its state."""

    def __init__(self, kept: Iterable[Cosigned] = ()) -> None:
        self.kept = {each.origin: each for each in kept}

    def last(self, origin: str) -> Cosigned | None:
        return self.kept.get(origin)

    def advance(self, old: Cosigned | None, new: Cosigned) -> bool:
        if self.kept.get(new.origin) != old:
            return False
        self.kept[new.origin] = new
        return True
