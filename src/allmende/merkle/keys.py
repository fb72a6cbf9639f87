"""Keys that sign logs: their kinds, their texts, and the bare act of signing and checking bytes.

The text of a verifier key is `<name>+<8 hex digits of the id>+<base64 of kind and public key>`, that of a
signing key the same behind `PRIVATE+KEY+`, with the seed in place of the public key (C2SP signed-note, and
what its Go library writes). Name and id together say which key signed.
"""

import re
import secrets
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from allmende.merkle.errors import AlgorithmMissing, MalformedKey
from allmende.merkle.strict import read_base64, write_base64

__all__ = [
    "COSIGNING",
    "KeyKind",
    "SigningKey",
    "VerifierKey",
    "check_name",
    "generate_key",
    "is_key_name",
    "read_signing_key",
    "read_verifier_key",
]

MAX_NAME_BYTES = 255
"""More do not fit into what an ML-DSA-44 cosigner signs."""

_SEED_BYTES = 32
_KEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_PRIVATE = "PRIVATE+KEY+"


class KeyKind(IntEnum):
    """How a key signs: the signature types of C2SP that are read and written here."""

    ED25519 = 0x01
    """Ed25519 over the text of a note."""

    ED25519_COSIGNATURE = 0x04
    """Ed25519 over a time and the text of a checkpoint."""

    ML_DSA_44_COSIGNATURE = 0x06
    """ML-DSA-44 over a time, the cosigner's name and the tree; safe against quantum computers."""

    @property
    def public_key_bytes(self) -> int:
        """How long a public key of the kind is."""
        return 1312 if self is KeyKind.ML_DSA_44_COSIGNATURE else 32

    @property
    def signature_bytes(self) -> int:
        """How long a bare signature of the kind is, without its time."""
        return 2420 if self is KeyKind.ML_DSA_44_COSIGNATURE else 64


COSIGNING = frozenset({KeyKind.ED25519_COSIGNATURE, KeyKind.ML_DSA_44_COSIGNATURE})
"""The kinds whose signatures carry a time."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that checks signatures; raises MalformedKey for a name or a length that none has."""

    name: str
    kind: KeyKind
    public_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if len(self.public_key) != self.kind.public_key_bytes:
            raise MalformedKey(
                f"A public key of kind {self.kind.name} has {self.kind.public_key_bytes} bytes, "
                f"not {len(self.public_key)}."
            )

    @property
    def id(self) -> bytes:
        """The four bytes that, with the name, say which key a signature is from."""
        return _key_id(self.name, self.kind, self.public_key)

    @property
    def text(self) -> str:
        """The verifier key as it is handed out."""
        return _text(self, self.public_key)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the bare signature over the message is of this key; raises AlgorithmMissing."""
        if len(signature) != self.kind.signature_bytes:
            return False
        public: Ed25519PublicKey | MLDSA44PublicKey
        try:
            if self.kind is KeyKind.ML_DSA_44_COSIGNATURE:
                public = MLDSA44PublicKey.from_public_bytes(self.public_key)
            else:
                public = Ed25519PublicKey.from_public_bytes(self.public_key)
            public.verify(signature, message)
        except InvalidSignature:
            return False
        except UnsupportedAlgorithm:
            raise _missing(self.kind) from None
        return True


class SigningKey:
    """A key that signs. Neither `repr` nor `str` show its secret.

    `seed` is 32 bytes; raises MalformedKey for others or for a wrong name, AlgorithmMissing where the kind
    is not known to the cryptography installed here.
    """

    __slots__ = ("_private", "_seed", "verifier")

    def __init__(self, name: str, kind: KeyKind, seed: bytes) -> None:
        if len(seed) != _SEED_BYTES:
            raise MalformedKey(f"The seed of a signing key has {_SEED_BYTES} bytes, not {len(seed)}.")
        self._seed = seed
        self._private: Ed25519PrivateKey | MLDSA44PrivateKey
        try:
            if kind is KeyKind.ML_DSA_44_COSIGNATURE:
                self._private = MLDSA44PrivateKey.from_seed_bytes(seed)
            else:
                self._private = Ed25519PrivateKey.from_private_bytes(seed)
        except UnsupportedAlgorithm:
            raise _missing(kind) from None
        self.verifier = VerifierKey(name, kind, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier!r})"

    @property
    def secret_text(self) -> str:
        """The key as it is kept; who has it can sign."""
        return _PRIVATE + _text(self.verifier, self._seed)

    def sign_bytes(self, message: bytes) -> bytes:
        """The bare signature over a message."""
        return self._private.sign(message)


def generate_key(name: str, kind: KeyKind) -> SigningKey:
    """A new key from the system's randomness; raises MalformedKey, AlgorithmMissing."""
    return SigningKey(name, kind, secrets.token_bytes(_SEED_BYTES))


def read_verifier_key(text: str) -> VerifierKey:
    """The key that a text says; raises MalformedKey, also when the id is not that of the key."""
    name, key_id, kind, public_key = _split(text)
    key = VerifierKey(name, kind, public_key)
    if key.id != key_id:
        raise MalformedKey(f"The key {name} has the id {key.id.hex()}, not {key_id.hex()}.")
    return key


def read_signing_key(text: str) -> SigningKey:
    """The key that a text of `secret_text` says; raises MalformedKey without showing it."""
    if not text.startswith(_PRIVATE):
        raise MalformedKey(f"A signing key begins with {_PRIVATE}.")
    try:
        name, key_id, kind, seed = _split(text.removeprefix(_PRIVATE))
    except MalformedKey:
        raise MalformedKey("What stands behind PRIVATE+KEY+ is not a key.") from None
    key = SigningKey(name, kind, seed)
    if key.verifier.id != key_id:
        raise MalformedKey(f"The signing key {name} does not have the id that its text says.")
    return key


def is_key_name(name: str) -> bool:
    """Whether a key may have the name: not empty, no space of Unicode, no plus, no control character."""
    return bool(name) and not any(sign == "+" or sign.isspace() or sign < " " for sign in name)


def check_name(name: str) -> None:
    """Raises MalformedKey for a name that a key of ours or of a policy may not have."""
    try:
        size_bytes = len(name.encode())
    except UnicodeEncodeError:
        raise MalformedKey("The name of a key is not UTF-8.") from None
    if not is_key_name(name) or size_bytes > MAX_NAME_BYTES:
        raise MalformedKey(
            f"{name[:80]!r} is no name of a key: 1 to {MAX_NAME_BYTES} bytes without spaces and plus signs."
        )


def _split(text: str) -> tuple[str, bytes, KeyKind, bytes]:
    found = _KEY.fullmatch(text)
    if found is None:
        raise MalformedKey(f"{text[:80]!r} is not <name>+<8 hexadecimal digits>+<base64>.")
    name, key_id, data = found[1], bytes.fromhex(found[2]), read_base64(found[3], MalformedKey)
    try:
        kind = KeyKind(data[0])
    except ValueError:
        known = ", ".join(f"0x{kind:02x}" for kind in KeyKind)
        raise MalformedKey(f"Keys of kind 0x{data[0]:02x} are not known here, only {known}.") from None
    return name, key_id, kind, data[1:]


def _key_id(name: str, kind: KeyKind, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + public_key).digest()[:4]


def _text(key: VerifierKey, data: bytes) -> str:
    return f"{key.name}+{key.id.hex()}+{write_base64(bytes([key.kind]) + data)}"


def _missing(kind: KeyKind) -> AlgorithmMissing:
    return AlgorithmMissing(
        f"The cryptography installed here does not know {kind.name}.",
        hint="Install a newer release of the Python package cryptography, or use an Ed25519 key.",
    )
