"""Finding repos in our own JSON."""

from typing import Any

import pytest

from tests.integration.api.test_lineage import API, Family, family

__all__ = ["family"]


def search(hub: Family, query: str = "", by: str | None = None) -> dict[str, Any]:
    answer = hub(f"{API}/search?{query}", by)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_words_and_facets_find_repos(family: Family) -> None:
    found = search(family, "q=alice&author=alice&type=models")
    assert found["schema"] == "allmende.search/1"
    assert {repo["repo"] for repo in found["repos"]} == {"alice/base", "alice/famous", "alice/small"}
    assert (found["total"], found["has_more"], found["page"]) == (3, False, 0)
    narrowed = search(family, "base=alice/base&sort=created")
    assert {repo["repo"] for repo in narrowed["repos"]} == {"alice/small", "bob/tuned"}
    assert narrowed["facets"]["licence"] == [{"value": "mit", "count": 2}]
    assert search(family, "type=datasets")["total"] == 0


def test_what_is_private_is_found_by_its_owner_alone(family: Family) -> None:
    assert search(family, "q=secret")["total"] == 0
    assert search(family, "q=secret", by="alice")["total"] == 0
    found = search(family, "q=secret", by="bob")["repos"]
    assert [(repo["repo"], repo["private"]) for repo in found] == [("bob/secret", True)]


def test_pages_follow_each_other(family: Family) -> None:
    first = search(family, "limit=2&sort=updated")
    second = search(family, "limit=2&sort=updated&page=1")
    assert first["has_more"]
    names = [repo["repo"] for page in (first, second) for repo in page["repos"]]
    assert len(set(names)) == len(names) == 4


@pytest.mark.parametrize(
    "query", ["page=-1", "page=100", "limit=0", "limit=101", "sort=x", "size=q", "q=" + "a" * 201]
)
def test_what_makes_no_sense_is_refused(family: Family, query: str) -> None:
    answer = family(f"{API}/search?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
