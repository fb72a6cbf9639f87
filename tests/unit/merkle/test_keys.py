"""Texts of keys, and who can sign with what."""

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from allmende.merkle import (
    AlgorithmMissing,
    KeyKind,
    MalformedKey,
    SigningKey,
    VerifierKey,
    generate_key,
    read_signing_key,
    read_verifier_key,
)

GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"


@pytest.mark.parametrize("kind", KeyKind)
class TestEachKind:
    def test_texts_are_read_as_they_are_written(self, kind):
        key = generate_key("hub.example/log", kind)
        assert read_verifier_key(key.verifier.text) == key.verifier
        assert read_signing_key(key.secret_text).verifier == key.verifier

    def test_a_signature_is_of_one_key_and_one_message(self, kind):
        key, other = (SigningKey("k", kind, bytes([seed]) * 32) for seed in (1, 2))
        signature = key.sign_bytes(b"message")
        assert len(signature) == kind.signature_bytes
        assert key.verifier.has_signed(b"message", signature)
        assert not key.verifier.has_signed(b"massage", signature)
        assert not other.verifier.has_signed(b"message", signature)
        for wrong in (b"", signature[:-1], signature + b"\0", bytes(len(signature))):
            assert not key.verifier.has_signed(b"message", wrong)

    def test_the_secret_is_not_shown(self, kind):
        key = SigningKey("k", kind, bytes(range(32)))
        shown = f"{key} {key!r} {key.verifier!r}"
        assert bytes(range(32)).hex() not in shown
        assert "x00" not in shown
        assert key.secret_text.startswith("PRIVATE+KEY+k+")

    def test_two_new_keys_differ(self, kind):
        assert generate_key("k", kind).verifier != generate_key("k", kind).verifier


class TestKnownAnswers:
    def test_the_keys_of_the_go_library(self):
        assert read_verifier_key(GO_VERIFIER).text == GO_VERIFIER
        assert read_signing_key(GO_SIGNER).verifier == read_verifier_key(GO_VERIFIER)
        assert read_signing_key(GO_SIGNER).secret_text == GO_SIGNER

    def test_the_id_depends_on_the_kind(self):
        keys = [SigningKey("k", kind, b"\1" * 32).verifier for kind in KeyKind]
        assert len({key.id for key in keys}) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "+",
            "PeterNeumann",
            "PeterNeumann+c74f20a3",
            GO_VERIFIER + "\n",
            GO_VERIFIER.replace("c74f20a3", "C74F20A3"),
            GO_VERIFIER.replace("c74f20a3", "c74f20a4"),
            GO_VERIFIER.replace("Peter", "Petra"),
            GO_VERIFIER[:-4],
            GO_VERIFIER[:-4] + "=" + GO_VERIFIER[-3:],
            GO_VERIFIER.replace("PeterNeumann", "Peter Neumann"),
            GO_VERIFIER.replace("PeterNeumann", "Peter\u00a0Neumann"),
            GO_VERIFIER.replace("PeterNeumann", "Peter\udc80Neumann"),
            "k+00000000+AgAA",
            "k+00000000+====",
            "k+00000000+AQ==",
        ],
    )
    def test_what_is_no_verifier_key(self, text):
        with pytest.raises(MalformedKey):
            read_verifier_key(text)

    @pytest.mark.parametrize(
        "text",
        [GO_VERIFIER, GO_SIGNER[:-4], GO_SIGNER.replace("c74f", "c74e"), "PRIVATE+KEY+", "PRIVATE+KEY+a+b"],
    )
    def test_what_is_no_signing_key_is_not_shown(self, text):
        with pytest.raises(MalformedKey) as refusal:
            read_signing_key(text)
        assert "AYEKFALV" not in refusal.value.message

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b", "n" * 256, "\udc80"])
    def test_names_that_no_key_has(self, name):
        with pytest.raises(MalformedKey):
            SigningKey(name, KeyKind.ED25519, bytes(32))

    def test_lengths(self):
        for seed in (b"", bytes(31), bytes(64)):
            with pytest.raises(MalformedKey):
                SigningKey("k", KeyKind.ED25519, seed)
        with pytest.raises(MalformedKey):
            VerifierKey("k", KeyKind.ML_DSA_44_COSIGNATURE, bytes(32))

    def test_an_algorithm_that_is_not_there_is_named(self, monkeypatch):
        def unsupported(*_):
            raise UnsupportedAlgorithm("not here")

        key = SigningKey("k", KeyKind.ML_DSA_44_COSIGNATURE, bytes(32))
        signature = key.sign_bytes(b"")
        monkeypatch.setattr("allmende.merkle.keys.MLDSA44PrivateKey.from_seed_bytes", unsupported)
        monkeypatch.setattr("allmende.merkle.keys.MLDSA44PublicKey.from_public_bytes", unsupported)
        with pytest.raises(AlgorithmMissing):
            generate_key("k", KeyKind.ML_DSA_44_COSIGNATURE)
        with pytest.raises(AlgorithmMissing):
            key.verifier.has_signed(b"", signature)
