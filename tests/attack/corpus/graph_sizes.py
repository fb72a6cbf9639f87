"""Graphs that ask for more memory than there is, ONNX in its text forms, and what they name outside."""

import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import h5py

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.graphs import field, layer, model, node, onnx

__all__ = ["cases"]


def _shaped(operator: str, *shape: int, raw: bool = True) -> bytes:
    """A graph whose operator takes its shape from an initializer."""
    numbers = (
        field(9, struct.pack(f"<{len(shape)}q", *shape)) if raw else b"".join(field(7, n) for n in shape)
    )
    tensor = field(5, field(1, len(shape)) + field(2, 7) + field(8, "s") + numbers)
    inputs = field(1, "s") if operator == "ConstantOfShape" else field(1, "x") + field(1, "s")
    return onnx(field(1, inputs + field(2, "y") + field(4, operator)) + tensor)


def _context(place: str) -> bytes:
    mode = field(5, field(1, "embed_mode") + field(3, 0) + field(20, 2))
    return onnx(
        node("EPContext", "com.microsoft", mode + field(5, field(1, "ep_cache_context") + field(4, place)))
    )


def _onnx() -> Iterator[tuple[str, str, Label, bytes]]:
    for operator in ("ConstantOfShape", "Expand", "Tile"):
        yield f"bomb-{operator}", "m.onnx", "malicious", _shaped(operator, 2**20, 2**20)
        yield f"bomb-{operator}-numbers", "m.onnx", "malicious", _shaped(operator, 2**20, 2**20, raw=False)
        yield f"ordinary-{operator}", "m.onnx", "benign", _shaped(operator, 16, 1024)
    yield "context-outside", "m.onnx", "malicious", _context("../../x.so")
    yield "context-absolute", "m.onnx", "malicious", _context("/tmp/x.bin")
    yield "context-inside", "m.onnx", "benign", _context("model_ctx.bin")
    for number, path in enumerate(("../../x", "/etc/passwd", "file:///x")):
        text = f'<ir_version: 8, opset_import: ["" : 17]>\ng (float x) => (float y) <float[4] w = ["location": "{path}"]> {{}}'
        yield f"text-{number}", "m.onnxtxt", "malicious", text.encode()
        entries = [{"key": "location", "value": path}]
        value = {"irVersion": "8", "graph": {"initializer": [{"name": "w", "externalData": entries}]}}
        yield f"json-{number}", "m.onnxjson", "malicious", json.dumps(value).encode()
        proto = f'ir_version: 8\ngraph {{ initializer {{ external_data {{ key: "location" value: "{path}" }} }} }}'
        yield f"proto-{number}", "m.textproto", "malicious", proto.encode()
    inside = b'ir_version: 8\ngraph { initializer { external_data { key: "location" value: "w.bin" } } }'
    yield "proto-inside", "m.textproto", "benign", inside


def _hdf5(count: int) -> bytes:
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file.create_dataset("w", shape=(count,), chunks=(1024,), dtype="f4")
    return data.getvalue()


def _dense(**config: Any) -> bytes:
    return json.dumps(model(layer("Dense", {"name": "d", **config}))).encode()


def cases() -> Iterator[Case]:
    """All of them."""
    for name, file_name, label, data in _onnx():
        yield Case("onnx-sizes", name, file_name, label, fixed(data))
    yield Case("hdf5-sizes", "claimed", "m.weights.h5", "malicious", fixed(_hdf5(2**40)))
    yield Case("hdf5-sizes", "sparse", "m.weights.h5", "benign", fixed(_hdf5(2**20)))
    yield Case("keras-sizes", "units", "model.json", "malicious", fixed(_dense(units=10**12)))
    huge = json.dumps(
        model(layer("Embedding", {"name": "e", "input_dim": 10**8, "output_dim": 10**7}))
    ).encode()
    yield Case("keras-sizes", "embedding", "model.json", "malicious", fixed(huge))
    yield Case("keras-sizes", "ordinary", "model.json", "benign", fixed(_dense(units=4096)))
    topology = {"model_config": model(layer("Lambda", {"name": "l", "function": ["YwAA"]}))}
    wrapped = {"format": "layers-model", "modelTopology": topology, "weightsManifest": []}
    yield Case("keras-sizes", "tfjs-lambda", "model.json", "malicious", fixed(json.dumps(wrapped).encode()))
