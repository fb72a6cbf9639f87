"""Finding repos by words and facets, as far as the visitor may see them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import update

from allmende.flows import Services, collect_garbage, remove_repo
from allmende.flows.search_index import index_for_search, index_missing
from allmende.jobs import JobContext
from allmende.registry import ANONYMOUS, Actor, AddFile, LinkContent, Repo, move_repo, update_repo
from allmende.search import (
    FACETS,
    FacetCount,
    Found,
    SearchQuery,
    find_repos,
    forget_repo,
    repos_without_entry,
)
from allmende.search.tables import search_entry
from tests.integration.flows.families import fresh, safetensors_of
from tests.integration.registry.conftest import Commit, MakeRepo, Upload


@dataclass
class Hub:
    """Every call is a transaction of its own."""

    services: Services
    make_repo: MakeRepo
    commit: Commit
    run_jobs: Callable[[], object]

    def publish(self, actor: Actor, name: str, card: str = "", *, private: bool = False) -> Repo:
        repo = self.make_repo(actor, name, private=private)
        self.commit(actor, repo, AddFile("README.md", card.encode()))
        self.run_jobs()
        return repo

    def find(self, text: str = "", viewer: Actor = ANONYMOUS, **more: object) -> Found:
        with self.services.database.read() as uow:
            return find_repos(uow, self.services.loaded, viewer, SearchQuery(text, **more))  # type: ignore[arg-type]

    def names(self, text: str = "", viewer: Actor = ANONYMOUS, **more: object) -> list[str]:
        return [repo.full_name for repo in self.find(text, viewer, **more).repos]


@pytest.fixture
def hub(services: Services, make_repo: MakeRepo, commit: Commit, run_jobs: Callable[[], object]) -> Hub:
    return Hub(services, make_repo, commit, run_jobs)


def card(words: str, **keys: str) -> str:
    front = "\n".join(f"{key}: {value}" for key, value in keys.items())
    return f"---\n{front}\n---\n{words}\n"


def test_every_word_is_found_in_name_tags_or_card(hub: Hub, alice: Actor) -> None:
    hub.publish(
        alice, "heron", card("Counts owls in Überlingen.", license="mit", pipeline_tag="text-generation")
    )
    hub.publish(alice, "stork", card("Counts nothing."))
    assert hub.names("heron") == ["alice/heron"]
    assert hub.names("owl") == ["alice/heron"]
    assert hub.names("uberling") == ["alice/heron"]
    assert hub.names("ALICE counts owls mit") == ["alice/heron"]
    assert set(hub.names("counts")) == {"alice/heron", "alice/stork"}
    assert hub.names("counts heron nothing") == []
    assert set(hub.names("")) == {"alice/heron", "alice/stork"}


def test_the_name_goes_before_tags_and_these_before_the_card(hub: Hub, alice: Actor) -> None:
    hub.publish(alice, "third", card("About owls."))
    hub.publish(alice, "second", card("Nothing.", tags="[owls]"))
    hub.publish(alice, "owls", card("Nothing."))
    assert hub.names("owls") == ["alice/owls", "alice/second", "alice/third"]


def test_a_new_name_is_found_at_once_and_the_old_one_no_more(
    hub: Hub, services: Services, alice: Actor
) -> None:
    repo = hub.publish(alice, "heron", card("x"))
    with services.database.write() as uow:
        move_repo(uow, alice, repo, "alice/ibis")
    assert hub.names("ibis") == ["alice/ibis"]
    assert hub.names("heron") == []


def test_what_is_private_is_neither_found_nor_counted_nor_moves_others(
    hub: Hub, services: Services, alice: Actor, bob: Actor
) -> None:
    hub.publish(bob, "one", card("owls", license="mit"))
    hub.publish(bob, "two", card("owls and herons", license="apache-2.0"))
    before = hub.find("owls", alice)
    for number in range(5):
        hub.publish(bob, f"hidden-{number}", card("owls owls herons", license="gpl-3.0"), private=True)
    after = hub.find("owls", alice)
    assert (after.total, after.facets) == (before.total, before.facets)
    assert [repo.full_name for repo in after.repos] == [repo.full_name for repo in before.repos]
    assert hub.find("owls", bob).total == 7
    assert hub.find("hidden", alice).total == 0
    one = next(repo for repo in hub.find("hidden-3", bob).repos)
    with services.database.write() as uow:
        update_repo(uow, bob, one, private=False)
    assert hub.names("hidden", alice) == ["bob/hidden-3"]


def test_facets_narrow_and_count_what_is_found(hub: Hub, alice: Actor, upload: Upload) -> None:
    hub.publish(alice, "a", card("x", license="mit", language="[de, en]", library_name="transformers"))
    hub.publish(alice, "b", card("x", license="mit", language="en"))
    hub.publish(alice, "c", card("x", license="apache-2.0"))
    weights = safetensors_of(fresh(1))
    sized = hub.make_repo(alice, "d")
    hub.commit(alice, sized, LinkContent("model.safetensors", upload(alice, weights), len(weights)))
    hub.run_jobs()
    found = hub.find()
    assert set(found.facets) == set(FACETS)
    assert found.facets["licence"] == [FacetCount("mit", 2), FacetCount("apache-2.0", 1)]
    assert found.facets["language"] == [FacetCount("en", 2), FacetCount("de", 1)]
    assert found.facets["status"] == [FacetCount("clean", 4)]
    assert found.facets["size"] == [FacetCount("s", 1)]
    mit = hub.find(facets={"licence": "mit"})
    assert {repo.full_name for repo in mit.repos} == {"alice/a", "alice/b"}
    # Of the chosen facet one sees what else there is; of the others what is left.
    assert mit.facets["licence"] == found.facets["licence"]
    assert mit.facets["library"] == [FacetCount("transformers", 1)]
    assert hub.names(facets={"licence": "mit", "language": "de"}) == ["alice/a"]
    assert hub.names(facets={"licence": "mit", "size": "s"}) == []
    assert hub.names(facets={"size": "s"}) == ["alice/d"]


def test_licences_are_told_by_class_and_by_whether_they_are_open(hub: Hub, alice: Actor) -> None:
    hub.publish(alice, "a", card("x", license="mit"))
    hub.publish(alice, "b", card("x", license="[mit, cc-by-nc-4.0]"))
    hub.publish(alice, "c", card("x", license="bigscience-openrail-m"))
    hub.publish(alice, "d", card("x", license="other"))
    found = hub.find()
    assert found.facets["open"] == [
        FacetCount("disputed", 1),
        FacetCount("free", 1),
        FacetCount("not_free", 1),
    ]
    assert found.facets["licence_class"] == [
        FacetCount("permissive", 2), FacetCount("non_commercial", 1), FacetCount("use_limits", 1),
    ]  # fmt: skip
    assert hub.names(facets={"open": "free"}) == ["alice/a"]
    assert set(hub.names(facets={"licence_class": "permissive"})) == {"alice/a", "alice/b"}


def test_entries_of_an_earlier_version_are_made_anew(hub: Hub, alice: Actor) -> None:
    repo = hub.publish(alice, "a", card("x", license="mit"))
    with hub.services.database.write() as uow:
        assert repos_without_entry(uow, 10) == []
        uow.execute(update(search_entry).values(facets="\nlicence=mit\n"))
        assert repos_without_entry(uow, 10) == [repo.id]
        index_for_search(uow, repo.id)
        assert repos_without_entry(uow, 10) == []
    assert hub.names(facets={"open": "free"}) == ["alice/a"]


def test_a_measured_base_is_a_facet(hub: Hub, alice: Actor, upload: Upload) -> None:
    base = fresh(1)
    moved = {name: values + 1e-4 * values.std() for name, values in base.items()}
    for name, tensors in (("base", base), ("tuned", moved)):
        data = safetensors_of(tensors)
        repo = hub.make_repo(alice, name)
        hub.commit(alice, repo, LinkContent("model.safetensors", upload(alice, data), len(data)))
        hub.run_jobs()
    assert hub.find().facets["base"] == [FacetCount("alice/base", 1)]
    assert hub.names(facets={"base": "alice/base"}) == ["alice/tuned"]


def test_a_changed_card_replaces_what_was_known(hub: Hub, alice: Actor) -> None:
    repo = hub.publish(alice, "heron", card("owls", license="mit"))
    hub.commit(alice, repo, AddFile("README.md", card("storks", license="gpl-3.0").encode()))
    hub.run_jobs()
    assert (hub.names("owls"), hub.names("storks")) == ([], ["alice/heron"])
    assert hub.find().facets["licence"] == [FacetCount("gpl-3.0", 1)]


def test_pages_hold_every_repo_once(hub: Hub, alice: Actor) -> None:
    for number in range(7):
        hub.make_repo(alice, f"m-{number}")
    seen = []
    for page in range(3):
        found = hub.find(page=page, size=3)
        seen += [repo.full_name for repo in found.repos]
        assert (found.total, found.has_more) == (7, page < 2)
    assert sorted(seen) == [f"alice/m-{number}" for number in range(7)]


def test_a_deleted_repo_leaves_no_word_behind(hub: Hub, services: Services, alice: Actor) -> None:
    repo = hub.publish(alice, "heron", card("zugvogelgeheimnis", license="mit"))
    hub.publish(alice, "stork", card("stays"))
    with services.database.write() as uow:
        remove_repo(services, uow, alice, repo)
    collect_garbage(services, dry_run=False)
    assert hub.names("zugvogelgeheimnis") == []
    with services.database.read() as uow:
        held = uow.connection.exec_driver_sql("SELECT block FROM search_words_data").fetchall()
        assert not any(b"zugvogel" in bytes(row[0]) for row in held)
        assert uow.connection.exec_driver_sql("SELECT count(*) FROM search_words_content").scalar_one() == 1


def test_repos_of_an_earlier_version_are_entered_by_the_job(
    hub: Hub, services: Services, alice: Actor, context: JobContext
) -> None:
    repo = hub.publish(alice, "heron", card("owls"))
    with services.database.write() as uow:
        forget_repo(uow, repo.id)
    assert hub.names("owls") == []
    index_missing(services, context)
    assert hub.names("owls") == ["alice/heron"]


@pytest.mark.parametrize(
    "text", ['"', "' OR 1=1 --", "\x00", "a" * 5000, "% _ \\", "NEAR(", "card:x", "🦉 " * 50]
)
def test_nothing_that_is_typed_is_an_error(hub: Hub, alice: Actor, text: str) -> None:
    hub.publish(alice, "heron", card("owls"))
    assert hub.names(text) in ([], ["alice/heron"])
