"""Envelopes: the example of DSSE, several signatures, and one spelling."""

import base64
import json

import pytest

from allmende.proof import (
    ALGORITHMS,
    BrokenSignature,
    MalformedEnvelope,
    Oversized,
    Signer,
    UntrustedSigner,
    generate_signer,
    pae,
    read_envelope,
    sign_payload,
    signers_of,
    verified_payload,
)

TYPE = "http://example.com/HelloWorld"


@pytest.fixture(scope="module")
def signers() -> list[Signer]:
    return [generate_signer(algorithm) for algorithm in ALGORITHMS]


def test_the_encoding_is_that_of_the_specification() -> None:
    assert pae(TYPE, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@pytest.mark.parametrize("number", range(len(ALGORITHMS)))
def test_each_algorithm_signs(signers: list[Signer], number: int) -> None:
    envelope = read_envelope(sign_payload(TYPE, b"data", [signers[number]]).data)
    assert verified_payload(envelope, [signers[number].public], TYPE) == b"data"
    with pytest.raises(UntrustedSigner):
        verified_payload(envelope, [signers[number - 1].public], TYPE)


def test_several_sign_and_a_threshold_counts_keys(signers: list[Signer]) -> None:
    envelope = sign_payload(TYPE, b"data", [signers[0], signers[0], signers[3]])
    keys = [signer.public for signer in signers]
    assert signers_of(envelope, keys) == (keys[0], keys[3])
    assert verified_payload(envelope, keys, TYPE, threshold=2) == b"data"
    with pytest.raises(UntrustedSigner, match="2 of the 3"):
        verified_payload(envelope, [*keys, keys[0]], TYPE, threshold=3)
    with pytest.raises(ValueError, match="at least one"):
        verified_payload(envelope, keys, TYPE, threshold=0)


def test_the_type_is_signed_and_asked_for(signers: list[Signer]) -> None:
    envelope = sign_payload(TYPE, b"data", signers[:1])
    with pytest.raises(MalformedEnvelope, match="HelloWorld"):
        verified_payload(envelope, [signers[0].public], "text/plain")
    other = {**envelope.json, "payloadType": "text/plain"}
    with pytest.raises(BrokenSignature):
        verified_payload(read_envelope(json.dumps(other).encode()), [signers[0].public], "text/plain")


def test_the_digest_does_not_depend_on_the_spelling(signers: list[Signer]) -> None:
    envelope = sign_payload(TYPE, b"data", signers[:1])
    spaced = json.dumps(dict(reversed(envelope.json.items())), indent=3).encode()
    assert read_envelope(spaced).digest == envelope.digest
    keyless = json.loads(spaced)
    del keyless["signatures"][0]["keyid"]
    for empty in ({}, {"keyid": ""}, {"keyid": None}):
        written = {**keyless, "signatures": [{**keyless["signatures"][0], **empty}]}
        assert read_envelope(json.dumps(written).encode()).signatures[0].keyid == ""


GOOD = {"payload": "aGk=", "payloadType": "text/plain", "signatures": [{"sig": "AA=="}]}


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "aGk"}, {"payload": "aGl="}, {"payload": "aG k="}, {"payload": "aGk=\n"},
        {"payload": "-_8="}, {"payload": 1}, {"payload": ""}, {"payloadType": ""}, {"payloadType": "x" * 300},
        {"signatures": []},
        {"signatures": [{"sig": ""}]}, {"signatures": [{"sig": "AA==", "more": 1}]}, {"more": 1},
        {"signatures": [{"sig": "AA=="}] * 17}, {"signatures": [{"sig": "AA==", "keyid": "x" * 600}]},
        {"signatures": {}}, {"signatures": ["AA=="]},
    ],
)  # fmt: skip
def test_what_is_not_an_envelope_is_refused(change: dict[str, object]) -> None:
    read_envelope(json.dumps(GOOD).encode())
    with pytest.raises(MalformedEnvelope):
        read_envelope(json.dumps({**GOOD, **change}).encode())


def test_the_length_is_bounded() -> None:
    large = {**GOOD, "payload": base64.b64encode(bytes(3000)).decode()}
    with pytest.raises(Oversized):
        read_envelope(json.dumps(large).encode(), max_bytes=2000)
