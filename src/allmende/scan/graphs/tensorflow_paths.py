"""Constants of a TensorFlow graph that are names of files, and the operators that open what they are given.

Saving and restoring are in every saved model, with a name that comes from outside, and so are tables that are
filled from an asset. A constant that leads out of the folder, given to one of them, is neither.
"""

import re
from collections.abc import Iterator
from typing import Final

from allmende.scan.containers.member_paths import is_outside
from allmende.scan.graphs.protobuf import LENGTH, Message
from allmende.scan.scanning import Unreadable

__all__ = ["constant_paths", "is_machine_path"]

_NODE_NAME, _OPERATOR, _INPUT, _ATTRIBUTE = 1, 2, 3, 5
_KEY, _VALUE, _TENSOR, _TEXTS = 1, 2, 8, 8
_LIST_OF_VALUE, _TEXT_OF_VALUE = 1, 2
_MAX_CHARS: Final = 400
_OPENING: Final = frozenset(
    ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "Save", "SaveV2", "SaveSlices",
    "Restore",
     "RestoreV2", "RestoreSlice", "MergeV2Checkpoints", "TextLineDataset", "TFRecordDataset",
     "TFRecordDatasetV2",
     "FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "LMDBDataset", "CSVDataset", "CSVDatasetV2",
     "MatchingFilesDataset", "ShardedFilename", "ShardedFilespec", "CheckpointExists", "DeleteFile",
     "CopyFile",
     "BoostedTreesDeserializeEnsemble", "FileExists", "SparseFileDataset", "GenerateBigQueryReaderPartitions",
     "ReadFile", "WriteFile", "MatchingFiles", "WriteTrainingPredictions", "LookupTableImportFromFile")
)  # fmt: skip
_PASSING: Final = frozenset(("Identity", "IdentityN", "StringJoin", "Pack", "PackV2", "ExpandDims",
"Reshape", "Select",
                             "SelectV2", "StringStrip", "ConcatV2", "Placeholder",
                             "PlaceholderWithDefault", "Switch",
                             "Merge", "Snapshot", "PreventGradient", "StopGradient", "AsString"))  # fmt: skip
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}://")
_MACHINE: Final = re.compile(
    r"(?i)^/(?:etc|proc|dev|sys|root|bin|sbin|boot|usr|lib|opt|var/(?:spool|run|www|lib|log))(?:/|$)|(?:^|"
    r"/)\.(?:ssh|aws|bashrc|"
    r"profile|netrc|kube|docker|zshrc|config)|^[a-z]:[\\/](?:windows|programdata|users)|authorized_keys|"
    r"cron|\.py$|\.so$|\.sh$|"
    r"^\\\\|^~|(?:^|[/\\])\.\.[/\\]"
)


def is_machine_path(text: str) -> bool:
    """Whether a name of a file leads where systems keep their own, or out of the folder, or to an address."""
    if len(text) > _MAX_CHARS or not text.isprintable():
        return False
    return bool(_ADDRESS.match(text)) or (is_outside(text) and _MACHINE.search(text) is not None)


def constant_paths(graph: Message, number: int) -> Iterator[tuple[str, str]]:
    """Operators that open files among the nodes in field `number`, with a constant that leads out.

    Constants are followed through what passes them on. Nothing where the message is no graph.
    """
    constants: dict[str, str] = {}
    passing: dict[str, list[str]] = {}
    opening: list[tuple[str, list[str]]] = []
    try:
        for field in graph.fields():
            if field.number == number and field.wire == LENGTH:
                _collect(graph.inner(field), constants, passing, opening)
    except Unreadable:
        return
    if not constants:
        return
    for operator, inputs in opening:
        for name in _reached(inputs, passing):
            if name in constants:
                yield operator, constants[name]


def _collect(
    node: Message,
    constants: dict[str, str],
    passing: dict[str, list[str]],
    opening: list[tuple[str, list[str]]],
) -> None:
    name = operator = ""
    inputs: list[str] = []
    for part in node.fields():
        if part.wire != LENGTH:
            continue
        if part.number == _NODE_NAME:
            name = node.text_of(part)
        elif part.number == _OPERATOR:
            operator = node.text_of(part)
        elif part.number == _INPUT:
            inputs.append(node.text_of(part).lstrip("^").partition(":")[0])
    if operator in {"Const", "HostConst"}:
        for text in _texts(node):
            if is_machine_path(text):
                constants[name] = text
    elif operator in _OPENING:
        opening.append((operator, inputs))
    elif operator in _PASSING:
        passing[name] = inputs


def _texts(node: Message) -> Iterator[str]:
    """The texts of a constant; tensors of numbers have none."""
    for part in node.fields():
        if part.number != _ATTRIBUTE or part.wire != LENGTH or part.size_bytes > 64 * 1024:
            continue
        attribute = node.inner(part)
        if attribute.text(_KEY) != "value":
            continue
        for field in attribute.fields():
            if field.number != _VALUE or field.wire != LENGTH:
                continue
            value = attribute.inner(field)
            for inner in value.fields():
                if inner.number == _TENSOR and inner.wire == LENGTH:
                    tensor = value.inner(inner)
                    for text in tensor.fields():
                        if text.number == _TEXTS and text.wire == LENGTH and text.size_bytes <= _MAX_CHARS:
                            yield tensor.text_of(text)


def _reached(inputs: list[str], passing: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(inputs)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += passing.get(name, ())
    return seen
