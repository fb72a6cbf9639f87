"""The documents of a revision that a hub shows: which ones, to whom, and what they are made from.

They are made when somebody asks, from the newest signed record and `model-documents.yaml` of that revision;
nothing is kept. What is for authorities alone is made only for those who may write the repo.
"""

from dataclasses import dataclass
from datetime import date

from allmende.documents import (
    ADDITIONS_FILE,
    Document,
    ImpossibleAdditions,
    KindNotOffered,
    catalogue_of,
    make_document,
    read_additions,
)
from allmende.errors import Forbidden
from allmende.flows.records import record_envelope, record_of
from allmende.flows.serving import Door
from allmende.law import MAX_YAML_BYTES, Problem
from allmende.record import Record
from allmende.registry import Revision, check_gate, find_entry, read_blob
from allmende.storage import UnitOfWork

__all__ = ["DocumentForOthers", "DocumentSources", "document_sources", "make_for", "offered_documents"]

_OF_MODELS = ("summary", "copyright", "annex-xii", "annex-xi", "model-form")
_FOR_ALL = frozenset({"public", "downstream"})
"""Recipients whose documents whoever may read the files may have; others get them from the publisher."""


class DocumentForOthers(Forbidden):
    """The document is for authorities: on a hub only those who may write the repo get it."""

    code = "document_for_others"


@dataclass(frozen=True, slots=True)
class DocumentSources:
    """What documents of a revision are made from, and the day on which the additions are read."""

    record: Record
    additions: bytes | None
    """The file as it is; None where the revision has none."""
    on: date


def document_sources(door: Door, uow: UnitOfWork, revision: Revision) -> DocumentSources:
    """What the documents of a revision are made from, for somebody at the files of a readable repo.

    Raises RepoGated, RecordNotReady, RecordWithheld, what `Door.check_file` raises of the additions, and
    ImpossibleAdditions where they are too large or not kept as text.
    """
    check_gate(uow, door.actor, door.repo)
    record = record_of(record_envelope(uow, door.repo, revision.oid))
    return DocumentSources(record, _additions(door, uow, revision), uow.now.date())


def _additions(door: Door, uow: UnitOfWork, revision: Revision) -> bytes | None:
    entry = find_entry(uow, revision.commit.tree_oid, ADDITIONS_FILE)
    if entry is None or entry.is_directory:
        return None
    if entry.pointer is not None or entry.size_bytes > MAX_YAML_BYTES:
        said = f"It has to be a text file of at most {MAX_YAML_BYTES} bytes, outside of LFS and Xet."
        raise ImpossibleAdditions([Problem(ADDITIONS_FILE, "too_large", said, given=str(MAX_YAML_BYTES))])
    door.check_file(uow, revision.oid, ADDITIONS_FILE, entry.oid)
    return read_blob(uow, door.repo.id, entry.oid)


def offered_documents(door: Door) -> list[tuple[str, str]]:
    """Kind and recipient of each document of a model that this reader may have."""
    return [
        (kind, recipient)
        for kind in _OF_MODELS
        for recipient in catalogue_of(kind).recipients
        if recipient in _FOR_ALL or door.may_write
    ]


def make_for(
    door: Door, sources: DocumentSources, kind: str, recipient: str | None, language: str
) -> Document:
    """A document, for the first recipient whose document the reader may have where none is named.

    Raises KindNotOffered, DocumentForOthers and ImpossibleAdditions.
    """
    if kind not in _OF_MODELS:
        raise KindNotOffered(
            f"A hub makes no document {kind[:40]!r} of a model.", hint=f"There are: {', '.join(_OF_MODELS)}."
        )
    recipients = catalogue_of(kind).recipients
    offered = [one for named, one in offered_documents(door) if named == kind]
    wanted = recipient or (offered or recipients)[0]
    if wanted in recipients and wanted not in offered:
        raise DocumentForOthers(
            "This document is for authorities; here only those who may write the repo get it.",
            hint="Ask the publisher for it.",
        )
    given = None if sources.additions is None else read_additions(sources.additions, sources.on)
    return make_document(kind, sources.record, given, language, wanted)
