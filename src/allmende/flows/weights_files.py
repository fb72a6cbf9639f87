"""The weight files of a revision: which they are, the name of their weights, and opening them as a model."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from typing import TypeGuard

from allmende.errors import NotFound
from allmende.facts import ContentKey, Declared, HeldWeights, WeightsFile
from allmende.flows.file_verdicts import file_verdicts
from allmende.flows.reading import open_content, plain_file
from allmende.flows.services import Services
from allmende.formats import JsonObject, JsonValue, MalformedJson, read_json_object
from allmende.ids import GitOid, RepoId, Sha256, WeightsId, is_sha256
from allmende.registry import held_contents, read_blob
from allmende.storage import Content
from allmende.weights import (
    MappedFile,
    Model,
    Place,
    StreamPlace,
    UnreadableWeights,
    choose_weights,
    open_places,
)

__all__ = [
    "ADAPTER_CONFIG",
    "MAX_CONFIG_BYTES",
    "chosen_files",
    "config_file",
    "declared_bases",
    "opened",
    "weights_id_of",
    "with_paths",
    "without_paths",
]

ADAPTER_CONFIG = "adapter_config.json"
_CONFIGS = ("config.json", ADAPTER_CONFIG)
MAX_CONFIG_BYTES = 1024 * 1024
_JSON_DEPTH = 64
_MAX_NAME_CHARS = 200


def chosen_files(files: Sequence[WeightsFile]) -> list[WeightsFile]:
    """Of the files of a revision those that hold its weights, by path."""
    by_path = {file.path: file for file in files}
    return [by_path[path] for path in choose_weights(by_path)]


def config_file(files: Sequence[WeightsFile]) -> WeightsFile | None:
    """The configuration that goes with the weights: of an adapter its own."""
    by_path = {file.path: file for file in files}
    return next((by_path[path] for path in _CONFIGS if path in by_path), None)


def weights_id_of(files: Sequence[WeightsFile]) -> WeightsId:
    """The name of weights: the same wherever the same contents are, under whatever paths."""
    keys = sorted({file.key for file in files})
    return WeightsId(hashlib.sha256("\n".join(keys).encode()).hexdigest())


def declared_bases(card: Mapping[str, JsonValue] | None, adapter: JsonObject | None) -> list[Declared]:
    """The bases that a card and the configuration of an adapter name, each once, as they write them."""
    said = card or {}
    relation = said.get("base_model_relation")
    known = relation if isinstance(relation, str) and len(relation) <= 16 else None
    bases = said.get("base_model")
    found = [
        Declared(name, known) for name in (bases if isinstance(bases, list) else [bases]) if _is_name(name)
    ]
    of_adapter = (adapter or {}).get("base_model_name_or_path")
    if _is_name(of_adapter) and of_adapter.lower() not in {base.name.lower() for base in found}:
        found.append(Declared(of_adapter, "adapter"))
    return list({base.name.lower(): base for base in reversed(found)}.values())[::-1]


def without_paths(sentence: str, files: Iterable[WeightsFile]) -> str:
    """A sentence about files that names them by their contents: the same bytes have other paths elsewhere,
    and who has them there need not know.
    """
    for file in sorted(files, key=lambda file: -len(file.path)):
        sentence = sentence.replace(file.path, file.key)
    return sentence


def with_paths(sentence: str, files: Iterable[WeightsFile]) -> str:
    """The same sentence for somebody who has the contents under these paths."""
    for file in files:
        sentence = sentence.replace(file.key, file.path)
    return sentence


@contextmanager
def opened(services: Services, held: HeldWeights, name: str) -> Iterator[Model]:
    """The model that a revision holds, under this name, to be used within the block.

    Raises UnreadableWeights, also where bytes are missing or the scan has stopped a file, and NoWeights.
    """
    _refuse_stopped(services, held)
    with ExitStack() as stack:
        places = _places(services, stack, held.repo_id, held.files)
        yield open_places(name, places, _config(services, stack, held))


def _refuse_stopped(services: Services, held: HeldWeights) -> None:
    with services.database.read() as uow:
        verdicts = file_verdicts(services, uow, held.repo_id, [(file.path, file.key) for file in held.files])
    stopped = sorted(path for path, verdict in verdicts.items() if verdict.is_stopped)
    if stopped:
        raise UnreadableWeights(f"The scan stopped {stopped[0]}: what it holds is not looked into.")


def _places(
    services: Services, stack: ExitStack, repo_id: RepoId, files: Sequence[WeightsFile]
) -> list[Place]:
    with services.database.read() as uow:
        contents = held_contents(uow, repo_id, [_sha256(file.key) for file in files if is_sha256(file.key)])
        inline = {
            file.key: read_blob(uow, repo_id, GitOid(file.key)) for file in files if not is_sha256(file.key)
        }
    places: list[Place] = []
    for file in files:
        if file.key in inline:
            data = inline[file.key]
            places.append(StreamPlace(file.path, BytesIO(data), len(data)))
        else:
            places.append(_stored(services, stack, file.path, contents.get(_sha256(file.key))))
    return places


def _stored(services: Services, stack: ExitStack, path: str, content: Content | None) -> Place:
    if content is None:
        raise UnreadableWeights(f"The repo does not hold the bytes of {path} any more.")
    located = plain_file(services, content)
    if located is not None:
        # It may have been packed since it was looked up.
        with suppress(FileNotFoundError):
            return MappedFile(path, located.path)
    try:
        reader = stack.enter_context(open_content(services, content))
    except NotFound as error:
        raise UnreadableWeights(f"The bytes of {path} are missing from the store.") from error
    return StreamPlace(path, reader, content.size_bytes)


def _config(services: Services, stack: ExitStack, held: HeldWeights) -> JsonObject:
    if held.config is None or held.config.size_bytes > MAX_CONFIG_BYTES:
        return {}
    (place,) = _places(services, stack, held.repo_id, [held.config])
    try:
        return read_json_object(bytes(place.read_at(0, place.size_bytes)), MAX_CONFIG_BYTES, _JSON_DEPTH)
    except MalformedJson:
        return {}


def _sha256(key: ContentKey) -> Sha256:
    return Sha256(key)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARS
