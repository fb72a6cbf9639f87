"""A witness (C2SP tlog-witness): it cosigns a log's checkpoint if the tree has only grown since the last one.

The decision is pure; what has to be kept lies behind `CosignedStore`, whose compare-and-store is all the
locking there is. Two requests that race cannot roll the state back: the slower one meets a state that it was
not decided on, and is decided anew.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from allmende.merkle.checkpoints import read_checkpoint
from allmende.merkle.equivocation import Equivocation
from allmende.merkle.errors import (
    Malformed,
    MalformedKey,
    MalformedWitnessRequest,
    ProofRefused,
    SignatureRefused,
)
from allmende.merkle.hashes import EMPTY_ROOT
from allmende.merkle.keys import COSIGNING, SigningKey
from allmende.merkle.known_logs import KnownLog, SignedCheckpoint
from allmende.merkle.notes import Note
from allmende.merkle.proofs import prefix_roots, verify_consistency
from allmende.merkle.signing import sign
from allmende.merkle.witness_messages import (
    SIZE_MEDIA_TYPE,
    AddCheckpoint,
    WitnessAnswer,
    read_add_checkpoint,
)

__all__ = ["Cosigned", "CosignedStore", "Decision", "Witness"]

_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The last checkpoint that a witness cosigned of a log, with the log's signatures and its own."""

    origin: str
    size: int
    root: bytes
    note: Note


class CosignedStore(Protocol):
    """Where a witness keeps the last checkpoint of each log."""

    def last(self, origin: str, /) -> Cosigned | None:
        """What was stored last; None for a log of which nothing was cosigned."""

    def advance(self, old: Cosigned | None, new: Cosigned, /) -> bool:
        """Put `new` in the place of `old`; or answer False, changing nothing, when `old` is no longer there.

        One atomic step, and durable when it returns: the cosignature is given out after it.
        """


@dataclass(frozen=True, slots=True)
class Decision:
    """What a request gets, what is to be stored first, and what it proves against the log."""

    answer: WitnessAnswer
    new: Cosigned | None = None
    evidence: Equivocation | None = None


class Witness:
    """Answers requests for the logs that it knows, with a cosignature of each of its keys.

    Raises MalformedKey for keys that cannot cosign, and for two logs with one origin.
    """

    def __init__(
        self,
        logs: Iterable[KnownLog],
        keys: Sequence[SigningKey],
        store: CosignedStore,
        on_evidence: Callable[[Equivocation], None] | None = None,
    ) -> None:
        if not keys or any(key.verifier.kind not in COSIGNING for key in keys):
            raise MalformedKey("A witness signs with keys that say a time, and has one at least.")
        self._logs: dict[str, KnownLog] = {}
        for log in logs:
            if self._logs.setdefault(log.origin, log) is not log:
                raise MalformedKey(f"The log {log.origin} is named twice; give it all its keys at once.")
        self._keys = tuple(keys)
        self._store = store
        self._on_evidence = on_evidence

    def add_checkpoint(self, body: bytes, at_s: int) -> WitnessAnswer:
        """The answer to a request at a POSIX time, after the new state is stored.

        Statuses are those of the norm, and 503 when others were faster four times in a row. Evidence of two
        histories goes to `on_evidence`, since the answer alone would only say 422.
        """
        for _ in range(_ROUNDS):
            last, decision = self.decide(body, at_s)
            if decision.evidence is not None and self._on_evidence is not None:
                self._on_evidence(decision.evidence)
            if decision.new is None or self._store.advance(last, decision.new):
                return decision.answer
        return _refusal(503, "Too many requests for this log at once.")

    def decide(self, body: bytes, at_s: int) -> tuple[Cosigned | None, Decision]:
        """The state that was found, and what a request gets on it; nothing is stored.

        Raises MalformedWitnessRequest for a time that says nothing.
        """
        if at_s < 1:
            raise MalformedWitnessRequest("A witness says when it cosigned.")
        try:
            request = read_add_checkpoint(body)
            origin = read_checkpoint(request.note.text).origin
        except Malformed as wrong:
            return None, Decision(_refusal(400, wrong.message))
        log = self._logs.get(origin)
        if log is None:
            return None, Decision(_refusal(404, "This witness does not know the log."))
        try:
            signed = log.check(request.note)
        except SignatureRefused as refused:
            return None, Decision(_refusal(403, refused.message))
        last = self._store.last(origin)
        return last, self._judge(request, signed, last, at_s)

    def _judge(
        self, request: AddCheckpoint, signed: SignedCheckpoint, last: Cosigned | None, at_s: int
    ) -> Decision:
        new = signed.checkpoint
        last_size, last_root = (last.size, last.root) if last else (0, EMPTY_ROOT)
        if request.old_size > new.size:
            return Decision(_refusal(400, f"The old size is larger than the new one, {new.size}."))
        if request.old_size != last_size:
            return Decision(WitnessAnswer(409, f"{last_size}\n".encode(), SIZE_MEDIA_TYPE))
        try:
            verify_consistency(last_size, last_root, new.size, new.root, request.proof)
        except ProofRefused as refused:
            return Decision(_refusal(422, refused.message), evidence=_evidence(last, signed, request.proof))
        cosignatures = tuple(sign(request.note.text, key, at_s) for key in self._keys)
        kept = Note(request.note.text, signed.log_signatures).with_signatures(cosignatures)
        answer = WitnessAnswer(200, "".join(map(str, cosignatures)).encode())
        return Decision(answer, Cosigned(new.origin, new.size, new.root, kept))


def _evidence(
    last: Cosigned | None, signed: SignedCheckpoint, proof: tuple[bytes, ...]
) -> Equivocation | None:
    """What a request proves against its log, if anything.

    A log that forked sends the proof of its new tree. Unless the old size is a power of two, where the norm
    leaves the first hash out, its hashes lead to the new root and to another old one than was cosigned: the
    log itself has handed over the evidence. A proof that leads nowhere proves nothing against anybody.
    """
    new = signed.checkpoint
    if last is None:
        return None
    note = Note(signed.note.text, signed.log_signatures)
    if last.size == new.size:
        return None if last.root == new.root else Equivocation.of_one_size(last.note, note)
    try:
        old_root, root = prefix_roots(last.size, new.size, proof)
    except ProofRefused:
        return None
    return Equivocation(last.note, note, proof) if root == new.root and old_root != last.root else None


def _refusal(status: int, message: str) -> WitnessAnswer:
    return WitnessAnswer(status, f"{message}\n".encode())
