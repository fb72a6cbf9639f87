"""Pickles that JSON carries or announces: stable-baselines3 writes base64, zarr names a filter."""

import base64
import binascii
import re
from typing import Final

from allmende.formats import JsonValue
from allmende.scan.configs.config_rules import PICKLED_DATA
from allmende.scan.scanning import Scan
from allmende.scan.source import Source

__all__ = ["FILTER_KEYS", "SERIALIZED_KEY", "examine_filters", "examine_serialized"]

SERIALIZED_KEY: Final = ":serialized:"
"""Where stable-baselines3 keeps what JSON cannot say; its loader hands it to cloudpickle."""

FILTER_KEYS: Final = frozenset(("codecs", "compressor", "filters", "object_codec"))
"""Where zarr names what its chunks went through."""

_WHITE: Final = re.compile(r"\s+")


def examine_serialized(value: JsonValue, scan: Scan, path: str) -> None:
    """Look into a pickle in base64. What is none is told as such: the loader would take it all the same."""
    if not isinstance(value, str):
        return
    try:
        data = base64.b64decode(_WHITE.sub("", value))
    except (binascii.Error, ValueError):
        scan.found(PICKLED_DATA, value[:80], inside=path)
        return
    scan.inside(path, Source.of_bytes(data), hint="pickle")


def examine_filters(value: JsonValue, scan: Scan, path: str) -> None:
    """Say which arrays of zarr are pickles chunk by chunk."""
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict):
            continue
        for key in ("id", "name"):
            name = item.get(key)
            if isinstance(name, str) and name.rpartition(".")[2] == "pickle":
                scan.found(PICKLED_DATA, name, inside=path)
