"""The lists of a hub with a model of meaning, and of one without."""

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, open_services
from allmende.flows.meaning_model import chosen_meaning
from allmende.settings import Settings
from tests.databases import new_schema
from tests.integration.web.conftest import Person
from tests.integration.web.filled import commit, examine_all, new_repo
from tests.integration.web.reading import shows, words

ASKED = "search=which+animal+did+somebody+write+down+in+a+swamp"


@pytest.fixture(scope="module")
def with_model(services: Services) -> Services:
    hub = replace(services, meaning=chosen_meaning("wordllama"))
    for name, private in (("alice/stork-texts", False), ("alice/secret-stork", True)):
        new_repo(hub, "alice", name, private=private)
        card = b"---\nlicense: mit\n---\nTells from written notes which wetland bird was seen.\n"
        commit(hub, "alice", "model", name, {"README.md": card}, "card")
    examine_all(hub)
    return hub


def person(services: Services, name: str = "") -> Person:
    found = Person(TestClient(create_app(services), raise_server_exceptions=False))
    assert not name or found.sign_in(name).status_code == 303
    return found


def test_beneath_what_words_find_stands_what_is_near_in_meaning(with_model: Services) -> None:
    stranger = person(with_model)
    page = stranger.open(f"/models?{ASKED}&meaning=1").text
    beneath = words(page).split("Found by meaning")[1]
    assert "alice/stork-texts" in beneath
    assert "alice/heron-small" in beneath
    assert "secret-stork" not in page
    assert 'name="meaning" value="1" checked' in page
    own = person(with_model, "alice").open(f"/models?{ASKED}&meaning=1").text
    assert "alice/secret-stork" in words(own).split("Found by meaning")[1]
    assert "Nach Bedeutung gefunden" in stranger.open(f"/models?{ASKED}&meaning=1&lang=de").text


def test_it_is_asked_for_and_offered(with_model: Services) -> None:
    stranger = person(with_model)
    plain = stranger.open(f"/models?{ASKED}").text
    assert "Found by meaning" not in plain
    assert 'name="meaning"' in plain
    assert shows(stranger.open(f"/datasets?{ASKED}&meaning=1&licence=mit").text, "list.also_none")
    for nothing in ("meaning=1", f"{ASKED}&meaning=1&page=1", f"{ASKED}&meaning=yes"):
        assert 'id="also"' not in stranger.open(f"/models?{nothing}").text
    hostile = stranger.open("/models?meaning=1&search=" + "%F0%9F%A6%89%00%22%27" * 60)
    assert hostile.status_code == 200


@pytest.mark.parametrize(("model", "asked"), [("wordllama", ["meaning"]), (None, [])])
def test_a_start_asks_for_what_a_newly_named_model_has_to_make(
    tmp_path: Path, model: str | None, asked: list[str]
) -> None:
    hub = open_services(Settings(data=tmp_path, workers=0, meaning_model=model))
    new_schema(hub.database)
    with TestClient(create_app(hub)):
        assert [job.kind for job in hub.queue.list_jobs("waiting")] == asked


def test_without_a_model_nothing_is_said_of_it(services: Services) -> None:
    page = person(services).open(f"/models?{ASKED}&meaning=1").text
    assert "meaning" not in words(page)
    assert 'name="meaning"' not in page


def test_programs_get_the_same(with_model: Services, services: Services) -> None:
    address = f"/api/allmende/v1/search?{ASKED.replace('search', 'q')}&type=models"
    client = TestClient(create_app(with_model))
    found = client.get(f"{address}&meaning=true").json()
    assert "alice/stork-texts" in [one["repo"] for one in found["also"]]
    assert {one["by"] for one in found["also"]} == {"meaning"}
    assert "secret-stork" not in str(found)
    assert client.get(address).json()["also"] == []
    by_words = client.get("/api/allmende/v1/search?q=heron&meaning=true").json()
    assert {one["by"] for one in by_words["repos"]} == {"words"}
    assert not {one["repo"] for one in by_words["repos"]} & {one["repo"] for one in by_words["also"]}
    assert TestClient(create_app(services)).get(f"{address}&meaning=true").json()["also"] == []
