"""A store in a folder: `archive.db`, `packs/` and a lock; opening it, and what it gives access to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from allmende.archive.database import Database
from allmende.archive.errors import NotAStore, StoreDamaged, StoreMissing
from allmende.archive.intake import ArchiveIntake
from allmende.archive.pack_files import PackFolder, sync_folder
from allmende.archive.shelf import ArchiveShelf
from allmende.archive.writing_lock import LOCK_NAME, WritingLock

__all__ = ["Archive"]

DATABASE_NAME = "archive.db"
PACKS_NAME = "packs"
DEFAULT_WAIT_S = 60.0


class Archive:
    """A store that is there. Close it, or use it as a context manager.

    `wait_s` is how long whoever wants to write waits for another process that does.
    """

    def __init__(self, folder: Path, wait_s: float = DEFAULT_WAIT_S) -> None:
        self.folder = folder
        self.wait_s = wait_s
        self.database = Database(folder / DATABASE_NAME)
        self.packs = PackFolder(folder / PACKS_NAME)
        self.shelf = ArchiveShelf(self.database, self.packs, self.intake)
        self._writing = WritingLock(folder)

    @classmethod
    def open(cls, folder: Path, *, wait_s: float = DEFAULT_WAIT_S) -> Self:
        """Open a store. Raises StoreMissing, NotAStore, StoreDamaged."""
        if not (folder / DATABASE_NAME).is_file():
            if any((folder / PACKS_NAME).glob("*.pack")):
                raise StoreDamaged(
                    f"The database of the store {folder} is gone.",
                    hint="`allmende store check STORE --rebuild` makes it anew from the packs.",
                )
            raise StoreMissing(
                f"There is no store at {folder}.", hint="`allmende store add STORE PATH` makes one."
            )
        archive = cls(folder, wait_s)
        try:
            archive.database.check_version()
        except BaseException:
            archive.close()
            raise
        return archive

    @classmethod
    def create(cls, folder: Path, *, wait_s: float = DEFAULT_WAIT_S) -> Self:
        """Open a store, or make one where nothing is yet. Raises NotAStore for a folder of other things."""
        if folder.exists() and not _is_begun(folder):
            if (folder / DATABASE_NAME).is_file() or any((folder / PACKS_NAME).glob("*.pack")):
                return cls.open(folder, wait_s=wait_s)
            raise NotAStore(
                f"{folder} holds something else than a store.",
                hint="Name an empty folder, or one that is not there yet.",
            )
        for path in (folder, folder / PACKS_NAME):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        archive = cls(folder, wait_s)
        try:
            with archive.writing():
                archive.database.create()
            sync_folder(folder)
            sync_folder(folder.absolute().parent)
            archive.database.check_version()
        except BaseException:
            archive.close()
            raise
        return archive

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep every other writer out; intakes of the same thread may be begun within. Raises StoreInUse."""
        with self._writing.held(self.wait_s):
            yield

    def intake(self) -> ArchiveIntake:
        """Begin to store; nobody else can until it is committed or given up. Raises StoreInUse."""
        self._writing.take(self.wait_s)
        return ArchiveIntake(self.database, self.packs, self.shelf, self._writing.release)

    def files(self) -> list[Path]:
        """All files of the store that last, those that a crash left too."""
        # The index of the database's log goes with the last connection.
        database = (path for path in self.folder.glob(f"{DATABASE_NAME}*") if path.suffix != ".db-shm")
        return sorted([*database, *self.packs.folder.iterdir()])

    def orphans(self) -> list[Path]:
        """Packs that the database does not know, and packs half written. Meant for who holds the lock."""
        with self.database.read() as connection:
            known = {row[0] for row in connection.execute("SELECT number FROM pack")}
        unknown = [self.packs.path(number) for number in self.packs.numbers() if number not in known]
        return [*unknown, *self.packs.leftovers()]

    def close(self) -> None:
        """Let go of files and connections."""
        self.database.close()
        self.packs.close()


def _is_begun(folder: Path) -> bool:
    """Whether there is nothing in the folder but what making a store leaves, also where that is cut off."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir() if not path.name.startswith(DATABASE_NAME)}
    packs = folder / PACKS_NAME
    return names <= {LOCK_NAME, PACKS_NAME} and (
        not packs.exists() or (packs.is_dir() and not any(packs.iterdir()))
    )
