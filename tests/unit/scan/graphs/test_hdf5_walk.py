"""The walk over HDF5 files, against files that the library itself writes."""

import io
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmende.scan import Source
from allmende.scan.budget import LimitReached
from allmende.scan.graphs.hdf5 import find_superblock, walk_hdf5
from allmende.scan.scanning import Unreadable

VERSIONS = ("earliest", "latest", "v110", "v114")


def written(fill: Callable[[h5py.File], None], **options: Any) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as file:
        fill(file)
    return out.getvalue()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("count", [0, 8, 9, 300])
def test_every_external_link_is_found_however_many_others_there_are(
    version: str, ordered: bool, count: int
) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(count):
            file[f"l{number}"] = h5py.ExternalLink(f"f{number}.h5", "/x")

    found = walk_hdf5(Source.of_bytes(written(fill, libver=version, track_order=ordered)))
    assert sorted(found.external_links) == sorted(f"f{number}.h5" for number in range(count))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("count", [1, 9, 300])
def test_every_text_attribute_is_read(version: str, ordered: bool, count: int) -> None:
    def fill(file: h5py.File) -> None:
        for number in range(count):
            file.attrs[f"fixed{number}"] = np.bytes_(f"value {number}")
            file.attrs[f"free{number}"] = f"free {number}"
        file.attrs["number"] = 3.5

    found = walk_hdf5(Source.of_bytes(written(fill, libver=version, track_order=ordered)))
    expected = [(f"fixed{n}", f"value {n}") for n in range(count)] + [
        (f"free{n}", f"free {n}") for n in range(count)
    ]
    assert sorted(found.attributes) == sorted(expected)


@pytest.mark.parametrize("others", [0, 50])
def test_an_attribute_too_large_for_a_block_is_read_whole(others: int) -> None:
    text = "x" * 200_000

    def fill(file: h5py.File) -> None:
        for number in range(others):
            file.attrs[f"a{number}"] = np.bytes_("y" * 100)
        file.attrs["large"] = np.bytes_(text)

    found = walk_hdf5(Source.of_bytes(written(fill, libver="latest")))
    assert ("large", text) in found.attributes


def test_the_list_of_a_model_with_many_layers_is_read() -> None:
    names = [f"layer_{number}".encode() for number in range(500)]
    data = written(lambda file: file.attrs.__setitem__("layer_names", np.array(names)))
    (attribute,) = walk_hdf5(Source.of_bytes(data)).attributes
    assert attribute[0] == "layer_names"


@pytest.mark.parametrize("version", VERSIONS)
def test_all_sources_of_a_virtual_dataset_are_named(version: str) -> None:
    def fill(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(3, 100), dtype="f4")
        layout[0] = h5py.VirtualSource("a.h5", "y", shape=(100,))
        layout[1, ::2] = h5py.VirtualSource("b.h5", "y", shape=(100,))[::2]
        layout[2] = h5py.VirtualSource("c.h5", "y", shape=(100,))
        file.create_virtual_dataset("v", layout)

    found = walk_hdf5(Source.of_bytes(written(fill, libver=version)))
    assert sorted(found.virtual_files) == ["a.h5", "b.h5", "c.h5"]


def test_all_files_of_external_storage_are_named() -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", shape=(4,), dtype="f4", external=[("a", 0, 8), ("b", 0, h5py.h5f.UNLIMITED)])

    assert walk_hdf5(Source.of_bytes(written(fill))).external_files == ["a", "b"]


def test_filters_are_numbered() -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("x", data=np.ones((9, 9)), compression="gzip", shuffle=True, fletcher32=True)

    assert walk_hdf5(Source.of_bytes(written(fill))).filters == {1, 2, 3}


@pytest.mark.parametrize("offset", [0, 512, 1024, 65536])
def test_the_superblock_is_found_where_the_library_finds_it(offset: int) -> None:
    data = b"#".ljust(offset, b"\0")[:offset] + written(lambda _file: None)
    assert find_superblock(Source.of_bytes(data)) == offset


def test_a_superblock_at_another_place_is_none() -> None:
    assert find_superblock(Source.of_bytes(bytes(100) + written(lambda _file: None))) is None


def sample(version: str) -> bytes:
    def fill(file: h5py.File) -> None:
        for number in range(30):
            file.create_group(f"g{number}").attrs["name"] = f"n{number}"
            file.attrs[f"a{number}"] = np.bytes_("y" * 60)
        file["out"] = h5py.ExternalLink("other.h5", "/x")
        file.create_dataset("x", data=np.ones((9, 9)), compression="gzip")

    return written(fill, libver=version)


SAMPLES = tuple(sample(version) for version in ("earliest", "latest"))


def walked(data: bytes) -> None:
    try:
        walk_hdf5(Source.of_bytes(data))
    except (Unreadable, LimitReached):
        return


@pytest.mark.parametrize("data", SAMPLES)
def test_a_beginning_of_a_file_is_read_or_refused(data: bytes) -> None:
    for end in range(0, len(data), 331):
        walked(data[:end])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 60_000), st.binary(min_size=1, max_size=8)), max_size=6),
)
def test_a_damaged_file_is_read_or_refused(data: bytes, damage: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(data)
    for place, piece in damage:
        at = place % len(damaged)
        damaged[at : at + len(piece)] = piece
    walked(bytes(damaged))
