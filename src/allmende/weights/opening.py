"""Opening a model: reading the headers of the files that hold its weights, and joining what they hold.

The first layout that is there is read, of: safetensors (one file or shards with an index), GGUF, torch
checkpoints, ONNX, npz. Nothing in them is run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from allmende.formats import JsonObject, Malformed, identify_file, read_json_object
from allmende.weights.choosing import choose_weights, holds_onnx_numbers, index_of, layout_of
from allmende.weights.errors import NoWeights, UnreadableWeights
from allmende.weights.joining import join_quantised
from allmende.weights.models import Model
from allmende.weights.places import MappedFile, Place
from allmende.weights.reading_gguf import read_gguf_tensors
from allmende.weights.reading_npz import read_npz_tensors
from allmende.weights.reading_onnx import Beside, read_onnx_tensors
from allmende.weights.reading_safetensors import read_safetensors_tensors
from allmende.weights.reading_torch import read_torch_tensors
from allmende.weights.streams import stream_of
from allmende.weights.tensors import WeightTensor

__all__ = ["open_model", "open_places", "read_tensors"]

_CONFIGS = ("config.json", "adapter_config.json")
_MAX_CONFIG_BYTES = 1024 * 1024
_MAX_INDEX_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 3
_MAX_FILES = 20_000
_BY_CONTENT: Mapping[str, str] = {
    "safetensors": "safetensors", "gguf": "gguf", "torch_zip": "torch", "pickle": "torch", "onnx": "onnx",
    "npz": "npz", "npy": "npz",
}  # fmt: skip

_Read = tuple[list[WeightTensor], Mapping[str, str]]


def open_model(path: Path) -> Model:
    """The model in a folder or in one file. Raises NoWeights, or UnreadableWeights when no file holds."""
    if not path.is_dir():
        return open_places(path.name, [MappedFile(path.name, path)], beside=_files_of(path.parent))
    names = _names_in(path)
    chosen, problems = _by_index(path, choose_weights(names), names)
    if not chosen:
        raise NoWeights(f"There are no weights in {path}.")
    places = [MappedFile(name, path / name) for name in chosen]
    return open_places(path.name, places, _config_of(path), beside=_files_of(path), problems=problems)


def open_places(
    name: str,
    places: Sequence[Place],
    config: JsonObject | None = None,
    *,
    beside: Beside | None = None,
    problems: Sequence[str] = (),
) -> Model:
    """The model that these files hold together; files that cannot be read are told in `problems`.

    Tensors of files in several folders have the folder before their names. `beside` opens files that an ONNX
    model keeps its numbers in, by their paths; without it they are sought among the places.
    """
    tensors: dict[str, WeightTensor] = {}
    metadata: dict[str, str] = {}
    told = list(problems)
    layout = ""
    prefixes = _prefixes(places)
    for place in places:
        kind = _layout(place)
        if kind is None:
            continue
        try:
            listed, said = _read(kind, place, beside or _among(places))
        except (Malformed, UnreadableWeights) as error:
            told.append(f"{place.name}: {error.message}")
            continue
        layout = layout or kind
        metadata |= said
        told += _add(tensors, listed, prefixes[place.name], place.name)
    if not tensors:
        if told:
            raise UnreadableWeights(" ".join(told)[:1000])
        raise NoWeights(f"There are no weights in {name}.")
    joined, unfit = join_quantised(tensors, config or {})
    return Model(name, layout, joined, config or {}, metadata, (*told, *unfit))


def read_tensors(place: Place) -> tuple[str, list[WeightTensor], Mapping[str, str]]:
    """The layout of one file, its tensors as they lie there, and its metadata.

    Raises NoWeights for what is none of the layouts, Malformed and UnreadableWeights for what cannot be read.
    """
    kind = _layout(place)
    if kind is None:
        raise NoWeights(f"There are no weights in {place.name}.")
    listed, said = _read(kind, place, _among([place]))
    return kind, listed, said


def _add(tensors: dict[str, WeightTensor], listed: list[WeightTensor], prefix: str, place: str) -> list[str]:
    told = []
    for tensor in listed:
        name = prefix + tensor.name
        if name in tensors:
            told.append(f"{place}: the tensor {name[:200]} is there twice.")
        else:
            tensors[name] = WeightTensor(name, tensor.dtype, tensor.shape, tensor.source)
    return told


def _read(kind: str, place: Place, beside: Beside) -> _Read:
    if kind == "onnx":
        folder = place.name.rpartition("/")[0]
        return read_onnx_tensors(place, lambda name: beside(f"{folder}/{name}" if folder else name))
    readers = {
        "safetensors": read_safetensors_tensors,
        "gguf": read_gguf_tensors,
        "torch": read_torch_tensors,
        "npz": read_npz_tensors,
    }
    return readers[kind](place)


def _layout(place: Place) -> str | None:
    """What the name promises; what the first bytes show where it promises nothing."""
    promised = layout_of(place.name)
    if promised is not None or holds_onnx_numbers(place.name):
        return promised
    return _BY_CONTENT.get(identify_file(stream_of(place), place.size_bytes, place.name).name)


def _prefixes(places: Sequence[Place]) -> dict[str, str]:
    folders = {place.name: place.name.rpartition("/")[0] for place in places}
    several = len(set(folders.values())) > 1
    return {
        name: f"{folder.replace('/', '.')}." if several and folder else "" for name, folder in folders.items()
    }


def _among(places: Sequence[Place]) -> Beside:
    by_name = {place.name: place for place in places}
    return by_name.get


# --- folders -----------------------------------------------------------------------------------------------


def _files_of(folder: Path) -> Beside:
    def found(name: str) -> Place | None:
        # The reader has refused paths that lead out of the folder.
        path = folder / name
        return MappedFile(name, path) if path.is_file() else None

    return found


def _names_in(folder: Path) -> list[str]:
    """The files of a folder and of those below it, three levels deep, by their paths within it."""
    names: list[str] = []
    waiting = [(folder, "", 0)]
    while waiting and len(names) < _MAX_FILES:
        here, prefix, depth = waiting.pop(0)
        for entry in sorted(here.iterdir()):
            if entry.is_file():
                names.append(prefix + entry.name)
            elif entry.is_dir() and depth < _MAX_DEPTH and not entry.name.startswith("."):
                waiting.append((entry, f"{prefix}{entry.name}/", depth + 1))
    return names


def _by_index(folder: Path, chosen: list[str], names: list[str]) -> tuple[list[str], list[str]]:
    """The shards that the index of the chosen files names, and what is wrong with it."""
    index = index_of(chosen, names)
    if index is None:
        return chosen, []
    try:
        listed = read_json_object(_beginning(folder / index, _MAX_INDEX_BYTES), _MAX_INDEX_BYTES).get(
            "weight_map"
        )
    except Malformed as error:
        return chosen, [f"{index}: {error.message}"]
    if not isinstance(listed, dict) or not all(isinstance(shard, str) for shard in listed.values()):
        return chosen, [f"{index}: it does not say which tensor is where."]
    parent = index.rpartition("/")[0]
    shards = {f"{parent}/{shard}" if parent else str(shard) for shard in listed.values()}
    missing = sorted(shards - set(names))
    told = [f"{index}: the shard {shard[:200]} is missing." for shard in missing[:10]]
    return sorted(shards & set(names)) or chosen, told


def _config_of(folder: Path) -> JsonObject:
    for name in _CONFIGS:
        path = folder / name
        if path.is_file():
            try:
                return read_json_object(_beginning(path, _MAX_CONFIG_BYTES), _MAX_CONFIG_BYTES)
            except Malformed:
                return {}
    return {}


def _beginning(path: Path, most: int) -> bytes:
    """The file, or a little more than can be read of it."""
    with path.open("rb") as file:
        return file.read(most + 1)
