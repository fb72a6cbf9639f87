"""Lineage in the hub, from a commit to what somebody sees of it."""

import time

import pytest

from allmende.facts import revision_facts, traces_of, weights_of
from allmende.flows import Services, ancestors, path_between
from allmende.flows.lineage_tracing import retrace
from allmende.flows.worker import make_worker
from allmende.ids import GitOid
from allmende.jobs import Job, JobContext
from allmende.registry import ANONYMOUS, Actor, Repo, heads_of
from allmende.storage import Database
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import adapter, finetuned, fresh, gguf_of, merged, safetensors_of
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

PATIENCE_S = 100

BASE = fresh(1)
TUNED = finetuned(BASE, 2)
OTHER_TUNED = finetuned(BASE, 3)
STRANGER = fresh(9)


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


def test_a_family_is_told_from_its_weights(hub: LineageHub, alice: Actor, database: Database) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    hub.publish(alice, "other", OTHER_TUNED)
    merge = hub.publish(alice, "merge", merged([(TUNED, 0.6), (OTHER_TUNED, 0.4)]))
    small = hub.publish(alice, "small", gguf_of(BASE), file="small.Q8_0.gguf")
    stranger = hub.publish(alice, "stranger", STRANGER)

    assert (hub.parents(tuned), hub.relation(tuned)) == (["alice/base"], "finetune")
    assert (hub.parents(small), hub.relation(small)) == (["alice/base"], "quantized")
    assert (hub.parents(merge), hub.relation(merge)) == (["alice/tuned", "alice/other"], "merge")
    assert (hub.parents(stranger), hub.relation(stranger)) == ([], "unrelated")
    weights = [parent.weight for parent in hub.view(merge).edges[0].parents]
    assert weights == [pytest.approx(0.6, abs=0.01), pytest.approx(0.4, abs=0.01)]
    assert sorted(hub.children(base)) == ["alice/other", "alice/small", "alice/tuned"]
    assert [kin.repo for kin in hub.view(tuned).siblings] == ["alice/other", "alice/small"]
    assert hub.view(small).edges[0].grade == "proven"
    assert hub.view(small).edges[0].direction == "irreversible"
    assert hub.view(stranger).edges[0].evidence["compared"] == hub.view(stranger).compared
    assert hub.tags(small) == ["base_model:alice/base", "base_model:quantized:alice/base"]
    assert hub.tags(stranger) == []

    with database.read() as uow:
        found = ancestors(uow, ANONYMOUS, merge, heads_of(uow, [merge.id])[merge.id])
        way = path_between(uow, ANONYMOUS, small, merge)
        none = path_between(uow, ANONYMOUS, stranger, merge)
    assert [node.repo for node in found.nodes] == ["alice/merge", "alice/tuned", "alice/other", "alice/base"]
    assert [(link.child, link.parent) for link in found.links] == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert way is not None
    assert [step.direction for step in way] == ["up", "down", "down"]
    assert (way[0].repo, way[-1].repo) == ("alice/base", "alice/merge")
    assert none is None


def test_what_was_read_is_a_fact_and_edges_are_none(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    facts = _facts(database, tuned)
    assert facts["lineage"].source == "measured"
    assert facts["lineage"].tool == "allmende.weights"
    value = facts["lineage"].value
    assert isinstance(value, dict)
    assert value["weights"] == hub.weights_id(tuned)
    assert value["parameters"] == sum(values.size for values in TUNED.values())
    assert "alice/base" not in str(value)


def test_weights_that_cannot_be_read_end_no_examination(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    broken = hub.publish(alice, "broken", safetensors_of(BASE)[:5000])
    view = hub.view(broken)
    assert view.examined
    assert not view.edges
    assert view.problems
    facts = _facts(database, broken)
    assert facts.examined
    assert "weights.error" in facts
    assert "lineage" not in facts


def test_a_file_that_the_scan_stopped_is_not_looked_into(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    evil = hub.publish(alice, "evil", b"cos\nsystem\n(S'true'\ntR.", file="pytorch_model.bin")
    assert "scan stopped" in hub.view(evil).problems[0]
    assert "weights.error" in _facts(database, evil)


def test_the_same_files_elsewhere_are_a_copy_of_who_had_them_first(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    first = hub.publish(alice, "base", BASE)
    copy = hub.publish(bob, "copy", BASE)
    assert (hub.parents(copy), hub.relation(copy)) == (["alice/base"], "identical")
    assert hub.view(copy).edges[0].grade == "proven"
    assert hub.children(first) == ["bob/copy"]
    assert hub.children(copy) == []
    assert hub.parents(first) == []


def test_an_adapter_knows_its_base(hub: LineageHub, alice: Actor) -> None:
    base = hub.publish(alice, "base", BASE)
    lora = hub.publish(
        alice,
        "lora",
        adapter(BASE, 5),
        file="adapter_model.safetensors",
        more={"adapter_config.json": {"base_model_name_or_path": "alice/base", "peft_type": "LORA", "r": 4}},
    )
    assert (hub.parents(lora), hub.relation(lora)) == (["alice/base"], "adapter")
    assert hub.view(lora).edges[0].rank == 4
    assert hub.claims(lora) == {"alice/base": ("unknown", "fits")}
    assert hub.children(base) == ["alice/lora"]


def test_a_parent_that_comes_later_is_found(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    small = hub.publish(alice, "small", gguf_of(BASE), file="small.Q8_0.gguf")
    tuned = hub.publish(alice, "tuned", TUNED, base="bob/base")
    assert hub.parents(small) == []
    assert hub.claims(tuned)["bob/base"] == ("unknown", "not_here")
    base = hub.publish(bob, "base", BASE)
    assert hub.parents(small) == ["bob/base"]
    assert hub.parents(base) == []
    assert hub.parents(tuned) == ["bob/base"]
    assert hub.view(tuned).edges[0].direction == "declared"
    assert hub.claims(tuned) == {"bob/base": ("confirmed", "measured_parent")}


def test_a_deleted_parent_is_gone_at_once(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    base = hub.publish(bob, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.tags(tuned)
    weights_id = hub.weights_id(base)
    hub.delete(bob, base)
    assert hub.parents(tuned) == []
    assert hub.tags(tuned) == []
    hub.run_jobs()
    assert hub.parents(tuned) == []
    assert hub.relation(tuned) == "unrelated"
    with hub.services.database.read() as uow:
        assert weights_of(uow, [weights_id]) == {}


def test_a_copy_takes_the_place_of_a_parent_that_was_deleted(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    base = hub.publish(bob, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    hub.publish(alice, "copy", BASE)
    hub.delete(bob, base)
    assert hub.parents(tuned) == ["alice/copy"]


def test_another_revision_has_lineage_of_its_own(hub: LineageHub, alice: Actor) -> None:
    repo = hub.publish(alice, "model", BASE)
    hub.add(alice, repo, TUNED)
    hub.run_jobs()
    assert (hub.parents(repo), hub.relation(repo)) == (["alice/model"], "finetune")
    assert hub.claims(repo) == {}
    assert hub.tags(repo) == []


def test_retracing_changes_nothing_and_opens_nothing(
    hub: LineageHub, alice: Actor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    weights_id = hub.weights_id(tuned)
    with database.read() as uow:
        before = traces_of(uow, [weights_id])
    monkeypatch.setattr("allmende.flows.lineage_tracing.trace", None)
    _run(hub, "retrace", weights_id)
    _run(hub, "retrace", weights_id)
    with database.read() as uow:
        assert traces_of(uow, [weights_id]) == before


def test_what_a_namespace_sees_is_kept_only_where_it_differs(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    with database.read() as uow:
        assert [scope for _, scope in traces_of(uow, [hub.weights_id(tuned)])] == [0]


def test_two_models_examined_at_once_find_each_other(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE, wait=False)
    tuned = hub.publish(alice, "tuned", TUNED, wait=False)
    small = hub.publish(alice, "small", gguf_of(BASE), file="small.Q8_0.gguf", wait=False)
    # All are examined before any is traced: an examination has the higher priority.
    hub.run_jobs()
    assert hub.parents(tuned) == ["alice/base"]
    assert hub.parents(small) == ["alice/base"]


def test_threads_that_trace_at_once_come_to_the_same(
    hub: LineageHub, alice: Actor, bob: Actor, services: Services
) -> None:
    hub.publish(alice, "base", BASE)
    repos = [hub.publish(bob, f"copy-{number}", TUNED, wait=False) for number in range(3)]
    small = hub.publish(alice, "small", gguf_of(BASE), file="small.Q8_0.gguf", wait=False)
    worker = make_worker(services, threads=3)
    worker.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while {state for _kind, state in services.queue.counts()} != {"done"}:
            assert time.monotonic() < deadline, services.queue.list_jobs()
            time.sleep(0.05)
    finally:
        assert worker.stop()
    # Whichever of the copies was examined first is the origin of the others.
    parents = sorted(parent for repo in repos for parent in hub.parents(repo))
    assert parents[0] == "alice/base"
    assert parents[1] == parents[2]
    assert hub.parents(small) == ["alice/base"]


def _facts(database: Database, repo: Repo):
    with database.read() as uow:
        head: GitOid = heads_of(uow, [repo.id])[repo.id]
        return revision_facts(uow, repo.id, head)


def _run(hub: LineageHub, kind: str, weights_id: str) -> None:
    queue = hub.services.queue
    with hub.services.database.write() as uow:
        queue.enqueue(uow, kind, {"weights_id": weights_id})
    job: Job | None = queue.claim((kind,), 1e6, "test")
    assert job is not None
    retrace(hub.services, JobContext(queue, job))
    assert queue.finish(job)
