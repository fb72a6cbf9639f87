"""Proof files are written, read and believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.errors import AllmendeError
from allmende.merkle import (
    MAX_EXTRA_BYTES,
    MAX_PROOF_FILE_BYTES,
    LogProof,
    Malformed,
    Policy,
    PolicyLog,
    ProofRefused,
    SignatureRefused,
    inclusion_proof,
    leaf_hash,
    read_log_proof,
)
from tests.unit.merkle.made_logs import LOG_KEY, OTHER_KEY, entry, note_of, tree_of

TREE = tree_of(11)
POLICY = Policy((PolicyLog(LOG_KEY.verifier),), (), (), None)
NOTE = note_of(TREE)
PROOF = LogProof(4, tuple(inclusion_proof(TREE, 4, 11)), NOTE)
HEAD, CHECKPOINT = bytes(PROOF).split(b"\n\n", 1)


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=8),
    st.binary(max_size=99),
)
def test_what_is_written_is_read(index, hashes, extra):
    proof = LogProof(index, tuple(hashes), NOTE, extra)
    assert read_log_proof(bytes(proof)) == proof


def test_the_lines_are_those_of_the_norm():
    lines = bytes(LogProof(4, PROOF.hashes[:1], NOTE, b"\1")).decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra AQ==", "index 4"]
    assert lines[4:6] == ["", "hub.example/log"]


@pytest.mark.parametrize("index", range(11))
def test_every_entry_is_shown(index):
    proof = read_log_proof(bytes(LogProof(index, tuple(inclusion_proof(TREE, index, 11)), NOTE)))
    assert proof.check(leaf_hash(entry(index)), POLICY).checkpoint.size == 11


def test_a_log_of_one_entry_needs_no_hashes():
    proof = read_log_proof(bytes(LogProof(0, (), note_of(tree_of(1)))))
    assert proof.check(leaf_hash(entry(0)), POLICY).checkpoint.size == 1


def test_what_is_not_shown_is_refused():
    for index in (3, 5, 11, 2**63 - 1):
        with pytest.raises(ProofRefused):
            LogProof(index, PROOF.hashes, NOTE).check(leaf_hash(entry(4)), POLICY)
    with pytest.raises(ProofRefused):
        PROOF.check(leaf_hash(entry(5)), POLICY)
    with pytest.raises(SignatureRefused):
        PROOF.check(leaf_hash(entry(4)), Policy((PolicyLog(OTHER_KEY.verifier),), (), (), None))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\n" + CHECKPOINT,
        b"\n" + HEAD + b"\n\n" + CHECKPOINT,
        HEAD + b"\n\n\n" + CHECKPOINT,
        HEAD.replace(b"@v1", b"@v2") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"index 04") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"index -4") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"index  4") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"index 4\r") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4\n", b"") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"extra \nindex 4") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"extra AB==\nindex 4") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"index 4\nextra AQ==") + b"\n\n" + CHECKPOINT,
        HEAD.replace(b"index 4", b"extra " + b"AAAA" * (MAX_EXTRA_BYTES // 3 + 1) + b"\nindex 4")
        + b"\n\n"
        + CHECKPOINT,
        HEAD + b"\nAAAA\n\n" + CHECKPOINT,
        HEAD + b"\n" + b"A" * 43 + b"=\n" * 64 + b"\n\n" + CHECKPOINT,
        HEAD + (b"\n" + b"A" * 43 + b"=") * 64 + b"\n\n" + CHECKPOINT,
        HEAD + b"\n\xff\n\n" + CHECKPOINT,
        HEAD + b"\n\n" + CHECKPOINT.replace(b"11\n", b"011\n"),
        HEAD + b"\n\n" + CHECKPOINT + b"\n",
        HEAD + b"\n\n" + CHECKPOINT + bytes(MAX_PROOF_FILE_BYTES),
    ],
)
def test_what_is_no_proof_file_is_refused(data):
    with pytest.raises(Malformed):
        read_log_proof(data)


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: HEAD + b"\n\n" + text.encode()))
def test_anything_is_refused_or_written_back(data):
    try:
        proof = read_log_proof(data)
    except AllmendeError:
        return
    assert bytes(proof) == data
