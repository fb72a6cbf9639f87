"""Graphs written so that a reader who expects the usual order, spelling or nesting passes over what they do."""

import json
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.graphs import (
    external,
    field,
    graph_def,
    node,
    onnx,
    saved_model,
    tflite,
    torchscript,
    varint,
)

__all__ = ["cases"]

File = tuple[str, str, str, Label, bytes]


def _onnx() -> Iterator[File]:
    outside = external("/etc/passwd")

    def file(name: str, label: Label, data: bytes) -> File:
        return "onnx-hidden", name, "model.onnx", label, data

    yield file("graph-first", "malicious", field(7, field(5, outside)) + field(1, 8))
    yield file("version-twice", "malicious", field(1, 8) + field(1, 8) + field(7, field(5, outside)))
    yield file(
        "like-a-flatbuffer",
        "malicious",
        field(1, 8) + field(2, "ORTM") + field(1, 8) + field(7, field(5, outside)),
    )
    yield file("second-graph", "malicious", onnx(node("Relu")) + field(7, field(5, outside)))
    function = field(1, "F") + field(10, "local") + field(11, field(1, "a") + field(5, outside))
    yield file("default-of-a-function", "malicious", onnx(node("F", "local"), more=field(25, function)))
    deep = field(5, outside)
    for _ in range(8):
        deep = node("If", attributes=field(5, field(1, "b") + field(6, field(2, "g") + deep)))
    yield file("eight-graphs-deep", "malicious", onnx(deep))
    yield file(
        "graphs-in-a-list",
        "malicious",
        onnx(node("Scan", attributes=field(5, field(1, "b") + field(11, field(5, outside))))),
    )
    yield file(
        "tensors-in-a-list",
        "malicious",
        onnx(node("X", attributes=field(5, field(1, "b") + field(10, outside)))),
    )
    yield file(
        "sparse-attribute",
        "malicious",
        onnx(node("X", attributes=field(5, field(1, "b") + field(22, field(1, outside))))),
    )
    yield file("sparse-indices", "malicious", onnx(field(15, field(2, outside))))
    yield file(
        "long-number-of-a-field",
        "malicious",
        onnx(field(5, field(8, "w") + varint((1 << 35) | (13 << 3) | 2) + varint(0))),
    )
    for number, place in enumerate(
        (
            "..",
            "a/../../b",
            "/",
            "C:x",
            "\\\\host\\share",
            "~root/x",
            "a\0b",
            "",
            "FILE:x",
            "a\\..\\..\\b",
            "\n/etc/passwd",
        )
    ):
        yield file(f"place-{number}", "malicious", onnx(field(5, external(place))))
    yield file("base-path", "malicious", onnx(field(5, external("w.bin", basepath="/etc"))))
    for number, value in enumerate(
        ("-1", "1e3", "0x1", " 1", "9223372036854775808", "00000000000000000000000001", "\u0661")
    ):
        yield file(f"offset-{number}", "malicious", onnx(field(5, external("w.bin", offset=value))))
    yield file(
        "key-twice",
        "malicious",
        onnx(field(5, external("w.bin") + field(13, field(1, "location") + field(2, "x")))),
    )
    packed = field(1, varint(1 << 40) + varint(1 << 40))
    yield file("dimensions-overflow", "malicious", onnx(field(5, packed + field(8, "w"))))
    yield file("dimension-negative", "malicious", onnx(field(5, field(1, -1) + field(8, "w"))))
    own = field(1, "Other") + field(10, "my.ops")
    yield file("function-as-a-cloak", "policy", onnx(node("Evil", "my.ops"), more=field(25, own)))
    yield file("package-without-function", "policy", onnx(node("Evil", "pkg.evil")))
    own = field(1, "Mine") + field(10, "pkg.torch") + field(7, field(4, "Relu"))
    yield file("own-function", "benign", onnx(node("Mine", "pkg.torch"), more=field(25, own)))
    weights = field(1, varint(2) + varint(3)) + field(2, 1) + field(8, "w") + field(9, bytes(24))
    yield file("weights-inside", "benign", onnx(field(5, weights)))
    yield file(
        "words",
        "benign",
        onnx(node("Relu"), more=field(14, field(1, "note") + field(2, "os.system('../../x')"))),
    )


def _tensorflow() -> Iterator[File]:
    def file(name: str, label: Label, data: bytes, called: str = "saved_model.pb") -> File:
        return "tensorflow-hidden", name, called, label, data

    bad = graph_def("Placeholder", "Const", "ReadFile")
    yield file("metas-first", "malicious", field(2, field(2, bad)) + field(1, 1))
    yield file("no-version", "malicious", field(2, field(2, bad)))
    yield file("bare-version-first", "malicious", field(4, field(1, 1286)) + bad, "frozen.bin")
    yield file("bare-small", "malicious", graph_def("WriteFile"), "frozen.pb")
    yield file(
        "bare-odd-name-first", "malicious", graph_def("my>Op", "Const", "ReadFile", "Const"), "frozen.bin"
    )
    yield file("meta-graph", "malicious", field(1, field(4, "train")) + field(2, bad), "model.ckpt.meta")
    yield file("second-meta", "malicious", saved_model(graph_def("Placeholder")) + field(2, field(2, bad)))
    printing = field(
        1,
        field(1, "p")
        + field(2, "PrintV2")
        + field(5, field(1, "output_stream") + field(2, field(2, "file:///tmp/x"))),
    )
    yield file("print-to-a-file", "malicious", saved_model(graph_def("Placeholder", "Const") + printing))
    plain = printing.replace(b"file:///tmp/x", b"stderr://////")
    yield file("print", "benign", saved_model(graph_def("Placeholder", "Const") + plain))
    for operator in (
        "LoadAndRemapMatrix",
        "DatasetToTFRecord",
        "CreateSummaryFileWriter",
        "SaveDatasetV2",
        "FileSystemSetConfiguration",
    ):
        yield file(f"writes-{operator}", "malicious", saved_model(graph_def("Placeholder", operator)))
    yield file("custom", "policy", saved_model(graph_def("Placeholder", "MyCompanyOp")))
    yield file("custom-namespace", "policy", saved_model(graph_def("Placeholder", "Addons>Resampler")))
    yield file("pipeline", "policy", saved_model(graph_def("TFRecordDataset", "Identity")))
    name = field(
        2, field(1, field(1, field(1, "__inference_f_1")) + field(3, field(1, "n") + field(2, "MatMul")))
    )
    yield file(
        "own-function",
        "benign",
        saved_model(graph_def("Placeholder", "__inference_f_1", "StatefulPartitionedCall") + name),
    )
    yield file(
        "checkpoints",
        "benign",
        saved_model(
            graph_def(
                "SaveV2",
                "RestoreV2",
                "MergeV2Checkpoints",
                "ShardedFilename",
                "VarHandleOp",
                "HashTableV2",
                "InitializeTableFromTextFileV2",
            )
        ),
    )
    for number, text in enumerate(
        (
            'node { name: "n" op: "ReadFile" }',
            "node{name:'n' op:'PyFunc'}",
            'node { op:\n # x\n "Read" "File" }',
            'node { op: "Read\\x46ile" }',
            'node { op: "Read\\106ile" }',
            "# x\n" * 3000 + 'node < op: "WriteFile" >',
        )
    ):
        yield file(f"text-{number}", "malicious", text.encode(), "graph.pbtxt")
    yield file("text-ordinary", "benign", b'node {\n  name: "ReadFile"\n  op: "Identity"\n}\n', "graph.pbtxt")
    yield file("text-labels", "benign", b"item {\n  id: 1\n  name: 'op'\n}\n", "labels.pbtxt")


def _paddle() -> Iterator[File]:
    def program(*operators: str) -> bytes:
        body = b"".join(field(4, field(1, field(1, "X")) + field(3, operator)) for operator in operators)
        return field(1, field(1, 0) + field(2, -1) + field(3, field(1, "x")) + body)

    for operator in ("py_func", "run_program", "save_combine", "load"):
        yield "paddle", operator, "model.pdmodel", "malicious", program("feed", "relu", operator)
        yield "paddle", f"{operator}-without-feed", "__model__", "malicious", program("relu", operator)
    yield "paddle", "ordinary", "model.pdmodel", "benign", program("feed", "conv2d", "fetch")


def _coreml() -> Iterator[File]:
    def network(model: bytes, description: bytes = field(1, field(1, "x"))) -> bytes:
        return field(1, 4) + field(2, description) + model

    custom = field(1, field(1, "l") + field(500, field(10, "MyLayer")))
    yield "coreml", "custom-layer", "m.mlmodel", "policy", network(field(500, custom))
    yield "coreml", "custom-model", "m.mlmodel", "policy", network(field(555, field(10, "MyModel")))
    path = field(1, "@model_path/../../../etc/passwd") + field(2, 64)
    yield "coreml", "weights-outside", "m.mlmodel", "malicious", network(field(502, field(5, path)))
    yield (
        "coreml",
        "linked-outside",
        "m.mlmodel",
        "malicious",
        network(field(556, field(1, field(1, field(1, "/etc/x"))))),
    )
    inside = field(1, "@model_path/weights/weight.bin") + field(2, 64)
    yield "coreml", "weights-inside", "m.mlmodel", "benign", network(field(502, field(5, inside)))
    plain = field(1, field(1, "l") + field(140, field(1, 3)))
    yield "coreml", "network", "m.mlmodel", "benign", network(field(500, plain))


def _texts() -> Iterator[File]:
    good = "class M(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return torch.relu(x)\n"

    def script(name: str, label: Label, call: str) -> File:
        return "torchscript-hidden", name, "m.pt", label, torchscript(good.replace("torch.relu(x)", call))

    yield script("image-io", "malicious", 'ops.image.write_file("/tmp/x", x)')
    yield script("audio-io", "malicious", 'ops.torchaudio.sox_io_save_audio_file("/tmp/x", x)')
    yield script("torch-ops", "malicious", 'torch.ops.aten.from_file("/x")')
    yield script("python", "malicious", 'eval("1")')
    yield script("engine", "policy", "ops.tensorrt.execute_engine([x], self.engine)")
    yield script("backend", "policy", "__torch__.torch.classes.my_backend.Engine(x)")
    yield script("quantized", "benign", "ops.quantized.linear(x, self.packed, 1., 0)")
    yield script("annotated", "benign", "annotate(Tensor, torch.add(x, uninitialized(Tensor)))")
    yield "tflite", "flex-write", "m.tflite", "malicious", tflite("Known", "FlexWriteFile")
    yield "tflite", "flex-python", "m.bin", "malicious", tflite("FlexEagerPyFunc")
    yield "tflite", "flex", "m.tflite", "policy", tflite("FlexErf")

    def xml(name: str, label: Label, text: str, called: str = "m.xml", encoding: str = "utf-8") -> File:
        return "xml-hidden", name, called, label, text.encode(encoding)

    start = '<?xml version="1.0"?>'
    net = '<net name="m"><layers><layer id="0" type="A" version="opset1"/></layers></net>'
    yield xml(
        "utf-16",
        "malicious",
        '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net>&a;</net>',
        encoding="utf-16",
    )
    yield xml("parameter", "malicious", f'{start}<!DOCTYPE a [<!ENTITY % b SYSTEM "http://x/y"> %b;]><a/>')
    yield xml("comment-first", "malicious", f'<!-- <svg --><!DOCTYPE net [<!ENTITY a "b">]>{net}')
    yield xml("growth", "malicious", f'{start}<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;">]><a>&c;</a>')
    yield xml("local-type", "malicious", f'{start}<!DOCTYPE a SYSTEM "/dev/random"><a/>')
    yield xml("type-of-a-model", "malicious", f'{start}<!DOCTYPE net SYSTEM "http://x/y.dtd">{net}')
    yield xml("deep", "malicious", start + "<a>" * 5000 + "</a>" * 5000)
    yield xml("library", "policy", start + net.replace("<layer ", '<layer library="x.so" '))
    yield xml("layer-set", "policy", f"{start}{net.replace('opset1', 'my_extension')}")
    yield xml(
        "script",
        "policy",
        f'{start}<PMML version="4.4"><Extension><script>x()</script></Extension></PMML>',
        "m.pmml",
    )
    yield xml(
        "remark",
        "benign",
        f'{start}<PMML version="4.4"><Header><Extension name="user" value="me" extender="Rattle/PMML"/></Header></PMML>',
        "m.pmml",
    )
    yield xml(
        "public-type",
        "benign",
        f'{start}<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist/>',
    )
    yield xml("plain-entity", "benign", f'{start}<!DOCTYPE doc [<!ENTITY name "Allmende">]><doc>&name;</doc>')
    other = start.replace("?>", ' encoding="utf-7"?>')
    yield xml("utf-7", "malicious", f"{other}+ADwAIQ-DOCTYPE a []+AD4-<a/>")
    other = start.replace("?>", ' encoding="windows-1251"?>')
    yield xml("cyrillic", "benign", f"{other}<net name='\u0438'/>", encoding="cp1251")
    yield xml("network", "benign", start + net)


def _mxnet() -> Iterator[File]:
    def symbol(operator: str) -> bytes:
        nodes = [
            {"op": "null", "name": "x", "inputs": []},
            {"op": operator, "name": "y", "inputs": [[0, 0, 0]]},
        ]
        return json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[1, 0, 0]]}).encode()

    yield "mxnet", "custom", "model-symbol.json", "policy", symbol("Custom")
    yield "mxnet", "ordinary", "model-symbol.json", "benign", symbol("Convolution")


def cases() -> Iterator[Case]:
    """All of them."""
    for family, name, file_name, label, data in (
        *_onnx(),
        *_tensorflow(),
        *_paddle(),
        *_coreml(),
        *_texts(),
        *_mxnet(),
    ):
        yield Case(family, name, file_name, label, fixed(data))
