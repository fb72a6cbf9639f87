"""The file that a model is signed with: a Sigstore bundle around an envelope (OMS 1.0, section 4).

Three methods: a key that the reader knows by its id, a chain of certificates, or an identity with an entry
in the log of Sigstore. What the file says of the signer is a claim until it was verified.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from allmende.proof.canonical import JsonObject, JsonValue, read_json
from allmende.proof.certificates import MAX_CHAIN, read_der_certificate
from allmende.proof.envelopes import Envelope, envelope_from_json
from allmende.proof.errors import MalformedKey, MalformedSignature, UnsupportedSignature
from allmende.proof.keys import PublicKey, Signer, public_key_of, read_public_key
from allmende.proof.manifests import Manifest, manifest_statement, read_manifest
from allmende.proof.statements import IN_TOTO, sign_statement, statement_of
from allmende.proof.strict import Fields, read_base64, write_base64

__all__ = [
    "MAX_BUNDLE_BYTES",
    "MEDIA_TYPE",
    "ModelSignature",
    "SigningMethod",
    "read_model_signature",
    "sign_model",
]

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""Enough for 200,000 files; one of ten files has 3 KB."""

SigningMethod = Literal["key", "certificate", "sigstore"]

_MEDIA_TYPES = frozenset(
    {MEDIA_TYPE, *(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3))}
)
_FIELDS = frozenset({"mediaType", "verificationMaterial", "dsseEnvelope"})
_MATERIALS = {"publicKey": "key", "x509CertificateChain": "certificate", "certificate": "sigstore"}
_MAX_HINT_CHARS = 256
_MAX_LOG_ENTRIES = 16


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """A signature of a model as its file says it; nothing of it is verified yet."""

    method: SigningMethod
    envelope: Envelope
    manifest: Manifest
    key_hint: str = ""
    """Which key the signer names, by the method `key`."""
    key: PublicKey | None = None
    """The key that old bundles carry; it proves nothing about who signed."""
    certificates: tuple[Certificate, ...] = ()
    """The signer's certificate and those above it, by the method `certificate`."""
    data: bytes = field(default=b"", repr=False)
    """The file as it was read."""


def sign_model(manifest: Manifest, signer: Signer, certificates: Sequence[Certificate] = ()) -> bytes:
    """The file with the signature: by key, or by certificate when there is a chain (the signer's first).

    Raises MalformedKey for Ed25519, which OMS does not know, and for a certificate of another key.
    """
    if not signer.public.signs_models:
        raise MalformedKey(
            "Ed25519 does not sign models: OpenSSF Model Signing knows ECDSA only.",
            hint="Use a key on P-256, P-384 or P-521.",
        )
    material: JsonObject = {"publicKey": {"hint": signer.public.id}, "tlogEntries": []}
    if certificates:
        if public_key_of(certificates[0].public_key()) != signer.public:
            raise MalformedKey("The first certificate is not of the key that signs.")
        chain: list[JsonValue] = [
            {"rawBytes": write_base64(one.public_bytes(Encoding.DER))} for one in certificates
        ]
        material = {"x509CertificateChain": {"certificates": chain}, "tlogEntries": []}
    envelope = sign_statement(manifest_statement(manifest), signer)
    signature: JsonObject = {"sig": write_base64(envelope.signatures[0].signature), "keyid": ""}
    bundle: JsonObject = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": {**envelope.json, "signatures": [signature]},
    }
    return (json.dumps(bundle, indent=2) + "\n").encode("ascii")


def read_model_signature(data: bytes) -> ModelSignature:
    """What a signature file says; raises MalformedSignature and its like, UnsupportedSignature, Oversized."""
    fields = Fields(read_json(data, MAX_BUNDLE_BYTES), "bundle", MalformedSignature, _FIELDS)
    media_type = fields.text("mediaType")
    if media_type not in _MEDIA_TYPES:
        raise UnsupportedSignature(f"The file is of the type {media_type[:80]!r}, which is not read.")
    envelope = envelope_from_json(fields.object("dsseEnvelope"))
    if envelope.payload_type != IN_TOTO:
        raise MalformedSignature(f"The signature is over {envelope.payload_type[:80]!r} and no statement.")
    if len(envelope.signatures) != 1:
        raise MalformedSignature("The file of a model's signature has exactly one signature.")
    material = fields.fields("verificationMaterial")
    method = _method(material)
    found = ModelSignature(method, envelope, read_manifest(statement_of(envelope)), data=data)
    return _with_signer(found, material)


def _method(material: Fields) -> SigningMethod:
    found = [name for name in _MATERIALS if name in material]
    if len(found) != 1:
        raise MalformedSignature("The file names its signer in no way, or in several.")
    entries = material.values("tlogEntries", max_values=_MAX_LOG_ENTRIES, optional=True)
    if found[0] == "certificate" and not entries:
        raise MalformedSignature("A signature by an identity has no entry of the log of Sigstore.")
    return _MATERIALS[found[0]]  # type: ignore[return-value]  # the values are the methods


def _with_signer(found: ModelSignature, material: Fields) -> ModelSignature:
    if found.method == "certificate":
        chain = material.fields("x509CertificateChain").values("certificates", max_values=MAX_CHAIN)
        if not chain:
            raise MalformedSignature("The chain of certificates is empty.")
        return replace(found, certificates=tuple(_certificate(value) for value in chain))
    if found.method == "sigstore":
        return replace(found, certificates=(_certificate(material.object("certificate")),))
    public = material.fields("publicKey")
    hint, raw = public.text("hint", default=""), public.text("rawBytes", default="")
    if not (hint or raw) or len(hint) > _MAX_HINT_CHARS:
        raise MalformedSignature("The signature does not say which key it is of.")
    key = read_public_key(read_base64(raw, MalformedSignature)) if raw else None
    if key is not None and hint and hint != key.id:
        raise MalformedSignature("The signature names one key and carries another.")
    return replace(found, key_hint=hint, key=key)


def _certificate(value: JsonValue) -> Certificate:
    raw = Fields(value, "certificate", MalformedSignature).text("rawBytes")
    return read_der_certificate(read_base64(raw, MalformedSignature))
