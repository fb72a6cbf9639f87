"""What can be wrong with statements, envelopes, signatures of models and the trust put in them."""

from allmende.errors import BadRequest, Forbidden, NotOffered, TooLarge

__all__ = [
    "BrokenSignature",
    "CertificateExpired",
    "CertificateRevoked",
    "ExtraMissing",
    "Malformed",
    "MalformedEntry",
    "MalformedEnvelope",
    "MalformedEvidenceArchive",
    "MalformedKey",
    "MalformedProofBundle",
    "MalformedSignature",
    "MalformedStatement",
    "MalformedStatementOfAct",
    "MalformedTrustPolicy",
    "NotCanonical",
    "Oversized",
    "Refused",
    "SignerRevoked",
    "UnfitCertificate",
    "UnsupportedSignature",
    "UntrustedSigner",
    "WrongPassword",
]


class Malformed(BadRequest):
    """The bytes or the text are not what they claim to be."""

    code = "proof_malformed"


class NotCanonical(Malformed):
    """A value has no canonical JSON, or bytes are not the canonical JSON of what they say."""

    code = "not_canonical"


class MalformedEnvelope(Malformed):
    """Not a DSSE envelope, or not one in the one allowed spelling."""

    code = "envelope_malformed"


class MalformedStatement(Malformed):
    """Not an in-toto statement, or its predicate breaks a rule of its type."""

    code = "statement_malformed"


class MalformedEntry(Malformed):
    """Not an entry of a hub's log, or not in the one allowed spelling."""

    code = "log_entry_malformed"


class MalformedStatementOfAct(Malformed):
    """Not the statement of a hub about something that it did."""

    code = "log_statement_malformed"


class MalformedEvidenceArchive(Malformed):
    """Not an archive of evidence, or one that holds something else than its manifest says."""

    code = "evidence_archive_malformed"


class MalformedProofBundle(Malformed):
    """Not the proof of a revision, or not in the one allowed spelling."""

    code = "proof_bundle_malformed"


class MalformedSignature(Malformed):
    """Not a bundle of OpenSSF Model Signing 1.0."""

    code = "model_signature_malformed"


class UnsupportedSignature(NotOffered):
    """A signature of a model in a form that is known, or says what it is, and is not read here."""

    code = "model_signature_unsupported"


class MalformedKey(Malformed):
    """The text of a key or certificate, or what it holds, cannot be used."""

    code = "key_malformed"


class WrongPassword(BadRequest):
    """A private key is encrypted, and the password for it is absent or wrong."""

    code = "wrong_password"


class MalformedTrustPolicy(Malformed):
    """A trust policy says something that cannot be followed."""

    code = "trust_policy_malformed"


class Oversized(TooLarge):
    """More bytes, signatures, files or depth than is read."""

    code = "proof_too_large"


class Refused(Forbidden):
    """A signature, a certificate or a signer is not believed."""

    code = "signature_refused"


class BrokenSignature(Refused):
    """A signature does not fit the key and the bytes that it is said to be of."""

    code = "signature_broken"


class UnfitCertificate(Refused):
    """A certificate leads to no trusted root, was not valid at the time, or is not for signing."""

    code = "certificate_unfit"


class CertificateExpired(UnfitCertificate):
    """A certificate was not valid at the time that counts."""

    code = "certificate_expired"


class CertificateRevoked(UnfitCertificate):
    """A certificate of the chain is on the list of revoked ones."""

    code = "certificate_revoked"


class UntrustedSigner(Refused):
    """The signature is good, but nobody said that its signer may sign this."""

    code = "signer_untrusted"


class SignerRevoked(Refused):
    """The signer's key was revoked before the time that counts."""

    code = "signer_revoked"


class ExtraMissing(NotOffered):
    """What was asked for needs packages that are not installed."""

    code = "extra_missing"
