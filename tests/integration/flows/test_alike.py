"""Models like one: nearest kin as measured, else those of its task and size, and nothing private."""

import pytest

from allmende.flows import AlikeView, Services, lineage_of, models_like
from allmende.registry import ANONYMOUS, Actor, Repo, find_repo_by_id, heads_of
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import Arrays, adapter, finetuned, fresh, gguf_of, merged
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

BASE = fresh(1)
TUNED, OTHER = finetuned(BASE, 2, 0.05), finetuned(BASE, 3, 0.4)
TASK = {"config.json": {"model_type": "bert", "architectures": ["BertForMaskedLM"]}}


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


def alike(hub: LineageHub, repo: Repo, viewer: Actor = ANONYMOUS, most: int = 8) -> tuple[AlikeView, ...]:
    with hub.services.database.read() as uow:
        now = find_repo_by_id(uow, repo.id)
        assert now is not None
        view = lineage_of(uow, viewer, now, heads_of(uow, [repo.id])[repo.id], alike=most)
        return models_like(hub.services, uow, viewer, now, view, most)


def said(hub: LineageHub, repo: Repo, viewer: Actor = ANONYMOUS) -> list[tuple[str, str, str | None]]:
    return [(one.repo, one.why, one.through) for one in alike(hub, repo, viewer)]


def test_kin_of_one_step_goes_before_kin_of_two_and_the_nearest_first(hub: LineageHub, alice: Actor) -> None:
    base = hub.publish(alice, "base", BASE)
    hub.publish(alice, "far", OTHER)
    tuned = hub.publish(alice, "tuned", TUNED)
    hub.publish(alice, "small", gguf_of(TUNED), file="small.Q8_0.gguf")
    hub.publish(alice, "stranger", fresh(9))
    assert said(hub, base) == [
        ("alice/tuned", "child", None),
        ("alice/far", "child", None),
        ("alice/small", "grandchild", "alice/tuned"),
    ]
    assert said(hub, tuned) == [
        ("alice/small", "child", None),
        ("alice/base", "parent", None),
        ("alice/far", "sibling", "alice/base"),
    ]
    small, parent, sibling = alike(hub, tuned)
    assert (small.relation, small.grade) == ("quantized", "proven")
    assert (parent.relation, parent.grade) == ("finetune", "likely")
    agreements = [one.agreement for one in (small, parent, sibling)]
    assert None not in agreements
    assert sorted(agreements, reverse=True) == agreements  # type: ignore[type-var]
    assert 0.7 < sibling.agreement < parent.agreement <= small.agreement <= 1  # type: ignore[operator]
    assert [one.repo for one in alike(hub, tuned, most=1)] == ["alice/small"]


def test_copies_and_what_was_merged_with_it_are_alike(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    hub.publish(alice, "other", OTHER)
    mix = hub.publish(bob, "mix", merged([(TUNED, 0.7), (OTHER, 0.3)]))
    copy = hub.publish(bob, "copy", TUNED)
    assert said(hub, tuned)[:3] == [
        ("bob/copy", "copy", None), ("alice/base", "parent", None), ("bob/mix", "child", None)
    ]  # fmt: skip
    # It is a sibling too; what is found first stands.
    assert ("alice/other", "sibling", "alice/base") in said(hub, tuned)
    assert said(hub, copy)[0] == ("alice/tuned", "copy", None)
    weights = {one.repo: one.weight for one in alike(hub, mix) if one.why == "parent"}
    assert weights == {
        "alice/tuned": pytest.approx(0.7, abs=0.02),
        "alice/other": pytest.approx(0.3, abs=0.02),
    }
    assert ("alice/base", "grandparent", "alice/tuned") in said(hub, mix)


def test_unrelated_parents_of_one_merge_know_each_other(hub: LineageHub, alice: Actor) -> None:
    left, right = fresh(4), fresh(5)
    one = hub.publish(alice, "left", left)
    hub.publish(alice, "right", right)
    hub.publish(alice, "mix", merged([(left, 0.6), (right, 0.4)]))
    assert said(hub, one) == [("alice/mix", "child", None), ("alice/right", "merged_with", "alice/mix")]


def test_a_base_that_the_weights_contradict_is_not_alike(hub: LineageHub, alice: Actor) -> None:
    wide = {name: values[:, :32] if values.ndim == 2 else values for name, values in fresh(7).items()}
    hub.publish(alice, "wide", wide)
    hub.publish(alice, "base", BASE)
    files = {"adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "alice/wide"}}
    fake = hub.publish(alice, "fake", adapter(BASE, 3), file="adapter_model.safetensors", more=files)
    assert [edge.grade for edge in hub.view(fake).edges] == ["contradicted"]
    assert said(hub, fake) == []


def test_without_kin_it_is_task_and_library_and_nearness_in_size(hub: LineageHub, alice: Actor) -> None:
    def sized(seed: int, layers: int) -> Arrays:
        model = fresh(seed)
        extra = {f"x.{place}.weight": fresh(100 + seed)["model.norm.weight"] for place in range(layers)}
        return {**model, **extra}

    one = hub.publish(alice, "one", sized(1, 0), more=TASK)
    hub.publish(alice, "much-larger", sized(2, 90), more=TASK)
    hub.publish(alice, "larger", sized(3, 30), more=TASK)
    hub.publish(alice, "other-task", sized(4, 0))
    unsized = hub.make_repo(alice, "unsized")
    hub.add(alice, unsized, b"no weights", file="notes.bin", more=TASK)
    hub.run_jobs()
    found = alike(hub, one)
    assert [(each.repo, each.why, each.revision, each.agreement) for each in found] == [
        ("alice/larger", "task", None, None),
        ("alice/much-larger", "task", None, None),
        ("alice/unsized", "task", None, None),
    ]
    assert [each.parameters for each in found][2] is None
    sizes = [each.parameters for each in found[:2]]
    assert sizes == sorted(sizes)  # type: ignore[type-var]
    nameless = hub.publish(alice, "nameless", fresh(8))
    assert alike(hub, nameless) == ()


def test_what_is_private_is_not_in_it_and_moves_nothing(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    far = hub.publish(alice, "far", OTHER)
    mix = hub.publish(alice, "mix", merged([(TUNED, 0.7), (OTHER, 0.3)]))
    strangers = (ANONYMOUS, alice)
    seen = [alike(hub, repo, viewer) for repo in (base, tuned, far, mix) for viewer in strangers]
    hub.publish(bob, "copy", TUNED, private=True)
    hub.publish(bob, "near", finetuned(TUNED, 5, 0.001), private=True)
    hub.publish(bob, "between", merged([(BASE, 0.5), (TUNED, 0.5)]), private=True)
    hub.publish(bob, "small", gguf_of(BASE), file="small.Q8_0.gguf", private=True)
    assert seen == [alike(hub, repo, viewer) for repo in (base, tuned, far, mix) for viewer in strangers]
    # Their owner sees them: without this the test would hold where nothing is ever found.
    own = {one.repo for repo in (base, tuned) for one in alike(hub, repo, bob)}
    assert own >= {"bob/copy", "bob/near", "bob/between", "bob/small"}


def test_a_private_parent_leaves_no_trace_with_its_children(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    hidden = hub.publish(alice, "hidden", BASE, private=True)
    tuned = hub.publish(alice, "tuned", TUNED)
    hub.publish(alice, "other", OTHER)
    assert said(hub, tuned, alice)[0] == ("alice/hidden", "parent", None)
    for viewer in (ANONYMOUS, bob):
        assert "hidden" not in str(alike(hub, tuned, viewer))
    hub.show(alice, hidden, private=False)
    hub.run_jobs()
    assert said(hub, tuned)[0] == ("alice/hidden", "parent", None)
    hub.show(alice, hidden, private=True)
    # At once, before any job has run.
    for viewer in (ANONYMOUS, bob):
        assert "hidden" not in str(alike(hub, tuned, viewer))


def test_private_models_of_the_same_task_move_nothing(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    one = hub.publish(alice, "one", fresh(1), more=TASK)
    hub.publish(alice, "two", fresh(2), more=TASK)
    before = alike(hub, one)
    assert [each.repo for each in before] == ["alice/two"]
    hub.publish(bob, "aaa", fresh(3), more=TASK, private=True)
    assert alike(hub, one) == alike(hub, one, alice) == before
    assert {each.repo for each in alike(hub, one, bob)} == {"alice/two", "bob/aaa"}
