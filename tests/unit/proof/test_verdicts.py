"""Files, log, envelopes and policy: what is verified, what is refused and why, and what proves nothing."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from allmende.merkle import KeyKind, SigningKey
from allmende.proof import (
    MAX_PROOF_BUNDLE_BYTES,
    canonical_json,
    check_lines,
    checks_of,
    detail_lines,
    judge_bundle,
    judge_files,
    read_folder,
    read_proof_bundle,
    verdict_lines,
)
from allmende.proof.verifier import main, verify_folder
from tests.unit.proof.made_bundles import (
    COMMIT,
    FILES,
    HUB_SIGNER,
    LOG_KEY,
    NOW,
    OTHER_KEY,
    POLICY,
    REPO,
    STRANGER,
    WITNESSES,
    MadeHub,
    bundle_of,
    envelope_of,
    files_of,
    good_bundle,
    policy_of,
    tree_hash,
    write_folder,
)


def code_of(bundle, policy=POLICY) -> str:
    return judge_bundle(bundle if isinstance(bundle, bytes) else bundle.data, policy).code


@pytest.fixture(name="folder")
def _folder(tmp_path):
    return write_folder(tmp_path / "model")


def pipe_for(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


class TestVerified:
    @pytest.mark.parametrize("private", [False, True])
    def test_a_folder(self, folder, private):
        verdict = verify_folder(good_bundle(private=private).data, folder, POLICY)
        assert verdict.state == "verified", verdict
        assert verdict.checked is not None
        assert verdict.files is not None
        assert verdict.checked.tree_hash == tree_hash()
        assert verdict.checked.seen_at_s == NOW
        assert [one.signed_by_hub for one in verdict.checked.envelopes] == [True, False]
        assert verdict.checked.record is verdict.checked.envelopes[0]
        assert verdict.files.right == tuple(sorted(FILES))

    def test_what_clients_leave_is_no_part_of_it(self, folder):
        for path in (".allmende/proof.json", ".cache/huggingface/download/a.metadata", ".git/HEAD"):
            write_folder(folder, {path: b"x"})
        assert verify_folder(good_bundle().data, folder, POLICY).state == "verified"

    def test_a_snapshot_in_the_cache(self, tmp_path):
        repo = tmp_path / "models--lab--base"
        snapshot = repo / "snapshots" / COMMIT
        for path, data in FILES.items():
            blob = repo / "blobs" / path.replace("/", "-")
            write_folder(blob.parent, {blob.name: data})
            (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
            (snapshot / path).symlink_to(os.path.relpath(blob, (snapshot / path).parent))
        assert verify_folder(good_bundle().data, snapshot, POLICY).state == "verified"

    def test_some_of_the_files_where_that_is_allowed(self, folder):
        (folder / "README.md").unlink()
        bundle = good_bundle().data
        refused = verify_folder(bundle, folder, POLICY)
        assert (refused.state, refused.code) == ("refused", "files_missing")
        assert "--partial" in (refused.hint or "")
        verdict = verify_folder(bundle, folder, POLICY, partial=True)
        assert verdict.state == "verified"
        assert verdict.reason.startswith("4 of 5 files")

    def test_none_of_the_files_is_nothing(self, tmp_path):
        verdict = verify_folder(good_bundle().data, tmp_path, POLICY, partial=True)
        assert verdict.state == "unknown"

    def test_no_witness_where_none_is_asked_for(self, folder):
        hub = MadeHub(witnesses=())
        hub.log_publish(tree_hash())
        verdict = verify_folder(bundle_of(hub).data, folder, policy_of(witnesses=()))
        assert verdict.state == "verified"
        assert checks_of(verdict)[2].state == "absent"


class TestRefusedFiles:
    def test_a_bit(self, folder):
        data = bytearray(FILES["model.safetensors"])
        data[5000] ^= 1
        (folder / "model.safetensors").write_bytes(data)
        verdict = verify_folder(good_bundle().data, folder, POLICY)
        assert (verdict.state, verdict.code) == ("refused", "files_changed")
        assert "model.safetensors has other bytes" in verdict.reason
        assert verdict.files is not None
        assert verdict.files.changed == ("model.safetensors",)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda f: (f / "empty").write_bytes(b"x"), "files_changed"),
            (lambda f: (f / "config.json").rename(f / "config.jsoN"), "files_extra"),
            (lambda f: (f / "modeling.py").write_text("import os"), "files_extra"),
            (lambda f: (f / "sub" / ".allmende").mkdir() or (f / "sub/.allmende/x").touch(), "files_extra"),
            (lambda f: (f / "README.md").unlink(), "files_missing"),
            (lambda f: (f / "link").symlink_to("nowhere"), "files_extra"),
            (lambda f: (f / "link").symlink_to("link"), "files_extra"),
            (lambda f: (f / "link").symlink_to(f / "sub"), "files_extra"),
            (lambda f: os.mkfifo(f / "pipe"), "files_extra"),
            (lambda f: pipe_for(f / "empty"), "files_changed"),
            (lambda f: (f / "empty").unlink() or (f / "empty").symlink_to("/dev/null"), "files_changed"),
        ],
    )
    def test_a_change(self, folder, change, code):
        change(folder)
        assert verify_folder(good_bundle().data, folder, POLICY).code == code

    def test_all_changes_are_told(self, folder):
        (folder / "README.md").unlink()
        (folder / "config.json").write_bytes(b"{}")
        (folder / "evil\x1b.py").write_bytes(b"{}")
        verdict = verify_folder(good_bundle().data, folder, POLICY)
        (line,) = verdict_lines(verdict)
        assert [line.split()[0] for line in detail_lines(verdict)] == ["changed", "extra", "missing"]
        assert all(word in line for word in ("config.json", "evil", "README.md"))
        assert checks_of(verdict) == ()

    def test_folders_without_end(self, tmp_path):
        here = tmp_path
        for _ in range(130):
            here = here / "d"
        here.mkdir(parents=True)
        assert verify_folder(good_bundle().data, tmp_path, POLICY).code == "proof_too_large"


class TestWhatAVerdictRestsOn:
    def states(self, verdict, **how) -> dict[str, str]:
        return {one.name: one.state for one in checks_of(verdict, **how)}

    def test_all_of_it(self, folder):
        verdict = verify_folder(good_bundle().data, folder, POLICY)
        told = self.states(verdict)
        assert [told[name] for name in ("files", "log", "witnesses", "record")] == ["held"] * 4
        # The other statement in the log is by somebody whose signature nobody here checks.
        assert told["statements"] == "not_checked"

    def test_what_is_not_there_is_said(self):
        hub = MadeHub()
        hub.log_publish(tree_hash())
        bundle = replace(bundle_of(hub), envelopes=(), statement_keys=())
        told = self.states(judge_bundle(bundle.data, policy_of(witnesses=())))
        assert told == {
            "files": "not_checked",
            "log": "held",
            "witnesses": "absent",
            "record": "absent",
            "statements": "absent",
        }

    def test_without_a_policy_nobody_vouches_for_the_log(self):
        assert self.states(judge_bundle(good_bundle().data, None))["log"] == "not_checked"

    def test_a_list_is_no_reading(self, folder):
        verdict = verify_folder(good_bundle().data, folder, POLICY)
        read, listed = (checks_of(verdict, bytes_read=how)[0].says for how in (True, False))
        assert "every byte read" in read
        assert "every byte" not in listed

    def test_lines_fit_a_terminal(self, folder):
        verdict = verify_folder(good_bundle().data, folder, POLICY)
        lines = [*check_lines(checks_of(verdict)), *detail_lines(verdict)]
        assert max(map(len, check_lines(checks_of(verdict)))) <= 80
        assert any(COMMIT in line for line in lines)
        assert {line[2] for line in check_lines(checks_of(verdict))} <= set("+-? ")


class TestNothingToVerifyAgainst:
    def test_a_bundle_alone(self, folder):
        verdict = verify_folder(good_bundle().data, folder, None)
        assert verdict.state == "unknown"
        assert "agrees with itself" in verdict.reason

    def test_but_what_does_not_agree_with_itself_is_refused(self, folder):
        (folder / "empty").write_bytes(b"x")
        assert verify_folder(good_bundle().data, folder, None).state == "refused"
        broken = replace(good_bundle(), commit="1" * 40)
        assert judge_bundle(broken.data, None).state == "refused"

    def test_a_made_up_hub_agrees_with_itself_and_is_not_believed(self, folder):
        hub = MadeHub(log_key=OTHER_KEY)
        hub.log_publish(tree_hash())
        bundle = bundle_of(hub).data
        assert verify_folder(bundle, folder, None).state == "unknown"
        assert verify_folder(bundle, folder, POLICY).code == "log_signature_refused"


class TestRefusedProofs:
    def test_a_log_that_is_not_known(self):
        other = SigningKey("other.example/log", KeyKind.ED25519, b"\7" * 32)
        assert code_of(good_bundle(), policy_of(other)) == "log_signature_refused"

    def test_too_few_witnesses(self):
        hub = MadeHub(witnesses=WITNESSES[:1])
        hub.log_publish(tree_hash())
        assert code_of(bundle_of(hub)) == "log_quorum_missed"
        assert code_of(bundle_of(hub), policy_of(quorum="any")) == "verified"

    def test_other_files_in_the_list(self):
        files = files_of({**FILES, "config.json": b'{"a": 2}\n'})
        assert code_of(replace(good_bundle(), files=files)) == "proof_bundle_refused"
        assert code_of(replace(good_bundle(), files=files_of()[:-1])) == "proof_bundle_refused"

    @pytest.mark.parametrize(
        "change", [{"commit": "1" * 40}, {"repo_id": "other"}, {"repo_type": "dataset"}, {"hub": "x/log"}]
    )
    def test_another_revision(self, change):
        assert code_of(replace(good_bundle(), **change)) == "proof_bundle_refused"

    def test_no_publication(self):
        hub = MadeHub()
        hub.log_keys()
        assert code_of(bundle_of(hub)) == "proof_bundle_refused"
        assert code_of(replace(good_bundle(), entries=())) == "proof_bundle_refused"

    def test_a_statement_of_another_entry(self):
        bundle = good_bundle()
        first, second, *rest = bundle.entries
        swapped = (replace(first, statement=second.statement, salt=second.salt), second, *rest)
        assert code_of(replace(bundle, entries=swapped)) == "commitment_refused"

    @pytest.mark.parametrize(
        "changes",
        [
            {"commit": "1" * 40},
            {"dirHash": "1" * 64},
            {"time": "2026-11-28T09:00:01Z"},
            {"kind": "scan"},
            {"subject": "2" * 64},
            {"omsRoot": "3" * 64},
            {"dirHash": None},
        ],
    )
    def test_an_entry_that_says_something_else_than_its_statement(self, changes):
        hub = MadeHub()
        hub.log({"kind": "publish", "repo": hub.repo(), "commit": COMMIT, "dirHash": tree_hash()}, **changes)
        assert code_of(bundle_of(hub)) == "commitment_refused"

    @pytest.mark.parametrize("changes", [{"v": 2}, {"kind": "Publish"}, {"commitment": "x"}, {"subject": ""}])
    def test_an_entry_that_is_none(self, changes):
        hub = MadeHub()
        hub.log({"kind": "publish", "repo": hub.repo(), "commit": COMMIT, "dirHash": tree_hash()}, **changes)
        assert code_of(bundle_of(hub)) == "log_entry_malformed"

    def test_a_private_entry_that_tells(self):
        hub = MadeHub(private=True)
        hub.log(
            {"kind": "publish", "repo": hub.repo(), "commit": COMMIT, "dirHash": tree_hash()}, commit=COMMIT
        )
        assert code_of(bundle_of(hub)) == "log_entry_malformed"

    def test_entries_of_two_checkpoints(self):
        hub = MadeHub()
        hub.log_publish(tree_hash())
        hub.log_publish(tree_hash())
        early, late = hub.proven(NOW), hub.proven(NOW + 1)
        assert code_of(bundle_of(hub, entries=(early[0], late[1]))) == "proof_bundle_refused"

    def test_another_spelling(self):
        bundle = good_bundle()
        assert code_of(json.dumps(bundle.json).encode()) == "proof_bundle_malformed"
        assert code_of(canonical_json({**bundle.json, "more": 1})) == "proof_bundle_malformed"
        assert code_of(bundle.data[:-1]) == "proof_bundle_malformed"
        assert code_of(b"[" * 100_000) == "proof_too_large"
        assert code_of(b" " * (MAX_PROOF_BUNDLE_BYTES + 1)) == "proof_too_large"

    @pytest.mark.parametrize(
        "path", ["../x", "/x", "a//b", "a/./b", "a\nb", "a\0b", "", "a/", "x" * 5000, "empty/x"]
    )
    def test_a_path_that_leads_elsewhere(self, path):
        files = sorted(
            [{"path": path, "sha256": "0" * 64, "size": 0}, *cast(list[Any], good_bundle().json["files"])],
            key=lambda one: one["path"].encode(),
        )
        data = canonical_json({**good_bundle().json, "files": files})
        assert code_of(data) == "proof_bundle_malformed"


class TestEnvelopes:
    def made(self, record=None, *, keys=None, logged=(HUB_SIGNER,), kind="record", **changes):
        hub = MadeHub()
        record = record or envelope_of()
        if logged:
            hub.log_keys(*logged)
        hub.log_publish(tree_hash())
        hub.log_envelope(kind, record)
        if keys is not None:
            changes["statement_keys"] = keys
        return bundle_of(hub, record, **changes)

    def test_the_record(self):
        assert code_of(self.made()) == "verified"

    def test_a_record_that_a_stranger_signed(self):
        record = envelope_of("record", STRANGER)
        assert code_of(self.made(record)) == "signer_untrusted"
        assert code_of(self.made(record, keys=(STRANGER.public,))) == "proof_bundle_refused"

    def test_a_key_that_the_log_does_not_name(self):
        assert code_of(self.made(logged=())) == "proof_bundle_refused"
        assert code_of(self.made(logged=(STRANGER,))) == "proof_bundle_refused"

    def test_a_key_that_has_signed_nothing(self):
        keys = (HUB_SIGNER.public, STRANGER.public)
        assert code_of(self.made(keys=keys, logged=(HUB_SIGNER, STRANGER))) == "proof_bundle_refused"
        assert code_of(self.made(keys=(HUB_SIGNER.public,) * 2)) == "proof_bundle_refused"

    def test_a_record_about_something_else(self):
        assert code_of(self.made(envelope_of(commit="1" * 40))) == "proof_bundle_refused"
        assert code_of(self.made(envelope_of(files={"a": b"b"}))) == "proof_bundle_refused"

    def test_a_record_that_is_none(self):
        assert code_of(self.made(envelope_of("scai"))) == "proof_bundle_refused"
        assert code_of(self.made(kind="attest")) == "proof_bundle_refused"

    def test_an_envelope_too_many_or_too_few(self):
        assert code_of(replace(good_bundle(), envelopes=())) == "proof_bundle_refused"
        bundle = good_bundle()
        more = (*bundle.envelopes, envelope_of("vulns"))
        assert code_of(replace(bundle, envelopes=more)) == "proof_bundle_refused"
        assert code_of(replace(bundle, envelopes=bundle.envelopes[:1] * 2)) == "proof_bundle_refused"

    def test_a_second_signature_that_is_of_nobody(self):
        record = envelope_of("record", HUB_SIGNER, STRANGER)
        assert code_of(self.made(record)) == "signature_broken"


class TestCommand:
    def test_exit_codes(self, folder, tmp_path, capsys):
        bundle, policy = tmp_path / "proof.json", tmp_path / "policy"
        bundle.write_bytes(good_bundle().data)
        policy.write_bytes(POLICY)
        assert main([str(bundle), str(folder), "--policy", str(policy)]) == 0
        first, *details = capsys.readouterr().out.splitlines()
        assert first.startswith("verified: All 5 files are as published")
        assert f"  log key      {LOG_KEY.verifier.text}" in details
        assert main([str(bundle), str(folder)]) == 2
        (folder / "empty").write_bytes(b"x")
        assert main([str(bundle), str(folder), "--policy", str(policy)]) == 1
        assert main([str(bundle), str(tmp_path / "absent"), "--policy", str(policy)]) == 2

    def test_what_is_written_is_read(self):
        bundle = good_bundle()
        assert read_proof_bundle(bundle.data) == bundle
        assert (bundle.repo_type, bundle.repo_id) == REPO

    def test_a_list_of_a_hub_instead_of_files(self, folder):
        found = read_folder(folder, {path: len(data) for path, data in FILES.items()})
        assert judge_files(judge_bundle(good_bundle().data, POLICY), found).state == "verified"
