"""Finding repos by meaning, with a real model: what words do not find, nothing private, how good it is."""

import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from allmende.flows import Services, also_by_meaning, collect_garbage, remove_repo
from allmende.flows.meaning import make_vectors
from allmende.flows.meaning_model import chosen_meaning
from allmende.ids import RepoId
from allmende.jobs import JobContext
from allmende.registry import ANONYMOUS, Actor, AddFile, Repo, find_repo_by_id, move_repo, update_repo
from allmende.search import (
    LoadedRepos,
    LoadedVectors,
    SearchEntry,
    SearchQuery,
    find_repos,
    put_entry,
    put_vectors,
    texts_without_vector,
)
from allmende.search.tables import search_vector
from allmende.settings import SettingsInvalid
from tests.integration.registry.conftest import Commit, MakeRepo

SUBJECTS = tomllib.loads((Path(__file__).parent / "subjects.toml").read_text("utf-8"))
OWLS = "A network that recognises nocturnal birds of prey by their calls."
LOANS = "Estimates whether a borrower will pay back a loan."


@dataclass
class Hub:
    """Every call is a transaction of its own."""

    services: Services
    make_repo: MakeRepo
    commit: Commit
    run_jobs: Callable[[], object]
    context: JobContext

    def publish(self, actor: Actor, name: str, card: str, *, private: bool = False) -> Repo:
        repo = self.make_repo(actor, name, private=private)
        self.commit(actor, repo, AddFile("README.md", card.encode()))
        self.run_jobs()
        return repo

    def also(self, text: str, viewer: Actor = ANONYMOUS, **more: object) -> list[str]:
        query = SearchQuery(text, **more)  # type: ignore[arg-type]
        with self.services.database.read() as uow:
            found = find_repos(uow, self.services.loaded, viewer, query)
            return [repo.full_name for repo in also_by_meaning(self.services, uow, viewer, query, found)]

    def vectors(self) -> dict[int, tuple[str, bytes]]:
        with self.services.database.read() as uow:
            return {row.repo_id: (row.model, row.vector) for row in uow.all(select(search_vector))}


@pytest.fixture
def hub(
    services: Services,
    make_repo: MakeRepo,
    commit: Commit,
    run_jobs: Callable[[], object],
    context: JobContext,
) -> Hub:
    with_model = replace(services, meaning=chosen_meaning("wordllama"))
    return Hub(with_model, make_repo, commit, run_jobs, context)


@pytest.fixture
def run_jobs(services: Services) -> Iterator[Callable[[], None]]:
    """Those of a hub with a model."""
    from allmende.flows.worker import handlers

    with_model = replace(services, meaning=chosen_meaning("wordllama"))

    def run() -> None:
        kinds = handlers(with_model)
        while (job := with_model.queue.claim(kinds.keys(), 1e6, "test")) is not None:
            kinds[job.kind](JobContext(with_model.queue, job))
            assert with_model.queue.finish(job)

    return run  # type: ignore[return-value]


def test_what_no_word_finds_is_found_by_meaning(hub: Hub, alice: Actor) -> None:
    hub.publish(alice, "strix", OWLS)
    hub.publish(alice, "lender", LOANS)
    assert hub.also("identify owls at night by sound") == ["alice/strix"]
    assert hub.also("bank loan default probability") == ["alice/lender"]
    # What the words find stands above, and not here again.
    assert hub.also("nocturnal birds") == []
    assert hub.also("identify owls at night by sound", facets={"licence": "mit"}) == []
    assert hub.also("identify owls at night by sound", type="dataset") == []
    for nothing in ("", "   ", "\x00", "?!"):
        assert "alice/strix" not in hub.also(nothing)
    assert hub.also("identify owls at night by sound", page=1) == []


def test_without_a_model_nothing_is_made_and_nothing_is_found(
    services: Services, hub: Hub, alice: Actor, context: JobContext
) -> None:
    hub.publish(alice, "strix", OWLS)
    plain = replace(hub, services=services)
    assert plain.also("identify owls at night by sound") == []
    with services.database.write() as uow:
        uow.execute(search_vector.delete())
    make_vectors(services, context)
    assert hub.vectors() == {}
    assert chosen_meaning(None) is None
    assert chosen_meaning("") is None
    with pytest.raises(SettingsInvalid, match="meaning_model"):
        chosen_meaning("/nowhere")


def test_a_vector_follows_card_name_and_model(hub: Hub, services: Services, alice: Actor) -> None:
    repo = hub.publish(alice, "strix", OWLS)
    first = hub.vectors()
    hub.commit(alice, repo, AddFile("README.md", LOANS.encode()))
    hub.run_jobs()
    second = hub.vectors()
    assert first[repo.id] != second[repo.id]
    assert hub.also("bank loan default probability") == ["alice/strix"]
    with services.database.write() as uow:
        update_repo(uow, alice, repo, private=True)
    assert hub.vectors() == second
    with services.database.write() as uow:
        move_repo(uow, alice, repo, "alice/mortgage-default")
    assert hub.vectors() == {}
    make_vectors(hub.services, hub.context)
    assert hub.vectors()[repo.id] != second[repo.id]
    # Those of another model are of no use, and are made anew.
    with services.database.write() as uow:
        uow.execute(search_vector.update().values(model="0" * 64))
    assert hub.also("bank loan default probability", alice) == []
    make_vectors(hub.services, hub.context)
    assert hub.also("bank loan default probability", alice) == ["alice/mortgage-default"]


def test_a_vector_of_a_text_that_changed_meanwhile_is_not_kept(hub: Hub, alice: Actor) -> None:
    repo = hub.make_repo(alice, "strix")
    with hub.services.database.write() as uow:
        put_entry(uow, repo.id, SearchEntry([], OWLS))
        (read,) = texts_without_vector(uow, "m", RepoId(0), 10)
    with hub.services.database.write() as uow:
        put_entry(uow, repo.id, SearchEntry([], LOANS))
        put_vectors(uow, "m", {repo.id: (read.change, b"\x01" * 256)})
    assert hub.vectors() == {}


def test_a_vector_goes_with_its_repo(hub: Hub, services: Services, alice: Actor) -> None:
    repo = hub.publish(alice, "strix", OWLS)
    assert hub.also("identify owls at night by sound") == ["alice/strix"]
    with services.database.write() as uow:
        remove_repo(services, uow, alice, repo)
    assert hub.vectors() == {}
    assert hub.also("identify owls at night by sound") == []
    collect_garbage(services, dry_run=False)
    assert hub.vectors() == {}


def test_what_is_private_is_neither_found_nor_moves_others(hub: Hub, alice: Actor, bob: Actor) -> None:
    query = "identify owls at night by sound"
    for number in range(3):
        hub.publish(alice, f"strix-{number}", f"{OWLS} Number {number}.")
    before = hub.also(query, alice)
    assert len(before) == 3
    hidden = [hub.publish(bob, f"tyto-{number}", OWLS, private=True) for number in range(12)]
    assert hub.also(query) == hub.also(query, alice) == before
    assert sum(name.startswith("bob/") for name in hub.also(query, bob)) >= 7
    with hub.services.database.write() as uow:
        update_repo(uow, bob, hidden[0], private=False)
    assert "bob/tyto-0" in hub.also(query, alice)
    with hub.services.database.write() as uow:
        shown = find_repo_by_id(uow, hidden[0].id)
        assert shown is not None
        update_repo(uow, bob, shown, private=True)
    # At once, without any job.
    assert hub.also(query) == hub.also(query, alice) == before


def test_what_another_process_does_is_seen_by_the_next_search(hub: Hub, alice: Actor) -> None:
    elsewhere = replace(hub, services=replace(hub.services, loaded=LoadedRepos(), vectors=LoadedVectors()))
    assert elsewhere.also("bank loan default probability") == []
    repo = hub.publish(alice, "lender", LOANS)
    hub.publish(alice, "strix", OWLS)
    assert elsewhere.also("bank loan default probability") == ["alice/lender"]
    with hub.services.database.write() as uow:
        remove_repo(hub.services, uow, alice, repo)
    assert elsewhere.also("bank loan default probability") == []
    assert elsewhere.also("identify owls at night by sound") == ["alice/strix"]


def test_scores_are_the_same_in_whatever_order_they_are_added_up(hub: Hub, alice: Actor) -> None:
    for name, subject in list(SUBJECTS.items())[:6]:
        repo = hub.make_repo(alice, name)
        with hub.services.database.write() as uow:
            put_entry(uow, repo.id, SearchEntry([], subject["card"]))
    make_vectors(hub.services, hub.context)
    model = hub.services.meaning.model()  # type: ignore[union-attr]
    asked = np.frombuffer(model.encode("scans of patients") or b"", np.int8)
    with hub.services.database.read() as uow:
        columns = hub.services.vectors.at(uow, model.id)
    exact = [
        sum(int(a) * int(b) for a, b in zip(row, asked, strict=True))
        / (sum(int(a) ** 2 for a in row) * sum(int(b) ** 2 for b in asked)) ** 0.5
        for row in columns.vectors
    ]
    assert columns.cosines(np.arange(len(exact)), asked).tolist() == pytest.approx(exact, abs=1e-12)


def test_how_often_the_right_one_is_among_the_first_five(
    hub: Hub, alice: Actor, record_property: Callable[[str, object], None]
) -> None:
    for name, subject in SUBJECTS.items():
        repo = hub.make_repo(alice, name)
        with hub.services.database.write() as uow:
            put_entry(uow, repo.id, SearchEntry([subject["task"]], subject["card"]))
    began = time.process_time()
    make_vectors(hub.services, hub.context)
    record_property("seconds_a_card", (time.process_time() - began) / len(SUBJECTS))
    found_by_words = found_by_meaning = 0
    with hub.services.database.read() as uow:
        for wanted, subject in SUBJECTS.items():
            query = SearchQuery(subject["query"], size=5)
            found = find_repos(uow, hub.services.loaded, ANONYMOUS, query)
            by_words = [one.name for one in found.repos]
            also = [one.name for one in also_by_meaning(hub.services, uow, ANONYMOUS, query, found)]
            found_by_words += wanted in by_words
            found_by_meaning += wanted in [*by_words, *also][:5]
    record_property("recall_at_5_by_words", found_by_words / len(SUBJECTS))
    record_property("recall_at_5_with_meaning", found_by_meaning / len(SUBJECTS))
    assert found_by_words < found_by_meaning
    assert found_by_meaning >= len(SUBJECTS) / 2
