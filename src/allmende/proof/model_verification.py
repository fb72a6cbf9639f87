"""The verdict on the signature of a model: who signed, which files it covers, and why it is refused if it is.

Everything is asked: whether the signature is of the key, whether somebody said that the key may sign, and
how the files are to what was signed. No file is read for signatures with SHA-256 of whole files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from allmende.errors import AllmendeError
from allmende.proof.bundles import ModelSignature, SigningMethod, read_model_signature
from allmende.proof.canonical import JsonObject, JsonValue
from allmende.proof.certificates import certificate_fingerprint, identities_of
from allmende.proof.coverage import Coverage, DigestSource, compare_files
from allmende.proof.errors import (
    BrokenSignature,
    CertificateExpired,
    CertificateRevoked,
    ExtraMissing,
    Malformed,
    Oversized,
    Refused,
    SignerRevoked,
    UnfitCertificate,
    UnsupportedSignature,
    UntrustedSigner,
)
from allmende.proof.manifests import SignedFile
from allmende.proof.signers import find_signer, key_that_signed
from allmende.proof.strict import write_time
from allmende.proof.trust import TrustPolicy

__all__ = ["SignatureReport", "SignatureState", "verify_model_signature"]

SignatureState = Literal[
    "valid",
    "valid-extra-files",
    "mismatch",
    "bad-signature",
    "untrusted-key",
    "unfit-certificate",
    "expired-at-signing",
    "revoked",
    "pending",
    "unsupported",
    "malformed",
]

_STATES: Sequence[tuple[type[AllmendeError], SignatureState]] = (
    (CertificateExpired, "expired-at-signing"),
    (CertificateRevoked, "revoked"),
    (SignerRevoked, "revoked"),
    (UnfitCertificate, "unfit-certificate"),
    (BrokenSignature, "bad-signature"),
    (UntrustedSigner, "untrusted-key"),
    (UnsupportedSignature, "unsupported"),
    (ExtraMissing, "unsupported"),
)
_MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """What was found of one signature."""

    state: SignatureState
    reason: str
    """One sentence for people."""
    at: datetime
    """The time that certificates and trust were asked about."""
    method: SigningMethod | None = None
    signer: str = ""
    """The name that the trust policy has for the signer; empty unless it was verified and is trusted."""
    key_id: str = ""
    """The key whose signature this was found to be; empty where it could not be checked."""
    claimed_key_id: str = ""
    """The key that the file names."""
    identities: tuple[str, ...] = ()
    """What the certificate says of its owner: proven only in the states that say valid."""
    certificate: str = ""
    """The fingerprint of the signer's certificate."""
    model_name: str = ""
    root_digest: str = ""
    hash_type: str = ""
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def is_valid(self) -> bool:
        """Whether a trusted signer signed these files, and others lie beside them only by the policy."""
        return self.state in ("valid", "valid-extra-files")

    @property
    def json(self) -> JsonObject:
        """The report for programs; long lists are cut, and counted."""
        files: JsonObject = {}
        for name in ("covered", "changed", "missing", "unsigned", "ignored", "unread"):
            paths: tuple[str, ...] = getattr(self.coverage, name)
            listed: list[JsonValue] = list(paths[:_MAX_LISTED])
            files[name] = (
                {"count": len(paths)} if name == "covered" else {"count": len(paths), "first": listed}
            )
        identities: list[JsonValue] = list(self.identities)
        return {
            "state": self.state,
            "reason": self.reason,
            "at": write_time(self.at),
            "method": self.method,
            "signer": self.signer or None,
            "key_id": self.key_id or None,
            "claimed_key_id": self.claimed_key_id or None,
            "identities": identities,
            "certificate": self.certificate or None,
            "model_name": self.model_name or None,
            "root_digest": self.root_digest or None,
            "hash_type": self.hash_type or None,
            "files": files,
        }


def verify_model_signature(
    data: bytes,
    files: Iterable[SignedFile],
    trust: TrustPolicy,
    at: datetime,
    *,
    not_files: Iterable[str] = (),
    source: DigestSource | None = None,
) -> SignatureReport:
    """The verdict on a signature file over these files; nothing that it may hold raises.

    `files` is everything there is, `not_files` the paths among it that are no part of the model: the
    signature itself, and what clients leave behind. `at` is the time at which the signature is known to have
    existed, or now.
    """
    try:
        signature = read_model_signature(data)
        report = _described(signature, at)
    except (Malformed, Oversized, Refused) as error:
        return SignatureReport("malformed", error.message, at)
    except UnsupportedSignature as error:
        return SignatureReport("unsupported", error.message, at)
    report = replace(
        report, coverage=compare_files(signature.manifest, files, not_files=not_files, source=source)
    )
    try:
        signer = find_signer(signature, trust, at)
    except (Refused, UnsupportedSignature, ExtraMissing) as error:
        state = next(state for kind, state in _STATES if isinstance(error, kind))
        reason = error.message if error.hint is None else f"{error.message} {error.hint}"
        return replace(report, state=state, reason=reason, key_id=key_that_signed(signature))
    key_id = signer.key.id if signer.key is not None else key_that_signed(signature)
    return _judged(replace(report, signer=signer.name, key_id=key_id), trust)


def _described(signature: ModelSignature, at: datetime) -> SignatureReport:
    leaf = signature.certificates[0] if signature.certificates else None
    claimed = signature.key_hint or (signature.key.id if signature.key else "")
    return SignatureReport(
        "pending",
        "",
        at,
        method=signature.method,
        claimed_key_id=claimed,
        identities=identities_of(leaf) if leaf else (),
        certificate=certificate_fingerprint(leaf) if leaf else "",
        model_name=signature.manifest.name,
        root_digest=signature.manifest.root_digest,
        hash_type=signature.manifest.hash_type,
    )


def _judged(report: SignatureReport, trust: TrustPolicy) -> SignatureReport:
    coverage = report.coverage
    signed = len(coverage.covered)
    if coverage.changed or coverage.missing:
        changed, missing = len(coverage.changed), len(coverage.missing)
        reason = f"Since it was signed, {changed} files changed and {missing} went missing."
        return replace(report, state="mismatch", reason=reason)
    if coverage.unread:
        reason = f"{len(coverage.unread)} files have to be read to be compared."
        return replace(report, state="pending", reason=reason)
    if not coverage.unsigned:
        return replace(report, state="valid", reason=f"{report.signer} signed all {signed} files.")
    beside = f"{len(coverage.unsigned)} files that are not signed lie beside {signed} that are."
    state: SignatureState = "valid-extra-files" if trust.allow_unsigned_files else "mismatch"
    return replace(report, state=state, reason=beside)
