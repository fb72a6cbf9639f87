"""Statements and predicates: what is written is read back, and what is refused."""

import json
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from allmende.proof import (
    PREDICATES,
    BrokenSignature,
    MalformedStatement,
    Predicate,
    ProvenancePredicate,
    Resource,
    ScaiAttribute,
    ScaiPredicate,
    Statement,
    Subject,
    TestResultPredicate,
    VsaPredicate,
    VulnsPredicate,
    VulnsResult,
    dir_hash,
    generate_signer,
    read_envelope,
    read_predicate,
    read_statement,
    revision_subject,
    sign_statement,
    verify_envelope,
)
from tests.unit.proof.made_models import FILES, NOW

COMMIT, TREE = "ab" * 20, "cd" * 32
SUBJECT = revision_subject("model", "0123", COMMIT, TREE)
BASE = Resource("pkg:huggingface/a/b@1", {"gitCommit": COMMIT}, "a/b")

EXAMPLES: list[Predicate] = [
    ProvenancePredicate(
        "tag:x:train",
        "https://builder",
        {"lr": 0.1},
        {"gpu": 1},
        (BASE,),
        "run 7",
        NOW,
        NOW,
        (Resource(name="log"),),
    ),
    ProvenancePredicate("tag:x:train", "https://builder", {}),
    ScaiPredicate((ScaiAttribute("DERIVED_FROM", BASE, {"share": 0.5}, BASE), ScaiAttribute("SMALL")), BASE),
    VulnsPredicate(
        "tag:s", "3", NOW, NOW, (VulnsResult("rule", (("m", "high"),), ({"path": "a"},)),), {"uri": "u"}
    ),
    VulnsPredicate("tag:s", "3", NOW, NOW),
    TestResultPredicate("WARNED", (BASE,), "https://x", ("a",), ("b",), ("c",)),
    VsaPredicate("https://hub", NOW, "https://hub/m", BASE, passed=True, levels=("A",), inputs=(BASE,)),
]


@pytest.mark.parametrize("predicate", EXAMPLES, ids=lambda predicate: type(predicate).__name__)
def test_a_predicate_goes_into_an_envelope_and_comes_back(predicate: Predicate) -> None:
    signer = generate_signer()
    envelope = sign_statement(Statement((SUBJECT,), predicate.type, predicate.json), signer)
    statement = verify_envelope(read_envelope(envelope.data), [signer.public])
    assert statement.subjects == (SUBJECT,)
    assert read_predicate(statement) == predicate


@pytest.mark.parametrize("predicate", EXAMPLES, ids=lambda predicate: type(predicate).__name__)
def test_without_any_of_its_fields_a_predicate_is_still_right_or_refused(predicate: Predicate) -> None:
    for name in predicate.json:
        cut = {key: value for key, value in predicate.json.items() if key != name}
        changes: tuple[dict[str, Any], ...] = ({}, {name: 7}, {name: [7]}, {name: {"x": None}})
        for value in ({**cut, **change} for change in changes):
            statement = Statement((SUBJECT,), predicate.type, value)
            try:
                read_predicate(statement)
            except MalformedStatement:
                continue
            assert name in {"verifiedLevels", "inputAttestations", "url", "producer"} or name.endswith(
                "Tests"
            )


def test_other_predicates_have_no_reader() -> None:
    assert read_predicate(Statement((SUBJECT,), PREDICATES["cyclonedx"], {"a": 1})) is None
    assert read_predicate(Statement((SUBJECT,), "https://other", {})) is None


GOOD: dict[str, Any] = Statement((SUBJECT,), "https://t", {"x": 1}).json


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"subject": []},
        {"subject": [{"name": "x"}]},
        {"subject": [{"digest": {}}]},
        {"subject": [{"digest": {"sha256": "AB"}}]},
        {"subject": [{"digest": {"sha256": "abc"}}]},
        {"subject": "x"},
        {"predicateType": ""},
        {"predicateType": "x" * 600},
        {"predicate": []},
    ],
)
def test_what_is_no_statement_is_refused(change: dict[str, Any]) -> None:
    assert read_statement(json.dumps(GOOD).encode()).predicate == {"x": 1}
    with pytest.raises(MalformedStatement):
        read_statement(json.dumps({**GOOD, **change}).encode())


def test_unknown_fields_are_passed_over() -> None:
    assert read_statement(json.dumps({**GOOD, "more": 1}).encode()).predicate_type == "https://t"


def test_a_changed_statement_is_refused() -> None:
    signer = generate_signer()
    envelope = sign_statement(GOOD, signer)
    other = {**envelope.json, "payload": "e30="}
    with pytest.raises(BrokenSignature):
        verify_envelope(read_envelope(json.dumps(other).encode()), [signer.public])
    with pytest.raises(MalformedStatement):
        sign_statement({"_type": "nothing"}, signer)


@pytest.mark.parametrize(
    ("digests", "about"),
    [
        ({"gitCommit": COMMIT}, True),
        ({"dirHash": TREE}, True),
        ({"gitCommit": COMMIT, "dirHash": TREE, "sha256": "00"}, True),
        ({"sha256": "00"}, False),
        ({"gitCommit": COMMIT, "dirHash": "00" * 32}, False),
        ({"gitCommit": "00" * 20, "dirHash": TREE}, False),
    ],
)
def test_whether_a_statement_is_about_a_revision(digests: dict[str, str], about: bool) -> None:
    statement = Statement((Subject({"sha256": "11"}), Subject(digests)), "t", {})
    assert statement.is_about({"gitCommit": COMMIT, "dirHash": TREE}) is about


def test_the_hash_of_a_tree_is_what_coreutils_give(tmp_path: Path) -> None:
    files = {**FILES, "sub-x": b"", "sub/ü": b"u", "sub/Z": b"z"}
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    pipe = "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    told = subprocess.run(["sh", "-c", pipe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert dir_hash((path, sha256(data).hexdigest()) for path, data in files.items()) == told.stdout[:64]


def test_a_line_break_cannot_pass_for_two_files() -> None:
    digest = "0" * 64
    with pytest.raises(MalformedStatement, match="line break"):
        dir_hash([(f"a\n{digest}  b", digest)])
