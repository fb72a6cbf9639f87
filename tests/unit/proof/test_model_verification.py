"""Verdicts on signatures of models: every state, and what is said of the files."""

import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any

import pytest

from allmende.proof import (
    NO_TRUST,
    DigestSource,
    HashType,
    MalformedKey,
    MalformedSignature,
    Manifest,
    Revocation,
    SignatureReport,
    SignedFile,
    Signer,
    Statement,
    Subject,
    TrustedSigner,
    TrustPolicy,
    certificate_fingerprint,
    envelope_from_json,
    generate_signer,
    is_signature_path,
    make_manifest,
    range_digest,
    sign_model,
    sign_statement,
    statement_of,
    trust_certificates,
    trust_keys,
    verify_model_signature,
)
from allmende.proof.manifests import manifest_statement
from tests.unit.proof.made_models import FILES, NOW, YEAR, issue, keyless, table

SIGNER = generate_signer()
TRUST = trust_keys([SIGNER.public])
ROOT = issue("root")
LEAF = issue("leaf", ROOT)
SIGNED = sign_model(make_manifest("m", table(FILES), ["model.sig"]), SIGNER)


def verify(
    data: bytes = SIGNED, files: dict[str, bytes] = FILES, trust: TrustPolicy = TRUST, **more: Any
) -> SignatureReport:
    present = {**files, "model.sig": b"the signature itself"}
    given = {"not_files": ["model.sig"], "at": NOW, **more}
    return verify_model_signature(data, table(present), trust, **given)


def test_a_signed_model_is_valid() -> None:
    report = verify()
    assert (report.state, report.is_valid, report.method) == ("valid", True, "key")
    assert (report.key_id, report.model_name) == (SIGNER.public.id, "m")
    assert report.coverage.covered == tuple(sorted(FILES))
    assert report.coverage.ignored == ("model.sig",)
    assert json.loads(json.dumps(report.json))["files"]["covered"] == {"count": 3}


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "ecdsa-p521"])
def test_each_curve_signs(algorithm: str) -> None:
    signer = generate_signer(algorithm)
    data = sign_model(make_manifest("m", table(FILES)), signer)
    assert verify(data, trust=trust_keys([signer.public])).state == "valid"


def test_ed25519_does_not_sign_models() -> None:
    with pytest.raises(MalformedKey, match="ECDSA only"):
        sign_model(make_manifest("m", table(FILES)), generate_signer("ed25519"))


@pytest.mark.parametrize(
    ("change", "state", "listed"),
    [
        ({"config.json": b"{ }"}, "mismatch", {"changed": ("config.json",)}),
        ({"config.json": None}, "mismatch", {"missing": ("config.json",)}),
        (
            {"config.json": None, "Config.json": b"{}"},
            "mismatch",
            {"missing": ("config.json",), "unsigned": ("Config.json",)},
        ),
        ({"new.py": b""}, "mismatch", {"unsigned": ("new.py",)}),
        ({"sub/.gitignore": b""}, "mismatch", {"unsigned": ("sub/.gitignore",)}),
        (
            {".gitattributes": b"x", ".github/x/y": b"y"},
            "valid",
            {"ignored": (".gitattributes", ".github/x/y", "model.sig")},
        ),
        ({".gitattributes2": b"x"}, "mismatch", {"unsigned": (".gitattributes2",)}),
        (
            {"config.json": b"[]", "tokenizer.json": b"{}"},
            "mismatch",
            {"changed": ("config.json", "tokenizer.json")},
        ),
    ],
)
def test_what_changed_is_named(change: dict[str, bytes | None], state: str, listed: dict[str, Any]) -> None:
    files = {path: data for path, data in {**FILES, **change}.items() if data is not None}
    report = verify(files=files)
    assert report.state == state
    for name, paths in listed.items():
        assert getattr(report.coverage, name) == paths


def test_files_beside_the_signed_ones_are_allowed_by_the_policy_alone() -> None:
    lenient = TrustPolicy(TRUST.signers, allow_unsigned_files=True)
    report = verify(files={**FILES, "new.py": b""}, trust=lenient)
    assert (report.state, report.is_valid) == ("valid-extra-files", True)
    assert verify(files={**FILES, "config.json": b""}, trust=lenient).state == "mismatch"


def test_a_link_is_not_the_file_that_was_signed() -> None:
    files = [SignedFile(one.path, one.sha256, one.size_bytes, is_link=True) for one in table(FILES)]
    assert verify_model_signature(SIGNED, files, TRUST, NOW).coverage.changed == tuple(sorted(FILES))
    with pytest.raises(MalformedSignature, match="symbolic link"):
        make_manifest("m", files)


class TestSigners:
    def test_a_key_that_nobody_named_is_untrusted(self) -> None:
        other = trust_keys([generate_signer().public])
        for trust in (NO_TRUST, other):
            report = verify(trust=trust)
            assert (report.state, report.key_id, report.signer) == ("untrusted-key", "", "")
            assert report.claimed_key_id == SIGNER.public.id
            assert report.coverage.is_complete

    def test_a_signature_of_another_key_under_the_name_of_a_trusted_one_is_bad(self) -> None:
        forged = json.loads(sign_model(make_manifest("m", table(FILES)), generate_signer()))
        forged["verificationMaterial"]["publicKey"]["hint"] = SIGNER.public.id
        assert verify(json.dumps(forged).encode()).state == "bad-signature"

    def test_a_strange_id_of_a_trusted_key_does_no_harm(self) -> None:
        bundle = json.loads(SIGNED)
        bundle["verificationMaterial"]["publicKey"]["hint"] = "made otherwise"
        assert verify(json.dumps(bundle).encode()).state == "valid"

    def test_trust_has_its_time(self) -> None:
        signer = TrustedSigner("x", key=SIGNER.public, begin=NOW, end=NOW + YEAR)
        trust = TrustPolicy((signer,))
        assert verify(trust=trust).state == "valid"
        for at in (NOW - timedelta(seconds=1), NOW + YEAR):
            assert verify(trust=trust, at=at).state == "untrusted-key"

    def test_a_revoked_key_is_refused_since_it_was(self) -> None:
        for since, state in ((None, "revoked"), (NOW, "revoked"), (NOW + YEAR, "valid")):
            revoked = (Revocation(SIGNER.public.id, since, "lost"),)
            assert verify(trust=TrustPolicy(TRUST.signers, revoked)).state == state

    def test_a_certificate_is_followed_to_its_root(self) -> None:
        data = sign_model(make_manifest("m", table(FILES)), LEAF.signer, [LEAF.certificate])
        roots = [ROOT.certificate]
        assert verify(data, trust=trust_certificates(roots)).state == "valid"
        assert verify(data, trust=trust_certificates(roots, ["subject:CN=leaf"])).signer == "certificates"
        assert verify(data, trust=trust_certificates(roots, ["subject:CN=other"])).state == "untrusted-key"
        assert (
            verify(data, trust=trust_certificates([issue("root").certificate])).state == "unfit-certificate"
        )
        assert verify(data, trust=TRUST).state == "untrusted-key"
        assert verify(data, trust=trust_certificates(roots), at=NOW + 2 * YEAR).state == "expired-at-signing"
        policy = trust_certificates(roots)
        for gone in (certificate_fingerprint(LEAF.certificate), LEAF.signer.public.id):
            assert verify(data, trust=TrustPolicy(policy.signers, (Revocation(gone),))).state == "revoked"

    def test_a_certificate_of_another_key_is_refused_when_signing(self) -> None:
        with pytest.raises(MalformedKey, match="not of the key"):
            sign_model(make_manifest("m", table(FILES)), SIGNER, [LEAF.certificate])

    def test_a_stolen_certificate_does_not_help(self) -> None:
        stolen = json.loads(sign_model(make_manifest("m", table(FILES)), SIGNER))
        chain = json.loads(sign_model(make_manifest("m", table(FILES)), LEAF.signer, [LEAF.certificate]))
        stolen["verificationMaterial"] = chain["verificationMaterial"]
        report = verify(json.dumps(stolen).encode(), trust=trust_certificates([ROOT.certificate]))
        assert (report.state, report.key_id) == ("bad-signature", "")


def resigned(change: Callable[[dict[str, Any]], None], signer: Signer = SIGNER) -> bytes:
    """A bundle whose statement says something else, signed all the same."""
    statement = manifest_statement(make_manifest("m", table(FILES))).json
    change(statement)
    bundle = json.loads(SIGNED)
    bundle["dsseEnvelope"] = sign_statement(statement, signer).json
    return json.dumps(bundle).encode()


def twice(statement: dict[str, Any]) -> None:
    """The same file again, with a root digest that fits."""
    statement["predicate"]["resources"].append(statement["predicate"]["resources"][0])
    digests = [one["digest"] for one in statement["predicate"]["resources"]]
    statement["subject"][0]["digest"]["sha256"] = sha256(bytes.fromhex("".join(digests))).hexdigest()


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x", "a/../b", "./a", "a//b", "a/", "", ".", "..", "a\0b", "x" * 5000, "\ud800"],
)
def test_names_that_no_file_has_are_refused(name: str) -> None:
    def change(statement: dict[str, Any]) -> None:
        statement["predicate"]["resources"][0]["name"] = name

    def ignored(statement: dict[str, Any]) -> None:
        statement["predicate"]["serialization"]["ignore_paths"] = [name]

    if name == "\ud800":
        with pytest.raises(MalformedSignature):
            make_manifest("m", [SignedFile(name, "00" * 32, 1)])
        return
    assert verify(resigned(change)).state == "malformed"
    assert verify(resigned(ignored)).state == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        twice,
        lambda s: s["subject"][0]["digest"].update(sha256="00" * 32),
        lambda s: s["subject"].append(s["subject"][0]),
        lambda s: s["predicate"]["serialization"].update(shard_size=1000),
        lambda s: s["predicate"]["serialization"].update(allow_symlinks="false"),
        lambda s: s["predicate"]["resources"][0].update(algorithm="blake3"),
        lambda s: s["predicate"]["resources"][0].update(digest="00"),
        lambda s: s["predicate"]["resources"][0].update(
            digest=s["predicate"]["resources"][0]["digest"].upper()
        ),
        lambda s: s["predicate"].update(resources=[]),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused_though_it_is_signed(change: Callable[[Any], Any]) -> None:
    assert verify(resigned(lambda _: None)).state == "valid"
    assert verify(resigned(change)).state == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["predicate"]["serialization"].update(method="chunks"),
        lambda s: s["predicate"]["serialization"].update(hash_type="md5"),
        lambda s: s["predicate"]["serialization"].update(method="shards", shard_size=1),
        lambda s: s.update(predicateType="https://model_signing/signature/v2.0"),
    ],
)
def test_what_is_not_read_here_is_said_to_be_unsupported(change: Callable[[Any], Any]) -> None:
    assert verify(resigned(change)).state == "unsupported"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"[" * 10**6, b"\xff" * 100, b'{"mediaType":"x"}']
)
def test_other_files_are_refused(data: bytes) -> None:
    assert verify(data).state in ("malformed", "unsupported")


class Bytes(DigestSource):
    """Files that can be read, and how often they were."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.read = 0

    def digest(self, path: str, hash_type: HashType, start: int, end: int) -> str | None:
        self.read += 1
        return range_digest(BytesIO(self.files[path]), hash_type, start, end)


BIG = {"big.bin": bytes(range(256)) * 100, "small.bin": b"s"}


def sharded(hash_type: HashType = "sha256", size: int = 8192) -> bytes:
    resources: list[Any] = []
    for path, data in BIG.items():
        for start in range(0, len(data), size):
            end = min(start + size, len(data))
            digest = range_digest(BytesIO(data), hash_type, start, end)
            resources.append({"name": f"{path}:{start}:{end}", "digest": digest, "algorithm": hash_type})
    root = sha256(bytes.fromhex("".join(one["digest"] for one in resources))).hexdigest()
    serialization: dict[str, Any] = {
        "method": "shards",
        "hash_type": hash_type,
        "shard_size": size,
        "allow_symlinks": False,
    }
    predicate: dict[str, Any] = {"resources": resources, "serialization": serialization}
    statement = Statement(
        (Subject({"sha256": root}, "m"),), "https://model_signing/signature/v1.0", predicate
    )
    bundle = json.loads(SIGNED)
    bundle["dsseEnvelope"] = sign_statement(statement, SIGNER).json
    return json.dumps(bundle).encode()


class TestShards:
    def test_ranges_are_read_where_they_must(self) -> None:
        source = Bytes(BIG)
        assert verify(sharded(), BIG, source=source).state == "valid"
        assert source.read == 4
        assert verify(sharded(), BIG).state == "pending"
        assert verify(sharded(size=2**20), BIG).state == "valid"

    @pytest.mark.parametrize("hash_type", ["blake2b", "blake3"])
    def test_other_hashes_need_the_bytes(self, hash_type: HashType) -> None:
        assert verify(sharded(hash_type), BIG).state == "pending"
        assert verify(sharded(hash_type), BIG, source=Bytes(BIG)).state == "valid"

    @pytest.mark.parametrize("at", [0, 8191, 8192, 25_599])
    def test_a_change_in_any_range_is_found(self, at: int) -> None:
        changed = bytearray(BIG["big.bin"])
        changed[at] ^= 1
        files = {**BIG, "big.bin": bytes(changed)}
        assert verify(sharded(), files, source=Bytes(files)).coverage.changed == ("big.bin",)

    def test_a_longer_or_shorter_file_is_another(self) -> None:
        for data in (BIG["big.bin"] + b"x", BIG["big.bin"][:-1], BIG["big.bin"][:8192], b""):
            files = {**BIG, "big.bin": data}
            assert verify(sharded(), files, source=Bytes(files)).coverage.changed == ("big.bin",)

    def test_what_the_reference_writes_is_read(self) -> None:
        bundle = json.loads(sharded())
        statement: dict[str, Any] = statement_of(envelope_from_json(bundle["dsseEnvelope"])).json
        for one in statement["predicate"]["resources"]:
            one["algorithm"] = "sha256-sharded-8192"
        statement["predicate"]["serialization"]["shard_size"] = 8192.0
        bundle["dsseEnvelope"] = sign_statement(statement, SIGNER).json
        assert verify(json.dumps(bundle).encode(), BIG, source=Bytes(BIG)).state == "valid"


def test_a_model_without_files_is_not_signed() -> None:
    for files in ({}, {".git/HEAD": b"x"}, {"a": b"x"}):
        with pytest.raises(MalformedSignature, match="no file"):
            make_manifest("m", table(files), ["a"])


def test_names_of_signatures() -> None:
    assert all(map(is_signature_path, ("model.sig", "X.SIG")))
    assert not any(map(is_signature_path, ("sub/model.sig", "model.sign", "sig")))


def test_the_root_digest_does_not_bind_names_and_the_verdict_does() -> None:
    renamed = {f"other-{path}": data for path, data in FILES.items()}
    manifest: Manifest = make_manifest("m", table(renamed))
    assert manifest.root_digest == make_manifest("m", table(FILES)).root_digest
    assert verify(files=renamed).state == "mismatch"


def signed_by_certificate() -> bytes:
    authority = issue("root")
    leaf = issue("leaf", authority)
    return sign_model(make_manifest("m", table(FILES)), leaf.signer, [leaf.certificate])


def test_an_identity_is_untrusted_where_nobody_named_one() -> None:
    report = verify(keyless(signed_by_certificate()))
    assert (report.state, report.method) == ("untrusted-key", "sigstore")


def test_an_identity_without_an_entry_of_the_log_is_refused() -> None:
    report = verify(keyless(signed_by_certificate(), entries=()))
    assert report.state == "malformed"
    assert "no entry of the log" in report.reason
