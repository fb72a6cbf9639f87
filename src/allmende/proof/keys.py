"""Keys that sign statements and models: ECDSA on P-256, P-384 and P-521, and Ed25519, as PEM.

The id of a key is the SHA-256 of the PEM text of its public half (SubjectPublicKeyInfo, with the last
newline): what OpenSSF Model Signing puts into `hint`.
"""

from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from allmende.proof.errors import MalformedKey, Oversized, WrongPassword

__all__ = [
    "ALGORITHMS",
    "PublicKey",
    "Signer",
    "generate_signer",
    "public_key_of",
    "read_public_key",
    "read_signer",
]

_MAX_PEM_BYTES = 64 * 1024

_CURVES: dict[str, tuple[str, ec.EllipticCurve, HashAlgorithm]] = {
    "secp256r1": ("ecdsa-p256", ec.SECP256R1(), SHA256()),
    "secp384r1": ("ecdsa-p384", ec.SECP384R1(), SHA384()),
    "secp521r1": ("ecdsa-p521", ec.SECP521R1(), SHA512()),
}
_ED25519 = "ed25519"

ALGORITHMS = (*(name for name, _, _ in _CURVES.values()), _ED25519)
"""What keys may be of. Ed25519 is for statements alone: OpenSSF Model Signing does not know it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures. Made by `read_public_key` and `public_key_of`."""

    algorithm: str
    pem: str = field(repr=False)

    @property
    def id(self) -> str:
        """SHA-256 of the PEM text, 64 hexadecimal digits."""
        return sha256(self.pem.encode("ascii")).hexdigest()

    @property
    def signs_models(self) -> bool:
        """Whether OpenSSF Model Signing knows the algorithm."""
        return self.algorithm != _ED25519

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message is of this key (ECDSA: DER, with the hash of its curve)."""
        public = load_pem_public_key(self.pem.encode("ascii"))
        try:
            if isinstance(public, Ed25519PublicKey):
                public.verify(signature, message)
            elif isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(signature, message, ec.ECDSA(_CURVES[public.curve.name][2]))
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key that signs bytes. Neither `repr` nor `str` show its secret."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> None:
        self._private = private
        self.public = public_key_of(private.public_key())

    def __repr__(self) -> str:
        return f"Signer({self.public!r})"

    def sign(self, message: bytes) -> bytes:
        """The signature over the message: DER for ECDSA, 64 bytes for Ed25519."""
        if isinstance(self._private, Ed25519PrivateKey):
            return self._private.sign(message)
        return self._private.sign(message, ec.ECDSA(_CURVES[self._private.curve.name][2]))

    def pem(self, password: str | None = None) -> str:
        """The private key as PKCS #8, encrypted when there is a password."""
        encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
        data = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        return data.decode("ascii")


def generate_signer(algorithm: str = "ecdsa-p256") -> Signer:
    """A new key; raises MalformedKey for an algorithm that is not among `ALGORITHMS`."""
    if algorithm == _ED25519:
        return Signer(Ed25519PrivateKey.generate())
    for name, curve, _ in _CURVES.values():
        if name == algorithm:
            return Signer(ec.generate_private_key(curve))
    raise MalformedKey(f"There are no keys of {algorithm!r}.", hint=f"Choose among {', '.join(ALGORITHMS)}.")


def read_signer(pem: str | bytes, password: str | None = None) -> Signer:
    """The private key in a PEM text (PKCS #8, or what OpenSSL wrote before it).

    Raises WrongPassword when it is encrypted and the password is absent or wrong, MalformedKey for
    whatever else is no usable key.
    """
    data = _bounded(pem)
    if not password and b"ENCRYPTED" in data:
        raise WrongPassword("The private key is encrypted, and no password was given.")
    try:
        private = load_pem_private_key(data, password.encode() if password and b"ENCRYPTED" in data else None)
    except (ValueError, TypeError) as error:
        if b"ENCRYPTED" in data:
            raise WrongPassword("The password does not open the private key.") from error
        raise MalformedKey("This is not a private key in PEM.") from error
    except UnsupportedAlgorithm as error:
        raise MalformedKey("The private key is of an algorithm that is not known here.") from error
    if not isinstance(private, (ec.EllipticCurvePrivateKey, Ed25519PrivateKey)):
        raise _unknown_kind()
    return Signer(private)


def read_public_key(pem: str | bytes) -> PublicKey:
    """The public key in a PEM text; raises MalformedKey."""
    try:
        public = load_pem_public_key(_bounded(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedKey("This is not a public key in PEM.") from error
    return public_key_of(public)


def public_key_of(public: object) -> PublicKey:
    """The key that an object of `cryptography` holds; raises MalformedKey for kinds not used here."""
    if isinstance(public, Ed25519PublicKey):
        algorithm = _ED25519
    elif isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        algorithm = _CURVES[public.curve.name][0]
    else:
        raise _unknown_kind()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(algorithm, pem.decode("ascii"))


def _unknown_kind() -> MalformedKey:
    return MalformedKey(
        "The key is neither ECDSA on P-256, P-384 or P-521 nor Ed25519.",
        hint="Make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`.",
    )


def _bounded(pem: str | bytes) -> bytes:
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    if len(data) > _MAX_PEM_BYTES:
        raise Oversized(f"A key of {len(data)} bytes is not read; {_MAX_PEM_BYTES} are enough.")
    return data
