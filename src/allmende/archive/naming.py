"""What names mean, from all that packs say of them."""

from collections.abc import Iterable

from allmende.archive.names import EntryName
from allmende.archive.records import Kind, NameChange

__all__ = ["Naming"]


class Naming:
    """Gathers records of names in any order; the later of two holds, and a baseline voids all before it."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, Kind, tuple[NameChange, ...]]] = []

    def take(self, kind: Kind, sequence: int, changes: Iterable[NameChange]) -> None:
        """Take in a record of names or a baseline."""
        self._taken.append((sequence, kind, tuple(changes)))

    def meanings(self) -> dict[EntryName, NameChange]:
        """The names that mean a content, and what was said of them."""
        found: dict[EntryName, NameChange] = {}
        for _, kind, changes in sorted(self._taken, key=lambda taken: taken[:2]):
            if kind is Kind.BASELINE:
                found.clear()
            for change in changes:
                found.pop(change.name, None)
                if change.sha256 is not None:
                    found[change.name] = change
        return found
