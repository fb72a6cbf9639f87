"""Graphs of TensorFlow and ONNX whose wire format hides what a looser walk would miss, and files they reach."""

import io
import zipfile
from collections.abc import Iterator

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.graphs import external, field, graph_def, onnx, saved_model, tflite, varint
from tests.attack.corpus.pickles import global_call

__all__ = ["cases"]


def group(number: int, inside: bytes = b"") -> bytes:
    """A group of this number: what no schema of a model has, and every loader passes over."""
    return varint(number << 3 | 3) + inside + varint(number << 3 | 4)


READS = graph_def("Placeholder", "ReadFile")
ORDINARY = graph_def("Placeholder", "Identity")
IMMUTABLE = "memory_region_name"


def _node(operator: str, **attributes: str) -> bytes:
    told = b"".join(field(5, field(1, key) + field(2, field(2, text))) for key, text in attributes.items())
    return field(1, field(1, "n") + field(2, operator) + told)


def _meta(more: bytes) -> bytes:
    return field(1, 1) + field(2, field(1, field(4, "serve")) + field(2, ORDINARY) + more)


def _groups() -> Iterator[tuple[str, Label, bytes]]:
    deep = group(9, group(8, field(1, "x") + group(7)))
    for name, skipped in (("empty", group(9)), ("filled", group(9, field(2, "x"))), ("deep", deep)):
        yield f"{name}-in-the-graph", "malicious", saved_model(skipped + READS)
        yield f"{name}-at-the-top", "malicious", skipped + saved_model(READS)
        yield f"{name}-in-the-meta-graph", "malicious", field(1, 1) + field(2, skipped + field(2, READS))
        node = field(1, skipped + field(1, "n") + field(2, "ReadFile"))
        yield f"{name}-in-the-node", "malicious", saved_model(node)
        yield f"{name}-in-a-bare-graph", "malicious", skipped + READS
        function = field(
            2, field(1, field(1, field(1, "f")) + field(3, skipped + field(1, "n") + field(2, "ReadFile")))
        )
        yield f"{name}-in-a-function", "malicious", saved_model(ORDINARY + function)
        yield f"{name}-and-nothing-else", "benign", saved_model(skipped + ORDINARY)
    yield "not-ended", "malicious", saved_model(ORDINARY) + varint(9 << 3 | 3)
    yield "ended-by-another", "malicious", saved_model(ORDINARY) + varint(9 << 3 | 3) + varint(8 << 3 | 4)
    yield "too-deep", "malicious", saved_model(ORDINARY) + varint(9 << 3 | 3) * 500 + varint(9 << 3 | 4) * 500
    # A key of more than 32 bits is another field for those who cut it off.
    wide = varint(1 << 35 | 1 << 3 | 2)
    yield "wide-key", "malicious", saved_model(wide + READS[1:])
    number_for_name = field(1, field(1, 5) + field(2, "ReadFile"))
    yield "name-of-another-kind", "malicious", saved_model(number_for_name)


def _reaching() -> Iterator[tuple[str, Label, bytes]]:
    yield "immutable-const", "malicious", saved_model(_node("ImmutableConst", **{IMMUTABLE: "/etc/passwd"}))
    own = {IMMUTABLE: "memmapped_package://w0"}
    yield "immutable-const-of-the-model", "benign", saved_model(_node("ImmutableConst", **own))
    for operator in ("CacheDataset", "CacheDatasetV2", "SnapshotDataset", "SnapshotDatasetV2", "Rpc"):
        yield f"writes-{operator}", "malicious", saved_model(_node(operator))
    for number, path in enumerate(("../../etc/passwd", "/etc/passwd", "a/../../b", "..\\x")):
        asset = field(1, field(1, "t:0")) + field(2, path)
        yield f"asset-{number}", "malicious", _meta(field(6, asset))
        listed = field(5, field(1, field(1, "type.googleapis.com/tensorflow.AssetFileDef") + field(2, asset)))
        yield (
            f"asset-in-a-collection-{number}",
            "malicious",
            _meta(field(4, field(1, "saved_model_assets") + field(2, listed))),
        )
    yield "asset-inside", "benign", _meta(field(6, field(1, field(1, "t:0")) + field(2, "vocab.txt")))


def _with_files(model: bytes, files: dict[str, bytes]) -> bytes:
    """A model with an archive behind it, as the writer of metadata for TensorFlow Lite makes it."""
    data = io.BytesIO(model)
    with zipfile.ZipFile(data, "a") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return data.getvalue()


def _carrying() -> Iterator[tuple[str, Label, bytes]]:
    labels = {"labels.txt": b"cat\ndog\n"}
    yield "labels", "benign", _with_files(tflite("TFLite_Detection_PostProcess"), labels)
    yield "operator", "malicious", _with_files(tflite("FlexEagerPyFunc"), labels)
    pickled = {"archive/data.pkl": global_call("os", "system", "true")}
    yield "pickle", "malicious", _with_files(tflite("NGramHash"), pickled)
    yield "outside", "malicious", _with_files(tflite("NGramHash"), {"../../x": b"x"})
    yield "another-prefix", "malicious", _with_files(b"\x89PNG\r\n\x1a\n" + bytes(64), labels)


def cases() -> Iterator[Case]:
    """All of them, as saved models; bare graphs under other endings too."""
    for name, label, data in _groups():
        yield Case("tensorflow-groups", name, "saved_model.pb", label, fixed(data))
    for name, label, data in _reaching():
        yield Case("tensorflow-reach", name, "saved_model.pb", label, fixed(data))
    for name, label, data in _carrying():
        yield Case("tflite-with-files", name, "model.tflite", label, fixed(data))
    for ending in ("bin", "model", "dat", "frozen"):
        yield Case("tensorflow-names", ending, f"weights.{ending}", "malicious", fixed(READS))
    text = b'asset_file_def {\n  tensor_info { name: "t" }\n  filename: "../../x"\n}\n'
    yield Case("tensorflow-reach", "asset-in-text", "saved_model.pbtxt", "malicious", fixed(text))
    for place, data in (
        ("at-the-top", group(90) + onnx(field(5, external("/etc/passwd")))),
        ("in-the-graph", onnx(group(90, field(1, 1)) + field(5, external("/etc/passwd")))),
        ("in-the-tensor", onnx(field(5, group(90) + external("/etc/passwd")))),
    ):
        yield Case("onnx-groups", place, "model.onnx", "malicious", fixed(data))
