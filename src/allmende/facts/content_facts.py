"""Facts about bytes, computed once for each version of a tool.

They are true wherever the bytes lie. Whether somebody may see them is decided by the caller, who came to
the key through a repo that holds the bytes and that the reader may read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, tuple_

from allmende.facts.fact import ContentKey, Fact
from allmende.facts.tables import content_fact
from allmende.formats import JsonValue
from allmende.ids import GitOid, Sha256, is_sha256
from allmende.storage import UnitOfWork, batches

__all__ = [
    "content_fact_value",
    "content_facts",
    "fact_from_row",
    "fact_row",
    "forget_content_facts",
    "put_content_facts",
]

_FACTS = select(content_fact).where(content_fact.c.content_key.in_(bindparam("content_keys", expanding=True)))
_SOME_FACTS = _FACTS.where(content_fact.c.name.in_(bindparam("names", expanding=True)))


def put_content_facts(
    uow: UnitOfWork, found: Mapping[ContentKey, Iterable[Fact]], *, keep_older: bool = False
) -> None:
    """Add these facts to each content, in place of those of the same name.

    What another version of one of their tools said of the content goes, whatever its name; with
    `keep_older` it stays until a fact of its own name comes: rather an old verdict than none.
    """
    rows = {(key, fact.name): fact for key, facts in found.items() for fact in facts}
    if not keep_older:
        _drop_outdated(uow, rows)
    place = tuple_(content_fact.c.content_key, content_fact.c.name)
    for places in batches(sorted(rows)):
        uow.execute(delete(content_fact).where(place.in_(places)))
    if rows:
        uow.execute(
            content_fact.insert(),
            [{"content_key": key, **fact_row(fact)} for (key, _name), fact in rows.items()],
        )


def _drop_outdated(uow: UnitOfWork, rows: Mapping[tuple[ContentKey, str], Fact]) -> None:
    keys_by_tool: dict[tuple[str, str], set[ContentKey]] = {}
    for (key, _name), fact in rows.items():
        keys_by_tool.setdefault((fact.tool, fact.tool_version), set()).add(key)
    for (tool, version), keys in keys_by_tool.items():
        outdated = (content_fact.c.tool == tool) & (content_fact.c.tool_version != version)
        for batch in batches(sorted(keys)):
            uow.execute(delete(content_fact).where(content_fact.c.content_key.in_(batch), outdated))


def content_facts(
    uow: UnitOfWork, keys: Iterable[ContentKey], names: Iterable[str] | None = None
) -> dict[ContentKey, dict[str, Fact]]:
    """What is known of these contents, by fact name (with `names`, these alone); unknown ones are absent."""
    found: dict[ContentKey, dict[str, Fact]] = {}
    query, asked = (_FACTS, {}) if names is None else (_SOME_FACTS, {"names": sorted(set(names))})
    for batch in batches(sorted(set(keys))):
        for row in uow.execute(query, {"content_keys": batch, **asked}):
            found.setdefault(_key(row.content_key), {})[row.name] = fact_from_row(row)
    return found


def content_fact_value(uow: UnitOfWork, key: ContentKey, name: str) -> JsonValue:
    """The value of one fact about a content, None where nothing is known: one look-up by primary key."""
    query = select(content_fact.c.value).where(content_fact.c.content_key == key, content_fact.c.name == name)
    row = uow.one_or_none(query)
    value: JsonValue = None if row is None else row.value
    return value


def forget_content_facts(uow: UnitOfWork, keys: Iterable[ContentKey]) -> None:
    """The bytes are gone, and what was known of them goes too."""
    for batch in batches(sorted(set(keys))):
        uow.execute(delete(content_fact).where(content_fact.c.content_key.in_(batch)))


def fact_row(fact: Fact) -> dict[str, Any]:
    """The columns that every table of facts has."""
    return {
        "name": fact.name,
        "value": fact.value,
        "source": fact.source,
        "evidence": dict(fact.evidence),
        "tool": fact.tool,
        "tool_version": fact.tool_version,
        "at": fact.at,
    }


def fact_from_row(row: Row[Any]) -> Fact:
    """The inverse of `fact_row`."""
    return Fact(
        name=row.name,
        value=row.value,
        source=row.source,
        tool=row.tool,
        tool_version=row.tool_version,
        at=row.at,
        evidence=row.evidence,
    )


def _key(text: str) -> ContentKey:
    return Sha256(text) if is_sha256(text) else GitOid(text)
