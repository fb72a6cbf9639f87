"""Lineage when repos move and bytes go, and measuring everything with another version of the tool."""

import pytest

from allmende.facts import holders_of, last_lineage_run, traces_of, weights_of
from allmende.flows import (
    Services,
    collect_garbage,
    forget_lineage_of_contents,
    note_repo_changed,
    notice_new_lineage,
    start_relineage,
)
from allmende.ids import Sha256
from allmende.registry import Actor, delete_contents, list_held, move_repo
from allmende.storage import Database
from tests.integration.conftest import HeldClock
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import finetuned, fresh
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload

BASE = fresh(1)
TUNED = finetuned(BASE, 2)


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


def test_a_renamed_parent_has_its_new_name_everywhere(
    hub: LineageHub, alice: Actor, database: Database
) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    with database.write() as uow:
        move_repo(uow, alice, base, "alice/renamed")
        note_repo_changed(hub.services, uow, base)
    assert hub.parents(tuned) == ["alice/renamed"]
    assert hub.tags(tuned) == []
    hub.run_jobs()
    assert hub.tags(tuned) == ["base_model:alice/renamed", "base_model:finetune:alice/renamed"]


@pytest.mark.parametrize("rewrite", [False, True])
def test_contents_that_were_deleted_for_good_are_no_parent(
    hub: LineageHub, alice: Actor, database: Database, rewrite: bool
) -> None:
    base = hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    weights_id = hub.weights_id(base)
    with database.write() as uow:
        doomed: list[Sha256] = [held.sha256 for held in list_held(uow, base.id, None, 10)]
        delete_contents(uow, hub.services.queue, alice, base, doomed, rewrite=rewrite)
        forget_lineage_of_contents(hub.services, uow, base, doomed)
    assert hub.parents(tuned) == []
    assert hub.tags(tuned) == []
    hub.run_jobs()
    assert hub.relation(tuned) == "unrelated"
    with database.read() as uow:
        assert holders_of(uow, [weights_id]) == []


def test_garbage_takes_what_was_known_of_the_weights(
    hub: LineageHub, alice: Actor, database: Database, clock: HeldClock
) -> None:
    base = hub.publish(alice, "base", BASE)
    weights_id = hub.weights_id(base)
    hub.delete(alice, base)
    clock.advance(seconds=7200)
    collect_garbage(hub.services, dry_run=False)
    with database.read() as uow:
        assert weights_of(uow, [weights_id]) == {}
        assert traces_of(uow, [weights_id]) == {}


def test_another_version_measures_everything_once(
    hub: LineageHub, alice: Actor, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    assert notice_new_lineage(hub.services)
    hub.run_jobs()
    assert not notice_new_lineage(hub.services)
    for module in (
        "kin_search",
        "lineage_candidates",
        "lineage_tracing",
        "lineage_upkeep",
        "weights_measuring",
    ):
        monkeypatch.setattr(f"allmende.flows.{module}.LINEAGE_TOOL_VERSION", "next")
    assert notice_new_lineage(hub.services)
    hub.run_jobs()
    with database.read() as uow:
        run = last_lineage_run(uow)
        traces = traces_of(uow, [hub.weights_id(tuned)])
    assert run is not None
    assert (run.tool_version, run.finished_at is not None) == ("next", True)
    assert {trace.tool_version for trace in traces.values()} == {"next"}
    assert hub.parents(tuned) == ["alice/base"]


def test_a_hub_of_before_lineage_is_measured(hub: LineageHub, alice: Actor, database: Database) -> None:
    hub.publish(alice, "base", BASE)
    tuned = hub.publish(alice, "tuned", TUNED)
    weights_id = hub.weights_id(tuned)
    with database.write() as uow:
        for held in holders_of(uow, [weights_id]):
            forget_lineage_of_contents(hub.services, uow, tuned, [file.key for file in held.files])
    assert not hub.view(tuned).examined
    start_relineage(hub.services)
    hub.run_jobs()
    assert hub.parents(tuned) == ["alice/base"]
