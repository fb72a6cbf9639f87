"""Archives of evidence: verified with a policy alone, and refused for every change."""

import io
import random
import zipfile
from hashlib import sha256

import pytest

from allmende.merkle import Checkpoint, MemoryTree, leaf_hash, signed_checkpoint
from allmende.proof import (
    EvidenceRevision,
    check_bundle,
    judge_evidence,
    keys_file,
    manifest_of,
    own_policy,
    record_file,
    signed_manifest,
)
from tests.unit.proof.made_bundles import (
    COMMIT,
    HUB_SIGNER,
    LOG_KEY,
    NOW,
    ORIGIN,
    OTHER_KEY,
    POLICY,
    REPO,
    STRANGER,
    TIME,
    MadeHub,
    bundle_of,
    envelope_of,
    policy_of,
    tree_hash,
)

REVISION = EvidenceRevision("lab/base", *REPO, COMMIT)


def made_files(signer=HUB_SIGNER) -> dict[str, bytes]:
    hub, record = MadeHub(), envelope_of()
    hub.log_keys()
    hub.log_publish(tree_hash())
    hub.log_envelope("record", record)
    bundle = bundle_of(hub, record)
    tree = MemoryTree(map(leaf_hash, hub.entries))
    note = signed_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), hub.signers, NOW)
    record_bytes = record_file(check_bundle(bundle, own_policy(bundle)))
    assert record_bytes is not None
    files = {
        REVISION.proof_path: bundle.data,
        REVISION.record_path: record_bytes,
        "keys.json": keys_file(bundle.entries[:1]),
        "checkpoint": bytes(note),
    }
    return sealed(files, signer)


def sealed(files: dict[str, bytes], signer=HUB_SIGNER, **changes) -> dict[str, bytes]:
    """With a manifest of these files, and its signature."""
    listed = {path: (sha256(data).hexdigest(), len(data)) for path, data in files.items()}
    given = {
        "hub": ORIGIN,
        "scope": "model lab/base",
        "made_at": TIME,
        "log_keys": [LOG_KEY.verifier.text],
        "revisions": [REVISION],
        "without_proof": [],
        "files": listed,
    }
    manifest = manifest_of(**(given | changes))
    return {
        **files,
        "manifest.json": manifest,
        "manifest.dsse.json": signed_manifest(manifest, signer, TIME),
    }


def packed(files: dict[str, bytes]) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    made.seek(0)
    return made


FILES = made_files()


def code_of(files, policy=POLICY) -> str:
    return judge_evidence(packed(files), policy).verdict.code


def test_it_is_verified():
    found = judge_evidence(packed(FILES), POLICY)
    assert found.verdict.state == "verified", found
    assert (found.scope, found.made_at, found.revisions) == ("model lab/base", TIME, (REVISION,))


def test_alone_it_proves_nothing():
    assert judge_evidence(packed(FILES), None).verdict.state == "unknown"
    assert code_of(FILES, policy_of(OTHER_KEY)) == "log_signature_refused"


def test_every_file_matters():
    chance = random.Random(1)
    for path, data in FILES.items():
        for _ in range(20):
            at = chance.randrange(len(data))
            turned = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
            assert code_of({**FILES, path: turned}) != "verified", (path, at)
        assert code_of({name: each for name, each in FILES.items() if name != path}) != "verified"
    assert code_of({**FILES, "more": b""}) == "evidence_archive_malformed"


def test_a_list_that_a_stranger_signed():
    assert code_of(made_files(STRANGER)) == "signer_untrusted"


def bare() -> dict[str, bytes]:
    return {path: data for path, data in FILES.items() if not path.startswith("manifest")}


def test_files_that_the_hub_signed_and_that_belong_to_nothing():
    assert code_of(sealed({**bare(), "more": b"x"})) == "proof_bundle_refused"
    assert code_of(sealed(bare(), revisions=[])) == "proof_bundle_refused"


def test_another_record_than_that_of_the_proof():
    assert code_of(sealed({**bare(), REVISION.record_path: b"{}"})) == "proof_bundle_refused"
    without = {path: data for path, data in bare().items() if path != REVISION.record_path}
    assert code_of(sealed(without)) == "proof_bundle_refused"


def test_a_proof_under_the_name_of_another_revision():
    other = EvidenceRevision("lab/base", REPO[0], REPO[1], "1" * 40)
    files = bare()
    files[other.proof_path] = files.pop(REVISION.proof_path)
    files[other.record_path] = files.pop(REVISION.record_path)
    assert code_of(sealed(files, revisions=[other])) == "proof_bundle_refused"


def test_a_history_of_keys_that_is_none():
    assert code_of(sealed({**bare(), "keys.json": keys_file([])})) == "signer_untrusted"


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"no archive" * 100])
def test_what_is_no_archive(data):
    assert judge_evidence(io.BytesIO(data), POLICY).verdict.code == "evidence_archive_malformed"


def test_a_bit_of_the_archive_itself():
    chance = random.Random(2)
    data = packed(FILES).getvalue()
    for _ in range(300):
        at = chance.randrange(len(data))
        turned = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        found = judge_evidence(io.BytesIO(turned), POLICY)
        # Bits of times and flags in the archive's own lists say nothing of the files.
        if found.verdict.state == "verified":
            with zipfile.ZipFile(io.BytesIO(turned)) as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 93])
def test_other_compressions_are_refused_before_they_are_read(method: int):
    data = packed(FILES).getvalue()
    at = data.index(b"PK\x01\x02") + 10
    turned = data[:at] + method.to_bytes(2, "little") + data[at + 2 :]
    assert judge_evidence(io.BytesIO(turned), POLICY).verdict.code == "evidence_archive_malformed"


def test_a_file_that_is_longer_than_the_archive_says():
    data = packed({**FILES, "checkpoint": bytes(200 * 1024**2)})
    assert judge_evidence(data, POLICY).verdict.code == "proof_too_large"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, each in [*FILES.items(), ("checkpoint", b"x")]:
            archive.writestr(path, each)
    assert judge_evidence(made, POLICY).verdict.code == "evidence_archive_malformed"
