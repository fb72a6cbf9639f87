"""The small files of a revision that its record is made from: configurations, and what publishers supply."""

from collections.abc import Callable, Iterable
from typing import cast

from allmende.flows.reading import open_content
from allmende.flows.services import Services
from allmende.flows.tree_digests import TreeFile
from allmende.formats import JsonObject, MalformedJson, read_json_object
from allmende.ids import GitOid, RepoId, Sha256, is_sha256
from allmende.registry import held_contents, read_blob

__all__ = ["json_objects", "small_files"]

_JSON_DEPTH = 64


def small_files(
    services: Services,
    repo_id: RepoId,
    tree: Iterable[TreeFile],
    wanted: Callable[[str], bool],
    max_bytes: int,
    most: int,
) -> dict[str, bytes]:
    """The bytes of the files whose paths are wanted, by path: of at most `most` files, the first ones.

    Files larger than `max_bytes`, links, and files whose bytes the repo does not hold are left out. Raises
    NotFound when the store has lost bytes that the repo holds.
    """
    chosen = [
        file for file in tree if not file.is_link and file.size_bytes <= max_bytes and wanted(file.path)
    ]
    return {file.path: data for file in chosen[:most] if (data := _read(services, repo_id, file)) is not None}


def json_objects(files: dict[str, bytes], max_bytes: int) -> dict[str, JsonObject]:
    """Those that are JSON objects; the examination says what is wrong with others."""
    found: dict[str, JsonObject] = {}
    for path, data in files.items():
        try:
            found[path] = read_json_object(data, max_bytes, _JSON_DEPTH)
        except MalformedJson:
            continue
    return found


def _read(services: Services, repo_id: RepoId, file: TreeFile) -> bytes | None:
    if not is_sha256(file.key):
        with services.database.read() as uow:
            return read_blob(uow, repo_id, cast(GitOid, file.key))
    sha256 = Sha256(file.key)
    with services.database.read() as uow:
        content = held_contents(uow, repo_id, [sha256]).get(sha256)
    if content is None:
        return None
    with open_content(services, content) as reader:
        return reader.read(file.size_bytes)
