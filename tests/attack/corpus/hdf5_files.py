"""HDF5 files whose way out lies in dense storage, in huge objects, in shared types or behind other sources."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import h5py
import numpy as np

from tests.attack.corpus.case import Case, Label
from tests.attack.corpus.graphs import hdf5

__all__ = ["cases"]

_CONFIG = {
    "class_name": "Sequential",
    "config": {"layers": [{"class_name": "Lambda", "config": {"function": ["4wEA", None, None]}}]},
}
Fill = Callable[[h5py.File], None]


def links(count: int, target: str) -> Fill:
    """Groups, and among them one link that leads out."""

    def fill(file: h5py.File) -> None:
        for number in range(count):
            file.create_group(f"g{number}")
        file["out"] = h5py.ExternalLink(target, "/x")

    return fill


def attributes(count: int, padding: int = 0) -> Fill:
    """Attributes, and among them the configuration of a model with code."""

    def fill(file: h5py.File) -> None:
        for number in range(count):
            file.attrs[f"a{number}"] = np.bytes_("x" * 40)
        file.attrs["model_config"] = np.bytes_(json.dumps({**_CONFIG, "name": "n" * padding}))

    return fill


def shared_type(file: h5py.File) -> None:
    """The type of the attribute is an object of its own."""
    file["type"] = h5py.string_dtype()
    file.attrs.create("model_config", json.dumps(_CONFIG), dtype=file["type"])


def virtual(file: h5py.File) -> None:
    """The first sources are the file itself; the last is not."""
    file["y"] = np.zeros(100, "f4")
    layout = h5py.VirtualLayout(shape=(3, 100), dtype="f4")
    layout[0] = h5py.VirtualSource(".", "y", shape=(100,))
    layout[1, ::2] = h5py.VirtualSource(".", "y", shape=(100,))[::2]
    layout[2] = h5py.VirtualSource("/etc/other.h5", "y", shape=(100,))
    file.create_virtual_dataset("v", layout)


def virtual_inside(file: h5py.File) -> None:
    """All sources are the file itself."""
    file["y"] = np.zeros(100, "f4")
    layout = h5py.VirtualLayout(shape=(100,), dtype="f4")
    layout[:] = h5py.VirtualSource(".", "y", shape=(100,))
    file.create_virtual_dataset("v", layout)


def storage(file: h5py.File) -> None:
    """Two files of raw data, the second outside."""
    file.create_dataset(
        "x", shape=(4,), dtype="f4", external=[("near.raw", 0, 8), ("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    )


def ordinary(file: h5py.File) -> None:
    """Large groups, large attributes, and all the filters that come with HDF5."""
    for number in range(200):
        file.create_group(f"g{number}").attrs["weight_names"] = np.array([b"kernel:0", b"bias:0"])
    for name, options in (("gzip", {"compression": "gzip"}), ("lzf", {"compression": "lzf"})):
        file.create_dataset(
            name, data=np.ones((30, 30)), chunks=(8, 8), shuffle=True, fletcher32=True, **options
        )
    for number in range(40):
        file.attrs[f"a{number}"] = np.bytes_("x" * 100)
    file.attrs["texts"] = np.array(["one", "two"], dtype=object)
    file.attrs["note"] = "os.system and eval are only words here"
    file["hard"] = file["gzip"]
    file["soft"] = h5py.SoftLink("/gzip")


def _files() -> Iterator[tuple[str, Label, Fill, dict[str, Any]]]:
    for version in ("earliest", "latest"):
        for ordered in (False, True):
            options: dict[str, Any] = {"libver": version, "track_order": ordered}
            name = f"{version}-{'ordered' if ordered else 'plain'}"
            yield f"links-few-{name}", "malicious", links(3, "/etc/passwd"), options
            yield f"links-dense-{name}", "malicious", links(60, "../../x.h5"), options
            yield f"links-in-a-tree-{name}", "malicious", links(1500, "x.h5"), options
            yield f"link-huge-{name}", "malicious", links(40, "/" * 9000 + "etc/passwd"), options
            yield f"attributes-dense-{name}", "malicious", attributes(60), options
            yield f"type-shared-{name}", "malicious", shared_type, options
            yield f"virtual-last-{name}", "malicious", virtual, options
            yield f"storage-second-{name}", "malicious", storage, options
            yield f"ordinary-{name}", "benign", ordinary, options
            yield f"virtual-inside-{name}", "benign", virtual_inside, options
    for ordered in (False, True):
        options = {"libver": "latest", "track_order": ordered}
        yield f"attribute-huge-{ordered}", "malicious", attributes(3, 100_000), options
        yield f"attribute-huge-dense-{ordered}", "malicious", attributes(60, 100_000), options


def cases() -> Iterator[Case]:
    """All of them."""
    for name, label, fill, options in _files():
        yield Case("hdf5-storage", name, "model.h5", label, partial(hdf5, fill, **options))
    yield Case(
        "hdf5-storage", "user-block-far", "model.h5", "malicious",
        lambda: b"#!/bin/sh\n".ljust(4096, b"\0") + hdf5(ordinary),
    )  # fmt: skip
