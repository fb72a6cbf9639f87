"""Keys: what is read, what is refused, and that secrets do not show."""

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from allmende.proof import (
    ALGORITHMS,
    MalformedKey,
    Oversized,
    WrongPassword,
    generate_signer,
    read_public_key,
    read_signer,
)

VECTORS = Path(__file__).parent / "vectors"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_written_and_read(algorithm: str) -> None:
    signer = generate_signer(algorithm)
    again = read_signer(signer.pem())
    assert again.public == read_public_key(signer.public.pem) == signer.public
    assert again.public.algorithm == algorithm
    assert signer.public.has_signed(b"message", again.sign(b"message"))
    assert not signer.public.has_signed(b"other", again.sign(b"message"))
    assert not signer.public.has_signed(b"message", b"")


def test_the_id_is_the_digest_of_the_pem_as_the_reference_makes_it() -> None:
    key = read_public_key((VECTORS / "signing-key-pub.pem").read_bytes())
    assert key.id == sha256(key.pem.encode()).hexdigest()
    assert key.id == "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e"
    assert (key.algorithm, key.signs_models) == ("ecdsa-p384", True)


def test_an_encrypted_key_wants_its_password() -> None:
    signer = generate_signer()
    pem = signer.pem("geheim ü")
    assert read_signer(pem, "geheim ü").public == signer.public
    for password in (None, "", "falsch"):
        with pytest.raises(WrongPassword):
            read_signer(pem, password)
    assert read_signer(signer.pem(), "not needed").public == signer.public


def test_what_openssl_writes_is_read(tmp_path: Path) -> None:
    made = tmp_path / "key.pem"
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    assert read_signer(made.read_bytes()).public.algorithm == "ecdsa-p256"


def test_other_keys_are_refused() -> None:
    keys = (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256K1()))
    for key in keys:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with pytest.raises(MalformedKey, match="P-256"):
            read_signer(pem)
    for text in ("", "nothing", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(MalformedKey):
            read_public_key(text)
        with pytest.raises(MalformedKey):
            read_signer(text)
    with pytest.raises(Oversized):
        read_public_key(b"x" * 100_000)
    with pytest.raises(MalformedKey, match="rsa"):
        generate_signer("rsa")


def test_a_private_key_does_not_show_itself() -> None:
    signer = generate_signer()
    assert "PRIVATE" not in repr(signer) + str(signer)
