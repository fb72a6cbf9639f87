"""Root keys, which lie offline and sign nothing but sets of keys: their files, and the signature.

The file is a PEM (PKCS #8, Ed25519), encrypted where there is a passphrase, behind one line that says the
public key: `root <verifier key>`. Other programs for PEM read it, and pass over that line.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from allmende.merkle import KeyKind, Note, Signature, VerifierKey, read_note, read_verifier_key
from allmende.merkle import MalformedNote as MalformedSignatures
from allmende.proof.errors import MalformedKey
from allmende.proof.key_sets import KeySetRefused, check_signers, read_key_set_text
from allmende.proof.keys import Signer, generate_signer, read_signer

__all__ = ["RootKey", "new_root_key", "read_root_key", "sign_key_set"]

_LINE = b"root "


class RootKey:
    """A root key with its secret, which neither `repr` nor `str` show."""

    __slots__ = ("_signer", "verifier")

    def __init__(self, name: str, signer: Signer) -> None:
        public = load_pem_public_key(signer.public.pem.encode("ascii"))
        if not isinstance(public, Ed25519PublicKey):
            raise MalformedKey("A root key is an Ed25519 key.")
        self._signer = signer
        self.verifier = VerifierKey(name, KeyKind.ED25519, public.public_bytes_raw())

    def __repr__(self) -> str:
        return f"RootKey({self.verifier!r})"

    def file(self, passphrase: str | None) -> bytes:
        """The key as it is kept; without a passphrase, who has it can sign."""
        return _LINE + f"{self.verifier.text}\n{self._signer.pem(passphrase)}".encode()

    def sign(self, text: str) -> Signature:
        """The signature under the text of a note."""
        return Signature(self.verifier.name, self.verifier.id, self._signer.sign(text.encode()))


def new_root_key(name: str) -> RootKey:
    """A new key from the system's randomness; raises `merkle.MalformedKey` for a name that no key has."""
    return RootKey(name, generate_signer("ed25519"))


def read_root_key(data: bytes, passphrase: str | None = None) -> RootKey:
    """The key in a file; raises WrongPassword, and MalformedKey for what is no file of a root key."""
    first, _, pem = data.partition(b"\n")
    if not first.startswith(_LINE):
        raise MalformedKey("A file with a root key begins with a line `root <verifier key>`.")
    named = read_verifier_key(first[len(_LINE) :].decode("utf-8", "replace"))
    key = RootKey(named.name, read_signer(pem, passphrase))
    if key.verifier != named:
        raise MalformedKey("The file has another root key than its first line says.")
    return key


def sign_key_set(data: bytes, key: RootKey) -> bytes:
    """A set of keys, signed by one root more: the text alone, or what another root has signed already.

    Raises MalformedKeySet, and KeySetRefused when the set does not wait for the signature of this key.
    """
    note = _note(data)
    keys = read_key_set_text(note.text)
    roots = keys.signers[:-1]
    if key.verifier not in roots:
        raise KeySetRefused(f"The set of keys names other roots than {key.verifier.text}.")
    made = {(one.name, one.key_id): one for one in (*note.signatures, key.sign(note.text))}
    # In the order in which they have to stand, whoever signs first.
    ordered = tuple(made[root.name, root.id] for root in roots if (root.name, root.id) in made)
    if len(ordered) != len(made):
        raise KeySetRefused("The set of keys is signed by somebody who is none of its roots.")
    signed = Note(note.text, ordered)
    check_signers(signed, [root for root in roots if (root.name, root.id) in made])
    return bytes(signed)


def _note(data: bytes) -> Note:
    text = data.decode("utf-8", "replace")
    try:
        return read_note(data)
    except MalformedSignatures:
        return Note(text, ())
