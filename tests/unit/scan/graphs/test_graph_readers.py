"""The readers of graphs: what they claim, what they find and say, and that damage never breaks them."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.scan import FileReport, Source, scan_source
from allmende.scan.graphs import RULES
from tests.attack.corpus.graphs import (
    archive,
    external,
    field,
    graph_def,
    layer,
    model,
    node,
    onnx,
    saved_model,
    tflite,
    torchscript,
)


def scanned(data: bytes, name: str) -> FileReport:
    return scan_source(Source.of_bytes(data), name)


def found(data: bytes, name: str) -> list[tuple[str, str]]:
    return [(finding.rule.id, finding.evidence) for finding in scanned(data, name).findings]


def test_every_rule_explains_itself() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert all((rule.title, rule.explanation, rule.remedy, rule.reference))


CASES: Mapping[str, tuple[bytes, str, tuple[str, str]]] = {
    "onnx outside": (onnx(field(5, external("../x"))), "m.onnx", ("onnx-outside-data", "../x")),
    "onnx range": (onnx(field(5, external("x", offset="-1"))), "m.onnx", ("onnx-bad-data-range", "-1, 0")),
    "onnx entry": (onnx(field(5, external("x", hdf5="y"))), "m.onnx", ("onnx-unknown-data-entry", "hdf5")),
    "onnx custom": (onnx(node("A", "b.c")), "m.onnx", ("onnx-custom-operator", "b.c.A")),
    "onnx python": (onnx(node("PyOp", "b.c")), "m.onnx", ("onnx-python-operator", "b.c.PyOp")),
    "tensorflow file": (
        saved_model(graph_def("Const", "ReadFile")),
        "saved_model.pb",
        ("tensorflow-file-operator", "ReadFile"),
    ),
    "tensorflow custom": (
        saved_model(graph_def("Const", "MyOp")),
        "saved_model.pb",
        ("tensorflow-custom-operator", "MyOp"),
    ),
    "tensorflow text": (b"node { op: 'WriteFile' }", "g.pbtxt", ("tensorflow-file-operator", "WriteFile")),
    "tflite custom": (tflite("Mine"), "m.tflite", ("tflite-custom-operator", "Mine")),
    "torchscript": (
        torchscript("def f(x):\n  return ops.mine.run(x)\n"),
        "m.pt",
        ("torchscript-custom-operator", "ops.mine.run"),
    ),
    "keras": (archive(model(layer("system", module="os"))), "m.keras", ("keras-refused-object", "os.system")),
    "openvino": (
        b"<net name='m'><layers><layer type='A' version='mine'/></layers></net>",
        "m.xml",
        ("xml-custom-layer", "A of mine"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_finding_names_what_was_found(case: tuple[bytes, str, tuple[str, str]]) -> None:
    data, name, expected = case
    assert expected in found(data, name)


def test_data_beside_an_onnx_model_are_referred_to_with_their_length() -> None:
    report = scanned(onnx(field(5, external("w.bin", offset="16", length="48"))), "m.onnx")
    assert [(r.kind, r.target, r.needs_bytes) for r in report.references] == [("external_data", "w.bin", 64)]


def test_the_name_of_a_graph_does_not_matter() -> None:
    data = saved_model(graph_def("Const", "ReadFile"))
    assert found(data, "weights.bin") == found(data, "saved_model.pb")


@pytest.mark.parametrize("name", ["tensor.pb", "labels.pbtxt", "model.meta"])
def test_what_is_no_graph_is_left_to_others(name: str) -> None:
    report = scanned(b"\xff\x00\xfd\xfc" * 50, name)
    assert not report.findings
    assert report.unread


def test_a_path_in_a_keras_finding_leads_to_the_layer() -> None:
    config = model(layer("Dense"), layer("TimeDistributed", {"layer": layer("Lambda")}))
    (finding,) = [
        f for f in scanned(json.dumps(config).encode(), "m.json").findings if f.rule.id == "keras-lambda"
    ]
    assert finding.inside == "config.layers.1.config.layer"


DAMAGED = tuple((data, name) for data, name, _ in CASES.values())


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(DAMAGED), st.data())
def test_damage_never_breaks_a_reader(case: tuple[bytes, str], data: st.DataObject) -> None:
    content, name = case
    at = data.draw(st.integers(0, len(content) - 1))
    piece = data.draw(st.binary(max_size=6))
    kept = data.draw(st.sampled_from((0, len(content))))
    scanned(content[:at] + piece + content[at + len(piece) :][:kept], name)


@given(
    st.binary(max_size=400),
    st.sampled_from(["a.onnx", "a.pb", "a.tflite", "a.mlmodel", "a.h5", "a.xml", "a.pdmodel", "a.pbtxt"]),
)
def test_any_bytes_under_any_name_get_an_answer(data: bytes, name: str) -> None:
    scanned(data, name)
