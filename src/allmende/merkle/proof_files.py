"""Proof files (C2SP tlog-proof): what shows offline, together with a policy, that a log has an entry."""

from collections.abc import Sequence
from dataclasses import dataclass

from allmende.merkle.checkpoints import read_checkpoint
from allmende.merkle.errors import MalformedProofFile
from allmende.merkle.notes import MAX_NOTE_BYTES, Note, read_note
from allmende.merkle.policy import Accepted, Policy
from allmende.merkle.proofs import verify_inclusion
from allmende.merkle.strict import read_base64, read_decimal, read_hashes, write_base64

__all__ = ["MAX_EXTRA_BYTES", "MAX_PROOF_FILE_BYTES", "LogProof", "read_log_proof"]

MAX_EXTRA_BYTES = 64 * 1024
MAX_PROOF_FILE_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES

_FIRST = "c2sp.org/tlog-proof@v1"
_EXTRA, _INDEX = "extra ", "index "
_MAX_HASHES = 63


@dataclass(frozen=True, slots=True)
class LogProof:
    """An entry's place in a log, its inclusion proof, and the checkpoint that this leads to.

    `extra` is signed by nobody: a hint, never a ground to believe anything.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: Note
    extra: bytes = b""

    def __bytes__(self) -> bytes:
        extra = [_EXTRA + write_base64(self.extra)] if self.extra else []
        lines = [_FIRST, *extra, f"{_INDEX}{self.index}", *map(write_base64, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + bytes(self.note)

    def check(self, leaf: bytes, policy: Policy) -> Accepted:
        """What the policy says about the checkpoint, once it is shown that it holds the leaf hash.

        The leaf hash must be the reader's own, of the entry that it expects. Raises what `Policy.accept`
        raises, and ProofRefused.
        """
        accepted = policy.check(self.note)
        tree = accepted.checkpoint
        verify_inclusion(leaf, self.index, tree.size, self.hashes, tree.root)
        return accepted


def read_log_proof(data: bytes) -> LogProof:
    """A proof from its file; raises MalformedProofFile, MalformedNote, MalformedCheckpoint.

    What is read is written back byte for byte.
    """
    if len(data) > MAX_PROOF_FILE_BYTES:
        raise MalformedProofFile(f"A proof file has at most {MAX_PROOF_FILE_BYTES} bytes.")
    head, empty_line, checkpoint = data.partition(b"\n\n")
    if not empty_line or not head.isascii():
        raise MalformedProofFile("A proof file has lines of ASCII and an empty line before its checkpoint.")
    lines = head.decode("ascii").split("\n")
    if lines.pop(0) != _FIRST:
        raise MalformedProofFile(f"A proof file begins with the line {_FIRST}.")
    extra = _read_extra(lines.pop(0)) if lines and lines[0].startswith(_EXTRA) else b""
    index = _read_index(lines)
    note = read_note(checkpoint)
    read_checkpoint(note.text)
    return LogProof(index, read_hashes(lines[1:], MalformedProofFile), note, extra)


def _read_extra(line: str) -> bytes:
    extra = read_base64(line.removeprefix(_EXTRA), MalformedProofFile)
    if not 1 <= len(extra) <= MAX_EXTRA_BYTES:
        raise MalformedProofFile(f"The line extra holds 1 to {MAX_EXTRA_BYTES} bytes, or is left out.")
    return extra


def _read_index(lines: Sequence[str]) -> int:
    if not lines or not lines[0].startswith(_INDEX):
        raise MalformedProofFile("A proof file has a line index.")
    if len(lines) - 1 > _MAX_HASHES:
        raise MalformedProofFile(f"A proof has at most {_MAX_HASHES} hashes.")
    return read_decimal(lines[0].removeprefix(_INDEX), MalformedProofFile)
