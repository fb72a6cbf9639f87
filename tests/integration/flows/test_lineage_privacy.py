"""What is private does not show in lineage: as a parent, in counts, tags, evidence or the work done."""

import dataclasses

import pytest

from allmende.facts import traces_of
from allmende.flows import Services
from allmende.registry import ANONYMOUS, Actor
from allmende.storage import Database
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import finetuned, fresh, safetensors_of
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

BASE = fresh(1)
TUNED = finetuned(BASE, 2)


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


def test_a_private_model_of_others_is_never_a_candidate(
    hub: LineageHub, alice: Actor, bob: Actor, database: Database
) -> None:
    hidden = hub.publish(bob, "hidden", BASE, private=True)
    tuned = hub.publish(alice, "tuned", TUNED)
    for viewer in (ANONYMOUS, alice, bob):
        view = hub.view(tuned, viewer)
        assert view.compared == 0
        assert [edge.relation for edge in view.edges] == ["unrelated"]
        assert view.siblings == ()
    assert hub.tags(tuned) == []
    with database.read() as uow:
        for trace in traces_of(uow, [hub.weights_id(tuned)]).values():
            assert trace.compared == ()
    # The other way round it is seen by those who may see both.
    assert hub.children(hidden, bob) == []
    assert hub.view(hidden, bob).compared == 1


def test_a_private_parent_is_told_to_its_namespace_alone(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    hidden = hub.publish(alice, "hidden", BASE, private=True)
    tuned = hub.publish(alice, "tuned", TUNED)
    sibling = hub.publish(alice, "sibling", finetuned(BASE, 3))
    assert hub.parents(tuned, alice) == ["alice/hidden"]
    assert sorted(hub.children(hidden, alice)) == ["alice/sibling", "alice/tuned"]
    for viewer in (ANONYMOUS, bob):
        view = hub.view(tuned, viewer)
        assert "alice/hidden" not in str(dataclasses.asdict(view))
        assert hub.weights_id(hidden) not in str(dataclasses.asdict(view))
        assert view.compared == 1
    assert "base_model:alice/hidden" not in hub.tags(tuned) + hub.tags(sibling)


def test_a_private_child_is_no_child_to_strangers(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    base = hub.publish(alice, "base", BASE)
    child = hub.publish(bob, "child", TUNED, private=True)
    assert hub.children(base) == hub.children(base, alice) == []
    assert hub.children(base, bob) == ["bob/child"]
    assert hub.parents(child, bob) == ["alice/base"]
    # Who sees the child sees the public base.
    assert hub.tags(child) == ["base_model:alice/base", "base_model:finetune:alice/base"]


def test_a_private_copy_is_no_first_to_strangers(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    hub.publish(bob, "early", BASE, private=True)
    late = hub.publish(alice, "late", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.parents(late) == []
    assert hub.children(late, alice) == ["alice/tuned"]
    assert hub.parents(tuned) == ["alice/late"]
    assert hub.parents(late, bob) == ["bob/early"]


def test_the_order_of_being_seen_is_that_of_what_may_be_seen(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    hub.publish(bob, "early", TUNED, private=True)
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.parents(tuned) == ["alice/base"]
    assert hub.parents(base) == []


def test_a_model_that_is_made_private_is_not_named_from_then_on(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    base = hub.publish(bob, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.tags(tuned)
    hub.show(bob, base, private=True)
    for _ in range(2):
        assert "bob/base" not in str(dataclasses.asdict(hub.view(tuned, alice)))
        assert hub.tags(tuned) == []
        hub.run_jobs()
    assert hub.view(tuned).compared == 0
    hub.show(bob, base, private=False)
    hub.run_jobs()
    assert hub.parents(tuned) == ["bob/base"]
    assert hub.tags(tuned) == ["base_model:bob/base", "base_model:finetune:bob/base"]


def test_the_path_of_a_file_in_a_private_repo_is_not_told_elsewhere(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    broken = safetensors_of(BASE)[:5000]
    mine = hub.publish(bob, "hidden", broken, file="of-bob.safetensors", private=True)
    public = hub.publish(alice, "public", broken, file="of-alice.safetensors")
    for repo, own, other in ((mine, "bob", "alice"), (public, "alice", "bob")):
        (sentence,) = hub.view(repo, bob).problems
        assert f"of-{own}.safetensors" in sentence
        assert f"of-{other}" not in sentence


def test_many_near_copies_do_not_hide_the_origin(
    hub: LineageHub, alice: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmende.flows.lineage_candidates._MAX_OPENED", 3)
    monkeypatch.setattr("allmende.flows.lineage_candidates._MAX_NEAREST", 2)
    base = hub.publish(alice, "base", BASE)
    for number in range(4):
        hub.publish(bob, f"near-{number}", finetuned(TUNED, 10 + number, 0.001), wait=False)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.view(tuned).compared == 3
    with hub.services.database.read() as uow:
        (trace,) = traces_of(uow, [hub.weights_id(tuned)]).values()
    assert hub.weights_id(base) in trace.compared
