"""Certificates of signers: whether they lead to a trusted root, were valid at a time, and are for signing.

RFC 5280 is followed by `cryptography`: signatures, validity, path length, name constraints, and no unknown
critical extension anywhere in the chain. Added here is what a signer of models must be: a certificate whose
key usage and extended key usage allow the signing of code, below certificates that may issue it.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from allmende.proof.errors import (
    CertificateExpired,
    CertificateRevoked,
    MalformedKey,
    Oversized,
    UnfitCertificate,
    UnsupportedSignature,
)
from allmende.proof.keys import PublicKey, public_key_of

__all__ = [
    "MAX_CHAIN",
    "certificate_fingerprint",
    "check_chain",
    "identities_of",
    "key_of_certificate",
    "read_der_certificate",
    "read_pem_certificates",
]

MAX_CHAIN = 10
"""How many certificates a chain may have, and a signature may carry."""

_MAX_PEM_BYTES = 1024 * 1024
_MAX_DER_BYTES = 64 * 1024
_MAX_ROOTS = 1000

_PARTS = ("version", "subject", "issuer", "not_valid_before_utc", "not_valid_after_utc", "extensions")
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

_E = TypeVar("_E", bound=x509.ExtensionType)


def read_der_certificate(data: bytes) -> Certificate:
    """The certificate in these bytes, all of them; raises MalformedKey."""
    if len(data) > _MAX_DER_BYTES:
        raise Oversized(f"A certificate of {len(data)} bytes is not read.")
    return _loaded(lambda: [x509.load_der_x509_certificate(data)])[0]


def read_pem_certificates(pem: str | bytes) -> tuple[Certificate, ...]:
    """The certificates of a PEM text, at least one; raises MalformedKey."""
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    if len(data) > _MAX_PEM_BYTES:
        raise Oversized(f"Certificates of {len(data)} bytes are not read.")
    found = _loaded(lambda: x509.load_pem_x509_certificates(data))
    if len(found) > _MAX_ROOTS:
        raise Oversized(f"{len(found)} certificates are not read; {_MAX_ROOTS} are.")
    return tuple(found)


def certificate_fingerprint(certificate: Certificate) -> str:
    """SHA-256 of the certificate's DER, 64 hexadecimal digits: its name in a list of revoked ones."""
    return certificate.fingerprint(SHA256()).hex()


def identities_of(certificate: Certificate) -> tuple[str, ...]:
    """Who the certificate says its owner is: `subject:…` (RFC 4514), and `email:…`, `uri:…`, `dns:…`."""
    found = [f"subject:{certificate.subject.rfc4514_string()}"] if certificate.subject.rdns else []
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is not None:
        for prefix, kind in (
            ("email", x509.RFC822Name),
            ("uri", x509.UniformResourceIdentifier),
            ("dns", x509.DNSName),
        ):
            found += [f"{prefix}:{value}" for value in names.get_values_for_type(kind)]
    return tuple(found)


def key_of_certificate(certificate: Certificate) -> PublicKey:
    """The key that a certificate is for; raises UnsupportedSignature for kinds that do not sign models."""
    try:
        key = public_key_of(certificate.public_key())
    except (MalformedKey, ValueError, UnsupportedAlgorithm) as error:
        raise UnsupportedSignature(
            "The signer's certificate is not for a key on P-256, P-384 or P-521."
        ) from error
    return key


def check_chain(
    chain: Sequence[Certificate], roots: Sequence[Certificate], at: datetime, revoked: Collection[str] = ()
) -> None:
    """Nothing, if the first certificate may sign code and was trusted at that time through these roots.

    A certificate that is itself among the roots is trusted without a chain. `revoked` holds fingerprints; a
    chain with any of them is refused. Raises CertificateExpired, CertificateRevoked and UnfitCertificate.
    """
    leaf = chain[0]
    _check_revoked(chain, revoked)
    _check_valid(leaf, at)
    _check_usage(leaf)
    if leaf in roots:
        return
    trusted = _verified(leaf, chain[1:], roots, at)
    _check_revoked(trusted, revoked)


def _verified(
    leaf: Certificate, others: Sequence[Certificate], roots: Sequence[Certificate], at: datetime
) -> Sequence[Certificate]:
    if not roots:
        raise UnfitCertificate("No root certificate is trusted here.")
    anyone = ExtensionPolicy.permit_all()
    issuers = anyone.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(at)
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(ca_policy=issuers, ee_policy=anyone)
        .build_client_verifier()
    )
    try:
        trusted = verifier.verify(leaf, list(others)).chain
    except (VerificationError, ValueError) as error:
        for certificate in others:
            _check_valid(certificate, at)
        raise UnfitCertificate(
            f"The certificate leads to no root that is trusted here: {str(error)[:300]}."
        ) from error
    for issuer in trusted[1:]:
        _check_issuer(issuer)
    return trusted


def _check_valid(certificate: Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise CertificateExpired(
            f"The certificate of {_shown(certificate)} is valid from "
            f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}, "
            f"and was not at {at:%Y-%m-%d %H:%M} UTC."
        )


def _check_usage(leaf: Certificate) -> None:
    usage = _extension(leaf, x509.KeyUsage)
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and not usage.digital_signature:
        raise UnfitCertificate("The key usage of the signer's certificate does not allow signatures.")
    if extended is not None and ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise UnfitCertificate(
            "The extended key usage of the signer's certificate does not allow signing code."
        )
    if usage is None and extended is None:
        raise UnfitCertificate("The signer's certificate does not say that it is for signatures.")


def _check_issuer(issuer: Certificate) -> None:
    constraints = _extension(issuer, x509.BasicConstraints)
    usage = _extension(issuer, x509.KeyUsage)
    extended = _extension(issuer, x509.ExtendedKeyUsage)
    if constraints is None or not constraints.ca or (usage is not None and not usage.key_cert_sign):
        raise UnfitCertificate(f"The certificate of {_shown(issuer)} may not issue certificates.")
    allowed = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if extended is not None and allowed.isdisjoint(extended):
        raise UnfitCertificate(f"The certificate of {_shown(issuer)} may not issue any for signing code.")


def _check_revoked(chain: Sequence[Certificate], revoked: Collection[str]) -> None:
    for certificate in chain:
        if certificate_fingerprint(certificate) in revoked:
            raise CertificateRevoked(f"The certificate of {_shown(certificate)} was revoked.")


def _extension(certificate: Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _shown(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string()[:200] or "(no name)"


def _loaded(load: Callable[[], list[Certificate]]) -> list[Certificate]:
    """The certificates, all of whose parts can be read: the library looks at some only when asked."""
    try:
        found = load()
        for certificate in found:
            for part in _PARTS:
                getattr(certificate, part)
    except _UNREADABLE as error:
        raise MalformedKey("This is not a certificate, or not one that can be read.") from error
    return found
