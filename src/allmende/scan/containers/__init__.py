"""Archives and compressed streams, read as strictly as any loader might."""

from allmende.scan.containers import (
    layouts,
    link_chains,
    member_paths,
    streams,
    tar_reader,
    torch_parts,
    unpacking,
    zip_members,
    zip_reader,
    zstd_streams,
)
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    zip_reader.READER,
    torch_parts.READER,
    tar_reader.READER,
    *streams.READERS,
    zstd_streams.READER,
)
RULES = (
    *member_paths.RULES, *unpacking.RULES, *layouts.RULES, *zip_members.RULES, *zip_reader.RULES,
    *tar_reader.RULES, *link_chains.RULES, *streams.RULES,
)  # fmt: skip
