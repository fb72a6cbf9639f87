"""Facts by content and by revision: what is put comes back, and what is outdated goes."""

from datetime import UTC, datetime

import pytest

from allmende.facts import (
    Fact,
    content_facts,
    forget_content_facts,
    forget_repo_facts,
    is_examined,
    put_content_facts,
    put_revision_facts,
    repos_with_facts,
    revision_facts,
    revisions_facts,
)
from allmende.formats import JsonValue
from allmende.ids import GitOid, RepoId, Sha256
from allmende.storage import Database

AT = datetime(2026, 5, 1, 8, 30, 0, 123456, tzinfo=UTC)
CONTENT = Sha256("ab" * 32)
OTHER = Sha256("cd" * 32)
INLINE = GitOid("ef" * 20)
REPO, COPY = RepoId(1), RepoId(2)
COMMIT, NEXT = GitOid("1" * 40), GitOid("2" * 40)


def fact(name: str, value: JsonValue = None, tool: str = "reader", version: str = "1") -> Fact:
    return Fact(name, value, "measured", tool, version, AT, {"content": CONTENT})


@pytest.mark.parametrize("value", [None, 0, 1.5, "text ä\u2028", [1, [2]], {"F32": 12, "n": None}])
def test_a_fact_comes_back_as_it_was_put(database: Database, value: JsonValue) -> None:
    with database.write() as uow:
        put_content_facts(uow, {CONTENT: [fact("header", value)]})
        put_revision_facts(uow, REPO, COMMIT, [fact("header", value)])
    with database.read() as uow:
        assert content_facts(uow, [CONTENT]) == {CONTENT: {"header": fact("header", value)}}
        assert revision_facts(uow, REPO, COMMIT)["header"] == fact("header", value)


def test_many_contents_are_read_at_once_and_unknown_ones_are_absent(database: Database) -> None:
    keys = [Sha256(f"{n:064x}") for n in range(1200)]
    with database.write() as uow:
        put_content_facts(
            uow, {key: [fact("format"), fact("header")] for key in keys} | {INLINE: [fact("x")]}
        )
    with database.read() as uow:
        assert set(content_facts(uow, [*keys, INLINE, OTHER])) == {*keys, INLINE}
        assert content_facts(uow, keys[:2], names=["header", "y"]) == {
            key: {"header": fact("header")} for key in keys[:2]
        }


def test_facts_of_one_tool_stay_beside_each_other(database: Database) -> None:
    with database.write() as uow:
        put_content_facts(uow, {CONTENT: [fact("format", 1), fact("header", 1)]})
        put_content_facts(uow, {CONTENT: [fact("format", 2)]})
        put_content_facts(uow, {CONTENT: [fact("verdict", 3, tool="scanner")]})
    with database.read() as uow:
        found = content_facts(uow, [CONTENT])[CONTENT]
    assert {name: each.value for name, each in found.items()} == {"format": 2, "header": 1, "verdict": 3}


def test_what_another_version_of_the_tool_said_goes_and_only_that(database: Database) -> None:
    with database.write() as uow:
        old = [fact("format"), fact("format.error"), fact("verdict", tool="scanner")]
        put_content_facts(uow, {CONTENT: old, OTHER: old})
        put_content_facts(uow, {CONTENT: [fact("format", version="2")]})
    with database.read() as uow:
        found = content_facts(uow, [CONTENT, OTHER])
    assert {name: each.tool_version for name, each in found[CONTENT].items()} == {
        "format": "2",
        "verdict": "1",
    }
    assert len(found[OTHER]) == 3


def test_forgotten_contents_leave_no_fact(database: Database) -> None:
    with database.write() as uow:
        put_content_facts(uow, {CONTENT: [fact("format")], OTHER: [fact("format")]})
        forget_content_facts(uow, [CONTENT])
        assert set(content_facts(uow, [CONTENT, OTHER])) == {OTHER}


def test_the_facts_of_a_revision_are_replaced_together(database: Database) -> None:
    with database.write() as uow:
        put_revision_facts(uow, REPO, COMMIT, [fact("safetensors", 1), fact("examined")])
        put_revision_facts(uow, REPO, NEXT, [fact("safetensors", 2)])
        put_revision_facts(uow, COPY, COMMIT, [fact("safetensors", 3)])
        put_revision_facts(uow, REPO, COMMIT, [fact("tags", ["x"])])
        assert dict(revision_facts(uow, REPO, COMMIT)) == {"tags": fact("tags", ["x"])}
        assert revision_facts(uow, REPO, NEXT).value("safetensors") == 2
        assert revision_facts(uow, COPY, COMMIT).value("safetensors") == 3


def test_a_revision_is_examined_when_the_fact_says_so(database: Database) -> None:
    with database.write() as uow:
        put_revision_facts(uow, REPO, COMMIT, [fact("examined", {})])
        put_revision_facts(uow, REPO, NEXT, [fact("tags", [])])
        assert is_examined(uow, REPO, COMMIT)
        assert not is_examined(uow, REPO, NEXT)
        assert not is_examined(uow, COPY, COMMIT)
        assert [revision_facts(uow, REPO, oid).examined for oid in (COMMIT, NEXT)] == [True, False]


def test_several_revisions_are_read_at_once(database: Database) -> None:
    with database.write() as uow:
        for n in range(450):
            put_revision_facts(uow, RepoId(n), COMMIT, [fact("safetensors", n), fact("tags", [])])
        wanted = [(RepoId(n), COMMIT) for n in range(450)] + [(REPO, NEXT)]
        found = revisions_facts(uow, wanted, names=["safetensors"])
    assert {
        repo_id: facts.value("safetensors") for (repo_id, oid), facts in found.items() if oid == COMMIT
    } == {n: n for n in range(450)}
    assert len(found[REPO, NEXT]) == 0
    assert found[REPO, NEXT].value("safetensors") is None
    assert set(found[REPO, COMMIT]) == {"safetensors"}


def test_a_forgotten_repo_leaves_no_fact(database: Database) -> None:
    with database.write() as uow:
        put_revision_facts(uow, REPO, COMMIT, [fact("tags")])
        put_revision_facts(uow, COPY, COMMIT, [fact("tags")])
        assert repos_with_facts(uow) == [REPO, COPY]
        forget_repo_facts(uow, REPO)
        assert repos_with_facts(uow) == [COPY]
