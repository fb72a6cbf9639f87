"""Publishers' signatures, statements and trust on a hub, through its JSON."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.facts.signature_tables import attestation, model_signature
from allmende.flows import Services, open_services, remove_repo, statement_signer
from allmende.flows.worker import handlers
from allmende.ids import GitOid
from allmende.jobs import JobContext
from allmende.proof import (
    Resource,
    SignedFile,
    Signer,
    Statement,
    Subject,
    TestResultPredicate,
    generate_signer,
    make_manifest,
    read_envelope,
    read_predicate,
    sign_model,
    sign_statement,
    verify_envelope,
)
from allmende.registry import (
    AddFile,
    Submission,
    authenticate,
    create_account,
    create_repo,
    enqueue_examination,
    issue_token,
    lookup_repo,
    prepare,
    receive,
)
from allmende.settings import Settings
from allmende.storage import outbox
from tests import scan_samples as samples
from tests.databases import new_schema
from tests.scanners import scanner_in_process

API = "/api/allmende/v1"
REPO = f"{API}/models/alice/signed"
FILES = {"README.md": b"# A model\n", "good.pkl": samples.CLEAN, "sub/weights.bin": b"\1" * 1000}


class Api:
    """Calls as somebody, and commits as alice."""

    def __init__(self, client: TestClient, services: Services) -> None:
        self.client = client
        self.services = services

    def __call__(self, method: str, path: str, by: str | None = None, **more: Any) -> httpx2.Response:
        credentials = {} if by is None else {"Authorization": f"Bearer token-of-{by}"}
        return self.client.request(method, path, headers=credentials, **more)

    def commit(self, files: dict[str, bytes]) -> str:
        operations = [AddFile(path, data) for path, data in files.items()]
        prepared = prepare(Submission("main", "files", "", operations, None, create_pr=False), 10**6)
        with self.services.database.write() as uow:
            repo = lookup_repo(uow, "model", "alice/signed")
            assert repo is not None
            received = receive(uow, self.services.queue, authenticate(uow, "token-of-alice"), repo, prepared)
        self.work()
        return str(received.commit_oid)

    def work(self) -> None:
        kinds = {kind: run for kind, run in handlers(self.services).items() if kind != "record"}
        while (job := self.services.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(self.services.queue, job))
            assert self.services.queue.finish(job)

    def trust(
        self, *signers: Signer, by: str = "alice", where: str = "/alice", **more: Any
    ) -> httpx2.Response:
        named = [{"name": f"key {number}", "key": signer.public.pem} for number, signer in enumerate(signers)]
        policy = {"version": 1, "signers": named, **more}
        answer = self("PUT", f"{API}/trust{where}", by, content=json.dumps(policy))
        self.work()
        return answer

    def state(self, revision: str = "main") -> str | None:
        (found,) = self("GET", f"{REPO}/signatures/{revision}").json()["signatures"]
        state: str = found["state"]
        return state

    def events(self, kind: str, commit: str | None = None) -> list[dict[str, Any]]:
        with self.services.database.read() as uow:
            rows = uow.all(select(outbox).where(outbox.c.kind == kind).order_by(outbox.c.id))
        return [row.payload for row in rows if commit in (None, row.payload.get("revision"))]


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Api]:
    opened = open_services(Settings(data=tmp_path / "data", workers=0))
    services = replace(opened, scanner=scanner_in_process())
    new_schema(services.database)
    with services.database.write() as uow:
        for name in ("alice", "bob", "root"):
            account = create_account(uow, name, "user", is_admin=name == "root")
            issue_token(uow, account, "t", "admin", secret=f"token-of-{name}")
        create_repo(uow, services.queue, authenticate(uow, "token-of-alice"), "model", "alice", "signed")
    with TestClient(create_app(services), base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield Api(client, services)


@pytest.fixture(scope="module")
def signer() -> Signer:
    return generate_signer("ecdsa-p256")


def signature(files: dict[str, bytes], signer: Signer) -> bytes:
    table = [SignedFile(path, sha256(data).hexdigest(), len(data)) for path, data in files.items()]
    return sign_model(make_manifest("signed", table, ["model.sig"]), signer)


class TestSignatures:
    def test_a_signature_is_verified_as_it_comes_by_the_trust_that_there_is(self, call, signer) -> None:
        call.trust(signer)
        call.commit({**FILES, "model.sig": signature(FILES, signer)})
        (found,) = call("GET", f"{REPO}/signatures/main").json()["signatures"]
        assert (found["path"], found["state"]) == ("model.sig", "valid"), found
        assert found["report"]["signer"] == "key 0"
        assert found["report"]["files"]["covered"]["count"] == len(FILES)
        facts = {one["name"]: one for one in call("GET", f"{REPO}/facts/main").json()["facts"]}
        assert facts["signature"]["source"] == "attested"
        assert facts["signature"]["value"]["state"] == "valid"
        assert [one["state"] for one in call.events("signature.verified")] == ["valid"]

    def test_a_verdict_follows_the_trust(self, call, signer) -> None:
        commit = call.commit({**FILES, "model.sig": signature(FILES, signer)})
        assert call.state() == "untrusted-key"
        assert call.trust(signer).json()["version"] == 1
        assert call.state() == "valid"
        revoked = [{"key": signer.public.id, "reason": "lost"}]
        call.trust(signer, revoked=revoked)
        assert call.state() == "revoked"
        call.trust(signer)
        assert call.state() == "valid"
        call.trust(by="root", where="", revoked=revoked)
        assert call.state(commit) == "revoked"
        assert [one["state"] for one in call.events("signature.verified")] == [
            "untrusted-key", "valid", "revoked", "valid", "revoked",
        ]  # fmt: skip
        assert len(call.events("trust_policy.set")) == 4

    def test_what_changed_since_is_named_and_the_older_revision_stays_valid(self, call, signer) -> None:
        call.trust(signer)
        first = call.commit({**FILES, "model.sig": signature(FILES, signer)})
        call.commit({"good.pkl": samples.WARNED, "new.txt": b"more\n"})
        (found,) = call("GET", f"{REPO}/signatures/main").json()["signatures"]
        assert found["state"] == "mismatch"
        assert found["report"]["files"]["changed"]["first"] == ["good.pkl"]
        assert found["report"]["files"]["unsigned"]["first"] == ["new.txt"]
        assert call.state(first) == "valid"

    def test_other_files_that_end_in_sig_are_none_of_ours(self, call) -> None:
        call.commit({**FILES, "release.sig": b"-----BEGIN PGP SIGNATURE-----\n", "sub/model.sig": b"{}"})
        assert call("GET", f"{REPO}/signatures/main").json()["signatures"] == []

    def test_a_broken_file_is_said_to_be_broken(self, call) -> None:
        call.commit({**FILES, "model.sig": b'{"mediaType": 1}'})
        assert call.state() == "malformed"

    def test_a_private_repo_looks_like_none(self, call, signer) -> None:
        call.commit({**FILES, "model.sig": signature(FILES, signer)})
        call("PUT", "/api/models/alice/signed/settings", "alice", json={"private": True})
        for kind in ("signatures", "attestations"):
            private = call("GET", f"{REPO}/{kind}/main", "bob")
            missing = call("GET", f"{API}/models/alice/nothing/{kind}/main", "bob")
            assert (private.status_code, private.json()["code"]) == (
                missing.status_code,
                missing.json()["code"],
            )

    def test_nothing_is_left_of_a_deleted_repo(self, call, signer) -> None:
        call.commit({**FILES, "model.sig": signature(FILES, signer)})
        with call.services.database.write() as uow:
            repo = lookup_repo(uow, "model", "alice/signed")
            assert repo is not None
            remove_repo(call.services, uow, authenticate(uow, "token-of-alice"), repo)
        with call.services.database.read() as uow:
            assert uow.all(select(attestation.c.number)) == []
            assert uow.all(select(model_signature.c.path)) == []


class TestTrust:
    @pytest.mark.parametrize(("by", "status"), [(None, 401), ("bob", 403), ("root", 403)])
    def test_only_admins_of_a_namespace_say_whom_it_trusts(self, call, by, status: int) -> None:
        answer = call("PUT", f"{API}/trust/alice", by, content="version: 1\nsigners: []\n")
        assert answer.status_code == status
        assert call("GET", f"{API}/trust/alice").status_code == 404

    def test_only_the_administrator_says_whom_the_hub_trusts(self, call) -> None:
        assert call("PUT", f"{API}/trust", "alice", content="version: 1\nsigners: []\n").status_code == 403
        assert call("PUT", f"{API}/trust", "root", content="version: 1\nsigners: []\n").status_code == 200

    def test_anybody_reads_it_as_it_was_set(self, call) -> None:
        text = "version: 1\nsigners: []  # nobody yet\n"
        call("PUT", f"{API}/trust/alice", "alice", content=text)
        found = call("GET", f"{API}/trust/alice").json()
        assert (found["namespace"], found["version"], found["document"]) == ("alice", 1, text)
        assert found["digest"] == sha256(text.encode()).hexdigest()

    def test_what_is_not_understood_is_refused(self, call) -> None:
        answer = call("PUT", f"{API}/trust/alice", "alice", content="version: 1\nsigner: []\n")
        assert (answer.status_code, answer.json()["code"]) == (400, "trust_policy_malformed")


class TestAttestations:
    def statement(self, **digests: str) -> Statement:
        predicate = TestResultPredicate("PASSED", (Resource(name="suite"),), passed=("accuracy",))
        return Statement((Subject(digests),), predicate.type, predicate.json)

    def post(self, call: Api, data: bytes, by: str | None = "alice") -> httpx2.Response:
        return call("POST", f"{REPO}/attestations/main", by, content=data)

    def test_the_hub_attests_scan_and_verdict_with_its_key(self, call) -> None:
        commit = call.commit(FILES)
        page = call("GET", f"{REPO}/attestations/main").json()
        assert [one["maker"] for one in page["attestations"]] == ["scan", "verdict"]
        key = statement_signer(call.services).public
        for one in page["attestations"]:
            data = call("GET", f"{REPO}/attestation/{one['digest']}/main").content
            assert sha256(data).hexdigest() == one["digest"]
            statement = verify_envelope(read_envelope(data), [key])
            assert statement.subjects[0].digests["gitCommit"] == commit
            assert read_predicate(statement) is not None
        assert call.events("attestation.added", commit) == [
            {"revision": commit, "envelope": one["digest"], "predicate_type": one["predicate_type"]}
            for one in page["attestations"]
        ]

    def test_nothing_is_said_twice(self, call) -> None:
        commit = GitOid(call.commit(FILES))
        said = call.events("attestation.added", commit)
        with call.services.database.write() as uow:
            repo = lookup_repo(uow, "model", "alice/signed")
            assert repo is not None
            enqueue_examination(uow, call.services.queue, repo.id, commit)
        call.work()
        assert call.events("attestation.added", commit) == said

    def test_a_finding_is_a_result_of_the_scan_and_fails_the_verdict(self, call) -> None:
        call.commit({"bad.pkl": samples.BLOCKED})
        page = call("GET", f"{REPO}/attestations/main").json()["attestations"]
        predicates: list[Any] = [
            verify_envelope(
                read_envelope(call("GET", f"{REPO}/attestation/{one['digest']}/main").content),
                [statement_signer(call.services).public],
            ).predicate
            for one in page
        ]
        scan, verdict = predicates
        assert "pickle-refused-global" in {one["id"] for one in scan["scanner"]["result"]}
        assert verdict["verificationResult"] == "FAILED"

    def test_a_statement_of_a_trusted_key_is_kept_once(self, call, signer) -> None:
        commit = call.commit(FILES)
        call.trust(signer)
        data = sign_statement(self.statement(gitCommit=commit), signer).data
        answer = self.post(call, data)
        assert answer.status_code == 201, answer.text
        assert answer.json()["signers"] == [{"id": signer.public.id, "name": "key 0"}]
        assert self.post(call, data).json() == answer.json()
        listed = call("GET", f"{REPO}/attestations/main").json()["attestations"]
        assert [one["maker"] for one in listed] == ["scan", "verdict", "upload"]

    def test_refusals(self, call, signer) -> None:
        commit = call.commit(FILES)
        good = sign_statement(self.statement(gitCommit=commit), signer).data
        assert self.post(call, good).json()["code"] == "signer_untrusted"
        call.trust(signer)
        assert self.post(call, good, by=None).status_code == 401
        assert self.post(call, good, by="bob").status_code == 403
        other = sign_statement(self.statement(gitCommit="0" * 40), signer).data
        assert self.post(call, other).json()["code"] == "statement_about_something_else"
        mixed = sign_statement(self.statement(gitCommit=commit, dirHash="0" * 64), signer).data
        assert self.post(call, mixed).json()["code"] == "statement_about_something_else"
        predicate: dict[str, Any] = {"result": "MAYBE", "configuration": []}
        odd = Statement((Subject({"gitCommit": commit}),), TestResultPredicate.type, predicate)
        assert self.post(call, sign_statement(odd, signer).data).json()["code"] == "statement_malformed"
        assert self.post(call, b"{}").json()["code"] == "envelope_malformed"
        assert self.post(call, b"nothing").json()["code"] == "not_canonical"
        assert self.post(call, b"[" * 2_000_000).status_code == 413
        changed = json.loads(good)
        changed["signatures"][0]["sig"] = changed["signatures"][0]["sig"][:-8] + "AAAAAAA="
        assert self.post(call, json.dumps(changed).encode()).json()["code"] == "signer_untrusted"

    def test_a_digest_of_nothing_is_not_found(self, call) -> None:
        call.commit(FILES)
        assert call("GET", f"{REPO}/attestation/{'0' * 64}/main").status_code == 404
