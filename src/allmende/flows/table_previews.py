"""Previews of the tables in a repo: read once for the same bytes, and kept as long as these."""

from typing import Any, BinaryIO

from allmende.facts import ContentKey
from allmende.flows.services import Services
from allmende.ids import Sha256
from allmende.jobs import cached_step, forget_step
from allmende.storage import UnitOfWork
from allmende.tables import PREVIEW_VERSION, TABLE_KINDS, TableKind, preview_table

__all__ = ["forget_table_preview", "table_preview"]


def table_preview(
    services: Services, key: ContentKey, source: BinaryIO, size_bytes: int, kind: TableKind
) -> dict[str, Any]:
    """What `tables.preview_table` tells of these bytes; `source` is read where it is not known yet.

    Raises TableReaderAbsent and TableNotRead; then nothing is kept. No unit of work may be open.
    """
    preview: dict[str, Any] = cached_step(
        services.database,
        _step(kind),
        {"content": key},
        PREVIEW_VERSION,
        lambda: preview_table(source, size_bytes, kind),
    )
    return preview


def forget_table_preview(uow: UnitOfWork, sha256: Sha256) -> None:
    """The bytes are gone for good."""
    for kind in TABLE_KINDS:
        forget_step(uow, _step(kind), {"content": sha256})


def _step(kind: TableKind) -> str:
    return f"preview_{kind}"
