"""The transparency record of a revision: what it says, when it is made anew, and whom it never names."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from allmende.facts import latest_record, record_versions, signed_record
from allmende.flows import (
    Judge,
    Services,
    end_override,
    enqueue_record,
    lift_verdict,
    record_envelope,
    record_of,
    shown_versions,
    start_rescan,
    subject_at,
)
from allmende.flows.records import RecordNotReady, RecordWithheld
from allmende.flows.statement_key import statement_signer
from allmende.flows.tree_digests import tree_digests
from allmende.ids import GitOid
from allmende.proof import PREDICATES, dir_hash, verify_envelope
from allmende.record import FACTS
from allmende.registry import Actor, AddFile, Repo, find_repo_by_id, heads_of, resolve_revision
from allmende.storage import Database, outbox
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import finetuned, fresh, safetensors_of
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

BASE = fresh(1)
TUNED = finetuned(BASE, 2)
CARD = """---
license: apache-2.0
license_name: A name
language: [en, de]
datasets: [alice/data]
co2_eq_emissions: {emissions: 12.5, source: measured}
model-index:
- name: it
  results:
  - task: {type: text-generation}
    dataset: {name: HellaSwag, type: hellaswag}
    metrics: [{type: acc, value: 0.5}]
---
# It

A model that says things.

## Limitations

It is wrong at times.
"""

ReadRecord = Callable[..., Any]


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


@pytest.fixture
def record(database: Database) -> ReadRecord:
    def read(repo: Repo, commit_oid: GitOid | None = None) -> Any:
        with database.read() as uow:
            at = commit_oid or heads_of(uow, [repo.id])[repo.id]
            found = find_repo_by_id(uow, repo.id)
            assert found is not None
            return record_of(record_envelope(uow, found, at))

    return read


def head(database: Database, repo: Repo) -> GitOid:
    with database.read() as uow:
        return heads_of(uow, [repo.id])[repo.id]


def versions(database: Database, repo: Repo) -> list[int]:
    with database.read() as uow:
        return [one.version for one in record_versions(uow, repo.id, heads_of(uow, [repo.id])[repo.id], 100)]


def everything_kept(database: Database, repo: Repo) -> str:
    """All that any version of the head's record says."""
    with database.read() as uow:
        at = heads_of(uow, [repo.id])[repo.id]
        kept = [signed_record(uow, one.number) for one in record_versions(uow, repo.id, at, 100)]
    return " ".join(json.dumps(record_said(data)) for data in kept if data is not None)


def record_said(data: bytes) -> Any:
    from allmende.proof import read_envelope

    return record_of(read_envelope(data)).document


def test_a_record_says_what_is_known_and_what_is_not(
    hub: LineageHub, alice: Actor, database: Database, record: ReadRecord
) -> None:
    repo = hub.publish(alice, "it", BASE, more={"README.md": CARD, "config.json": {"hidden_size": 64}})
    found = record(repo)
    assert list(found.document["facts"]) == sorted(FACTS)
    assert found.document["version"] == 1
    assert found.document["supersedes"] is None
    assert found.subject.name == "alice/it"
    assert found.subject.id == repo.public_id
    assert found.object("licence") == {"ids": ["apache-2.0"], "name": "A name", "spdx": "Apache-2.0"}
    assert found.list("languages") == ["en", "de"]
    assert found.object("emissions") == {"co2e_g": 12.5, "source": "measured"}
    (result,) = found.list("evaluations")
    assert result == {"task": "text-generation", "dataset": "HellaSwag", "metric": "acc", "value": 0.5}
    assert found.object("card")["description"] == "A model that says things."
    assert found.object("card")["sections"]["limitations"]["text"] == "It is wrong at times."
    assert found.object("hyperparameters") == {"hidden_size": 64}
    assert found.object("parameters")["total"] == sum(values.size for values in BASE.values())
    assert found.object("scan")["status"] == "clean"
    assert found.object("weights")["parameters"] == found.object("parameters")["total"]
    assert found.object("lineage")["edges"][0]["relation"] == "unrelated"
    assert found.facts["declared_bases"] == {"source": "unknown", "reason": "not_declared"}
    assert found.facts["licence_composition"] == {"source": "unknown", "reason": "not_offered"}
    assert found.facts["dataset"]["reason"] == "not_applicable"
    sources = {name: found.source(name) for name in ("files", "licence", "scan", "lineage")}
    assert sources == {"files": "measured", "licence": "declared", "scan": "measured", "lineage": "measured"}
    assert found.facts["licence"]["evidence"]["path"] == "README.md"


def test_it_is_signed_and_names_the_files(
    hub: LineageHub, alice: Actor, services: Services, database: Database
) -> None:
    repo = hub.publish(alice, "it", BASE)
    at = head(database, repo)
    with database.read() as uow:
        envelope = record_envelope(uow, repo, at)
        version = latest_record(uow, repo.id, at)
        told = [row.payload for row in uow.all(select(outbox).where(outbox.c.kind == "record.signed"))]
    statement = verify_envelope(envelope, [statement_signer(services).public])
    assert statement.predicate_type == PREDICATES["record"]
    tree = tree_digests(services, repo.id, at)
    digests = {"gitCommit": at, "dirHash": dir_hash([(file.path, file.sha256) for file in tree])}
    assert dict(statement.subjects[0].digests) == digests
    assert statement.subjects[0].name == f"model/{repo.public_id}@{at}"
    listed: Any = record_of(envelope).object("files")["list"]
    assert {row["path"]: row["sha256"] for row in listed} == {file.path: file.sha256 for file in tree}
    assert version is not None
    assert version.digest == envelope.digest
    assert told[-1] == {"revision": at, "envelope": envelope.digest, "version": 1}


def test_the_same_facts_make_no_new_version(
    hub: LineageHub, alice: Actor, services: Services, database: Database, run_jobs: RunJobs
) -> None:
    repo = hub.publish(alice, "it", BASE)
    assert versions(database, repo) == [1]
    start_rescan(services)
    run_jobs()
    with database.write() as uow:
        enqueue_record(services, uow, repo.id, head(database, repo))
    run_jobs()
    assert versions(database, repo) == [1]


def test_a_parent_that_arrives_late_makes_a_new_version(
    hub: LineageHub, alice: Actor, database: Database, record: ReadRecord
) -> None:
    small = hub.publish(alice, "small", finetuned(BASE, 3), base="alice/base", relation="finetune")
    before = record(small)
    base = hub.publish(alice, "base", BASE)
    after = record(small)
    assert after.document["version"] == 2
    supersedes = after.document["supersedes"]
    assert supersedes["version"] == 1
    (edge, *_) = after.object("lineage")["edges"]
    assert edge["parents"][0]["repo"] == "alice/base"
    assert edge["parents"][0]["id"] == base.public_id
    assert before.object("lineage")["edges"] != after.object("lineage")["edges"]
    with database.read() as uow:
        newest, oldest = shown_versions(uow, small, head(database, small), 10)
    assert supersedes["digest"] == oldest.version.digest
    assert newest.shown
    assert oldest.shown


def test_a_private_parent_is_never_named(
    hub: LineageHub, alice: Actor, database: Database, record: ReadRecord
) -> None:
    hidden = hub.publish(alice, "hidden", BASE, private=True)
    tuned = hub.publish(alice, "tuned", TUNED, base="alice/hidden")
    own = hub.publish(alice, "own", finetuned(BASE, 4), private=True)
    for repo in (tuned, own):
        said = record(repo)
        lineage = json.dumps(said.facts["lineage"])
        assert "alice/hidden" not in lineage
        assert hub.weights_id(hidden) not in lineage
        assert hidden.public_id not in everything_kept(database, repo)
    # What the card itself names is told as it is: unknown, like one that is not here.
    (claim,) = record(tuned).list("declared_bases")
    assert (claim["name"], claim["status"], claim["code"]) == ("alice/hidden", "unknown", "not_here")


def test_a_private_child_may_name_what_is_public(
    hub: LineageHub, alice: Actor, bob: Actor, record: ReadRecord
) -> None:
    hub.publish(bob, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED, private=True)
    (edge, *_) = record(tuned).object("lineage")["edges"]
    assert edge["parents"][0]["repo"] == "bob/base"
    assert record(tuned).subject.name == "alice/tuned"


def test_a_parent_that_turns_private_leaves_every_version_at_once(
    hub: LineageHub, alice: Actor, database: Database, record: ReadRecord, run_jobs: RunJobs
) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert "alice/base" in everything_kept(database, tuned)
    hub.show(alice, base, private=True)
    assert "alice/base" not in everything_kept(database, tuned)
    with database.read() as uow, pytest.raises(RecordWithheld):
        record_envelope(uow, tuned, head(database, tuned))
    run_jobs()
    assert "alice/base" not in everything_kept(database, tuned)
    assert record(tuned).document["version"] >= 2
    with database.read() as uow:
        assert [one.shown for one in shown_versions(uow, tuned, head(database, tuned), 10)][-1] is False


def test_a_version_that_names_what_is_private_is_withheld_even_while_it_is_kept(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    from allmende.registry import update_repo

    with database.write() as uow:
        update_repo(uow, alice, base, private=True)
    with database.read() as uow, pytest.raises(RecordWithheld):
        record_envelope(uow, tuned, head(database, tuned))


def test_a_deleted_parent_leaves_and_a_deleted_repo_takes_its_records_along(
    hub: LineageHub, alice: Actor, database: Database, record: ReadRecord, run_jobs: RunJobs
) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    at = head(database, base)
    hub.delete(alice, base)
    with database.read() as uow:
        assert latest_record(uow, base.id, at) is None
    assert "alice/base" not in everything_kept(database, tuned)
    run_jobs()
    assert "alice/base" not in json.dumps(record(tuned).document)


def test_a_new_name_makes_a_new_version(
    hub: LineageHub,
    alice: Actor,
    services: Services,
    database: Database,
    record: ReadRecord,
    run_jobs: RunJobs,
) -> None:
    from allmende.flows import note_repo_changed
    from allmende.registry import move_repo

    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    with database.write() as uow:
        move_repo(uow, alice, base, "alice/ground")
        note_repo_changed(services, uow, base)
    run_jobs()
    assert record(base).subject.name == "alice/ground"
    assert record(base).subject.id == base.public_id
    (edge, *_) = record(tuned).object("lineage")["edges"]
    assert edge["parents"][0]["repo"] == "alice/ground"


def test_a_lifted_verdict_is_on_the_record(
    hub: LineageHub,
    alice: Actor,
    services: Services,
    database: Database,
    record: ReadRecord,
    run_jobs: RunJobs,
) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (eval, ("1",))

    repo = hub.publish(alice, "it", BASE)
    hub.commit(alice, repo, AddFile("bad.pkl", pickle.dumps(Evil())))
    run_jobs()
    assert record(repo).object("scan")["status"] == "blocked"
    with database.write() as uow:
        revision = resolve_revision(uow, repo, "main")
        subject = subject_at(services, uow, repo, revision, "bad.pkl")
        lift_verdict(services, uow, Judge("operator"), repo, subject, None, "an example of secrets")
    run_jobs()
    said = record(repo)
    assert said.object("scan")["lifted"] == 1
    assert said.document["version"] == 2
    assert "an example of secrets" not in json.dumps(said.document)


def test_words_of_a_card_that_the_scan_stops_stand_in_no_version(
    hub: LineageHub,
    alice: Actor,
    services: Services,
    database: Database,
    record: ReadRecord,
    run_jobs: RunJobs,
    make_repo: MakeRepo,
) -> None:
    repo = make_repo(alice, "cards", kind="dataset")
    hub.commit(alice, repo, AddFile("README.md", b"cos\nsystem\n(S'the words of this card'\ntR."))
    run_jobs()
    assert record(repo).facts["card"] == {"source": "unknown", "reason": "held_back"}
    assert record(repo).facts["licence"] == {"source": "unknown", "reason": "held_back"}
    with database.write() as uow:
        revision = resolve_revision(uow, repo, "main")
        subject = subject_at(services, uow, repo, revision, "README.md")
        lifted = lift_verdict(services, uow, Judge("operator"), repo, subject, None, "harmless here")
    run_jobs()
    assert "the words of this card" in json.dumps(record(repo).document)
    with database.write() as uow:
        end_override(services, uow, Judge("operator"), repo, lifted)
    run_jobs()
    assert record(repo).facts["card"]["reason"] == "held_back"
    assert "the words of this card" not in everything_kept(database, repo)
    assert len(versions(database, repo)) == 3


def test_without_an_examination_there_is_no_record(
    hub: LineageHub, alice: Actor, database: Database, make_repo: MakeRepo
) -> None:
    repo = make_repo(alice, "fresh")
    with database.read() as uow, pytest.raises(RecordNotReady):
        record_envelope(uow, repo, head(database, repo))


def test_datasets_have_records_too(
    hub: LineageHub, alice: Actor, make_repo: MakeRepo, record: ReadRecord, run_jobs: RunJobs
) -> None:
    repo = make_repo(alice, "data", kind="dataset")
    card = "---\nlicense: odbl\ntask_categories: [text-generation]\n---\nRows."
    hub.commit(alice, repo, AddFile("README.md", card.encode()), AddFile("rows.csv", b"a,b\n1,2\n"))
    run_jobs()
    found = record(repo)
    assert found.subject.type == "dataset"
    assert found.object("dataset") == {"task_categories": ["text-generation"]}
    assert found.object("licence")["spdx"] == "ODbL-1.0"
    assert found.facts["lineage"] == {"source": "unknown", "reason": "not_applicable"}


def test_two_workers_at_once_make_one_version(
    hub: LineageHub, alice: Actor, services: Services, database: Database
) -> None:
    """A worker whose basis is older than the newest version asks again and writes nothing."""
    from allmende.flows import records
    from allmende.flows.record_facts import Gathered

    repo = hub.publish(alice, "it", BASE)
    at = head(database, repo)
    with database.read() as uow:
        found: Any = record_of(record_envelope(uow, repo, at))
        before = latest_record(uow, repo.id, at)
    gathered = Gathered(dict(found.facts), frozenset())
    for _ in range(2):
        records._sign(services, found.subject, repo.id, gathered, "b" * 64, before)
    assert versions(database, repo) == [2, 1]
    assert dataclasses.is_dataclass(before)


def test_hostile_cards_and_configurations_do_not_stop_a_record(
    hub: LineageHub, alice: Actor, record: ReadRecord
) -> None:
    card = (
        "---\nlicense: "
        + "x" * 600
        + "\nmodel-index: 5\nco2_eq_emissions: -1\nbig: 123456789012345678901\n---\n"
    )
    config = {"hidden_size": 2**60, "num_hidden_layers": True, "vocab_size": -3, "architectures": "x"}
    repo = hub.publish(
        alice, "it", safetensors_of(BASE), more={"README.md": card + "# \x00\n" * 50, "config.json": config}
    )
    found = record(repo)
    assert len(found.object("licence")["ids"][0]) == 500
    assert found.source("evaluations") == "unknown"
    assert found.source("emissions") == "unknown"
    assert found.source("hyperparameters") == "unknown"
