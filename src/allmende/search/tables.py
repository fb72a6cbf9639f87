"""Tables of the search: facets in one line a repo, words in a full-text table of SQLite (FTS5)."""

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Column, ForeignKey, Integer, Table, Text, column, table

from allmende.storage import metadata

__all__ = ["count_facets", "facet_line", "facet_mark", "search_entry", "search_words"]

_MARK = "\n"
_MAX_VALUE_CHARS = 96

search_entry = Table(
    "search_entry",
    metadata,
    Column("repo_id", Integer, ForeignKey("repo.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "facets", Text, nullable=False, comment="facet=value of all facets, a newline before and after each"
    ),
    comment="one row a repo: so many repos are counted by their facets in one pass",
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
    """What a line holds where a repo has a value; of very long values only the beginning counts."""
    return f"{_MARK}{facet}={' '.join(value[:_MAX_VALUE_CHARS].split())}{_MARK}"


def count_facets(lines: str) -> list[tuple[str, str, int]]:
    """Each facet, value and in how many lines it is, of lines that follow one right after another."""
    counts: dict[str, int] = {}
    # Many repos have the same line, and whole lines are counted quickly.
    for line, count in Counter(lines.split(_MARK + _MARK)).items():
        for pair in line.strip(_MARK).split(_MARK):
            counts[pair] = counts.get(pair, 0) + count
    return [(*_parted(pair), count) for pair, count in counts.items() if pair]


def _parted(pair: str) -> tuple[str, str]:
    facet, _, value = pair.partition("=")
    return facet, value
