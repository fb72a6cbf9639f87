"""Trust policies (C2SP tlog-policy): which logs are believed, and which witnesses have to agree.

`read_policy` turns the file into a `Policy`; `Policy.accept` decides about a checkpoint, offline. A name is
what its bytes are: nothing is normalised, so that two names that look alike stay two.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from allmende.merkle.checkpoints import Checkpoint, read_checkpoint
from allmende.merkle.errors import QuorumMissed, SignatureRefused
from allmende.merkle.keys import VerifierKey
from allmende.merkle.notes import Note, read_note
from allmende.merkle.signing import KeyRing, check_covered

__all__ = ["Accepted", "Group", "Policy", "PolicyLog", "PolicyWitness"]


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log that is believed; its key's name is its origin."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness under the name that the policy gives it."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group agrees when `needed` of its members do, each a witness or a group named before."""

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checkpoint that a policy believes: the log's key, and the time at which each witness saw it.

    `witnesses` has POSIX seconds by the policy's name of the witness: the latest, if one signed twice.
    """

    checkpoint: Checkpoint
    log: VerifierKey
    witnesses: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Policy:
    """What `read_policy` found. `quorum` is None where the policy asks for no witness."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    def accept(self, data: bytes) -> Accepted:
        """The checkpoint in a signed note, if this policy believes it.

        Raises MalformedNote and MalformedCheckpoint; SignatureRefused unless a log of the policy has signed
        under its own name, and when a signature is false; QuorumMissed when too few witnesses cosigned.
        """
        return self.check(read_note(data))

    def check(self, note: Note) -> Accepted:
        """As `accept`, for a note that was read."""
        checkpoint = read_checkpoint(note.text)
        logs = {log.key for log in self.logs if log.key.name == checkpoint.origin}
        if not logs:
            raise SignatureRefused(f"The policy does not know the log {checkpoint.origin[:80]!r}.")
        names = {witness.key: witness.name for witness in self.witnesses}
        signed = KeyRing((*logs, *names)).check(note)
        by_log = [each.key for each in signed if each.key in logs]
        if not by_log:
            raise SignatureRefused(f"The log {checkpoint.origin} has not signed the checkpoint itself.")
        check_covered(checkpoint, by_log)
        seen: dict[str, int] = {}
        for each in signed:
            # A cosignature without a time does not say that this was the largest tree.
            if each.key in names and each.at_s:
                seen[names[each.key]] = max(each.at_s, seen.get(names[each.key], 0))
        if not self.is_reached(seen):
            cosigners = ", ".join(seen) or "no known witness"
            raise QuorumMissed(f"The quorum {self.quorum} is not reached: cosigned by {cosigners}.")
        return Accepted(checkpoint, by_log[0], seen)

    def is_reached(self, witnesses: Mapping[str, int]) -> bool:
        """Whether the quorum is reached when exactly these witnesses have cosigned."""
        agree = set(witnesses)
        # A group names only what stands before it: one pass decides, whatever the depth.
        for group in self.groups:
            if sum(member in agree for member in group.members) >= group.needed:
                agree.add(group.name)
        return self.quorum is None or self.quorum in agree
