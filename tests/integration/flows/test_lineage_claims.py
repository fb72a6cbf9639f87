"""What cards declare, held against the weights: true claims, and those that lie."""

import pytest

from allmende.flows import Services
from allmende.registry import Actor
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import finetuned, fresh, gguf_of
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

BASE = fresh(1)
TUNED = finetuned(BASE, 2)
STRANGER = fresh(9)


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


def test_a_true_claim_is_confirmed(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED, base="alice/base", relation="finetune")
    assert hub.claims(tuned) == {"alice/base": ("confirmed", "measured_parent")}
    assert hub.tags(tuned) == ["base_model:alice/base", "base_model:finetune:alice/base"]


def test_a_grandparent_is_confirmed_and_the_parent_told(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE)
    hub.publish(alice, "tuned", TUNED)
    small = hub.publish(alice, "small", gguf_of(TUNED), file="small.Q8_0.gguf", base="alice/base")
    assert hub.claims(small) == {
        "alice/base": ("confirmed", "measured_ancestor"),
        "alice/tuned": ("undeclared", "not_declared"),
    }


def test_a_copy_of_the_parent_may_be_named_too(hub: LineageHub, alice: Actor, bob: Actor) -> None:
    hub.publish(alice, "base", BASE)
    hub.publish(bob, "mirror", BASE)
    tuned = hub.publish(bob, "tuned", TUNED, base="bob/mirror")
    assert hub.parents(tuned) == ["alice/base"]
    assert hub.claims(tuned) == {"bob/mirror": ("confirmed", "measured_parent")}


def test_a_lie_about_the_base_is_contradicted_and_the_parent_told(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE)
    hub.publish(alice, "famous", STRANGER)
    tuned = hub.publish(alice, "tuned", TUNED, base="alice/famous")
    assert hub.claims(tuned) == {
        "alice/famous": ("contradicted", "no_kin"),
        "alice/base": ("undeclared", "not_declared"),
    }
    # What the card says stays what clients read first.
    assert hub.tags(tuned) == ["base_model:alice/famous"]


def test_a_card_that_names_no_base_hides_none(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert hub.claims(tuned) == {"alice/base": ("undeclared", "not_declared")}


def test_who_claims_to_come_from_a_descendant_is_contradicted(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    base = hub.publish(alice, "base", BASE, base="bob/tuned")
    tuned = hub.publish(bob, "tuned", TUNED, base="alice/base")
    small = hub.publish(bob, "small", gguf_of(TUNED), file="small.Q8_0.gguf")
    assert hub.claims(base) == {"bob/tuned": ("contradicted", "descendant")}
    assert hub.claims(tuned) == {"alice/base": ("confirmed", "measured_parent")}
    hub.add(bob, tuned, TUNED, base="bob/small")
    hub.run_jobs()
    assert hub.claims(tuned)["bob/small"] == ("contradicted", "descendant")
    assert hub.parents(small) == ["bob/tuned"]


def test_another_relation_than_the_measured_is_contradicted(hub: LineageHub, alice: Actor) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED, base="alice/base", relation="quantized")
    (claim,) = hub.view(tuned).declared
    assert (claim.status, claim.code) == ("contradicted", "relation_differs")
    assert (claim.declared_relation, claim.measured) == ("quantized", "finetune")


def test_a_model_is_not_its_own_base(hub: LineageHub, alice: Actor) -> None:
    base = hub.publish(alice, "base", BASE, base="alice/base")
    assert hub.claims(base) == {"alice/base": ("contradicted", "itself")}


def test_what_is_absent_without_weights_or_hidden_looks_alike(
    hub: LineageHub, alice: Actor, bob: Actor
) -> None:
    hub.publish(bob, "hidden", BASE, private=True)
    hub.make_repo(bob, "empty", private=False)
    views = []
    for name in ("hidden", "absent", "empty"):
        repo = hub.publish(alice, f"of-{name}", finetuned(BASE, len(name)), base=f"bob/{name}")
        (claim,) = [base for base in hub.view(repo, alice).declared if base.status != "undeclared"]
        views.append((claim.status, claim.code, claim.measured))
    assert views == [("unknown", "not_here", None)] * 3
