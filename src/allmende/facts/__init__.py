"""Facts by content and by revision."""

from allmende.facts.content_facts import content_facts, forget_content_facts, put_content_facts
from allmende.facts.fact import ContentKey, Fact, FactSource
from allmende.facts.revision_facts import (
    EXAMINED,
    RevisionFacts,
    forget_repo_facts,
    is_examined,
    put_revision_facts,
    repos_with_facts,
    revision_facts,
    revisions_facts,
)

__all__ = [
    "EXAMINED",
    "ContentKey",
    "Fact",
    "FactSource",
    "RevisionFacts",
    "content_facts",
    "forget_content_facts",
    "forget_repo_facts",
    "is_examined",
    "put_content_facts",
    "put_revision_facts",
    "repos_with_facts",
    "revision_facts",
    "revisions_facts",
]
