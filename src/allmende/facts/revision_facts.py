"""Facts about revisions, derived from those of their files. The caller may read the repo."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, tuple_

from allmende.facts.content_facts import fact_from_row, fact_row
from allmende.facts.fact import Fact
from allmende.facts.tables import revision_fact
from allmende.formats import JsonValue
from allmende.ids import GitOid, RepoId
from allmende.storage import UnitOfWork, batches

__all__ = [
    "EXAMINED",
    "RevisionFacts",
    "add_revision_facts",
    "examined_value",
    "forget_repo_facts",
    "is_examined",
    "put_revision_facts",
    "repos_with_facts",
    "revision_facts",
    "revisions_facts",
]

_FACTS = select(revision_fact).where(
    tuple_(revision_fact.c.repo_id, revision_fact.c.commit_oid).in_(bindparam("revisions", expanding=True))
)
_SOME_FACTS = _FACTS.where(revision_fact.c.name.in_(bindparam("names", expanding=True)))

EXAMINED = "examined"
"""The fact that ends an examination; it is written with all the others, in one transaction."""


@dataclass(frozen=True, slots=True)
class RevisionFacts(Mapping[str, Fact]):
    """The facts of one revision, by name."""

    facts: Mapping[str, Fact]

    def __getitem__(self, name: str) -> Fact:
        return self.facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def value(self, name: str) -> JsonValue:
        """The value of a fact; None when nothing is known."""
        fact = self.facts.get(name)
        return None if fact is None else fact.value

    @property
    def examined(self) -> bool:
        """Whether an examination of the revision was finished."""
        return EXAMINED in self.facts


def put_revision_facts(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, found: Iterable[Fact]) -> None:
    """Replace all facts of a revision by these."""
    uow.execute(
        delete(revision_fact).where(
            revision_fact.c.repo_id == repo_id, revision_fact.c.commit_oid == commit_oid
        )
    )
    rows = [{"repo_id": repo_id, "commit_oid": commit_oid, **fact_row(fact)} for fact in found]
    if rows:
        uow.execute(revision_fact.insert(), rows)


def add_revision_facts(
    uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid, found: Iterable[Fact], instead_of: Iterable[str]
) -> None:
    """Add these facts to a revision that was examined, in place of those of the given names."""
    if not is_examined(uow, repo_id, commit_oid):
        return
    uow.execute(
        delete(revision_fact).where(
            revision_fact.c.repo_id == repo_id,
            revision_fact.c.commit_oid == commit_oid,
            revision_fact.c.name.in_(sorted(set(instead_of))),
        )
    )
    rows = [{"repo_id": repo_id, "commit_oid": commit_oid, **fact_row(fact)} for fact in found]
    if rows:
        uow.execute(revision_fact.insert(), rows)


def revision_facts(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> RevisionFacts:
    """Everything known of a revision; empty when it was not examined."""
    return revisions_facts(uow, [(repo_id, commit_oid)])[repo_id, commit_oid]


def revisions_facts(
    uow: UnitOfWork, revisions: Iterable[tuple[RepoId, GitOid]], names: Iterable[str] | None = None
) -> dict[tuple[RepoId, GitOid], RevisionFacts]:
    """The facts of several revisions (with `names`, these alone), in few queries: for lists of repos."""
    wanted = sorted(set(revisions))
    found: dict[tuple[RepoId, GitOid], dict[str, Fact]] = {revision: {} for revision in wanted}
    query, asked = (_FACTS, {}) if names is None else (_SOME_FACTS, {"names": sorted(set(names))})
    for batch in batches(wanted, 200):
        for row in uow.execute(query, {"revisions": batch, **asked}):
            found[RepoId(row.repo_id), GitOid(row.commit_oid)][row.name] = fact_from_row(row)
    return {revision: RevisionFacts(facts) for revision, facts in found.items()}


def examined_value(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> JsonValue:
    """What the fact that ends an examination says, None before it: one look-up by primary key."""
    query = select(revision_fact.c.value).where(
        revision_fact.c.repo_id == repo_id,
        revision_fact.c.commit_oid == commit_oid,
        revision_fact.c.name == EXAMINED,
    )
    row = uow.one_or_none(query)
    value: JsonValue = None if row is None else row.value
    return value


def is_examined(uow: UnitOfWork, repo_id: RepoId, commit_oid: GitOid) -> bool:
    """Whether an examination of the revision was finished: one look-up by primary key."""
    query = select(revision_fact.c.name).where(
        revision_fact.c.repo_id == repo_id,
        revision_fact.c.commit_oid == commit_oid,
        revision_fact.c.name == EXAMINED,
    )
    return uow.one_or_none(query) is not None


def repos_with_facts(uow: UnitOfWork) -> list[RepoId]:
    """Every repo of whose revisions something is known, also those that are deleted by now."""
    return [RepoId(row.repo_id) for row in uow.all(select(revision_fact.c.repo_id).distinct())]


def forget_repo_facts(uow: UnitOfWork, repo_id: RepoId) -> None:
    """The repo is gone, and what was known of its revisions goes too."""
    uow.execute(delete(revision_fact).where(revision_fact.c.repo_id == repo_id))
