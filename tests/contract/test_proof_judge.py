"""Independent programs accept what we sign and refuse what we refuse; and we accept what they sign."""

import base64
import json
import random
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from allmende.proof import (
    SignedFile,
    Signer,
    Statement,
    TestResultPredicate,
    TrustPolicy,
    VulnsPredicate,
    generate_signer,
    make_manifest,
    revision_subject,
    sign_model,
    sign_statement,
    trust_certificates,
    trust_keys,
    verify_model_signature,
)
from allmende.proof.predicates import Resource
from tests.conftest import absent
from tests.contract.clients import SCRIPTS
from tests.unit.proof.made_models import NOW, issue, keyless

pytestmark = pytest.mark.clients

VECTORS = Path(__file__).parents[1] / "unit" / "proof" / "vectors"
SOURCES = Path(__file__).parents[2] / "src"
TREES = 200

Judge = Callable[..., Any]


@pytest.fixture(scope="module")
def judge(require_environment) -> Judge:
    python = require_environment("proof-judge") / "python"

    def run(*arguments: object) -> Any:
        command = [str(python), str(SCRIPTS / "judge_proof.py"), *map(str, arguments)]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(SOURCES)}
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return json.loads(ended.stdout)

    return run


class Tree:
    """A folder with a model, as a random one is."""

    NAMES = (
        "a",
        "b.bin",
        "sub/c",
        "sub/deep/d.txt",
        "ü.json",
        "A",
        "sub-x",
        "x y",
        "sub/.gitignore",
        "z" * 100,
    )

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        for name in chance.sample(self.NAMES, chance.randint(1, len(self.NAMES))):
            self.write(name)
        if chance.random() < 0.3:
            self.write(chance.choice((".gitattributes", ".github/x.yml", ".gitignore")))

    def write(self, name: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(self.chance.randbytes(self.chance.choice((0, 1, 100, 5000))))

    def paths(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != "model.sig")

    def table(self) -> list[SignedFile]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [
            SignedFile(
                path.relative_to(self.folder).as_posix(),
                sha256(path.read_bytes()).hexdigest(),
                path.stat().st_size,
            )
            for path in files
        ]

    def change(self) -> None:
        """Something of what happens to folders, or nothing."""
        victim = self.chance.choice(self.paths())
        match self.chance.randrange(7):
            case 0:
                victim.write_bytes(victim.read_bytes() + b"x")
            case 1:
                victim.unlink()
            case 2:
                victim.rename(victim.with_name(victim.name + "2"))
            case 3:
                (victim.parent / "new.py").write_bytes(b"new")
            case 4:
                (self.folder / ".gitattributes").write_bytes(b"anything")


class Case:
    """A signed tree, changed or not, and what we say of it."""

    def __init__(self, folder: Path, number: int, key: Signer) -> None:
        self.chance = random.Random(number)
        self.place = folder / str(number)
        (self.place / "model").mkdir(parents=True)
        self.tree = Tree(self.place / "model", self.chance)
        while not [file for file in self.tree.table() if not file.path.startswith(".git")]:
            self.tree.write("a")
        self.root, self.certificate = issue(f"root {number}"), None
        self.by_certificate = self.chance.random() < 0.4
        self.key = key
        self.leaf = issue("leaf", self.root)
        self.signature = self.place / "model" / "model.sig"
        (self.place / "root.pem").write_bytes(self.root.certificate.public_bytes(Encoding.PEM))
        (self.place / "leaf.pem").write_bytes(self.leaf.certificate.public_bytes(Encoding.PEM))
        (self.place / "key.pem").write_text(self.key.public.pem)
        signer = self.leaf.signer if self.by_certificate else self.key
        (self.place / "private.pem").write_text(signer.pem())

    def sign(self) -> None:
        manifest = make_manifest("model", self.tree.table(), ["model.sig"])
        chain = [self.leaf.certificate] if self.by_certificate else []
        self.signature.write_bytes(sign_model(manifest, self.leaf.signer if chain else self.key, chain))

    @property
    def task(self) -> dict[str, object]:
        trusted = {"root": "root.pem"} if self.by_certificate else {"key": "key.pem"}
        certificate = {"certificate": "leaf.pem"} if self.by_certificate else {}
        files = {**trusted, **certificate, "private": "private.pem", "model": "model"}
        places = {name: str(self.place / file) for name, file in files.items()}
        return {**places, "signature": str(self.signature), "schema": True}

    def verdict(self) -> str:
        trust: TrustPolicy = (
            trust_certificates([self.root.certificate])
            if self.by_certificate
            else trust_keys([self.key.public])
        )
        data = self.signature.read_bytes()
        return verify_model_signature(data, self.tree.table(), trust, NOW, not_files=["model.sig"]).state


def tell(folder: Path, cases: list[Case]) -> None:
    tasks = {"schemas": str(VECTORS), "models": [case.task for case in cases]}
    (folder / "tasks.json").write_text(json.dumps(tasks))


def test_verdicts_agree_on_random_trees_and_our_bundles_satisfy_the_schemas(
    judge: Judge, tmp_path: Path
) -> None:
    key = generate_signer("ecdsa-p384")
    cases = [Case(tmp_path, number, key) for number in range(TREES)]
    for case in cases:
        case.sign()
        if case.chance.random() < 0.6:
            case.tree.change()
    tell(tmp_path, cases)
    told = judge("models", tmp_path)
    ours = [case.verdict() for case in cases]
    assert {"valid", "mismatch"} == set(ours)
    for case, state, theirs in zip(cases, ours, told, strict=True):
        assert theirs["accepted"] is (state == "valid"), (case.place, state, theirs)
        assert theirs["faults"] == [], case.place


def test_we_accept_what_the_reference_signs(judge: Judge, tmp_path: Path) -> None:
    cases = [Case(tmp_path, number, generate_signer()) for number in range(20)]
    tell(tmp_path, cases)
    judge("sign", tmp_path)
    assert {case.verdict() for case in cases} == {"valid"}
    for case in cases:
        path = next(
            file.path for file in case.tree.table() if not file.path.startswith((".git", "model.sig"))
        )
        (case.tree.folder / path).write_bytes(b"something else")
    assert {case.verdict() for case in cases} == {"mismatch"}


def test_a_tampered_bundle_is_refused_by_both(judge: Judge, tmp_path: Path) -> None:
    cases = [Case(tmp_path, number, generate_signer()) for number in range(20)]
    for case in cases:
        case.sign()
        bundle = json.loads(case.signature.read_bytes())
        signature = bundle["dsseEnvelope"]["signatures"][0]
        signature["sig"] = (
            signature["sig"][:20] + ("A" if signature["sig"][20] != "A" else "B") + signature["sig"][21:]
        )
        case.signature.write_text(json.dumps(bundle))
    tell(tmp_path, cases)
    assert not any(one["accepted"] for one in judge("models", tmp_path))
    assert {case.verdict() for case in cases} == {"bad-signature"}


SCHEMES = {
    "ecdsa-p256": ("ecdsa", "ecdsa-sha2-nistp256"),
    "ecdsa-p384": ("ecdsa", "ecdsa-sha2-nistp384"),
}


def test_envelopes_and_statements_are_those_of_others(judge: Judge, tmp_path: Path) -> None:
    signers = [generate_signer(algorithm) for algorithm in SCHEMES]
    subject = revision_subject("model", "0123", "ab" * 20, "cd" * 32)
    tasks = []
    predicates = (
        VulnsPredicate("tag:s", "3", NOW, NOW),
        TestResultPredicate("PASSED", (Resource(name="suite"),)),
    )
    for predicate in predicates:
        envelope = sign_statement(Statement((subject,), predicate.type, predicate.json), *signers)
        keys = [
            dict(
                zip(("type", "scheme"), SCHEMES[one.public.algorithm], strict=True),
                id=one.public.id,
                public=one.public.pem,
            )
            for one in signers
        ]
        written = json.dumps(envelope.json)
        tasks.append({"envelope": written, "keys": keys, "threshold": 2})
        other = json.loads(written)
        other["payload"] = sign_statement(Statement((subject,), "x", {"y": 1}), *signers).json["payload"]
        tasks.append({"envelope": json.dumps(other), "keys": keys, "threshold": 1})
    (tmp_path / "envelopes.json").write_text(json.dumps(tasks))
    told = judge("envelopes", tmp_path / "envelopes.json")
    assert [one["accepted"] for one in told] == [2, 0, 2, 0]
    assert [one["type"] for one in told[::2]] == [one.type for one in predicates]


def test_an_identity_that_we_made_ourselves_is_refused_by_the_library_of_sigstore(
    judge: Judge, tmp_path: Path
) -> None:
    root = issue("root")
    leaf = issue("leaf", root)
    files = [SignedFile("a", sha256(b"a").hexdigest(), 1)]
    entry = {
        "logIndex": "1",
        "logId": {"keyId": "AA=="},
        "kindVersion": {"kind": "dsse", "version": "0.0.1"},
        "integratedTime": "1760062340",
        "inclusionPromise": {"signedEntryTimestamp": "AA=="},
        "canonicalizedBody": "e30=",
    }
    bundle = keyless(sign_model(make_manifest("m", files), leaf.signer, [leaf.certificate]), [entry])
    (tmp_path / "bundle").write_bytes(bundle)
    payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"])
    (tmp_path / "payload").write_bytes(payload)
    task = {"bundle": str(tmp_path / "bundle"), "payload": str(tmp_path / "payload")}
    task |= {"identity": "a@example.org", "issuer": "https://issuer"}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    [told] = judge("sigstore", tmp_path / "tasks.json")
    assert not told["accepted"]
    assert told["words"].startswith("The library of Sigstore refuses")


WORKFLOW = (
    "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/"
    ".github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)
ISSUER = "https://token.actions.githubusercontent.com"


def test_a_signature_by_the_identity_of_a_workflow_is_accepted_by_all(
    judge: Judge, javascript: tuple[str, Path], require_environment: Callable[[str], Path], tmp_path: Path
) -> None:
    """Ours with the library of Sigstore, and its verifier in JavaScript; offline, by that library's roots."""
    good = (VECTORS / "conformance-keyless.json").read_bytes()
    document = json.loads(good)
    said = base64.b64decode(document["dsseEnvelope"]["payload"])
    renamed = said.replace(b"a.txt", b"b.txt")
    other = good.replace(base64.b64encode(said), base64.b64encode(renamed))
    [entry] = document["verificationMaterial"]["tlogEntries"]
    late = good.replace(entry["integratedTime"].encode(), b"1834359160")
    assert good not in (other, late)
    (tmp_path / "said").write_bytes(said)
    (tmp_path / "renamed").write_bytes(renamed)
    tasks = []
    for name, data, identity, issuer in (
        ("good", good, WORKFLOW, ISSUER),
        ("somebody", good, f"{WORKFLOW}x", ISSUER),
        ("elsewhere", good, WORKFLOW, f"{ISSUER}x"),
        ("other", other, WORKFLOW, ISSUER),
        ("late", late, WORKFLOW, ISSUER),
    ):
        (tmp_path / name).write_bytes(data)
        task = {"bundle": str(tmp_path / name), "payload": str(tmp_path / "said")}
        tasks.append(task | {"identity": identity, "issuer": issuer})
    for_ours = [*tasks, tasks[0] | {"payload": str(tmp_path / "renamed")}]
    (tmp_path / "ours.json").write_text(json.dumps(for_ours))
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    ours = judge("sigstore", tmp_path / "ours.json")
    assert [one["accepted"] for one in ours] == [True, False, False, False, False, False]
    [roots] = [
        path
        for path in require_environment("proof-judge").parent.rglob("sigstore/_store/*/trusted_root.json")
        if path.parent.name.endswith("tuf-repo-cdn.sigstore.dev")
    ]
    node, modules = javascript
    script = str(SCRIPTS / "judge_identity.cjs")
    command = [node, script, str(modules), str(roots), str(tmp_path / "tasks.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [one["accepted"] for one in json.loads(done.stdout)] == [True, False, False, False, False]


@pytest.fixture(scope="module")
def javascript(
    require_environment: Callable[[str], Path], require_tool: Callable[[str], str]
) -> tuple[str, Path]:
    """Node, and the folder of the verifier of Sigstore for it."""
    modules = require_environment("proof-judge").parent / "node_modules"
    node = require_tool("node")
    if not modules.is_dir():
        absent(
            "the verifier of Sigstore for node", "install npm, remove .venvs/proof-judge, and build it anew"
        )
    return node, modules


def test_the_verifier_in_javascript_agrees(javascript: tuple[str, Path], tmp_path: Path) -> None:
    node, modules = javascript
    tasks = []
    for number in range(10):
        # With a bare key it hashes with SHA-256 whatever the curve, so that it is a judge of P-256 alone.
        key, other = generate_signer("ecdsa-p256"), generate_signer("ecdsa-p256")
        table = [SignedFile(f"file-{at}", sha256(bytes([at])).hexdigest(), 1) for at in range(20)]
        signed = sign_model(make_manifest("m", table), key)
        bundle = json.loads(signed)
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"])
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload.replace(b"file-7", b"file-x")).decode()
        for name, data, public in (
            ("good", signed, key),
            ("tampered", json.dumps(bundle).encode(), key),
            ("stranger", signed, other),
        ):
            place = tmp_path / f"{number}-{name}"
            place.with_suffix(".json").write_bytes(data)
            place.with_suffix(".pem").write_text(public.public.pem)
            tasks.append({"bundle": f"{place}.json", "key": f"{place}.pem"})
    (tmp_path / "tasks.json").write_text(json.dumps(tasks))
    command = [node, str(SCRIPTS / "judge_oms.cjs"), str(modules), str(tmp_path / "tasks.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [one["accepted"] for one in json.loads(done.stdout)] == [True, False, False] * 10
