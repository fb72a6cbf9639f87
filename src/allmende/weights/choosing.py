"""Which of the files of a folder hold its weights, told by their names alone.

A folder may hold the same weights several times over, in other formats, precisions or stages of a training;
one set is chosen. Beside the weights lie the state of an optimiser, tokenisers and adapters, which are none.
"""

import re
from collections.abc import Iterable, Mapping

__all__ = ["choose_weights", "holds_onnx_numbers", "index_of", "layout_of"]

_ENDINGS: Mapping[str, re.Pattern[str]] = {
    "safetensors": re.compile(r".*\.safetensors", re.IGNORECASE),
    "gguf": re.compile(r".*\.gguf", re.IGNORECASE),
    "torch": re.compile(r".*\.(?:pt|pth|bin|ckpt)", re.IGNORECASE),
    "onnx": re.compile(r".*\.onnx", re.IGNORECASE),
    "npz": re.compile(r".*\.(?:npz|npy)", re.IGNORECASE),
}
"""The layouts in the order of preference; those whose headers say all and cannot run code come first."""

_NO_WEIGHTS = re.compile(
    r"(?:optimizer|optim|scheduler|scaler|training_args|rng_state|random_states|trainer_state|tokenizer|vocab"
    r"|openvino|zero_pp_rank|mmproj|imatrix)[._-].*|.*(?:optim_states|_optimizer)\.\w+",
    re.IGNORECASE,
)
_ADAPTER = re.compile(r"adapter_model.*|pytorch_lora_weights.*", re.IGNORECASE)
_DUPLICATE = re.compile(r"consolidated\b.*", re.IGNORECASE)
_VARIANT = re.compile(r".*\.(?:fp16|bf16|fp32|non_ema|ema|int8)[.-].*", re.IGNORECASE)
_SHARD = re.compile(r"(?P<stem>.+)-\d+-of-\d+(?P<ending>\.\w+)")
_STEMS = ("model", "pytorch_model", "diffusion_pytorch_model")
_ONNX_VARIANT = re.compile(r".*_(?:quantized|fp16|int8|uint8|bnb4|q4|q4f16|q8|optimized).*", re.IGNORECASE)
_ONNX_DATA = re.compile(r".*\.onnx(?:_data(?:_\d+)?|\.data)", re.IGNORECASE)
_PRECISION = re.compile(
    r"(?P<float>f32|fp32|bf16|f16|fp16)|(?:i?q)(?P<bits>\d)(?:_(?P<kind>k_l|k_m|k_s|k|1|0))?", re.IGNORECASE
)
_CHECKPOINT = re.compile(r"(?:.*/)?(?:checkpoint|global_step|step)[-_]?(?P<step>\d{1,18})")


def layout_of(name: str) -> str | None:
    """The layout that a file's name promises: `safetensors`, `gguf`, `torch`, `onnx`, `npz`."""
    return next((layout for layout, ending in _ENDINGS.items() if ending.fullmatch(name)), None)


def holds_onnx_numbers(name: str) -> bool:
    """Whether a file's name is one of those in which ONNX models keep their numbers."""
    return _ONNX_DATA.fullmatch(name) is not None


def choose_weights(names: Iterable[str]) -> list[str]:
    """Of the files of a folder (paths within it) those that hold its weights, sorted.

    Those in sub-folders count only where the folder itself has none. Files with the numbers of an ONNX model
    are among the answer.
    """
    folders: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    here = _choose([folders.pop("", [])])
    return here or _choose(_without_checkpoints(folders))


def index_of(chosen: list[str], names: Iterable[str]) -> str | None:
    """The index file that lists the shards of the chosen weights, if there is one."""
    listed = set(names)
    for name in chosen:
        shard = _SHARD.fullmatch(name)
        if shard and (index := f"{shard['stem']}{shard['ending']}.index.json") in listed:
            return index
    return None


def _choose(folders: list[list[str]]) -> list[str]:
    """The weights of the first layout that any of these folders has; adapters only where there is no more."""
    for wanted in (_is_whole, _is_adapter):
        for layout in _ENDINGS:
            sets = [
                _one_set(layout, found, names)
                for names in folders
                if (found := [name for name in names if layout_of(name) == layout and wanted(_base(name))])
            ]
            if sets:
                return sorted(name for names in _one_of(layout, sets) for name in names)
    return []


def _is_whole(base: str) -> bool:
    return not _NO_WEIGHTS.fullmatch(base) and not _ADAPTER.fullmatch(base)


def _is_adapter(base: str) -> bool:
    return _ADAPTER.fullmatch(base) is not None


def _one_set(layout: str, found: list[str], beside: list[str]) -> list[str]:
    """One set of weights among files of one layout in one folder."""
    if layout == "gguf":
        return _most_precise(found)
    if layout == "onnx":
        main = [name for name in found if _base(name).lower() == "model.onnx"]
        plain = main or _unless_all(found, _ONNX_VARIANT)
        stems = tuple(plain)
        return plain + [name for name in beside if holds_onnx_numbers(name) and name.startswith(stems)]
    plain = _unless_all(_unless_all(found, _VARIANT), _DUPLICATE)
    for stem in _STEMS:
        single = [name for name in plain if _base(name).rpartition(".")[0] == stem]
        shards = [
            name for name in plain if (shard := _SHARD.fullmatch(_base(name))) and shard["stem"] == stem
        ]
        if shards and (not single or index_of(shards, beside)):
            return shards
        if single:
            return single
    return plain


def _one_of(layout: str, sets: list[list[str]]) -> list[list[str]]:
    # Folders of GGUF files are other precisions of one model; those of other layouts are its parts.
    return [_most_precise([name for names in sets for name in names])] if layout == "gguf" else sets


def _unless_all(names: list[str], unwanted: re.Pattern[str]) -> list[str]:
    return [name for name in names if not unwanted.fullmatch(_base(name))] or names


def _most_precise(names: list[str]) -> list[str]:
    """The file, or all parts of the split file, whose name tells of the finest numbers."""
    sets: dict[str, list[str]] = {}
    for name in names:
        shard = _SHARD.fullmatch(name)
        sets.setdefault(shard["stem"] if shard else name, []).append(name)
    return max(sets.items(), key=lambda entry: (_precision(_base(entry[0])), entry[0]))[1]


def _precision(base: str) -> tuple[int, str]:
    found = list(_PRECISION.finditer(base))
    if not found:
        return 0, ""
    last = found[-1]
    if last["float"]:
        return (32 if "32" in last["float"] else 16), ""
    return int(last["bits"]), (last["kind"] or "").lower()


def _without_checkpoints(folders: Mapping[str, list[str]]) -> list[list[str]]:
    """All folders but those of a training's stages; where there is nothing else, the last stage."""
    stages = sorted((folder for folder in folders if _step(folder) >= 0), key=_step)
    others = [names for folder, names in folders.items() if folder not in stages]
    if _choose(others):
        return others
    return next(([folders[folder]] for folder in reversed(stages) if _choose([folders[folder]])), [])


def _step(folder: str) -> int:
    found = _CHECKPOINT.fullmatch(folder)
    return int(found["step"]) if found else -1


def _base(name: str) -> str:
    return name.rpartition("/")[2]
