"""Documents that name files by keys of their own: of MLflow, Core ML, TensorFlow.js, cards of datasets."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from allmende.formats import JsonValue
from allmende.scan.configs.config_rules import OUTSIDE_PATH
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.scanning import Scan

__all__ = ["examine_named_files"]

_FLAVOR_FILES: Final = frozenset(
    ("code", "data", "pickled_model", "model_path", "path", "env", "model_data", "artifacts",
     "saved_model_dir", "model_binary", "python_model", "extra_files")
)  # fmt: skip
_ADDRESS: Final = re.compile(r"(?i)[a-z][a-z0-9+.-]{1,20}:|//")


def examine_named_files(value: Mapping[str, JsonValue], scan: Scan) -> None:
    """Find the files that lie outside of the folder of the document."""
    for key, text, may_be_address in _named(value):
        if is_outside(text) or (not may_be_address and _ADDRESS.match(text)):
            scan.found(OUTSIDE_PATH, text, inside=key)


def _named(value: Mapping[str, JsonValue]) -> Iterator[tuple[str, str, bool]]:
    """The key, the text of each file, and whether an address is ordinary there."""
    flavors = value.get("flavors")
    for flavor in flavors.values() if isinstance(flavors, dict) else ():
        for key in sorted(_FLAVOR_FILES & flavor.keys()) if isinstance(flavor, dict) else ():
            yield from ((f"flavors.{key}", text, False) for text in _texts(flavor, key))
    for config in _dicts(value.get("configs")):
        for key in ("data_files", "data_dir"):
            yield from ((f"configs.{key}", text, True) for text in _texts(config, key))
    items = value.get("itemInfoEntries")
    for item in items.values() if isinstance(items, dict) else ():
        yield from (("itemInfoEntries.path", text, False) for text in _texts(item, "path"))
    for group in _dicts(value.get("weightsManifest")):
        yield from (("weightsManifest.paths", text, False) for text in _texts(group, "paths"))


def _dicts(value: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    yield from (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _texts(owner: "JsonValue | Mapping[str, JsonValue]", key: str) -> Iterator[str]:
    """All texts under a key, at any depth."""
    waiting = [owner.get(key)] if isinstance(owner, Mapping) else []
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict):
            waiting += inner.values()
        elif isinstance(inner, list):
            waiting += inner
