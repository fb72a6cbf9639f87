"""Configurations of Keras that hide what they make, and those of ordinary models that look alike."""

import json
from collections.abc import Iterator
from typing import Any

from tests.attack.corpus.case import Case, Label, fixed
from tests.attack.corpus.graphs import archive, field, graph_def, hdf5, layer, model, saved_model

__all__ = ["cases"]

_CODE = {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}


def _hidden() -> Iterator[tuple[str, Label, dict[str, Any]]]:
    bare = [{"class_name": "Lambda", "config": {"function": ["4wEA", None, None], "function_type": "lambda"}}]
    yield (
        "functional-in-sequential",
        "malicious",
        model(layer("Functional", {"layers": bare}, module="keras.src.models.functional")),
    )
    yield (
        "old-module-layers",
        "malicious",
        model(layer("Lambda", {"function": "f"}, module="keras.src.layers.core.lambda_layer")),
    )
    yield (
        "tensorflow-name",
        "malicious",
        model(layer("Lambda", {"function": _CODE}, module="tensorflow.keras.layers")),
    )
    yield "constraint", "malicious", model(layer("Dense", {"kernel_constraint": layer("popen", module="os")}))
    yield "initializer-code", "malicious", model(layer("Dense", {"kernel_initializer": _CODE}))
    yield "defaults-of-a-function", "malicious", model(layer("Dense", {"x": {"y": [{"z": _CODE}]}}))
    yield (
        "function-of-a-keras-module",
        "malicious",
        model(layer("function", "get_file", module="keras.utils")),
    )
    yield (
        "enable-unsafe",
        "malicious",
        model(layer("enable_unsafe_deserialization", {}, module="keras.config")),
    )
    yield (
        "archive-extractor",
        "malicious",
        model(layer("_extract_archive", {"file_path": "x.tar"}, module="keras.src.utils.file_utils")),
    )
    yield (
        "module-inside-keras",
        "malicious",
        model(layer("run", {"args": "id"}, module="keras.src.utils.file_utils.subprocess")),
    )
    yield "dunder", "malicious", model(layer("__import__", {}, module="builtins"))
    yield "numpy-function", "malicious", model(layer("fromfile", {"file": "/etc/passwd"}, module="numpy"))
    yield "torch-hub", "malicious", model(layer("load", {"repo_or_dir": "a/b"}, module="torch.hub"))
    spec: dict[str, Any] = {
        "class_name": "__typespec__",
        "spec_name": "Popen",
        "registered_name": None,
        "module": "subprocess",
        "config": [],
    }
    yield "type-specification", "malicious", model(layer("InputLayer", {"type_spec": spec}))
    yield (
        "registered-as-if-custom",
        "malicious",
        model(layer("system", {}, module="os", registered="Custom>system")),
    )
    yield (
        "loss-of-the-compiled",
        "malicious",
        {**model(layer("Dense")), "compile_config": {"loss": _CODE, "optimizer": "adam"}},
    )
    yield (
        "metrics-in-a-list",
        "malicious",
        {**model(layer("Dense")), "compile_config": {"metrics": [["mae", layer("exec", module="builtins")]]}},
    )
    for name in (
        "write_file",
        "io.write_file",
        "io.read_file",
        "compat.v1.py_func",
        "numpy_function",
        "raw_ops.ReadFile",
    ):
        yield (
            f"operation-{name}",
            "malicious",
            model({"class_name": "TFOpLambda", "config": {"function": name}}),
        )
    node = {"name": "n", "op": "WriteFile", "input": ["a", "b"]}
    yield (
        "operation-node",
        "malicious",
        model({"class_name": "TensorFlowOpLayer", "config": {"node_def": node}}),
    )
    yield (
        "operation-node-text",
        "malicious",
        model({"class_name": "TensorFlowOpLayer", "config": {"node_def": 'op: "ReadFile"'}}),
    )
    for name in ("IntegerLookup", "StringLookup", "IndexLookup", "TextVectorization"):
        yield f"vocabulary-plain-name-{name}", "malicious", model(layer(name, {"vocabulary": "passwd"}))
    yield "weights-of-idf", "malicious", model(layer("TextVectorization", {"idf_weights": "file://x"}))
    yield "wrapped-jax", "malicious", model(layer("JaxLayer", {"call_fn": "x"}))
    yield (
        "foreign-class",
        "policy",
        model(layer("Attention", module="my_package.nn", registered="my_package>Attention")),
    )
    yield (
        "foreign-loss",
        "policy",
        {
            **model(layer("Dense")),
            "compile_config": {
                "loss": layer("function", "my_loss", module="builtins", registered="function")
            },
        },
    )


def _ordinary() -> Iterator[tuple[str, Label, dict[str, Any]]]:
    schedule = layer("CosineDecay", {"initial_learning_rate": 0.1}, module="keras.optimizers.schedules")
    compiled = {"optimizer": layer("AdamW", {"learning_rate": schedule}, module="keras.optimizers"), "loss": "mse",
                "metrics": ["accuracy", layer("AUC", module="keras.metrics")], "jit_compile": False}  # fmt: skip
    yield "compiled", "benign", {**model(layer("Dense")), "compile_config": compiled, "keras_version": "3.9"}
    yield (
        "operations",
        "benign",
        model(
            *(
                {"class_name": "TFOpLambda", "config": {"function": name}}
                for name in ("math.multiply", "__operators__.add", "nn.bias_add", "io.decode_base64")
            )
        ),
    )
    yield (
        "words",
        "benign",
        model(layer("StringLookup", {"vocabulary": ["os.system", "https://x/y", "../../etc"]})),
    )
    yield (
        "specification",
        "benign",
        model(
            layer(
                "InputLayer",
                {
                    "type_spec": {
                        "class_name": "__typespec__",
                        "spec_name": "TensorSpec",
                        "registered_name": None,
                        "module": "tensorflow",
                        "config": [[1], "float32"],
                    }
                },
            )
        ),
    )
    yield (
        "function-of-keras",
        "benign",
        model(layer("Dense", {"activation": layer("function", "gelu", module="keras.activations")})),
    )
    yield (
        "hub",
        "benign",
        layer("GemmaBackbone", {"num_layers": 2}, module="keras_hub.src.models.gemma.gemma_backbone"),
    )
    wrapped = layer("Bidirectional", {"layer": layer("LSTM", {"units": 4}), "merge_mode": "concat"})
    yield "wrapped", "benign", model(layer("TimeDistributed", {"layer": wrapped}))


def metadata(text: str) -> bytes:
    """The metadata of Keras beside a saved model."""
    node = field(2, 1) + field(3, "root") + field(4, "_tf_keras_sequential") + field(5, text)
    return field(1, node)


def _saved() -> Iterator[tuple[str, Label, bytes]]:
    bad = json.dumps({"trainable": True, **model(layer("Lambda", {"function": _CODE}))})
    yield "metadata", "malicious", metadata(bad)
    yield "metadata-spaced", "malicious", metadata("\n  " + bad)
    yield "metadata-doubled-key", "malicious", metadata(bad[:-1] + ', "trainable": false}')
    yield "metadata-escaped", "malicious", metadata(bad.replace("class_name", "class\\u005fname"))
    yield "metadata-ordinary", "benign", metadata(json.dumps(model(layer("Dense"))))
    graph = graph_def("Placeholder", "MatMul", "Identity")
    yield "graph-and-metadata", "malicious", saved_model(graph) + field(2, field(2, graph) + field(9, bad))


def cases() -> Iterator[Case]:
    """All of them."""
    for name, label, config in (*_hidden(), *_ordinary()):
        yield Case("keras-objects", f"archive-{name}", "model.keras", label, fixed(archive(config)))
        yield Case("keras-objects", f"json-{name}", "model.json", label, fixed(json.dumps(config).encode()))
        text = json.dumps(config)

        def old(text: str = text) -> bytes:
            return hdf5(lambda file: file.attrs.__setitem__("model_config", text))

        yield Case("keras-objects", f"old-{name}", "model.h5", label, old)
    for name, label, data in _saved():
        yield Case("keras-objects", name, "keras_metadata.pb", label, fixed(data))
