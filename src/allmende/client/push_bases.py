"""Files of this machine that can serve as bases of what is pushed: they lie here, and the hub has them too.

Where they are looked for: in repos that are named, whose files lie in the Hugging Face cache or were pulled
into a folder; in folders that are named; in the repo that is pushed to; and in what its card calls its base.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from allmende.client.connection import Connection
from allmende.client.listing import RemoteRepo, list_snapshot
from allmende.client.local_files import LocalFiles
from allmende.client.uploads import known_to
from allmende.errors import BadRequest, Forbidden, NotFound, Unauthorized
from allmende.formats import Malformed, parse_card
from allmende.ids import Sha256
from allmende.packing import has_tensors
from allmende.weights import ReadFile

__all__ = ["LocalBase", "card_bases", "find_bases", "sha256_of"]

_BLOCK_BYTES = 1024 * 1024
_MOST_BASES = 64
_LEAST_BYTES = 64 * 1024
_MAX_CARD_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalBase:
    """A file with weights, here and on the hub."""

    path: Path
    sha256: Sha256


def find_bases(
    hub: Connection,
    target: RemoteRepo,
    named: Sequence[str],
    guessed: Sequence[str],
    local: LocalFiles,
    stop: threading.Event,
) -> list[LocalBase]:
    """The bases, those that are named first; at most 64 files.

    `named` are repos (namespace/name, with @revision) or folders. Raises NotFound and what else the hub says
    against a repo that is named, and BadRequest where a folder that is named has no weights.
    """
    found: dict[Sha256, LocalBase] = {}
    for one in named:
        folder = Path(one).expanduser()
        files = _in_folder(folder, stop) if folder.exists() else _of_repo(hub, one, local)
        _keep(found, files)
    for one in guessed:
        try:
            _keep(found, _of_repo(hub, one, local))
        except (BadRequest, Forbidden, NotFound, Unauthorized):
            continue  # nobody has said that it is there
    sizes = [(base.sha256, base.path.stat().st_size) for base in found.values()]
    known = known_to(hub, target, sizes) if sizes else frozenset()
    return list(islice(_sound(found.values(), known, stop), _MOST_BASES))


def card_bases(card: Path) -> list[str]:
    """The repos that a model card names as the model's base; none where it has none or cannot be read."""
    try:
        with card.open("rb") as file:
            found = parse_card(file.read(_MAX_CARD_BYTES).decode("utf-8", "replace"))
    except (Malformed, FileNotFoundError, NotADirectoryError):
        return []
    named = found.data.get("base_model")
    listed = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return [one for one in listed if isinstance(one, str)]


def sha256_of(path: Path, stop: threading.Event, told: Callable[[int], None] = lambda _: None) -> Sha256:
    """The SHA-256 of a file. Raises InterruptedError when `stop` is set."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if stop.is_set():
                raise InterruptedError
            digest.update(block)
            told(len(block))
    return Sha256(digest.hexdigest())


def _keep(found: dict[Sha256, LocalBase], files: Iterable[LocalBase]) -> None:
    for one in files:
        found.setdefault(one.sha256, one)


def _of_repo(hub: Connection, named: str, local: LocalFiles) -> list[LocalBase]:
    """Files of a revision of a model that lie here, under the hash that the hub gives them."""
    name, _, revision = named.partition("@")
    snapshot = list_snapshot(hub, RemoteRepo("model", name), revision or "main")
    large = [
        file.sha256 for file in snapshot.files if file.sha256 is not None and file.size_bytes >= _LEAST_BYTES
    ]
    return [LocalBase(path, sha256) for sha256, path in local.find(large).items()]


def _in_folder(folder: Path, stop: threading.Event) -> Iterator[LocalBase]:
    paths = [folder] if folder.is_file() else sorted(one for one in folder.rglob("*") if one.is_file())
    for path in paths:
        if path.stat().st_size >= _LEAST_BYTES and has_tensors(ReadFile(path.name, path)):
            yield LocalBase(path, sha256_of(path, stop))


def _sound(
    bases: Iterable[LocalBase], known: frozenset[Sha256], stop: threading.Event
) -> Iterator[LocalBase]:
    """Those that the hub has for the caller, and whose bytes here are what their names say."""
    for base in bases:
        if base.sha256 in known and sha256_of(base.path, stop) == base.sha256:
            yield base
