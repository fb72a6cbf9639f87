"""Signing checkpoints and checking who signed: what each kind of key signs, and what a reader believes.

A cosignature says when (C2SP tlog-cosignature): the witness had seen no larger tree of the log by then, and
this one grew out of all that it had seen before. Its first eight bytes are the time.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from allmende.merkle.checkpoints import Checkpoint, read_checkpoint
from allmende.merkle.errors import MalformedCheckpoint, MalformedKey, SignatureRefused
from allmende.merkle.keys import COSIGNING, KeyKind, SigningKey, VerifierKey
from allmende.merkle.notes import Note, Signature
from allmende.merkle.strict import MAX_SIZE

__all__ = ["KeyRing", "SignedBy", "check_covered", "sign", "signed_checkpoint"]

_TIME_BYTES = 8
_SUBTREE = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A signature that was checked: the key, and the POSIX time that it says, in seconds, if it says one."""

    key: VerifierKey
    at_s: int | None
    signature: Signature


class KeyRing:
    """The keys that a reader knows; raises MalformedKey when two of them have one name and id."""

    def __init__(self, keys: Iterable[VerifierKey]) -> None:
        self._keys: dict[tuple[str, bytes], VerifierKey] = {}
        for key in keys:
            if self._keys.setdefault((key.name, key.id), key) != key:
                raise MalformedKey(f"Two keys have the name {key.name} and the id {key.id.hex()}.")

    def check(self, note: Note) -> tuple[SignedBy, ...]:
        """Who of the known keys has signed the note: one at least, in the order of its lines.

        Signatures of unknown keys are passed over. Raises SignatureRefused when there is no other, or when
        one that claims to be of a known key is not.
        """
        found = tuple(
            _checked(key, signature, note.text)
            for signature in note.signatures
            if (key := self._keys.get((signature.name, signature.key_id))) is not None
        )
        if not found:
            raise SignatureRefused("No known key has signed the note.")
        return found


def check_covered(checkpoint: Checkpoint, keys: Iterable[VerifierKey]) -> None:
    """Return when the keys of a log that signed a checkpoint have signed all of it; raises SignatureRefused.

    An ML-DSA-44 signature leaves extension lines out: alone, it would let anybody add some.
    """
    if checkpoint.extensions and all(key.kind is KeyKind.ML_DSA_44_COSIGNATURE for key in keys):
        raise SignatureRefused("The checkpoint has extension lines, and no signature of the log covers them.")


def sign(text: str, key: SigningKey, at_s: int = 0) -> Signature:
    """The signature of a key under the text of a note, without checking anything that the text says.

    `at_s` is the POSIX time, which keys of `COSIGNING` sign too; 0 is no statement of time. Raises
    MalformedCheckpoint when such a key is to sign what is no checkpoint.
    """
    if not 0 <= at_s <= MAX_SIZE:
        raise MalformedCheckpoint(f"{at_s} is not a time that a cosignature can say.")
    verifier = key.verifier
    bare = key.sign_bytes(_message(verifier, text, at_s))
    time = at_s.to_bytes(_TIME_BYTES) if verifier.kind in COSIGNING else b""
    return Signature(verifier.name, verifier.id, time + bare)


def signed_checkpoint(checkpoint: Checkpoint, keys: Iterable[SigningKey], at_s: int = 0) -> Note:
    """The checkpoint as a note, signed by each of the keys.

    The caller answers for it: never two roots for one size, never a smaller size than before. Raises
    MalformedCheckpoint for extension lines, which not every kind of key would cover.
    """
    if checkpoint.extensions:
        raise MalformedCheckpoint("Checkpoints are signed here without extension lines.")
    text = checkpoint.text
    return Note(text, tuple(sign(text, key, at_s) for key in keys))


def _checked(key: VerifierKey, signature: Signature, text: str) -> SignedBy:
    time = signature.data[:_TIME_BYTES] if key.kind in COSIGNING else b""
    at_s = int.from_bytes(time)
    bare = signature.data[len(time) :]
    if at_s > MAX_SIZE or not key.has_signed(_message(key, text, at_s), bare):
        raise SignatureRefused(f"A signature under the name {key.name} is not of the key {key.id.hex()}.")
    return SignedBy(key, at_s if key.kind in COSIGNING else None, signature)


def _message(key: VerifierKey, text: str, at_s: int) -> bytes:
    """What a key of each kind signs; raises MalformedCheckpoint where that must be a checkpoint."""
    if key.kind is KeyKind.ED25519:
        return text.encode()
    checkpoint = read_checkpoint(text)
    if key.kind is KeyKind.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {at_s}\n{text}".encode()
    name, origin = key.name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            _SUBTREE,
            len(name).to_bytes(1) + name,
            at_s.to_bytes(8),
            len(origin).to_bytes(1) + origin,
            (0).to_bytes(8),
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        )
    )
