"""What changed in a model layer by layer: measured by a job, drawn on a page, and hidden with its parents."""

import re

import pytest

from allmende.facts import content_facts
from allmende.flows import Services
from allmende.registry import lookup_repo, update_repo
from tests.integration.flows.families import Arrays, finetuned, fresh, safetensors_of
from tests.integration.web.conftest import Person
from tests.integration.web.filled import as_user, commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words

BASE = fresh(71)
TUNED = finetuned(BASE, 72) | {name: BASE[name] for name in BASE if "layers.0" in name}
PAGE = "/alice/layered/layers/main"


def publish(services: Services, name: str, weights: Arrays, *, private: bool = False) -> None:
    owner = name.partition("/")[0]
    new_repo(services, owner, name, private=private)
    commit(
        services, owner, "model", name, {}, "weights", large={"model.safetensors": safetensors_of(weights)}
    )
    examine_all(services)


@pytest.fixture(scope="module")
def family(services: Services) -> Services:
    publish(services, "alice/ground", BASE)
    publish(services, "alice/layered", TUNED)
    return services


def test_the_page_shows_which_layers_changed(family: Services, stranger: Person) -> None:
    answer = stranger.open(PAGE)
    assert answer.status_code == 200
    text = words(answer.text)
    assert "alice/ground → alice/layered" in text
    zero = re.findall(r"<title>(layer 0, [a-z]+: [^<]*)</title>", answer.text)
    assert zero
    assert all(one.endswith(": not changed") for one in zero)
    moved = re.findall(r"<title>layer 1, [a-z]+: relative change ([0-9.]+); 100% of the weights", answer.text)
    # The drift of `finetuned` is a fiftieth of the spread of the values.
    assert len(moved) == 4
    assert all(0.018 < float(one) < 0.022 for one in moved)
    tags = [(tag, attributes) for tag, attributes in Reading(answer.text).elements if tag == "svg"]
    assert [attributes["role"] for _tag, attributes in tags if "role" in attributes] == ["img", "img"]
    assert 'class="heat-table"' in answer.text


def test_the_model_and_its_lineage_lead_there(family: Services, stranger: Person) -> None:
    for page in ("/alice/layered", "/alice/layered/lineage"):
        links = [
            one for _tag, one, _all in Reading(stranger.open(page).text).addresses() if "/layers/" in one
        ]
        assert links
        assert stranger.open(links[0]).status_code == 200


def test_the_facts_tell_no_names(family: Services) -> None:
    with family.database.read() as uow:
        found = lookup_repo(uow, "model", "alice/layered")
        assert found is not None
        from allmende.facts import weights_of_revision
        from allmende.registry import resolve_revision

        held = weights_of_revision(uow, found.id, resolve_revision(uow, found, "main").oid)
        assert held is not None
        facts = content_facts(uow, [held.files[0].key])[held.files[0].key]
    (told,) = [fact for name, fact in facts.items() if name.startswith("change.")]
    assert "weight" not in str(told.value)
    assert "safetensors" not in str(told.value)


def test_a_parent_that_one_may_not_see_is_not_there(
    family: Services, stranger: Person, alice: Person
) -> None:
    assert stranger.open(f"{PAGE}?parent=alice/ground").status_code == 200
    assert stranger.open(f"{PAGE}?parent=alice/heron-small").status_code == 404
    set_private(family, "alice/ground", private=True)
    try:
        hidden, missing = stranger.open(f"{PAGE}?parent=alice/ground"), stranger.open(f"{PAGE}?parent=a/b")
        assert (hidden.status_code, missing.status_code) == (404, 404)
        assert without_id(hidden.text) == without_id(missing.text)
        assert stranger.open(PAGE).status_code == 404
        assert alice.open(PAGE).status_code == 200
    finally:
        set_private(family, "alice/ground", private=False)


def without_id(page: str) -> str:
    return re.sub("request [0-9a-f]+", "", words(page))


def set_private(services: Services, name: str, *, private: bool) -> None:
    with services.database.write() as uow:
        found = lookup_repo(uow, "model", name)
        assert found is not None
        update_repo(uow, as_user(uow, "alice"), found, private=private)


def test_what_is_not_measured_yet_says_so(family: Services, stranger: Person) -> None:
    page = stranger.open("/alice/layered/layers/main", **{"Accept-Language": "en"})
    assert not shows(page.text, "layers.pending")
    # The same weights in two repos: nothing of any layer can have changed.
    publish(family, "bob/layered-again", TUNED)
    copy = stranger.open("/bob/layered-again/layers/main")
    assert shows(copy.text, "layers.same")


@pytest.mark.parametrize(
    "path", ["/alice/nothing/layers/main", "/alice/ground/layers/main", "/lab/reeds/layers/main"]
)
def test_without_a_parent_there_is_no_page(family: Services, stranger: Person, path: str) -> None:
    assert stranger.open(path).status_code == 404
