"""Evidence that a log has contradicted itself: two checkpoints that it signed, and why both cannot be true.

Two roots for one size contradict each other as they are. For two sizes the file carries hashes that lead to
the larger root, and so bind it, and from which the root over the first leaves follows: it is another one than
the log had signed. Anyone with the log's key can check that, without the log.
"""

from dataclasses import dataclass
from typing import Self

from allmende.merkle.checkpoints import Checkpoint, read_checkpoint
from allmende.merkle.errors import MalformedEvidence, ProofRefused
from allmende.merkle.hashes import EMPTY_ROOT
from allmende.merkle.known_logs import KnownLog
from allmende.merkle.notes import MAX_NOTE_BYTES, Note, read_note
from allmende.merkle.proofs import prefix_roots
from allmende.merkle.strict import read_decimal, read_hashes, write_base64
from allmende.merkle.tree import HashReader, prefix_proof

__all__ = ["MAX_EVIDENCE_BYTES", "Equivocation", "find_equivocation", "read_equivocation"]

_FIRST = "allmende.log-equivocation/1"
_SMALLER = "smaller "
_MAX_HASHES = 64
_MAX_HEAD_BYTES = 128 + _MAX_HASHES * 45

MAX_EVIDENCE_BYTES = _MAX_HEAD_BYTES + 2 * MAX_NOTE_BYTES


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two notes of one log, the smaller tree first, and the prefix proof of the larger where sizes differ."""

    smaller: Note
    larger: Note
    proof: tuple[bytes, ...] = ()

    @classmethod
    def of_one_size(cls, one: Note, other: Note) -> Self:
        """Two checkpoints of one size, in an order that does not depend on who found them."""
        first, second = sorted((one, other), key=bytes)
        return cls(first, second)

    def __bytes__(self) -> bytes:
        smaller = bytes(self.smaller)
        lines = [_FIRST, f"{_SMALLER}{len(smaller)}", *map(write_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + smaller + bytes(self.larger)

    def check(self, log: KnownLog) -> tuple[Checkpoint, Checkpoint]:
        """The two checkpoints, once it is shown that the log signed both and that they contradict each other.

        Raises SignatureRefused, MalformedCheckpoint, or MalformedEvidence when there is no contradiction.
        """
        smaller, larger = log.check(self.smaller).checkpoint, log.check(self.larger).checkpoint
        if smaller.size > larger.size:
            raise MalformedEvidence("The larger tree stands first.")
        if smaller.root == _prefix_root(smaller.size, larger, self.proof):
            raise MalformedEvidence("The two checkpoints do not contradict each other.")
        return smaller, larger


def find_equivocation(one: Note, other: Note, reader: HashReader) -> Equivocation | None:
    """The evidence, if two checkpoints of a log contradict each other; None when they agree.

    `reader` has the hashes of the larger tree. Raises OutOfTree when it has not, MalformedCheckpoint.
    """
    smaller, larger = sorted((one, other), key=lambda note: read_checkpoint(note.text).size)
    old, new = read_checkpoint(smaller.text), read_checkpoint(larger.text)
    if old.size == new.size:
        return None if old.root == new.root else Equivocation.of_one_size(one, other)
    proof = tuple(prefix_proof(reader, old.size, new.size)) if old.size else ()
    if _prefix_root(old.size, new, proof) == old.root:
        return None
    return Equivocation(smaller, larger, proof)


def read_equivocation(data: bytes) -> Equivocation:
    """Evidence from its file; raises MalformedEvidence, MalformedNote. It is not checked yet."""
    if len(data) > MAX_EVIDENCE_BYTES:
        raise MalformedEvidence(f"A file of evidence has at most {MAX_EVIDENCE_BYTES} bytes.")
    head, empty_line, notes = data.partition(b"\n\n")
    if not empty_line or len(head) > _MAX_HEAD_BYTES or not head.isascii():
        raise MalformedEvidence("A file of evidence has lines of ASCII and an empty line before its notes.")
    lines = head.decode("ascii").split("\n")
    if lines[0] != _FIRST or len(lines) < 2 or not lines[1].startswith(_SMALLER):
        raise MalformedEvidence(f"A file of evidence begins with the lines {_FIRST} and {_SMALLER}<bytes>.")
    if len(lines) - 2 > _MAX_HASHES:
        raise MalformedEvidence(f"A file of evidence has at most {_MAX_HASHES} hashes.")
    end = read_decimal(lines[1].removeprefix(_SMALLER), MalformedEvidence)
    proof = read_hashes(lines[2:], MalformedEvidence)
    return Equivocation(read_note(notes[:end]), read_note(notes[end:]), proof)


def _prefix_root(old_size: int, larger: Checkpoint, proof: tuple[bytes, ...]) -> bytes:
    """The root over the first leaves of the larger tree, as the proof shows it; raises MalformedEvidence."""
    if old_size in {0, larger.size}:
        if proof:
            raise MalformedEvidence("These sizes need no proof.")
        return larger.root if old_size == larger.size else EMPTY_ROOT
    try:
        old_root, root = prefix_roots(old_size, larger.size, proof)
    except ProofRefused as refused:
        raise MalformedEvidence(refused.message) from refused
    if root != larger.root:
        raise MalformedEvidence("The hashes do not lead to the root of the larger tree.")
    return old_root
