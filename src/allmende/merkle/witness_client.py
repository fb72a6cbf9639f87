"""How a log gets its checkpoint cosigned: it asks, asks again from where the witness stands, and checks."""

from collections.abc import Callable, Sequence
from typing import Protocol

from allmende.merkle.checkpoints import read_checkpoint
from allmende.merkle.errors import (
    Malformed,
    MalformedWitnessRequest,
    SignatureRefused,
    WitnessAhead,
    WitnessRefused,
)
from allmende.merkle.keys import VerifierKey
from allmende.merkle.notes import MAX_NOTE_BYTES, Note, Signature, read_signatures
from allmende.merkle.signing import KeyRing
from allmende.merkle.strict import read_decimal
from allmende.merkle.witness_messages import SIZE_MEDIA_TYPE, AddCheckpoint, WitnessAnswer

__all__ = ["PostCheckpoint", "obtain_cosignatures"]

_ROUNDS = 3


class PostCheckpoint(Protocol):
    """Sends a body to the add-checkpoint address of one witness."""

    def __call__(self, body: bytes, /) -> WitnessAnswer:
        """The answer, whatever its status; it holds at most 512 KiB of the body."""


def obtain_cosignatures(
    post: PostCheckpoint,
    note: Note,
    keys: Sequence[VerifierKey],
    prove: Callable[[int], Sequence[bytes]],
    old_size: int = 0,
) -> tuple[Signature, ...]:
    """The cosignatures of a witness with these keys under a log's checkpoint, checked; one at least.

    `old_size` is what the witness is thought to have cosigned last; 0 asks it. `prove` gives the consistency
    proof from an old size. Raises WitnessAhead when the witness names a larger tree than the checkpoint has:
    then the log was set back, and must not go on signing, unless the witness cannot show (under
    `monitoring_path`) the checkpoint that the log had signed. Raises WitnessRefused for any other refusal,
    and for an answer that does not follow the protocol or that no key of the witness has signed.
    """
    size = read_checkpoint(note.text).size
    for _ in range(_ROUNDS):
        answer = post(bytes(AddCheckpoint(old_size, tuple(prove(old_size)), note)))
        if answer.status == 200:
            return _cosignatures(answer.body, note, keys)
        if answer.status != 409 or answer.media_type.partition(";")[0].strip() != SIZE_MEDIA_TYPE:
            said = answer.body[:200].decode("utf-8", "replace").strip()
            raise WitnessRefused(f"The witness answered {answer.status}: {said!r}.")
        old_size = _size(answer.body)
        if old_size > size:
            raise WitnessAhead(
                f"The witness has cosigned a tree of {old_size} entries, and this checkpoint has {size}.",
                hint="The log was set back, perhaps by a restored backup. Sign nothing until that is clear.",
            )
    raise WitnessRefused(f"The witness named another size {_ROUNDS} times.")


def _size(body: bytes) -> int:
    text = body[:32].decode("ascii", "replace")
    try:
        if not text.endswith("\n"):
            raise MalformedWitnessRequest(f"{text!r} does not end with a newline.")
        return read_decimal(text[:-1], MalformedWitnessRequest)
    except MalformedWitnessRequest as wrong:
        raise WitnessRefused(f"The witness answered 409 without a size: {wrong.message}") from wrong


def _cosignatures(body: bytes, note: Note, keys: Sequence[VerifierKey]) -> tuple[Signature, ...]:
    try:
        lines = read_signatures(body[:MAX_NOTE_BYTES].decode())
        signed = KeyRing(keys).check(Note(note.text, lines))
    except (UnicodeDecodeError, Malformed, SignatureRefused) as wrong:
        raise WitnessRefused(f"What the witness answered is no cosignature of its keys: {wrong}") from wrong
    timed = tuple(each.signature for each in signed if each.at_s)
    if not timed:
        raise WitnessRefused("The witness cosigned without saying when.")
    return timed
