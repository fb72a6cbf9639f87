"""HDF5 files: what leads out of them, and the Keras configuration in their attributes."""

from typing import Final

from allmende.formats import MalformedJson, read_json
from allmende.scan.code.secrets import examine_secrets
from allmende.scan.containers.member_paths import is_outside
from allmende.scan.findings import Rule, Severity
from allmende.scan.graphs.hdf5 import find_superblock, walk_hdf5
from allmende.scan.graphs.hdf5_objects import objects_of_heaps
from allmende.scan.graphs.keras_config import examine_keras_config
from allmende.scan.scanning import LIMIT_REACHED, Claim, Probe, Reader, Scan, Unreadable
from allmende.scan.source import Source

__all__ = ["READER", "RULES"]

EXTERNAL_DATA = Rule(
    "hdf5-external-data",
    Severity.CRITICAL,
    "reads other files of the machine",
    "Data sets or groups of the file lie in other files, whose names it gives: loading it reads them.",
    "Copy the data into the file.",
    "CVE-2025-9905 and related; HDF5 documentation, external links, external storage and virtual datasets.",
)
USERBLOCK = Rule(
    "hdf5-userblock",
    Severity.HIGH,
    "begins with foreign bytes",
    "The HDF5 data begin only behind a block of something else, which other programs see as the file.",
    "Save the model again.",
    "HDF5 documentation, user block.",
)
PLUGIN_FILTER = Rule(
    "hdf5-plugin-filter",
    Severity.MEDIUM,
    "needs a filter from outside",
    "The data are compressed by a filter that HDF5 loads as a library of machine code.",
    "Save the data with gzip or without compression.",
    "HDF5 documentation, filter plugins.",
)
RULES = (EXTERNAL_DATA, USERBLOCK, PLUGIN_FILTER)

_KNOWN_FILTERS: Final = frozenset((*range(1, 7), 305, 307, 32000, 32001, 32004, 32008, 32013, 32015, 32026))
_MATLAB: Final = b"MATLAB 7"  # version 7.3 is HDF5 behind a block that says so
_MAX_CONFIG_BYTES: Final = 64 * 1024 * 1024
_MAX_DEPTH: Final = 300
_MANY_ELEMENTS: Final = 2**31
_ELEMENTS_OF_BYTE: Final = 1000
"""What compression does to zeros; more than that is claimed and not there."""


def _claims(probe: Probe) -> Claim:
    found = find_superblock(probe.source)
    if found is not None:
        return Claim.CONTENT
    return Claim.NAME if probe.hint == "keras" else Claim.NONE


def _read(source: Source, scan: Scan) -> None:
    """Walk the file. Raises Unreadable, LimitReached."""
    found = walk_hdf5(source)
    if found.userblock_bytes and not source.read_at(0, 20).startswith(_MATLAB):
        scan.found(USERBLOCK, source.read_at(0, 32), offset=0)
        scan.inside("user block", source.window(0, found.userblock_bytes), raw=True)
    if found.largest_elements > max(_MANY_ELEMENTS, _ELEMENTS_OF_BYTE * source.size_bytes):
        scan.found(LIMIT_REACHED, f"a data set of {found.largest_elements} elements")
    for name in (
        *found.external_links,
        *found.external_files,
        *(name for name in found.virtual_files if name != "."),
    ):
        scan.found(EXTERNAL_DATA, name)
        if name and not is_outside(name):
            scan.refers("external_data", name)
    for kind in found.foreign_links:
        scan.found(EXTERNAL_DATA, f"link of type {kind}")
    for number in sorted(found.filters - _KNOWN_FILTERS):
        scan.found(PLUGIN_FILTER, f"filter {number}")
    for name, value in found.pickled:
        scan.inside(f"attribute {name}", Source.of_bytes(value), raw=True)
    if any(name == "PSEUDOATOM" and text.startswith("object") for name, text in found.attributes):
        _examine_objects(source, scan)
    for name, text in found.attributes:
        examine_secrets(text, scan, name)
        if name in {"model_config", "training_config"} or text.startswith('{"class_name"'):
            _examine_json(name, text, scan)


def _examine_objects(source: Source, scan: Scan) -> None:
    """PyTables keeps objects as pickles in arrays of varying length, whose elements lie in global heaps."""
    for number, value in enumerate(objects_of_heaps(source)):
        scan.inside(f"object {number}", Source.of_bytes(value), raw=True)


def _examine_json(name: str, text: str, scan: Scan) -> None:
    try:
        value = read_json(text.encode("utf-8", "replace"), _MAX_CONFIG_BYTES, _MAX_DEPTH)
    except MalformedJson as error:
        raise Unreadable(f"The attribute {name} is no JSON: {error.message}") from None
    examine_keras_config(value, scan, name)


READER = Reader("hdf5", "hdf5", _claims, _read)
