"""Files of the user's own: read up to a bound, and put in place whole or not at all."""

import secrets
from pathlib import Path

__all__ = ["put_whole", "read_bounded"]


def read_bounded(path: Path, at_most_bytes: int) -> bytes:
    """A file; of a longer one one byte more than so many, which whoever reads it refuses."""
    with path.open("rb") as file:
        return file.read(at_most_bytes + 1)


def put_whole(path: Path, data: bytes) -> None:
    """Write a file in the place of another, whole or not at all; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
