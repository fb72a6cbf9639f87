"""Graphs: Keras, HDF5, ONNX, TensorFlow, TorchScript, TensorFlow Lite and XML, hostile and ordinary."""

import base64
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.pickles import global_call

__all__ = ["cases"]


# --- protocol buffers ----------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    """A number of the wire format."""
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a number, or anything with a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def external(location: str, **more: str) -> bytes:
    """A tensor whose data lie elsewhere."""
    entries = {"location": location, **more}
    listed = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries.items())
    return field(1, 4) + field(2, 1) + field(8, "w") + listed + field(14, 1)


def onnx(graph: bytes, *, domain: str = "", more: bytes = b"") -> bytes:
    """A model with this graph."""
    return field(1, 8) + field(2, "test") + field(7, graph) + field(8, field(1, domain) + field(2, 17)) + more


def node(operator: str, domain: str = "", attributes: bytes = b"") -> bytes:
    """A node of a graph of ONNX."""
    return field(
        1,
        field(1, "x")
        + field(2, "y")
        + field(4, operator)
        + (field(7, domain) if domain else b"")
        + attributes,
    )


def _onnx() -> Iterator[tuple[str, Label, bytes]]:
    for number, path in enumerate(
        ("/etc/passwd", "../../x", "..\\x", "C:\\x", "https://x/y", "~/x", "a/../../x", "file:///x")
    ):
        yield f"outside-{number}", "malicious", onnx(field(5, external(path)))
    inner = field(1, "g") + field(5, external("/etc/shadow"))
    yield (
        "outside-in-a-subgraph",
        "malicious",
        onnx(node("If", attributes=field(5, field(1, "then") + field(6, inner)))),
    )
    yield (
        "outside-in-a-constant",
        "malicious",
        onnx(node("Constant", attributes=field(5, field(1, "value") + field(5, external("/x"))))),
    )
    yield "outside-in-a-sparse", "malicious", onnx(field(15, field(1, external("/x"))))
    yield (
        "outside-in-a-function",
        "malicious",
        onnx(
            node("F", "local"),
            more=field(
                25,
                field(1, "F")
                + field(7, field(4, "Constant") + field(5, field(1, "value") + field(5, external("/x"))))
                + field(10, "local"),
            ),
        ),
    )
    yield (
        "outside-in-training",
        "malicious",
        onnx(node("Relu"), more=field(20, field(1, field(5, external("/x"))))),
    )
    yield "offset-negative", "malicious", onnx(field(5, external("w.bin", offset="-5")))
    yield "offset-no-number", "malicious", onnx(field(5, external("w.bin", offset="0x10")))
    yield "length-huge", "malicious", onnx(field(5, external("w.bin", length="9" * 30)))
    yield "attribute-injected", "malicious", onnx(field(5, external("w.bin", __class__="x")))
    yield "python-operator", "malicious", onnx(node("PyOp", "ai.onnx.contrib"))
    yield "cut-off", "malicious", onnx(field(5, external("w.bin")))[:-4] + b"\xff\xff"
    yield "custom-operator", "policy", onnx(node("MyOp", "my.company.ops"))
    yield "extensions", "policy", onnx(node("BertTokenizer", "ai.onnx.contrib"))
    yield "sound", "benign", onnx(node("Relu"))
    yield "sound-external", "benign", onnx(field(5, external("weights.bin", offset="0", length="16")))
    yield "sound-microsoft", "benign", onnx(node("FusedMatMul", "com.microsoft"))


def graph_def(*operators: str) -> bytes:
    """A bare graph of TensorFlow."""
    return b"".join(
        field(1, field(1, f"n{number}") + field(2, operator)) for number, operator in enumerate(operators)
    )


def saved_model(graph: bytes) -> bytes:
    """A saved model with this graph."""
    return field(1, 1) + field(2, field(1, field(4, "serve")) + field(2, graph))


def _tensorflow() -> Iterator[tuple[str, Label, bytes]]:
    for operator in (
        "ReadFile",
        "WriteFile",
        "PyFunc",
        "EagerPyFunc",
        "MatchingFiles",
        "WholeFileReaderV2",
        "PyFuncStateless",
    ):
        yield f"saved-{operator}", "malicious", saved_model(graph_def("Placeholder", operator, "Identity"))
        yield f"bare-{operator}", "malicious", graph_def("Placeholder", "Const", "Identity", operator)
        function = field(2, field(1, field(1, field(1, "f")) + field(3, field(1, "n") + field(2, operator))))
        yield (
            f"function-{operator}",
            "malicious",
            saved_model(graph_def("Placeholder", "Const", "Identity") + function),
        )
    yield (
        "sound",
        "benign",
        saved_model(graph_def("Placeholder", "MatMul", "SaveV2", "RestoreV2", "Identity")),
    )


# --- Keras ---------------------------------------------------------------------------------------------


def layer(
    name: str,
    config: dict[str, Any] | str | None = None,
    module: str | None = "keras.layers",
    registered: str | None = None,
) -> dict[str, Any]:
    """A layer as Keras 3 writes it."""
    return {
        "module": module,
        "class_name": name,
        "config": config or {"name": "x"},
        "registered_name": registered,
    }


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    """A sequential model of these layers."""
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": list(layers)},
        "registered_name": None,
    }


def archive(config: dict[str, Any]) -> bytes:
    """A `.keras` file with this configuration."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as members:
        members.writestr("metadata.json", '{"keras_version": "3.9.0"}')
        members.writestr("config.json", json.dumps(config))
        members.writestr("model.weights.h5", hdf5(lambda _file: None))
    return out.getvalue()


def hdf5(fill: Callable[[h5py.File], None], **options: Any) -> bytes:
    """An HDF5 file that h5py writes; without times, so that it is always the same."""
    out = io.BytesIO()
    with h5py.File(out, "w", **options) as file:
        fill(file)
    return out.getvalue()


def _keras() -> Iterator[tuple[str, Label, dict[str, Any]]]:
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    yield "lambda", "malicious", model(layer("Lambda", {"function": code}))
    yield (
        "lambda-old",
        "malicious",
        model(layer("Lambda", {"function": ["4wEAAAA=", None, None]}, module=None)),
    )
    yield (
        "lambda-nested",
        "malicious",
        model(
            layer(
                "TimeDistributed",
                {"layer": layer("Bidirectional", {"layer": layer("Lambda", {"function": code})})},
            )
        ),
    )
    yield "lambda-bare", "malicious", model(layer("Dense", {"activation": code}))
    yield "function-of-os", "malicious", model(layer("system", module="os"))
    yield "function-of-builtins", "malicious", model(layer("eval", module="builtins"))
    yield "function-of-subprocess", "malicious", model(layer("Popen", module="subprocess"))
    yield "get-file", "malicious", model(layer("get_file", {"origin": "https://x/y"}, module="keras.utils"))
    yield (
        "load-model",
        "malicious",
        model(layer("load_model", {"filepath": "x.keras"}, module="keras.models")),
    )
    yield "heap-type", "malicious", model(layer("function", "os.system", module="builtins"))
    yield (
        "in-compile-config",
        "malicious",
        {**model(layer("Dense")), "compile_config": {"loss": layer("system", module="os")}},
    )
    yield (
        "in-build-config",
        "malicious",
        model({**layer("Dense"), "build_config": layer("run", module="subprocess")}),
    )
    yield "tfsm-layer", "malicious", model(layer("TFSMLayer", {"filepath": "x"}))
    wrapped = base64.b64encode(global_call("os", "system")).decode()
    yield "torch-wrapped", "malicious", model(layer("TorchModuleWrapper", {"module": wrapped}))
    for number, path in enumerate(
        ("/etc/passwd", "https://x/y.txt", "../../x.txt", "file:///etc/passwd", "vocab.txt")
    ):
        yield f"vocabulary-{number}", "malicious", model(layer("StringLookup", {"vocabulary": path}))
        yield (
            f"text-vocabulary-{number}",
            "malicious",
            model(layer("TextVectorization", {"vocabulary": path})),
        )
    yield "safe-mode-off", "malicious", model(layer("Dense", {"safe_mode": False}))
    yield (
        "custom",
        "policy",
        model(layer("MyLayer", module="my_package.layers", registered="my_package>MyLayer")),
    )
    yield (
        "ordinary",
        "benign",
        model(
            layer("InputLayer", {"batch_shape": [None, 8]}),
            layer(
                "Dense",
                {
                    "units": 4,
                    "activation": "relu",
                    "kernel_initializer": layer("GlorotUniform", module="keras.initializers"),
                },
            ),
        ),
    )
    yield "ordinary-vocabulary", "benign", model(layer("StringLookup", {"vocabulary": ["a", "b/c"]}))


def _hdf5() -> Iterator[tuple[str, Label, bytes]]:
    def linked(file: h5py.File) -> None:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/y")

    def linked_deep(file: h5py.File) -> None:
        file.create_group("a/b/c")["x"] = h5py.ExternalLink("other.h5", "/y")

    def stored_elsewhere(file: h5py.File) -> None:
        file.create_dataset("x", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
        layout[:] = h5py.VirtualSource("/etc/other.h5", "y", shape=(4,))
        file.create_virtual_dataset("x", layout)

    def ordinary(file: h5py.File) -> None:
        for number in range(30):
            file.create_dataset(f"layer/{number}/w", data=np.ones((3, 4)), compression="gzip")
        file["soft"] = h5py.SoftLink("/layer/1/w")
        file.attrs["names"] = np.array([b"a", b"b"])

    def many_links(file: h5py.File) -> None:
        for number in range(40):
            file[f"l{number}"] = h5py.ExternalLink(f"o{number}.h5", "/y")

    def keras_old(file: h5py.File) -> None:
        file.attrs["model_config"] = json.dumps(
            model(layer("Lambda", {"function": ["4wEA", None, None]}, module=None))
        )

    def keras_ordinary(file: h5py.File) -> None:
        file.attrs["model_config"] = json.dumps(model(layer("Dense", {"units": 3}, module=None)))

    for libver in ("earliest", "latest"):
        yield f"external-link-{libver}", "malicious", hdf5(linked, libver=libver)
        yield f"external-link-deep-{libver}", "malicious", hdf5(linked_deep, libver=libver)
        yield f"external-links-many-{libver}", "malicious", hdf5(many_links, libver=libver)
        yield f"external-storage-{libver}", "malicious", hdf5(stored_elsewhere, libver=libver)
        yield f"keras-lambda-{libver}", "malicious", hdf5(keras_old, libver=libver)
        yield f"ordinary-{libver}", "benign", hdf5(ordinary, libver=libver)
        yield f"keras-ordinary-{libver}", "benign", hdf5(keras_ordinary, libver=libver)
    yield "virtual", "malicious", hdf5(virtual, libver="latest")
    yield "user-block", "malicious", global_call("os", "system").ljust(512, b"\0") + hdf5(ordinary)
    yield "cut-off", "malicious", hdf5(ordinary)[:300]


# --- the rest ------------------------------------------------------------------------------------------


def torchscript(code: str) -> bytes:
    """An archive of TorchScript with this code."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as members:
        members.writestr("m/data.pkl", b"\x80\x02c__torch__\nM\n)\x81}b.")
        members.writestr("m/code/__torch__.py", code)
        members.writestr("m/constants.pkl", b"\x80\x02).")
        members.writestr("m/version", "3\n")
    return out.getvalue()


def tflite(*operators: str) -> bytes:
    """A flatbuffer with these custom operators and nothing else."""
    names = b""
    codes = b""
    start = 12 + 16 + 4 + 4 * len(operators)
    offsets = []
    for _operator in operators:
        vtable = struct.pack("<HHHH", 8, 8, 0, 4)
        offsets.append(start + len(codes) + 8)
        codes += vtable + struct.pack("<iI", 8, 0)
    names_start = start + len(codes)
    fixed_codes = b""
    for number, operator in enumerate(operators):
        table = start + 16 * number + 8
        fixed_codes += struct.pack("<HHHH", 8, 8, 0, 4) + struct.pack(
            "<iI", 8, names_start + len(names) - (table + 4)
        )
        data = operator.encode()
        names += struct.pack("<I", len(data)) + data + bytes(4 - len(data) % 4)
    vector_at = 28
    vector = struct.pack("<I", len(operators)) + b"".join(
        struct.pack("<I", offset - (vector_at + 4 + 4 * number)) for number, offset in enumerate(offsets)
    )
    root_table = struct.pack("<HHHH", 8, 8, 0, 4) + struct.pack("<iI", 8, 4)
    return struct.pack("<I", 20) + b"TFL3" + bytes(4) + root_table + vector + fixed_codes + names


def _others() -> Iterator[tuple[str, str, str, Label, bytes]]:
    good = "class M(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return torch.relu(x)\n"
    yield "torchscript", "sound", "m.pt", "benign", torchscript(good)
    yield (
        "torchscript",
        "save",
        "m.pt",
        "malicious",
        torchscript(good.replace("torch.relu(x)", 'torch.save(x, "/tmp/x")')),
    )
    yield (
        "torchscript",
        "from-file",
        "m.pt",
        "malicious",
        torchscript(good.replace("torch.relu(x)", 'torch.from_file("/etc/passwd")')),
    )
    yield (
        "torchscript",
        "ops-from-file",
        "m.pt",
        "malicious",
        torchscript(good.replace("torch.relu(x)", 'ops.aten.from_file("/x")')),
    )
    yield "torchscript", "import", "m.pt", "malicious", torchscript("import os\n" + good)
    yield (
        "torchscript",
        "custom",
        "m.pt",
        "policy",
        torchscript(good.replace("torch.relu(x)", "ops.my_ops.run(x)")),
    )
    yield "tflite", "flex-read", "m.tflite", "malicious", tflite("FlexReadFile")
    yield "tflite", "custom", "m.tflite", "policy", tflite("MyOp")
    yield "tflite", "known", "m.tflite", "benign", tflite("TFLite_Detection_PostProcess")
    yield "tflite", "broken", "m.tflite", "malicious", b"\xff\xff\xff\x7fTFL3" + bytes(20)
    doctype = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><net><x>&b;</x></net>'
    )
    yield "xml", "entities", "m.xml", "malicious", doctype.encode()
    yield (
        "xml",
        "external-entity",
        "m.pmml",
        "malicious",
        b'<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><PMML/>',
    )
    yield (
        "xml",
        "custom-layer",
        "m.xml",
        "policy",
        b'<?xml version="1.0"?><net name="m"><layers><layer id="0" type="Evil" version="extension"/></layers></net>',
    )
    yield (
        "xml",
        "openvino",
        "m.xml",
        "benign",
        b'<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" type="Relu" version="opset1"/></layers></net>',
    )
    schema = {"__class__": "Popen", "__module__": "subprocess", "__loader__": "ObjectNode", "content": {}}
    for name, value, label in (
        ("popen", schema, "malicious"),
        (
            "function",
            {
                "__class__": "function",
                "__module__": "builtins",
                "__loader__": "FunctionNode",
                "content": {"module_path": "os", "function": "system"},
            },
            "malicious",
        ),
        ("foreign", {**schema, "__class__": "Model", "__module__": "my_package"}, "policy"),
        (
            "known",
            {**schema, "__class__": "LogisticRegression", "__module__": "sklearn.linear_model._logistic"},
            "benign",
        ),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as members:
            members.writestr("schema.json", json.dumps(value))
        yield "skops", name, "m.skops", label, out.getvalue()  # type: ignore[misc]


def cases() -> Iterator[Case]:
    """All of them."""
    for name, label, data in _onnx():
        yield Case("onnx", name, "model.onnx", label, fixed(data))
    for name, label, data in _tensorflow():
        yield Case("tensorflow", name, "saved_model.pb", label, fixed(data))
    for name, label, config in _keras():
        yield Case("keras", name, "model.keras", label, fixed(archive(config)))
        yield Case("keras-json", name, "model.json", label, fixed(json.dumps(config).encode()))
    for name, label, data in _hdf5():
        yield Case("hdf5", name, "model.h5", label, fixed(data))
    for family, name, file_name, label, data in _others():
        yield Case(family, name, file_name, label, fixed(data))
