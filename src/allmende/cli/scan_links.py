"""Symbolic links that lead out of a folder: whoever publishes one hands out, or asks for, another file."""

import os
from pathlib import Path

__all__ = ["outside_links"]

_GIT = ".git"


def outside_links(root: Path) -> dict[str, str]:
    """The links below `root` that lead out of it, to files and to folders, with where they lead.

    The cache of the stock clients consists of links from `snapshots` into `blobs` beside it: those are
    inside. Names
    are as `inspection.list_files` has them.
    """
    real = os.path.realpath(root)
    kept = [real]
    if os.path.basename(os.path.dirname(real)) == "snapshots":  # noqa: PTH119, PTH120  # what realpath gives is text
        kept.append(os.path.join(os.path.dirname(os.path.dirname(real)), "blobs"))  # noqa: PTH118, PTH120
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = [name for name in folders if name != _GIT]
        for name in (*folders, *files):
            place = Path(folder, name)
            target = os.path.realpath(place) if place.is_symlink() else None
            if target is not None and not any(
                target == inside or target.startswith(inside + os.sep) for inside in kept
            ):
                relative = os.fsencode(place.relative_to(root)).decode("utf-8", "backslashreplace")
                found[relative] = target
    return found
