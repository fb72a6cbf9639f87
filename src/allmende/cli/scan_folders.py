"""What `allmende scan` is told to look at: folders and files, each file once however often it is named."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from allmende.cli.inspection import list_files
from allmende.cli.scan_links import outside_links

__all__ = ["Folder", "list_folders"]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, or a file that was named by itself: the links that lead out of it, and what is to be read.

    `files` are (name below the folder, place on this machine).
    """

    root: Path
    is_folder: bool
    links: Mapping[str, str]
    files: Sequence[tuple[str, Path]]

    def shown(self, name: str) -> str:
        """The path of a file as text: a name need not be any, and odd bytes cannot be printed."""
        path = self.root / name if self.is_folder else self.root
        return os.fsencode(path).decode("utf-8", "backslashreplace")


def list_folders(paths: Sequence[Path]) -> list[Folder]:
    """What lies at and below the paths; what several of them name stays with the largest.

    Raises PathMissing, and TooLarge beyond the bounds.
    """
    listed = [
        Folder(root, root.is_dir(), outside_links(root), list(_named_apart(list_files(root))))
        for root in paths
    ]
    owners: dict[str, int] = {}
    # The folder that holds more says more about what its files are to each other.
    for number in sorted(range(len(listed)), key=lambda number: -len(listed[number].files)):
        for name in (*listed[number].links, *(name for name, _ in listed[number].files)):
            owners.setdefault(listed[number].shown(name), number)
    return [_own(folder, number, owners) for number, folder in enumerate(listed)]


def _named_apart(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """What is no text in a name is written with backslashes, as another may be called: none hides another."""
    seen: set[str] = set()
    for name, place in files:
        folder, slash, last = name.rpartition("/")
        count = 1
        while name in seen:
            count += 1
            name = f"{folder}{slash}({count}) {last}"  # noqa: PLW2901  # until it is another
        seen.add(name)
        yield name, place


def _own(folder: Folder, number: int, owners: Mapping[str, int]) -> Folder:
    def is_own(name: str) -> bool:
        return owners[folder.shown(name)] == number

    return replace(
        folder,
        links={name: target for name, target in folder.links.items() if is_own(name)},
        files=[(name, place) for name, place in folder.files if is_own(name)],
    )
