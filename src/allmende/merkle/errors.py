"""What can be wrong with bytes, keys and proofs of a transparency log."""

from allmende.errors import AllmendeError, BadRequest, NotFound, NotOffered, TooLarge, Unavailable, Untrusted

__all__ = [
    "AlgorithmMissing",
    "EntryTooLarge",
    "Malformed",
    "MalformedCheckpoint",
    "MalformedEvidence",
    "MalformedKey",
    "MalformedNote",
    "MalformedPolicy",
    "MalformedProofFile",
    "MalformedTile",
    "MalformedTree",
    "MalformedWitnessRequest",
    "OutOfTree",
    "ProofRefused",
    "QuorumMissed",
    "SignatureRefused",
    "TileMissing",
    "TileRefused",
    "WitnessAhead",
    "WitnessRefused",
]


class Malformed(BadRequest):
    """The bytes or the text are not what they claim to be."""

    code = "log_malformed"


class MalformedTree(Malformed):
    """Hashes or sizes that no tree has."""

    code = "log_tree_malformed"


class MalformedTile(Malformed):
    """A tile, an entry bundle, or the path of one, breaks a rule of its format."""

    code = "log_tile_malformed"


class MalformedKey(Malformed):
    """The text of a key, or what it holds, breaks a rule."""

    code = "log_key_malformed"


class MalformedNote(Malformed):
    """Not a signed note, or one beyond the bounds set for it."""

    code = "log_note_malformed"


class MalformedCheckpoint(Malformed):
    """The text of a note is not that of a checkpoint."""

    code = "log_checkpoint_malformed"


class MalformedWitnessRequest(Malformed):
    """The body of a request to a witness, or the answer of one, breaks a rule of the protocol."""

    code = "log_witness_request_malformed"


class MalformedPolicy(Malformed):
    """A line of a policy cannot be read, contradicts another, or is one too many."""

    code = "log_policy_malformed"


class MalformedProofFile(Malformed):
    """Not a proof file, or one beyond the bounds set for it."""

    code = "log_proof_malformed"


class MalformedEvidence(Malformed):
    """Not evidence of an equivocation: the file is broken, or what it holds is no contradiction."""

    code = "log_evidence_malformed"


class EntryTooLarge(TooLarge):
    """An entry has more bytes than a bundle can hold."""

    code = "log_entry_too_large"


class OutOfTree(BadRequest):
    """An index or a size that the tree does not have."""

    code = "log_out_of_tree"


class ProofRefused(Untrusted):
    """A proof does not show what it was given for."""

    code = "log_proof_refused"


class TileRefused(Untrusted):
    """A tile or bundle of the log does not belong to the tree that its checkpoint names."""

    code = "log_tile_refused"


class TileMissing(NotFound):
    """The log does not have the file; raised by whoever fetches."""

    code = "log_tile_missing"


class SignatureRefused(Untrusted):
    """No known key has signed, or a signature under the name and id of a known key is not its own."""

    code = "log_signature_refused"


class QuorumMissed(Untrusted):
    """The log's signature is good, but too few of the witnesses that the policy asks for have cosigned."""

    code = "log_quorum_missed"


class WitnessRefused(Unavailable):
    """A witness did not cosign."""

    code = "log_witness_refused"


class WitnessAhead(AllmendeError):
    """A witness has cosigned a larger tree of this log than the log itself now knows: it was set back."""

    code = "log_witness_ahead"


class AlgorithmMissing(NotOffered):
    """The cryptography installed here does not know the signature algorithm."""

    code = "log_algorithm_missing"
