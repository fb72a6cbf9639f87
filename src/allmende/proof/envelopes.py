"""DSSE envelopes: bytes of a declared type, and signatures over both (secure-systems-lab/dsse, v1.0).

Read from any JSON, kept as canonical JSON with standard base64: the digest of an envelope, which is what
the log and other statements name, does not depend on how somebody wrote it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from allmende.proof.canonical import JsonObject, JsonValue, canonical_json, read_json
from allmende.proof.errors import BrokenSignature, MalformedEnvelope, UntrustedSigner
from allmende.proof.keys import PublicKey, Signer
from allmende.proof.strict import Fields, read_base64, write_base64

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "MAX_SIGNERS",
    "Envelope",
    "EnvelopeSignature",
    "envelope_from_json",
    "pae",
    "read_envelope",
    "sign_payload",
    "signers_of",
    "verified_payload",
]

MAX_ENVELOPE_BYTES = 16 * 1024 * 1024
"""How large an envelope is read by default; whoever takes them from strangers sets less."""

MAX_SIGNERS = 16
_MAX_TYPE_CHARS = 256
_MAX_KEYID_CHARS = 512


@dataclass(frozen=True, slots=True)
class EnvelopeSignature:
    """One signature; `keyid` is a hint that nothing is decided by, and may be empty."""

    keyid: str
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload of a type with at least one signature, none of which has been checked."""

    payload_type: str
    payload: bytes = field(repr=False)
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def json(self) -> JsonObject:
        """The envelope as JSON; an empty key id is left out."""
        signatures: list[JsonValue] = [
            {**({"keyid": one.keyid} if one.keyid else {}), "sig": write_base64(one.signature)}
            for one in self.signatures
        ]
        return {
            "payload": write_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        }

    @property
    def data(self) -> bytes:
        """The canonical JSON of the envelope."""
        return canonical_json(self.json)

    @property
    def digest(self) -> str:
        """SHA-256 of `data`, the name of the envelope, 64 hexadecimal digits."""
        return sha256(self.data).hexdigest()


def pae(payload_type: str, payload: bytes) -> bytes:
    """What is signed: type and payload with their lengths, so that neither can pass for the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_payload(payload_type: str, payload: bytes, signers: Iterable[Signer]) -> Envelope:
    """An envelope signed by each of these keys, at least one."""
    message = pae(payload_type, payload)
    signatures = tuple(EnvelopeSignature(one.public.id, one.sign(message)) for one in signers)
    return _checked(Envelope(payload_type, payload, signatures))


def read_envelope(data: bytes, max_bytes: int = MAX_ENVELOPE_BYTES) -> Envelope:
    """The envelope in these bytes; raises MalformedEnvelope, NotCanonical for no JSON, Oversized."""
    return envelope_from_json(read_json(data, max_bytes))


def envelope_from_json(value: JsonValue) -> Envelope:
    """The envelope that a JSON value is; raises MalformedEnvelope, also for unknown fields."""
    wrong = MalformedEnvelope
    fields = Fields(value, "envelope", wrong, frozenset({"payload", "payloadType", "signatures"}))
    signatures = []
    for number, one in enumerate(fields.values("signatures", max_values=MAX_SIGNERS)):
        inner = Fields(one, f"envelope.signatures[{number}]", wrong, frozenset({"keyid", "sig"}))
        signatures.append(
            EnvelopeSignature(inner.text("keyid", default=""), read_base64(inner.text("sig"), wrong))
        )
    payload = read_base64(fields.text("payload"), wrong)
    return _checked(Envelope(fields.text("payloadType"), payload, tuple(signatures)))


def signers_of(envelope: Envelope, keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Those of the keys that signed the envelope, each once, in the order of `keys`."""
    message = pae(envelope.payload_type, envelope.payload)
    return tuple(
        key
        for key in dict.fromkeys(keys)
        if any(key.has_signed(message, one.signature) for one in envelope.signatures)
    )


def verified_payload(
    envelope: Envelope, keys: Iterable[PublicKey], payload_type: str, threshold: int = 1
) -> bytes:
    """The payload, if at least `threshold` different keys of these signed it and it has the type.

    Raises UntrustedSigner when no signature names or is of a known key, BrokenSignature when one names a
    known key and is not of it, and MalformedEnvelope for another type.
    """
    if threshold < 1:
        raise ValueError("at least one signature is needed")
    if envelope.payload_type != payload_type:
        raise MalformedEnvelope(
            f"The envelope holds {envelope.payload_type[:80]!r} where {payload_type!r} is read."
        )
    known = tuple(dict.fromkeys(keys))
    signers = signers_of(envelope, known)
    if len(signers) >= threshold:
        return envelope.payload
    if not signers and {key.id for key in known} & {one.keyid for one in envelope.signatures}:
        raise BrokenSignature("A signature names a known key, but is not of it and of these bytes.")
    raise UntrustedSigner(
        f"{len(signers)} of the {threshold} signatures that are asked for are of a known key.",
        hint="Either the keys are the wrong ones, or the envelope was changed.",
    )


def _checked(envelope: Envelope) -> Envelope:
    if not 1 <= len(envelope.signatures) <= MAX_SIGNERS:
        raise MalformedEnvelope(f"An envelope has 1 to {MAX_SIGNERS} signatures.")
    if not 1 <= len(envelope.payload_type) <= _MAX_TYPE_CHARS:
        raise MalformedEnvelope(f"The type of a payload has 1 to {_MAX_TYPE_CHARS} characters.")
    if any(len(one.keyid) > _MAX_KEYID_CHARS for one in envelope.signatures):
        raise MalformedEnvelope(f"The id of a key has at most {_MAX_KEYID_CHARS} characters.")
    return envelope
