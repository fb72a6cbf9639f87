"""Models, keys and certificates that the tests sign and verify with."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from allmende.proof import SignedFile, Signer

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
FILES = {"config.json": b"{}", "sub/weights.bin": b"\1" * 100, "tokenizer.json": b"[]"}


def table(files: Mapping[str, bytes]) -> list[SignedFile]:
    return [SignedFile(path, sha256(data).hexdigest(), len(data)) for path, data in files.items()]


def keyless(signed: bytes, entries: Sequence[object] = ({"logIndex": "1"},)) -> bytes:
    """A signature by certificate in the form of one by an identity of Sigstore; its entries prove nothing."""
    bundle = json.loads(signed)
    chain = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"]
    bundle["verificationMaterial"] = {"certificate": chain[0], "tlogEntries": list(entries)}
    return json.dumps(bundle).encode()


class Authority:
    """A certificate with its key, that can issue others."""

    def __init__(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: Certificate) -> None:
        self.name = name
        self.key = key
        self.certificate = certificate

    @property
    def signer(self) -> Signer:
        return Signer(self.key)


def usage(**named: bool) -> x509.KeyUsage:
    words = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{word: named.get(word, False) for word in words})


def issue(
    name: str,
    by: Authority | None = None,
    *,
    ca: bool | None = None,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    extended: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.CODE_SIGNING,),
    more: Sequence[tuple[x509.ExtensionType, bool]] = (),
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
) -> Authority:
    """A certificate for a new key; a root when nobody issues it, which is a CA unless something is said."""
    is_ca = by is None if ca is None else ca
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = subject if by is None else by.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
    )
    default = usage(key_cert_sign=True) if is_ca else usage(digital_signature=True)
    builder = builder.add_extension(key_usage or default, critical=True)
    if extended is not None and not is_ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(extended)), critical=False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical=critical)
    return Authority(name, key, builder.sign(key if by is None else by.key, SHA256()))
