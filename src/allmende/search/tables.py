"""Tables of the search: facets in one line a repo, words in a full-text table of SQLite (FTS5)."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    column,
    table,
)

from allmende.storage import metadata

__all__ = [
    "BASE",
    "facet_line",
    "facet_mark",
    "facet_value",
    "pairs_of",
    "search_change",
    "search_entry",
    "search_vector",
    "search_words",
]

BASE = "base"
"""The facet that is not kept: the registry has the measured bases. Full names, as long as they may be."""

_MARK = "\n"
_MAX_VALUE_CHARS = 96

search_entry = Table(
    "search_entry",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "facets", Text, nullable=False, comment="facet=value of all facets, a newline before and after each"
    ),
    Column("parameters", BigInteger, comment="of a model, where its files tell them"),
    comment="one row a repo: so many repos are counted by their facets in one pass",
)

search_change = Table(
    "search_change",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("repo_id", Integer, nullable=False, comment="also of a repo that was deleted"),
    Index("ix_search_change_repo_id", "repo_id", unique=True),
    comment="the last change of each repo; numbers only grow",
    sqlite_autoincrement=True,
)
"""Written by the database's own triggers, which its migration makes."""

search_vector = Table(
    "search_vector",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column("model", String(64), nullable=False, comment="which made it: SHA-256 of its files"),
    Column(
        "vector", LargeBinary, nullable=False, comment="a signed byte for each number; empty: no word known"
    ),
    comment="what the texts of repos mean; gone when name, tags or card change, until it is made anew",
)

search_words = table("search_words", column("rowid"), column("tags"), column("card"))
"""Not among the metadata: it is a virtual table, which only its migration makes. `rowid` is the repo's id."""


def facet_line(facets: Mapping[str, Iterable[str]]) -> str:
    """All facets of a repo as `search_entry` keeps them."""
    marks = [
        facet_mark(facet, value) for facet, values in sorted(facets.items()) for value in sorted(set(values))
    ]
    return _MARK + "".join(mark.removeprefix(_MARK) for mark in marks)


def facet_mark(facet: str, value: str) -> str:
    """What a line holds where a repo has a value."""
    return f"{_MARK}{facet}={facet_value(facet, value)}{_MARK}"


def facet_value(facet: str, value: str) -> str:
    """A value as lines hold it: of very long ones only the beginning counts."""
    return value if facet == BASE else " ".join(value[:_MAX_VALUE_CHARS].split())


def pairs_of(line: str) -> Iterator[tuple[str, str]]:
    """Each facet and value of a line."""
    for pair in dict.fromkeys(filter(None, line.split(_MARK))):
        facet, _, value = pair.partition("=")
        yield facet, value
