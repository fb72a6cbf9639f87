"""Ordinary checkpoints, written by the libraries themselves: what a scanner must be quiet about.

`write_zoo(folder)` needs the environment with torch. Every writer below trains something small for real, so
that the files hold what such files hold: fitted estimators, optimizer states, quantised tensors.
"""

import argparse
import bz2
import collections
import datetime as dt
import decimal
import fractions
import gzip
import io
import lzma
import pickle
import tarfile
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["WRITERS", "write_zoo"]

Writer = Callable[[Path], None]
WRITERS: dict[str, Writer] = {}


def writer(function: Writer) -> Writer:
    """Enter a writer under its name."""
    WRITERS[function.__name__] = function
    return function


def write_zoo(folder: Path) -> Iterator[Path]:
    """Write all files, each library in a folder of its own; yields them as they are there."""
    for name, write in WRITERS.items():
        place = folder / name
        place.mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(place)
        yield from sorted(path for path in place.rglob("*") if path.is_file())


@writer
def plain(folder: Path) -> None:
    """Objects of the standard library in all protocols and wrappers."""
    row = [1, 2, 3]
    values: dict[str, Any] = {
        "nested": {"a": [1, 2.5, None, True], "b": ({"x"}, frozenset({1}), b"bytes", "text\n'\\")},
        "large": {f"key{number}": list(range(number % 20)) for number in range(2000)},
        "ordered": collections.OrderedDict(
            a=1, b=collections.Counter("hello"), c=collections.deque([1, 2], 5)
        ),
        "default": collections.defaultdict(list, a=[1]),
        "times": [
            dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            dt.date(2026, 1, 2),
            dt.timedelta(3),
        ],
        "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), complex(1, 2), 2**200, -(2**63), 1e300],
        "paths": [PurePosixPath("a/b"), uuid.UUID(int=5), range(5), slice(1, 2), bytearray(b"x")],
        "arguments": argparse.Namespace(lr=0.1, name="run", nested=argparse.Namespace(x=1)),
        "shared": [row, row, {"again": row}],
        "types": [int, float, str, list, dict, object, type(None)],
    }
    for name, value in values.items():
        for protocol in range(6):
            (folder / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
    data = pickle.dumps(values["nested"], 4)
    (folder / "nested.pkl.gz").write_bytes(gzip.compress(data))
    (folder / "nested.pkl.bz2").write_bytes(bz2.compress(data))
    (folder / "nested.pkl.xz").write_bytes(lzma.compress(data))
    (folder / "twice.pkl").write_bytes(data + pickle.dumps(values["large"], 2))
    pickled = io.BytesIO()
    pure = pickle._Pickler(pickled, 2)
    pure.dump(values["ordered"])
    (folder / "pure.pkl").write_bytes(pickled.getvalue())


@writer
def numpy_files(folder: Path) -> None:
    """Arrays of every kind, alone, in archives, pickled."""
    import numpy as np

    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "floats": random.normal(size=(30, 4)),
        "halves": random.normal(size=9).astype(np.float16),
        "fortran": np.asfortranarray(random.normal(size=(5, 6))),
        "integers": np.arange(12, dtype=">i4").reshape(3, 4),
        "booleans": np.array([True, False]),
        "texts": np.array(["a", "bcd"]),
        "bytes": np.array([b"a", b"bcd"]),
        "records": np.array([(1, 2.5), (2, 3.5)], dtype=[("x", "i4"), ("y", "f8")]),
        "times": np.array(["2026-01-01"], dtype="datetime64[D]"),
        "scalar": np.array(5.0),
        "empty": np.zeros((0, 3)),
        "complexes": np.array([1 + 2j]),
        "objects": np.array([{"a": 1}, [1, 2], "x"], dtype=object),
        "masked": np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
    }
    for name, array in arrays.items():
        if not isinstance(array, np.ma.MaskedArray):
            np.save(folder / f"{name}.npy", array, allow_pickle=True)
        for protocol in (0, 2, 5):
            (folder / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(array, protocol))
    np.savez(folder / "all.npz", **arrays)
    np.savez_compressed(folder / "compressed.npz", **arrays)
    for name, generator in {"state": np.random.RandomState(1), "pcg": random}.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(generator))
    (folder / "dtype.pkl").write_bytes(
        pickle.dumps([np.dtype("f4"), np.float32(1.5), np.int64(3), np.float32])
    )
    np.savetxt(folder / "table.csv", arrays["floats"], delimiter=",")


@writer
def torch_files(folder: Path) -> None:
    """State dicts, whole models, optimizers, traces, in the new and the old file format."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 2))
    transformer = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 1)
    optimizers = {
        name: getattr(torch.optim, name)(model.parameters(), lr=0.01)
        for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam")
    }
    for optimizer in optimizers.values():
        model(torch.randn(4, 8)).sum().backward()
        optimizer.step()
    base = torch.arange(12.0).reshape(4, 3)
    values: dict[str, Any] = {
        "state": model.state_dict(),
        "model": model,
        "transformer": transformer,
        "transformer_state": transformer.state_dict(),
        "dtypes": {
            str(dtype).removeprefix("torch."): torch.ones(5).to(dtype)
            for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.int16,
                          torch.int32, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn,
                          torch.float8_e5m2)
        },
        "sparse": torch.eye(4).to_sparse(),
        "csr": torch.eye(4).to_sparse_csr(),
        "quantised": torch.quantize_per_tensor(torch.randn(4), 0.1, 3, torch.quint8),
        "views": [base[1:], base.t(), base[::2], base],
        "meta": torch.empty(3, device="meta"),
        "parameter": nn.Parameter(torch.ones(3)),
        "size": [torch.Size([1, 2]), torch.float32, torch.device("cpu"), torch.strided],
        "checkpoint": {
            "epoch": 3, "model": model.state_dict(), "optimizer": optimizers["Adam"].state_dict(),
            "rng": torch.get_rng_state(), "args": argparse.Namespace(lr=0.1), "best": 0.5,
            "scheduler": torch.optim.lr_scheduler.StepLR(optimizers["SGD"], 3).state_dict(),
        },
        "convolutions": nn.ModuleDict({
            "c1": nn.Conv1d(2, 3, 3), "c2": nn.Conv2d(2, 3, 3), "t": nn.ConvTranspose2d(2, 3, 3),
            "pool": nn.MaxPool2d(2), "norm": nn.LayerNorm(4), "group": nn.GroupNorm(2, 4), "gelu": nn.GELU(),
        }),
        "recurrent": nn.ModuleList(
            [nn.LSTM(3, 4), nn.GRU(3, 4), nn.Embedding(5, 6), nn.MultiheadAttention(8, 2)]
        ),
        **{f"optimizer_{name}": optimizer.state_dict() for name, optimizer in optimizers.items()},
    }  # fmt: skip
    for name, value in values.items():
        torch.save(value, folder / f"{name}.pt")
        if name not in {"csr", "meta"}:
            torch.save(value, folder / f"{name}.legacy.bin", _use_new_zipfile_serialization=False)
    for protocol in (3, 4, 5):
        torch.save(values["state"], folder / f"state.{protocol}.ckpt", pickle_protocol=protocol)
    torch.jit.trace(model.eval(), torch.randn(1, 8)).save(str(folder / "traced.pt"))
    torch.jit.script(transformer.eval()).save(str(folder / "scripted.pt"))
    try:
        exported = torch.export.export(model.eval(), (torch.randn(1, 8),))
        torch.export.save(exported, folder / "exported.pt2")
    except (RuntimeError, ImportError) as error:
        print(f"no export here: {error}")
    (folder / "pickled_tensor.pkl").write_bytes(pickle.dumps(torch.ones(3)))
    (folder / "pickled_model.pkl").write_bytes(pickle.dumps(model))


@writer
def safetensors_files(folder: Path) -> None:
    """safetensors by numpy and torch."""
    import numpy as np
    import safetensors.numpy
    import safetensors.torch
    import torch

    safetensors.numpy.save_file(
        {"a": np.ones((3, 4), np.float32), "b": np.zeros(0)}, folder / "numpy.safetensors"
    )
    tensors = {f"layer.{number}.weight": torch.randn(4, 4).to(torch.bfloat16) for number in range(50)}
    safetensors.torch.save_file(
        tensors, folder / "model.safetensors", metadata={"format": "pt", "note": "x" * 500}
    )


def _sklearn_estimators() -> Iterator[tuple[str, Any]]:
    import numpy as np
    from sklearn.base import clone
    from sklearn.utils import all_estimators

    random = np.random.default_rng(0)
    rows = np.abs(random.normal(size=(60, 5))) + 0.1
    classes = (rows[:, 0] > rows[:, 1]).astype(int)
    for name, kind in all_estimators():
        try:
            estimator = clone(kind())
            if "n_estimators" in estimator.get_params():
                estimator.set_params(n_estimators=3)
            if "max_iter" in estimator.get_params() and estimator.get_params()["max_iter"] is not None:
                estimator.set_params(max_iter=10)
            estimator.fit(rows, classes)
        except (TypeError, ValueError, AttributeError, KeyError, NotImplementedError):
            continue
        yield name, estimator


@writer
def sklearn_files(folder: Path) -> None:
    """Every estimator of scikit-learn that fits a small table, through pickle and joblib."""
    import joblib
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import SVC

    texts = ["the quick brown fox", "jumps over the lazy dog", "lorem ipsum dolor sit amet"]
    rows = np.random.default_rng(1).normal(size=(40, 3))
    classes = (rows[:, 0] > 0).astype(int)
    composed = {
        "pipeline": make_pipeline(StandardScaler(), SVC(probability=False)).fit(rows, classes),
        "grid": GridSearchCV(SVC(), {"C": [1, 10]}, cv=2).fit(rows, classes),
        "tfidf": Pipeline([("t", TfidfVectorizer())]).fit(texts),
        "count": CountVectorizer(stop_words="english").fit(texts),
        "columns": ColumnTransformer([("n", StandardScaler(), [0, 1]), ("o", OneHotEncoder(), [2])]).fit(
            np.round(rows)
        ),
        "boosting": GradientBoostingClassifier(n_estimators=3).fit(rows, classes),
    }
    for name, estimator in [*_sklearn_estimators(), *composed.items()]:
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(estimator))
        joblib.dump(estimator, folder / f"{name}.joblib")
    for method in ("zlib", "gzip", "bz2", "xz", "lzma"):
        joblib.dump(composed["grid"], folder / f"grid.{method}.joblib", compress=(method, 3))
    joblib.dump({"a": rows, "o": np.array([1, "x"], dtype=object)}, folder / "arrays.joblib")
    joblib.dump([rows, rows.astype("f4"), {"deep": [rows.T]}], folder / "list.joblib", compress=3)


@writer
def pandas_files(folder: Path) -> None:
    """Frames and series, pickled and as tables."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({
        "n": [1, 2, 3], "f": [1.5, np.nan, 2.5], "t": ["a", "b", None], "c": pd.Categorical(["x", "y", "x"]),
        "d": pd.date_range("2026-01-01", periods=3, tz="UTC"), "i": pd.array([1, None, 3], dtype="Int64"),
        "p": pd.period_range("2026-01", periods=3, freq="M"), "v": pd.interval_range(0, 3),
    })  # fmt: skip
    for name, value in {
        "frame": frame, "series": frame["n"], "index": pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        "grouped": frame.set_index(["n", "t"]), "delta": pd.Series(pd.to_timedelta([1, 2], unit="s")),
        "stamp": [pd.Timestamp("2026-01-01", tz="UTC"), pd.NaT, pd.NA, pd.Timedelta(1)],
    }.items():  # fmt: skip
        for protocol in (2, 4, 5):
            (folder / f"{name}.{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
    simple = frame[["n", "f", "t"]]
    simple.to_csv(folder / "frame.csv")
    simple.to_json(folder / "frame.json")
    simple.to_parquet(folder / "frame.parquet")


@writer
def boosting_files(folder: Path) -> None:
    """xgboost and lightgbm in all their formats."""
    import joblib
    import lightgbm
    import numpy as np
    import xgboost

    rows = np.random.default_rng(2).normal(size=(80, 4))
    classes = (rows[:, 0] > 0).astype(int)
    trees = xgboost.XGBClassifier(n_estimators=3).fit(rows, classes)
    for suffix in ("json", "ubj"):
        trees.save_model(folder / f"xgboost.{suffix}")
    booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(rows, classes)
    booster.booster_.save_model(str(folder / "lightgbm.txt"))
    for name, model in {
        "xgb": trees, "xgb_regressor": xgboost.XGBRegressor(n_estimators=2).fit(rows, rows[:, 1]),
        "xgb_booster": trees.get_booster(), "lgbm": booster, "lgbm_booster": booster.booster_,
        "lgbm_regressor": lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(rows, rows[:, 1]),
    }.items():  # fmt: skip
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
        joblib.dump(model, folder / f"{name}.joblib")


@writer
def keras_files(folder: Path) -> None:
    """Keras models in both formats, with the torch backend."""
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    dense = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(16, activation="relu", kernel_regularizer="l2"),
        keras.layers.Dropout(0.2), keras.layers.BatchNormalization(),
        keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    dense.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    image = keras.Input((16, 16, 3))
    hidden = keras.layers.Rescaling(1 / 255)(image)
    hidden = keras.layers.Conv2D(4, 3, activation="gelu")(hidden)
    hidden = keras.layers.MaxPooling2D()(hidden)
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    functional = keras.Model(image, keras.layers.Dense(3)(hidden))
    functional.compile(
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)), keras.losses.MeanSquaredError()
    )
    sequence = keras.Sequential([
        keras.Input((5,)), keras.layers.Embedding(10, 4), keras.layers.Bidirectional(keras.layers.LSTM(3)),
        keras.layers.Dense(1),
    ])  # fmt: skip
    for name, model in {"dense": dense, "functional": functional, "sequence": sequence}.items():
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.save_weights(folder / f"{name}.weights.h5")
        (folder / f"{name}.json").write_text(model.to_json())


@writer
def hdf5_files(folder: Path) -> None:
    """HDF5 of both generations with what people put into it."""
    import h5py
    import numpy as np

    for libver in ("earliest", "latest"):
        with h5py.File(folder / f"{libver}.h5", "w", libver=libver) as file:
            group = file.create_group("a/b/c")
            group.create_dataset("x", data=np.arange(1000.0), chunks=(100,), compression="gzip", shuffle=True)
            group.create_dataset("texts", data=["one", "two"], dtype=h5py.string_dtype())
            group.attrs["names"] = ["x", "texts"]
            group.attrs["long"] = "y" * 70_000 if libver == "latest" else "y" * 1000
            file["soft"] = h5py.SoftLink("/a/b/c/x")
            for number in range(100):
                file.create_dataset(f"many/{number:03}", data=number)


@writer
def onnx_files(folder: Path) -> None:
    """ONNX models, with and without weights beside them."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        [weight],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    )
    onnx.save(model, folder / "model.onnx")
    onnx.save(
        model,
        folder / "external.onnx",
        save_as_external_data=True,
        location="external.onnx.data",
        size_threshold=0,
    )


@writer
def gguf_files(folder: Path) -> None:
    """GGUF by the writer of llama.cpp."""
    import gguf
    import numpy as np

    out = gguf.GGUFWriter(folder / "model.gguf", "llama")
    out.add_block_count(2)
    out.add_context_length(2048)
    out.add_token_list([f"<tok{number}>" for number in range(5000)])
    out.add_token_scores([0.0] * 5000)
    out.add_chat_template("{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}")
    for number in range(4):
        out.add_tensor(f"blk.{number}.attn_q.weight", np.ones((32, 32), np.float32))
        out.add_tensor(f"blk.{number}.ffn.weight", np.ones((32, 64), np.float16))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


@writer
def transformers_files(folder: Path) -> None:
    """Small transformers and sentence-transformers models with all the files they come with."""
    import sentence_transformers
    import transformers
    from sentence_transformers import models
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    vocabulary = {
        word: number
        for number, word in enumerate(["[UNK]", "[PAD]", "[CLS]", "[SEP]", "eval", "exec", "os", "system"])
    }
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]",
        chat_template="{{ bos_token }}{% for m in messages %}{{ m.content | trim }}{% endfor %}",
    )  # fmt: skip
    config = transformers.BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    bert = transformers.BertModel(config)
    bert.save_pretrained(folder / "bert")
    fast.save_pretrained(folder / "bert")
    transformers.GenerationConfig().save_pretrained(folder / "bert")
    import torch

    arguments = transformers.TrainingArguments(output_dir="out", report_to=[])
    torch.save(arguments, folder / "bert" / "training_args.bin")
    torch.save(bert.state_dict(), folder / "bert" / "pytorch_model.bin")
    words = models.Transformer(str(folder / "bert"))
    sentences = sentence_transformers.SentenceTransformer(
        modules=[
            words,
            models.Pooling(
                words.get_embedding_dimension() if hasattr(words, "get_embedding_dimension") else 16
            ),
        ]
    )
    sentences.save(str(folder / "sentences"))


@writer
def other_files(folder: Path) -> None:
    """skops, cloudpickle, dill, archives of ordinary files."""
    import cloudpickle
    import dill
    import numpy as np
    import skops.io
    from sklearn.linear_model import LogisticRegression

    rows = np.random.default_rng(3).normal(size=(30, 3))
    model = LogisticRegression().fit(rows, (rows[:, 0] > 0).astype(int))
    skops.io.dump(model, folder / "model.skops")
    (folder / "model.cloudpickle.pkl").write_bytes(cloudpickle.dumps(model))
    (folder / "model.dill").write_bytes(dill.dumps(model))
    (folder / "README.md").write_text(
        "---\nlicense: mit\n---\n# eval(exec) os.system\n\nimport os; os.system('ls')\n"
    )
    with zipfile.ZipFile(folder / "texts.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/vocab.txt", "eval\nexec\n")
        archive.writestr("a/config.json", "{}")
    with tarfile.open(folder / "texts.tar.gz", "w:gz") as archive:
        archive.add(folder / "README.md", "README.md")
