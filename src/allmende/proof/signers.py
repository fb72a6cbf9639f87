"""Who signed a model, and whether a trust policy lets them: by key, certificate or identity of Sigstore."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from allmende.proof.bundles import ModelSignature
from allmende.proof.certificates import check_chain, identities_of, key_of_certificate
from allmende.proof.envelopes import pae
from allmende.proof.errors import (
    BrokenSignature,
    SignerRevoked,
    UnfitCertificate,
    UnsupportedSignature,
    UntrustedSigner,
)
from allmende.proof.keys import PublicKey
from allmende.proof.sigstore_identities import verify_identity
from allmende.proof.trust import TrustedSigner, TrustPolicy

__all__ = ["find_signer", "key_that_signed"]


def find_signer(signature: ModelSignature, trust: TrustPolicy, at: datetime) -> TrustedSigner:
    """The signer of the policy that made this signature, and was trusted at that time.

    Raises a subclass of Refused that says why nobody did, UnsupportedSignature for algorithms that do not
    sign models, and ExtraMissing when the signature is by an identity of Sigstore and its library is absent.
    """
    if signature.method == "sigstore":
        return _by_identity(signature, trust, at)
    if signature.method == "certificate":
        return _by_certificate(signature, trust, at)
    return _by_key(signature, trust, at)


def key_that_signed(signature: ModelSignature) -> str:
    """The id of the key that the file itself carries, if the signature is of it; else empty."""
    key = signature.key
    if key is None and signature.certificates:
        try:
            key = key_of_certificate(signature.certificates[0])
        except UnsupportedSignature:
            return ""
    return key.id if key is not None and _has_signed(signature, key) else ""


def _by_key(signature: ModelSignature, trust: TrustPolicy, at: datetime) -> TrustedSigner:
    claimed = signature.key.id if signature.key else signature.key_hint
    known = [(one, one.key) for one in trust.signers if one.key is not None and one.key.signs_models]
    # Not everybody makes ids of keys as the reference does, so a strange one is no reason to refuse.
    named = [pair for pair in known if pair[1].id == claimed] or [
        pair for pair in known if _has_signed(signature, pair[1])
    ]
    if not named:
        if signature.key is not None:
            _check_signed(signature, signature.key)
        raise UntrustedSigner(f"The key {claimed[:64]} is not among those that may sign this.")
    key = named[0][1]
    _check_signed(signature, key)
    _check_revoked(trust, [key.id], at)
    return _holding([signer for signer, one in named if one == key], at)


def _by_certificate(signature: ModelSignature, trust: TrustPolicy, at: datetime) -> TrustedSigner:
    leaf = signature.certificates[0]
    key = key_of_certificate(leaf)
    _check_signed(signature, key)
    _check_revoked(trust, [key.id], at)
    revoked = {one.id for one in trust.revoked if one.holds_at(at)}
    vouching: list[TrustedSigner] = []
    refusals: list[UnfitCertificate] = []
    for signer in (one for one in trust.signers if one.certificates):
        try:
            check_chain(signature.certificates, signer.certificates, at, revoked)
            vouching.append(signer)
        except UnfitCertificate as error:
            refusals.append(error)
    named = [one for one in vouching if not one.identities or set(one.identities) & set(identities_of(leaf))]
    if named:
        return _holding(named, at)
    if vouching:
        raise UntrustedSigner("The certificate leads to a trusted root, but is of nobody who may sign this.")
    if refusals:
        # What is wrong with the certificate itself says more than that it leads elsewhere.
        raise next((one for one in refusals if type(one) is not UnfitCertificate), refusals[0])
    raise UntrustedSigner("No root certificate is among those that may vouch for signers of this.")


def _by_identity(signature: ModelSignature, trust: TrustPolicy, at: datetime) -> TrustedSigner:
    named = [one for one in trust.signers if one.sigstore_identity]
    if not named:
        raise UntrustedSigner("No identity of Sigstore is among those that may sign this.")
    matching = []
    refusals: list[UntrustedSigner] = []
    for signer in named:
        try:
            verify_identity(
                signature.data, signature.envelope.payload, signer.sigstore_identity, signer.sigstore_issuer
            )
            matching.append(signer)
        except UntrustedSigner as error:
            refusals.append(error)
    if not matching:
        raise refusals[0]
    _check_revoked(trust, [key_of_certificate(signature.certificates[0]).id], at)
    return _holding(matching, at)


def _has_signed(signature: ModelSignature, key: PublicKey) -> bool:
    envelope = signature.envelope
    message = pae(envelope.payload_type, envelope.payload)
    return key.has_signed(message, envelope.signatures[0].signature)


def _check_signed(signature: ModelSignature, key: PublicKey) -> None:
    if not key.signs_models:
        raise UnsupportedSignature("Ed25519 does not sign models: OpenSSF Model Signing knows ECDSA only.")
    if not _has_signed(signature, key):
        raise BrokenSignature("The signature is not of this key and of what the file says.")


def _check_revoked(trust: TrustPolicy, ids: Iterable[str], at: datetime) -> None:
    revocation = trust.revocation(ids, at)
    if revocation is not None:
        reason = f": {revocation.reason[:200]}" if revocation.reason else ""
        raise SignerRevoked(f"The key {revocation.id[:12]}… was revoked{reason}.")


def _holding(signers: Sequence[TrustedSigner], at: datetime) -> TrustedSigner:
    for signer in signers:
        if signer.holds_at(at):
            return signer
    raise UntrustedSigner(f"{signers[0].name} was not trusted at {at:%Y-%m-%d %H:%M} UTC.")
