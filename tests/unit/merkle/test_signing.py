"""Who has signed a note, and what that says."""

from dataclasses import replace

import pytest

from allmende.merkle import (
    Checkpoint,
    KeyKind,
    KeyRing,
    MalformedCheckpoint,
    MalformedKey,
    Note,
    Signature,
    SignatureRefused,
    SigningKey,
    VerifierKey,
    read_note,
    read_signing_key,
    read_verifier_key,
    sign,
    signed_checkpoint,
)
from tests.unit.merkle.made_logs import LOG_KEY, NOW, OTHER_KEY, WITNESS_KEYS, note_of, tree_of
from tests.unit.merkle.test_keys import GO_SIGNER, GO_VERIFIER
from tests.unit.merkle.test_notes import GO_NOTE

NOTE = note_of(tree_of(5), keys=(LOG_KEY, *WITNESS_KEYS))
ALL_KEYS = [LOG_KEY.verifier, *(key.verifier for key in WITNESS_KEYS)]
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()


class TestKnownAnswers:
    @pytest.mark.parametrize(("key", "data"), [(GO_VERIFIER, GO_NOTE), (C2SP_KEY, C2SP_NOTE)])
    def test_notes_of_others_are_checked(self, key, data):
        (signed,) = KeyRing([read_verifier_key(key)]).check(read_note(data))
        assert signed.key.text == key
        assert signed.at_s is None

    def test_our_signature_is_that_of_the_go_library(self):
        text = read_note(GO_NOTE).text
        assert bytes(Note(text, (sign(text, read_signing_key(GO_SIGNER)),))) == GO_NOTE

    def test_what_a_witness_signs(self):
        """The bytes of C2SP tlog-cosignature, put together here by hand."""
        text, root = NOTE.text, tree_of(5).root()
        one, _, three = NOTE.signatures[1:]
        time = NOW.to_bytes(8)
        assert one.data[:8] == three.data[:8] == time
        bare = VerifierKey(one.name, KeyKind.ED25519, WITNESS_KEYS[0].verifier.public_key)
        assert bare.has_signed(f"cosignature/v1\ntime {NOW}\n{text}".encode(), one.data[8:])
        name, origin = b"witness.example/three", b"hub.example/log"
        message = b"subtree/v1\n\0" + bytes([len(name)]) + name + time + bytes([len(origin)]) + origin
        message += bytes(8) + (5).to_bytes(8) + root
        assert WITNESS_KEYS[2].verifier.has_signed(message, three.data[8:])


class TestKeyRing:
    def test_all_who_signed_are_named_with_their_time(self):
        signed = KeyRing(ALL_KEYS).check(NOTE)
        assert [(each.key, each.at_s) for each in signed] == [
            (ALL_KEYS[0], None),
            (ALL_KEYS[1], NOW),
            (ALL_KEYS[2], NOW),
            (ALL_KEYS[3], NOW),
        ]
        assert tuple(each.signature for each in signed) == NOTE.signatures

    def test_unknown_keys_are_passed_over(self):
        junk = Signature("hub.example/log", b"\0\0\0\0", b"junk")
        ring = KeyRing([LOG_KEY.verifier])
        assert len(ring.check(NOTE.with_signatures([junk]))) == 1

    def test_no_known_key_is_no_signature(self):
        with pytest.raises(SignatureRefused, match="No known key"):
            KeyRing([OTHER_KEY.verifier]).check(NOTE)
        with pytest.raises(SignatureRefused):
            KeyRing([]).check(NOTE)

    @pytest.mark.parametrize("at", range(4))
    def test_a_false_signature_of_a_known_key_refuses_the_note(self, at):
        signatures = list(NOTE.signatures)
        data = signatures[at].data
        for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:-1], data + b"\0", data[:8], b"x"):
            signatures[at] = replace(signatures[at], data=wrong)
            with pytest.raises(SignatureRefused):
                KeyRing(ALL_KEYS).check(replace(NOTE, signatures=tuple(signatures)))

    def test_a_false_one_beside_a_true_one_refuses_the_note(self):
        false = replace(NOTE.signatures[0], data=bytes(64))
        with pytest.raises(SignatureRefused):
            KeyRing(ALL_KEYS).check(NOTE.with_signatures([false]))

    @pytest.mark.parametrize("at", [1, 2, 3])
    def test_the_time_is_signed(self, at):
        signature = NOTE.signatures[at]
        for time in (0, NOW + 1, 2**63, 2**64 - 1):
            moved = replace(signature, data=time.to_bytes(8) + signature.data[8:])
            with pytest.raises(SignatureRefused):
                KeyRing(ALL_KEYS).check(replace(NOTE, signatures=(moved,)))

    def test_one_kind_does_not_pass_for_another(self):
        seed = b"\7" * 32
        note_key = SigningKey("k", KeyKind.ED25519, seed)
        cosigner = SigningKey("k", KeyKind.ED25519_COSIGNATURE, seed)
        text = NOTE.text
        time = NOW.to_bytes(8)
        taken = Signature("k", cosigner.verifier.id, time + note_key.sign_bytes(text.encode()))
        with pytest.raises(SignatureRefused):
            KeyRing([cosigner.verifier]).check(Note(text, (taken,)))
        bare = Signature("k", note_key.verifier.id, sign(text, cosigner, NOW).data[8:])
        with pytest.raises(SignatureRefused):
            KeyRing([note_key.verifier]).check(Note(text, (bare,)))

    def test_two_keys_of_one_name_and_id_are_refused(self, monkeypatch):
        monkeypatch.setattr(VerifierKey, "id", b"same")
        one, two = (SigningKey("k", KeyKind.ED25519, bytes([seed]) * 32).verifier for seed in (1, 2))
        KeyRing([one, one])
        with pytest.raises(MalformedKey):
            KeyRing([one, two])


class TestSigning:
    def test_a_cosigner_signs_only_checkpoints(self):
        for key in WITNESS_KEYS:
            with pytest.raises(MalformedCheckpoint):
                sign("no checkpoint\n", key, NOW)

    def test_what_a_cosigner_seems_to_have_signed_must_be_a_checkpoint(self):
        note = Note("no checkpoint\n", (NOTE.signatures[1],))
        with pytest.raises(MalformedCheckpoint):
            KeyRing(ALL_KEYS).check(note)

    @pytest.mark.parametrize("at_s", [-1, 2**63])
    def test_an_impossible_time(self, at_s):
        with pytest.raises(MalformedCheckpoint):
            sign(NOTE.text, WITNESS_KEYS[0], at_s)

    def test_no_extension_lines_of_ours(self):
        with pytest.raises(MalformedCheckpoint):
            signed_checkpoint(Checkpoint("a", 0, bytes(32), ("more",)), [LOG_KEY])
