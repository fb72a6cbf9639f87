"""Checking proofs (RFC 6962, sections 2.1.1 and 2.1.2): pure, bounded by 64 hashes, strict.

The shape of a proof follows from the sizes alone, so its length is compared before anything is hashed, and
nothing in it is skipped.
"""

from collections.abc import Sequence

from allmende.merkle.errors import ProofRefused
from allmende.merkle.hashes import EMPTY_ROOT, HASH_BYTES, node_hash
from allmende.merkle.strict import MAX_SIZE
from allmende.merkle.tree import consistency_ranges, inclusion_ranges

__all__ = ["prefix_roots", "verify_consistency", "verify_inclusion"]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return when `proof` shows that the leaf hash stands at `index` of the tree of `size` with `root`.

    Raises ProofRefused otherwise.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofRefused(f"There is no leaf {index} in a tree of {size}.")
    ranges = inclusion_ranges(index, size)
    _of_length(proof, len(ranges))
    _hashes([leaf, root, *proof])
    hashed = leaf
    for beside, (begin, _) in zip(proof, ranges, strict=True):
        hashed = node_hash(hashed, beside) if begin > index else node_hash(beside, hashed)
    if hashed != root:
        raise ProofRefused(f"The proof does not lead from leaf {index} to the root of the tree of {size}.")


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Return when `proof` shows that the tree of `size` begins with the tree of `old_size`.

    Raises ProofRefused otherwise. Trees of one size need an empty proof and one root; the empty tree begins
    every other, and its root is `EMPTY_ROOT`.
    """
    if not 0 <= old_size <= size <= MAX_SIZE:
        raise ProofRefused(f"A tree of {size} cannot begin with one of {old_size}.")
    _hashes([old_root, root, *proof])
    if old_size in {0, size}:
        _of_length(proof, 0)
        if old_root != (root if old_size else EMPTY_ROOT) or (size == 0 and root != EMPTY_ROOT):
            raise ProofRefused(f"Another root for the tree of {old_size}.")
        return
    old_is_first = consistency_ranges(old_size, size)[0].begin == 0
    if prefix_roots(old_size, size, [old_root, *proof] if old_is_first else proof) != (old_root, root):
        raise ProofRefused(f"The proof does not join the tree of {old_size} to that of {size}.")


def prefix_roots(old_size: int, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The root of the first `old_size` leaves and that of all, as `proof` (of `prefix_proof`) has them.

    When the second is the root of a tree, the first is what that tree says: no other proof leads to the
    second. Raises ProofRefused for sizes out of range, another length, or hashes that are none.
    """
    if not 0 < old_size <= size <= MAX_SIZE:
        raise ProofRefused(f"A tree of {size} has no first {old_size} leaves to prove.")
    ranges = consistency_ranges(old_size, size)
    _of_length(proof, len(ranges))
    _hashes(proof)
    old = new = proof[0]
    for beside, (begin, _) in zip(proof[1:], ranges[1:], strict=True):
        if begin >= old_size:
            new = node_hash(new, beside)
        else:
            old, new = node_hash(beside, old), node_hash(beside, new)
    return old, new


def _of_length(proof: Sequence[bytes], length: int) -> None:
    if len(proof) != length:
        raise ProofRefused(f"The proof has {len(proof)} hashes where these sizes need {length}.")


def _hashes(given: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in given):
        raise ProofRefused(f"A hash in the proof does not have {HASH_BYTES} bytes.")
