"""What an operator may do to the log: check all of it, and begin a new one where the old one cannot go on."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sqlalchemy import delete, update

from allmende.errors import AllmendeError
from allmende.log.entries import LogEntry, entries_in_order
from allmende.log.errors import LogUnsigned
from allmende.log.hub_log import HubLog
from allmende.log.integrating import log_size
from allmende.log.tables import log_entry, log_state
from allmende.merkle import Frontier, KnownLog, TiledLog, fetch_checkpoint, leaf_hash, read_verifier_key
from allmende.proof import NotCanonical, read_canonical_json
from allmende.storage import Database, outbox

__all__ = ["LogCheck", "check_log", "start_new_log"]

_STEP = 2000
_MOST_PROBLEMS = 100


@dataclass(slots=True)
class LogCheck:
    """What a check of the whole log found: entries read, statements that belong to them, what is wrong."""

    entries: int = 0
    statements: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """One thing more that is wrong; of very many, the first are kept."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def check_log(database: Database, log: HubLog) -> LogCheck:
    """Read every entry and every tile of the log, as the hub keeps them and as it serves them."""
    found = LogCheck()
    try:
        log.publisher.check()
    except AllmendeError as error:
        found.add(error.message)
    _check_rows(database, found)
    try:
        _check_served(database, log, found)
    except AllmendeError as error:
        found.add(f"what is served: {error.message}")
    return found


def start_new_log(database: Database, log: HubLog) -> str:
    """Begin a log with another name and other keys, into which every act is taken anew; returns its name.

    The tiles of the old one are kept beside it. Readers who know the old log have to be told: for them it
    ends here.
    """
    with log.publisher.exclusive(wait=True):
        old = log.origin
        new = _next_origin(old)
        folder = log.publisher.folder
        tiles = folder / "tile"
        if tiles.exists():
            tiles.rename(_free(folder, old))
        log.publisher.checkpoints.clear()
        with database.write() as uow:
            uow.execute(delete(log_entry))
            uow.execute(update(outbox).values(log_index=None))
            uow.execute(delete(log_state))
        log.keys.start_over(new)
        log.publisher.forget_signed()
    return new


def _next_origin(old: str) -> str:
    """`hub.example.org/log`, `hub.example.org/log/2`, `hub.example.org/log/3`, and so on."""
    base, _, last = old.rpartition("/")
    return f"{base}/{int(last) + 1}" if last.isascii() and last.isdecimal() else f"{old}/2"


def _free(folder: Path, origin: str) -> Path:
    name = f"former-{sha256(origin.encode()).hexdigest()[:16]}"
    number = 1
    while (folder / name).exists():
        number += 1
        name = f"{name.partition('.')[0]}.{number}"
    return folder / name


def _check_rows(database: Database, found: LogCheck) -> None:
    """Each statement belongs to its entry, and all entries to the root that the database says."""
    frontier = Frontier()
    with database.read() as uow:
        state = log_size(uow)
        while frontier.size < state.size:
            entries = entries_in_order(uow, frontier.size, min(frontier.size + _STEP, state.size))
            if not entries:
                found.add(f"the database has no entry {frontier.size}")
                break
            for number, entry in enumerate(entries, frontier.size):
                if entry.number != number:
                    found.add(f"the database has no entry {number}")
                    return
                _check_entry(entry, found)
            frontier = frontier.extended(leaf_hash(entry.entry) for entry in entries)
    found.entries = frontier.size
    if frontier.root != state.root:
        found.add("the entries of the database do not have the root that it says")


def _check_entry(entry: LogEntry, found: LogCheck) -> None:
    if entry.statement is None or entry.salt is None:
        return
    try:
        said = read_canonical_json(entry.entry)
    except NotCanonical as error:
        found.add(f"entry {entry.number}: {error.message}")
        return
    commitment = sha256(entry.salt + entry.statement).hexdigest()
    if not isinstance(said, dict) or said.get("commitment") != commitment:
        found.add(f"entry {entry.number} does not commit to its statement")
    else:
        found.statements += 1


def _check_served(database: Database, log: HubLog, found: LogCheck) -> None:
    """Read the log as a stranger does, and compare its entries with those of the database."""

    def fetch(path: str, _at_most_bytes: int, /) -> bytes:
        if path != "checkpoint":
            return log.file(path)
        note = log.checkpoint()
        if note is None:
            raise LogUnsigned
        return bytes(note)

    known = KnownLog(log.origin, tuple(map(read_verifier_key, log.log_keys)))
    checkpoint = fetch_checkpoint(fetch, known).checkpoint
    served = TiledLog(fetch, checkpoint)
    for begin in range(0, checkpoint.size, _STEP):
        end = min(begin + _STEP, checkpoint.size)
        with database.read() as uow:
            kept = [entry.entry for entry in entries_in_order(uow, begin, end)]
        if list(served.entries(begin, end)) != kept:
            found.add(f"the entries {begin} to {end} are served otherwise than they are kept")
