"""Archives and compressed streams, read as strictly as any loader might."""

from allmende.scan.containers import (
    layouts,
    member_paths,
    streams,
    tar_reader,
    unpacking,
    zip_members,
    zip_reader,
)
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (zip_reader.READER, tar_reader.READER, *streams.READERS)
RULES = (
    *member_paths.RULES, *unpacking.RULES, *layouts.RULES, *zip_members.RULES, *zip_reader.RULES,
    *tar_reader.RULES, *streams.RULES,
)  # fmt: skip
