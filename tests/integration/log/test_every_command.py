"""Every command of an operator and every job that publishes, done once and looked for in the log."""

import io
import json
from hashlib import sha256
from pathlib import Path

import pytest

from allmende.cli.entry import run
from allmende.log import KEYS_EVENT
from allmende.proof import (
    SignedFile,
    generate_signer,
    make_manifest,
    new_root_key,
    sign_key_set,
    sign_model,
)
from allmende.storage import metadata
from tests import scan_samples as samples
from tests.integration.log.acting import PASSWORD, Hub, filled
from tests.integration.log.test_completeness import COMMANDS

__all__ = ["filled"]


COMMAND_CALLS: dict[str, list[str]] = {
    "admin apply": ["apply {file}"],
    "admin keys drop-old": ["keys rotate log", "keys drop-old"],
    "admin keys publish": ["keys publish {set}"],
    "admin keys rotate": ["keys rotate statement"],
    "admin log new-log": ["log new-log --yes"],
    "admin member remove": ["member set lab bob read", "member remove lab bob"],
    "admin member set": ["member set lab bob write"],
    "admin org create": ["org create made-org"],
    "admin relineage": ["relineage"],
    "admin repo delete": ["repo delete model {repo} --yes"],
    "admin repo xet-reads": ["repo xet-reads model {repo} off"],
    "admin rescan": ["rescan"],
    "admin scan override": ["scan override model {repo} broken.pkl --reason mine"],
    "admin scan revoke": [
        "scan override model {repo} broken.pkl --reason mine",
        "scan revoke model {repo} {number}",
    ],
    "admin token create": ["token create bob one --role read"],
    "admin token revoke": ["token create bob two --role read", "token revoke bob two"],
    "admin user create": ["user create carl"],
    "admin user erase": ["user create dora", "user erase dora --yes"],
    "admin user lock": ["user create erik", "user lock erik"],
    "admin user password": ["user password bob"],
    "admin user unlock": ["user create fred", "user lock fred", "user unlock fred"],
}
"""What an operator says; `{repo}` is a new repo with a file that the scan holds back."""

LATER = {"admin relineage", "admin rescan"}
"""Commands that only begin: the worker does the rest."""

UNHARMED = {"admin gc": "--dry-run", "admin jobs retry": "--all", "admin log peers remove": "nobody"}
"""What commands are told that change nothing which the log is about; else nothing."""


def test_every_changing_command_has_a_call() -> None:
    changing = {command for command, kind in COMMANDS.items() if kind is not None}
    assert sorted(changing - COMMAND_CALLS.keys()) == [], "call these, and see their entries"
    assert sorted(COMMAND_CALLS.keys() - changing) == [], "these commands are gone"


@pytest.mark.parametrize("command", sorted(COMMAND_CALLS.keys() & COMMANDS.keys()))
def test_what_a_command_changes_has_its_entry(
    filled: Hub, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = filled.repo({"broken.pkl": samples.QUARANTINED}) if "{repo}" in COMMAND_CALLS[command][-1] else ""
    if command.startswith("admin scan"):
        filled.work("examine")
    people = tmp_path / "people.json"
    people.write_text(json.dumps({"users": [{"name": "applied"}]}))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    last = filled.last()
    for words in COMMAND_CALLS[command]:
        number = filled.lifted(name) if "{number}" in words else ""
        signed = tmp_path / "signed.set"
        if "{set}" in words:
            root = new_root_key("hub.example.org/root")
            unsigned = filled.services.log.key_sets.next(root.verifier)
            signed.write_bytes(sign_key_set(unsigned.text.encode(), root))
        filled.command("admin", *words.format(repo=name, file=people, number=number, set=signed).split())
    if command in LATER:
        filled.work("examine", "relineage", "rescan", "trace", "retrace")
    kind = COMMANDS[command]
    assert kind is not None
    if command == "admin relineage":
        # What is measured again as it was is no act; a model that is new is told of by the worker.
        assert kind not in filled.since(last)
        return
    if command != "admin log new-log":
        assert filled.since(last, kind)
        return
    # The new log begins with every act that there is, and the keys of the new log are one.
    assert filled.since(0, KEYS_EVENT)
    assert filled.services.log.origin.endswith("/log/2")


@pytest.mark.parametrize("command", sorted(command for command, kind in COMMANDS.items() if kind is None))
def test_a_command_that_is_said_to_change_nothing_leaves_no_entry(filled: Hub, command: str) -> None:
    last, before = filled.last(), filled.seen()
    run((*command.split(), *UNHARMED.get(command, "").split(), "--data", str(filled.data)))
    assert (filled.last(), filled.seen()) == (last, before)


PUBLISHING = {"attest": "attestation.added", "examine": "scan.verdict", "record": "record.signed"}
"""What jobs publish after a push, by the kind of job."""


@pytest.mark.parametrize("job", sorted(PUBLISHING))
def test_what_the_worker_publishes_has_its_entry(filled: Hub, job: str) -> None:
    with filled.services.database.write() as uow:
        uow.execute(metadata.tables["job"].delete())
    filled.repo({"good.pkl": samples.CLEAN})
    filled.work(*(set(PUBLISHING) - {job}))
    filled.since(0)
    last = filled.last()
    while filled.work(*PUBLISHING):
        pass
    assert filled.since(last, PUBLISHING[job])


def test_a_signature_that_a_commit_brings_has_its_entry(filled: Hub) -> None:
    data = b"weights"
    table = [SignedFile("w.bin", sha256(data).hexdigest(), len(data))]
    bundle = sign_model(make_manifest("m", table, ["model.sig"]), generate_signer("ecdsa-p256"))
    name = filled.repo()
    last = filled.last()
    filled.commit(name, {"w.bin": data, "model.sig": bundle})
    filled.work("examine", "signatures")
    assert filled.since(last, "signature.verified")
