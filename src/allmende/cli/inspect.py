"""`allmende inspect`: everything that the files alone say, offline and without a hub."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from allmende.cli.exits import FOUND, OK
from allmende.cli.output import AsJson, printable, say, say_json, size_text

if TYPE_CHECKING:
    from allmende.cli.inspection import Inspected
    from allmende.formats import JsonObject, JsonValue

__all__ = ["inspect"]

_PROGRESS_EVERY_S = 0.2
_MAX_ODD = 20
_ODD = {
    "zero": "of zeros alone",
    "constant": "of one value alone",
    "nan": "with NaN",
    "infinite": "with infinite values",
}


def inspect(
    path: Annotated[Path, Parameter(help="A file or a folder.")],
    /,
    *,
    type_: Annotated[
        Literal["model", "dataset", "space"], Parameter(name="--type", help="What the folder is meant to be.")
    ] = "model",
    tensors: Annotated[bool, Parameter(help="List every tensor too.")] = False,
    values: Annotated[
        bool, Parameter(help="Read every value: tell tensors that are zero, all equal or not finite.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Say what files are and what their headers, card and configuration say; nothing in them is run.

    The exit code is 1 when a file cannot be read as what it is.
    """
    from allmende.cli.inspection import inspect_file, list_files, summarise
    from allmende.cli.inspection_weights import WEIGHT_FORMATS, summarise_weights
    from allmende.cli.progress import ReadingProgress

    progress = _Progress()
    files: list[Inspected] = []
    for name, place in list_files(path):
        found = inspect_file(name, place, with_tensors=tensors)
        files.append(found)
        progress.add(found)
        if not as_json:
            progress.clear()
            _say_file(found)
    progress.clear()
    summary = summarise(path, files, type_)
    if type_ == "model" and any(file.format in WEIGHT_FORMATS for file in files):
        with ReadingProgress() as reading:
            weights = summarise_weights(path, values=values, tell=reading.tell)
        if weights is not None:
            summary["weights"] = weights
    if as_json:
        say_json(
            "allmende.inspect/1",
            {"path": str(path), "files": [file.document() for file in files], "summary": summary},
        )
    else:
        _say_summary(summary)
    return FOUND if any(file.error is not None for file in files) else OK


class _Progress:
    """A line on the terminal that says how far it is; nothing where no terminal is."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = time.monotonic() + _PROGRESS_EVERY_S
        self._files = 0
        self._size_bytes = 0

    def add(self, found: "Inspected") -> None:
        self._files += 1
        self._size_bytes += found.size_bytes
        if self._shown and time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_EVERY_S
            line = f"\r\x1b[K{self._files} files, {size_text(self._size_bytes)}"
            print(line, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _say_file(found: "Inspected") -> None:
    words = [found.format, *([found.detail] if found.detail else [])]
    if found.name_disagrees:
        words.append("not what its name says")
    say(f"{printable(found.path)}: {size_text(found.size_bytes)}, {', '.join(map(printable, words))}")
    for name, header in found.headers.items():
        if isinstance(header, dict) and name == "weights_error":
            say(f"    no tensors read: {printable(str(header['error']))}")
        elif isinstance(header, dict):
            _say_header(header)
    if found.error is not None:
        say(f"    unreadable: {printable(str(found.error['error']))}")


def _say_header(header: "JsonObject") -> None:
    for name in ("architecture", "quantization", "context_length"):
        if header.get(name) is not None:
            say(f"    {name.replace('_', ' ')}: {printable(str(header[name]))}")
    parameters = header["parameters"]
    by_type = ", ".join(f"{dtype} {count}" for dtype, count in _pairs(parameters))
    say(f"    {header['total']} parameters in {header['tensor_count']} tensors ({printable(by_type)})")
    tensors = header.get("tensors", [])
    for tensor in tensors if isinstance(tensors, list) else []:
        if isinstance(tensor, dict):
            say("    " + printable(" ".join(str(value) for value in tensor.values())))


def _say_summary(summary: "JsonObject") -> None:
    say()
    say(f"{summary['files']} files, {size_text(int(str(summary['size_bytes'])))}")
    for name in ("library_name", "pipeline_tag"):
        if summary.get(name) is not None:
            say(f"{name}: {printable(str(summary[name]))}")
    tags = summary.get("tags")
    if isinstance(tags, list) and tags:
        say(f"tags: {printable(', '.join(map(str, tags)))}")
    weights = summary.get("weights")
    if isinstance(weights, dict):
        _say_weights(weights)
    card = summary.get("card")
    if isinstance(card, dict):
        _say_card(card)
    if summary["unreadable"]:
        say(f"{summary['unreadable']} files cannot be read as what they are")


def _say_weights(weights: "JsonObject") -> None:
    if "error" in weights:
        say(f"weights cannot be read: {printable(str(weights['error']))}")
        return
    types = ", ".join(f"{dtype} {count}" for dtype, count in _pairs(weights["dtypes"]))
    layers = ", ".join(f"{count} in {stack}" for stack, count in _pairs(weights["layers"]))
    size = f"{weights['parameters']} parameters in {weights['tensor_count']} tensors"
    say(f"weights: {size} ({printable(types)})")
    if layers:
        say(f"layers: {printable(layers)}")
    problems = weights["problems"]
    for problem in problems if isinstance(problems, list) else []:
        say(f"weights not read: {printable(str(problem))}")
    for what, count in _pairs(weights.get("odd_counts", {})):
        say(f"tensors {_ODD[what]}: {count}")
    odd = weights.get("odd", [])
    for one in odd[:_MAX_ODD] if isinstance(odd, list) else []:
        if isinstance(one, dict):
            say(f"    {one['what']}: {printable(str(one['tensor']))} ({one['count']} values)")


def _say_card(card: "JsonObject") -> None:
    for key, value in _pairs(card["data"]):
        say(f"card {printable(key)}: {printable(str(value))[:200]}")
    for kind in ("errors", "warnings"):
        messages = card[kind]
        for message in messages if isinstance(messages, list) else []:
            say(f"card {kind[:-1]}: {printable(str(message))}")


def _pairs(value: "JsonValue") -> list[tuple[str, "JsonValue"]]:
    return list(value.items()) if isinstance(value, dict) else []
