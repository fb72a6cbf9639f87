"""What people see of measured lineage: the section of a model's page, and the page of its family."""

import re
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from allmende.app import create_app
from allmende.flows import Services, note_repo_changed
from allmende.registry import lookup_repo, update_repo
from allmende.web.messages import catalogue
from tests.integration.flows.families import Arrays, finetuned, fresh, gguf_of, merged, safetensors_of
from tests.integration.web.conftest import Person
from tests.integration.web.filled import as_user, commit, examine_all, new_repo
from tests.integration.web.reading import Reading, shows, words

BASE = fresh(1)
TUNED, OTHER = finetuned(BASE, 2), finetuned(BASE, 3)
BOUNDARY = "hf download alice/base --local-dir parent"


def publish(
    services: Services,
    name: str,
    weights: Arrays | bytes,
    *,
    base: str = "",
    file: str = "model.safetensors",
    private: bool = False,
    examine: bool = True,
) -> None:
    owner = name.partition("/")[0]
    if not lookup(services, name):
        new_repo(services, owner, name, private=private)
    card = f"---\nlicense: mit\n{base}\n---\n# A model\n"
    data = weights if isinstance(weights, bytes) else safetensors_of(weights)
    commit(services, owner, "model", name, {"README.md": card.encode()}, "weights", large={file: data})
    if examine:
        examine_all(services)


def lookup(services: Services, name: str) -> bool:
    with services.database.read() as uow:
        return lookup_repo(uow, "model", name) is not None


@pytest.fixture(scope="module")
def family(services: Services) -> Services:
    publish(services, "alice/base", BASE)
    publish(services, "alice/tuned", TUNED, base="base_model: alice/base\nbase_model_relation: finetune")
    publish(services, "bob/other", OTHER, base="base_model: far/away")
    publish(services, "alice/stranger", fresh(9))
    publish(services, "bob/mix", merged([(TUNED, 0.7), (OTHER, 0.3)]))
    lie = "base_model: alice/stranger\nbase_model_relation: finetune"
    publish(services, "bob/liar", gguf_of(BASE), base=lie, file="liar.Q8_0.gguf")
    publish(services, "alice/hidden-child", finetuned(BASE, 8), private=True)
    return services


def person(services: Services, name: str = "") -> Person:
    found = Person(TestClient(create_app(services), raise_server_exceptions=False))
    assert not name or found.sign_in(name).status_code == 303
    return found


@pytest.fixture
def anybody(family: Services) -> Person:
    return person(family)


def links_in_drawing(page: str) -> dict[str, str]:
    """Where the boxes lead, by what they are called for people who do not see them."""
    return {
        attributes["aria-label"]: attributes["href"]
        for tag, attributes in Reading(page).elements
        if tag == "a" and attributes.get("class", "").startswith("kin ")
    }


def test_a_derivative_names_its_parent_with_grade_and_evidence(anybody: Person) -> None:
    page = anybody.open("/alice/tuned").text
    section = words(page).split("Where it comes from")[1].split("Use it")[0]
    for said in (
        "alice/base",
        "fine-tune likely",
        catalogue("en")("lineage.means.likely"),
        catalogue("en")("lineage.says.finetune"),
        "Size of the change",
        "of the size of the weights",
        "Untouched weights",
        catalogue("en")("lineage.direction.first_seen"),
        "alice/base as fine-tune confirmed The weights say so too.",
        BOUNDARY,
        "allmende diff parent child",
    ):
        assert said in section, said
    assert 'href="/alice/tuned/lineage/main"' in page


def test_the_evidence_for_programs_is_where_the_page_says(anybody: Person) -> None:
    page = Reading(anybody.open("/alice/tuned").text)
    (address,) = [
        address for _tag, address, _attributes in page.addresses() if address.startswith("/api/allmende/")
    ]
    answer = anybody.client.get(address)
    assert answer.status_code == 200
    assert answer.json()["edges"][0]["parents"][0]["repo"] == "alice/base"


def test_a_card_that_lies_is_contradicted_beside_what_was_measured(anybody: Person) -> None:
    page = anybody.open("/bob/liar").text
    text = words(page)
    assert "quantised proven" in text
    assert f"Base model alice/stranger{catalogue('en')('lineage.doubt')} declared" in text
    assert shows(page, "lineage.reason.no_kin")
    assert "alice/stranger as fine-tune contradicted" in text
    assert "alice/base not declared" in text
    drawn = links_in_drawing(anybody.open("/bob/liar/lineage").text)
    assert drawn["named by the card: alice/stranger"] == "/alice/stranger"
    assert drawn["parent: alice/base"] == "/alice/base"
    assert 'class="descent false"' in anybody.open("/bob/liar/lineage").text


def test_a_base_that_is_not_here_is_not_checked(anybody: Person) -> None:
    page = anybody.open("/bob/other").text
    assert "far/away not checked" in words(page)
    assert shows(page, "lineage.reason.not_here")
    assert 'href="/far/away"' not in page


def test_a_merge_names_its_parents_by_weight(anybody: Person) -> None:
    text = words(anybody.open("/bob/mix").text)
    assert "alice/tuned weight 70%" in text
    assert text.index("alice/tuned weight 70%") < text.index("bob/other weight 30%")
    page = anybody.open("/bob/mix/lineage").text
    assert "merge · 70%" in words(page)
    drawn = links_in_drawing(page)
    assert list(drawn)[-1] == "this model: bob/mix"
    assert {"parent: alice/tuned", "parent: bob/other", "ancestor: alice/base"} <= set(drawn)


def test_a_page_lists_models_like_it_and_says_why(family: Services, anybody: Person) -> None:
    text = words(anybody.open("/alice/tuned").text)
    listed = text.split("Models like this one")[1].split("All of the family")[0]
    assert "alice/base likely its parent · fine-tune · " in listed
    assert "of sampled signs agree" in listed
    assert "bob/mix" in listed
    assert "bob/other likely same parent, alice/base · fine-tune · " in listed
    assert "hidden-child" not in listed
    assert "alice/hidden-child" in words(person(family, "alice").open("/alice/tuned").text)
    # Nothing was measured and no task is named: nothing is alike.
    assert "Models like this one" not in words(anybody.open("/alice/stranger").text)


def test_no_kin_is_said_with_the_number_of_models_it_was_held_against(anybody: Person) -> None:
    text = words(anybody.open("/alice/stranger").text)
    assert catalogue("en")("lineage.says.unrelated") in text
    assert "It was compared with" in text


def test_the_family_of_the_base_as_drawing_and_table(anybody: Person) -> None:
    page = anybody.open("/alice/base/lineage").text
    drawn = links_in_drawing(page)
    for child in ("alice/tuned", "bob/other", "bob/liar"):
        assert drawn[f"descendant: {child}"] == f"/{child}"
        assert f'<td><a href="/{child}">{child}</a></td>' in page
    assert "3 models are derived from it." in words(page)
    assert shows(page, "lineage.root_says")
    assert not shows(page, "lineage.says.unrelated")
    assert "Siblings" not in words(page)
    tuned = words(anybody.open("/alice/tuned/lineage").text)
    assert "Siblings" in tuned
    assert "Ancestors Model Comes from How Grade alice/tuned alice/base fine-tune likely" in tuned


def test_a_private_child_is_neither_drawn_nor_counted_for_others(family: Services, anybody: Person) -> None:
    for visitor in (anybody, person(family, "bob")):
        for path in ("/alice/base", "/alice/base/lineage", "/alice/tuned/lineage"):
            page = visitor.open(path).text
            assert "hidden-child" not in page
            assert "4 models" not in words(page)
    own = person(family, "alice").open("/alice/base/lineage").text
    assert "descendant: alice/hidden-child" in links_in_drawing(own)
    assert "4 models are derived from it." in words(own)


def test_the_page_says_what_the_family_takes_together(family: Services, anybody: Person) -> None:
    """Here nothing is packed: it is as much as there is, and nothing is said to be saved."""
    said = words(anybody.open("/alice/base/lineage").text)
    told = re.compile(r"The 5 repos of this family together hold \d+(\.\d+)? [kM]B\. ")
    assert told.search(said), said
    assert "Saved:" not in said
    # A private child is not counted for a public model, whoever looks.
    assert told.search(words(person(family, "alice").open("/alice/base/lineage").text))
    assert "this family" not in words(anybody.open("/alice/stranger/lineage").text)


def test_when_a_child_becomes_public_it_is_shown(family: Services) -> None:
    publish(family, "alice/shy", finetuned(BASE, 11), private=True)
    visitor = person(family)
    assert "alice/shy" not in visitor.open("/alice/base/lineage").text
    with family.database.write() as uow:
        shy = lookup_repo(uow, "model", "alice/shy")
        assert shy is not None
        update_repo(uow, as_user(uow, "alice"), shy, private=False)
        note_repo_changed(family, uow, shy)
    examine_all(family)
    assert "alice/shy" in visitor.open("/alice/base/lineage").text


def test_before_the_examination_nothing_is_claimed(family: Services, anybody: Person) -> None:
    publish(family, "bob/fresh", finetuned(BASE, 12), base="base_model: alice/base", examine=False)
    page = anybody.open("/bob/fresh").text
    assert shows(page, "lineage.unexamined")
    assert "confirmed" not in words(page)
    assert anybody.open("/bob/fresh/lineage").status_code == 200


def test_weights_that_cannot_be_read_are_said(family: Services, anybody: Person) -> None:
    publish(family, "bob/cut-off", safetensors_of(TUNED)[:5000])
    page = anybody.open("/bob/cut-off").text
    assert shows(page, "lineage.problems")
    assert not shows(page, "lineage.no_kin")


def test_an_older_revision_of_the_same_repo_is_an_ancestor(family: Services, anybody: Person) -> None:
    first = fresh(21)
    publish(family, "bob/grows", first)
    publish(family, "bob/grows", finetuned(first, 22))
    page = anybody.open("/bob/grows/lineage").text
    (label,) = [label for label in links_in_drawing(page) if label.startswith("parent: bob/grows (")]
    assert anybody.open(links_in_drawing(page)[label]).status_code == 200
    assert "--revision" in page


@pytest.mark.parametrize(
    "name",
    ['"><script>alert(1)</script>', "//evil.example/x", "javascript:alert(1)", "x" * 400, "\u202ebad/x"],
)
def test_what_a_card_names_is_only_text(family: Services, anybody: Person, name: str) -> None:
    publish(family, "bob/odd", fresh(31), base=f"base_model: {name!r}")
    for path in ("/bob/odd", "/bob/odd/lineage"):
        page = Reading(anybody.open(path).text)
        assert "script" not in page.tags()
        for _tag, address, _attributes in page.addresses():
            assert not urlsplit(address).netloc
            assert not address.startswith(("javascript:", "//"))


def test_the_page_is_for_models_and_a_dataset_may_be_called_so(family: Services, anybody: Person) -> None:
    new_repo(family, "alice", "alice/lineage", "dataset")
    assert "Dataset" in words(anybody.open("/datasets/alice/lineage").text)
    assert anybody.open("/datasets/alice/lineage/lineage").status_code == 404
    assert anybody.open("/alice/base/lineage?after=x").status_code == 400
    assert anybody.open("/alice/base/lineage?after=2").status_code == 200
    assert "lineage" not in {
        attributes.get("id") for _tag, attributes in elements(anybody, "/datasets/lab/marsh-notes")
    }


def elements(visitor: Person, path: str) -> list[tuple[str, dict[str, str]]]:
    return Reading(visitor.open(path).text).elements


def test_in_german(anybody: Person) -> None:
    text = words(anybody.open("/bob/liar/lineage?lang=de").text)
    for said in ("Woher es kommt", "quantisiert erwiesen", "widerlegt", "Vorfahren", "Karte: Feinabstimmung"):
        assert said in text, said


def test_models_are_compared_on_every_statement(family: Services, anybody: Person) -> None:
    page = anybody.open("/compare?model=bob/mix&model=alice/base&model=bob/liar")
    text = words(page.text)
    assert page.status_code == 200
    assert "bob/mix comes (merge) from alice/tuned" in text or "bob/mix comes (merge) from bob/other" in text
    assert "bob/liar" in text
    assert "Format differs" in text
    assert text.count("Licence") >= 1
    assert 'href="/compare?model=bob/mix"' in anybody.open("/bob/mix").text.replace("%2F", "/")


def test_what_one_may_not_see_cannot_be_compared(family: Services, anybody: Person) -> None:
    hidden = anybody.open("/compare?model=alice/base&model=alice/hidden-child")
    missing = anybody.open("/compare?model=alice/base&model=alice/no-such")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    own = person(family, "alice").open("/compare?model=alice/base&model=alice/hidden-child")
    assert "is the origin" in words(own.text)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("model=alice/base", 200),
        ("model=alice/base&model=alice/base", 200),
        ("model=x", 400),
        ("model=" + "a/" + "b" * 300, 400),
        ("model=a/b&model=a/c&model=a/d&model=a/e&model=a/f", 400),
    ],
)
def test_fewer_than_two_models_are_asked_for(anybody: Person, query: str, status: int) -> None:
    answer = anybody.open(f"/compare?{query}")
    assert answer.status_code == status
    assert '<table class="compared">' not in answer.text
