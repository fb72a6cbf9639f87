"""What the hub attests of lineage: measured parents by name, and only those that everybody may see."""

from typing import Any

import pytest

from allmende.flows import Services, shown_attestations
from allmende.proof import ScaiPredicate, read_envelope, read_predicate, statement_of
from allmende.registry import Actor, Repo, find_repo_by_id, heads_of, update_repo
from tests.integration.flows.conftest import RunJobs
from tests.integration.flows.families import finetuned, fresh
from tests.integration.flows.lineage_hub import LineageHub
from tests.integration.registry.conftest import Commit, MakeRepo, Upload


@pytest.fixture
def hub(
    services: Services, make_repo: MakeRepo, commit: Commit, upload: Upload, run_jobs: RunJobs
) -> LineageHub:
    return LineageHub(services, make_repo, commit, upload, run_jobs)


@pytest.fixture
def family(hub: LineageHub, alice: Actor) -> tuple[Repo, Repo]:
    base = fresh(1)
    return hub.publish(alice, "base", base), hub.publish(alice, "tuned", finetuned(base, 2))


def lineage_statements(hub: LineageHub, repo: Repo) -> list[Any]:
    with hub.services.database.read() as uow:
        page, _ = shown_attestations(uow, repo, heads_of(uow, [repo.id])[repo.id])
    said = [read_predicate(statement_of(read_envelope(one.envelope))) for one in page]
    return [one for one in said if isinstance(one, ScaiPredicate)]


def test_a_measured_parent_is_attested_and_a_base_says_nothing(
    hub: LineageHub, family: tuple[Repo, Repo]
) -> None:
    base, tuned = family
    (said,) = lineage_statements(hub, tuned)
    (attribute,) = said.attributes
    assert (attribute.attribute, attribute.target.name) == ("DERIVED_FROM", base.full_name)
    assert attribute.conditions["grade"] in ("proven", "strong", "likely")
    assert lineage_statements(hub, base) == []


def test_a_statement_is_not_shown_while_its_parent_is_private(
    hub: LineageHub, alice: Actor, family: tuple[Repo, Repo]
) -> None:
    base, tuned = family
    with hub.services.database.write() as uow:
        update_repo(uow, alice, base, private=True)
    assert lineage_statements(hub, tuned) == []
    with hub.services.database.write() as uow:
        hidden = find_repo_by_id(uow, base.id)
        assert hidden is not None
        update_repo(uow, alice, hidden, private=False)
    assert len(lineage_statements(hub, tuned)) == 1
