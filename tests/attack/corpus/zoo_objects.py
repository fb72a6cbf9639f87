"""Objects of libraries that are pickled as they are: each once was, or easily would be, refused by mistake.

The functions need the environment with torch.
"""

import http
import io
import tarfile
import time
import typing
import zoneinfo
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

__all__ = ["nemo_file", "objects"]

Named = Iterator[tuple[str, Callable[[], Any]]]


def objects() -> Named:
    """All of them, by name."""
    yield from _of_python()
    yield from _of_numpy()
    yield from _of_scipy()
    yield from _of_pandas()
    yield from _of_torch()
    yield from _of_transformers()


def _of_python() -> Named:
    yield "zone", lambda: zoneinfo.ZoneInfo("Europe/Berlin")
    yield "time", lambda: time.gmtime(0)
    yield "status", lambda: http.HTTPStatus(200)
    yield "optional", lambda: typing.Optional[int]  # noqa: UP045  # this is how it is pickled
    yield "iterator", lambda: [iter([1, 2]), reversed([1])]


def _of_numpy() -> Named:
    import numpy as np

    yield "records", lambda: np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "polynomial", lambda: np.poly1d([1, 2])
    yield "texts", lambda: np.array(["a", "bb"], dtype=np.dtypes.StringDType())
    yield "generator", lambda: np.random.default_rng(1)
    yield "masked", lambda: np.ma.array([1, 2], mask=[False, True])


def _of_scipy() -> Named:
    import numpy as np
    from sklearn.feature_selection import SelectKBest, mutual_info_classif
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import FunctionTransformer

    interpolate, optimize, stats, special, distance, transform = (
        import_module(f"scipy.{name}")
        for name in ("interpolate", "optimize", "stats", "special", "spatial.distance", "spatial.transform")
    )
    x = np.arange(9.0)
    for kind in ("linear", "nearest", "previous", "cubic"):
        yield f"interp1d-{kind}", partial(interpolate.interp1d, x, x * x, kind=kind)
    yield "spline", lambda: interpolate.UnivariateSpline(x, x * x)
    yield "grid", lambda: interpolate.RegularGridInterpolator(([0, 1], [0, 1]), np.ones((2, 2)))
    for name, arguments in (("randint", (1, 9)), ("poisson", (3,)), ("binom", (3, 0.5)), ("geom", (0.5,)),
                            ("norm", ()), ("gamma", (2,)), ("loguniform", (0.1, 1))):  # fmt: skip
        yield f"frozen-{name}", partial(getattr(stats, name), *arguments)
    yield "density", lambda: stats.gaussian_kde(x**2)
    yield "normal", lambda: stats.multivariate_normal([0, 0])
    yield "optimum", lambda: optimize.minimize(lambda at: (at**2).sum(), [1.0])
    yield "rotation", lambda: transform.Rotation.from_euler("x", 1)
    yield "expit", lambda: FunctionTransformer(special.expit)
    yield "information", lambda: SelectKBest(mutual_info_classif, k=1)
    yield "cosine", lambda: KNeighborsClassifier(metric=distance.cosine)


def _of_pandas() -> Named:
    import pandas as pd

    yield "zoned", lambda: pd.date_range("2020", periods=3, tz="Europe/Berlin")
    yield "periods", lambda: pd.period_range("2020", periods=3, freq="M")
    yield "intervals", lambda: pd.interval_range(0, 3)
    yield "deltas", lambda: pd.timedelta_range("1D", periods=3)
    yield "categories", lambda: pd.CategoricalIndex(list("ab"))
    yield "sparse", lambda: pd.Series(pd.arrays.SparseArray([0, 0, 1]))
    yield (
        "extensions",
        lambda: pd.DataFrame({"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    )


def _of_torch() -> Named:
    import torch
    from torch.nn.utils import spectral_norm

    yield "data-set", lambda: torch.utils.data.TensorDataset(torch.ones(2))
    yield "subset", lambda: torch.utils.data.Subset([1, 2, 3], [0])
    yield "packed", lambda: torch.nn.utils.rnn.pack_sequence([torch.ones(2), torch.ones(1)])
    yield "distribution", lambda: torch.distributions.Normal(0.0, 1.0)
    yield "maximum", lambda: torch.max(torch.ones(2, 2), 0)
    yield "spectral-norm", lambda: spectral_norm(torch.nn.Linear(2, 2))
    for mode in ("triangular", "triangular2", "exp_range"):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
        yield f"cyclic-{mode}", partial(torch.optim.lr_scheduler.CyclicLR, optimizer, 0.1, 0.2, mode=mode)


def _of_transformers() -> Named:
    import tokenizers
    import transformers

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    yield "config", transformers.BertConfig
    yield "model", lambda: transformers.BertModel(transformers.BertConfig(vocab_size=20, **small))
    yield "tokenizer", lambda: tokenizers.Tokenizer(tokenizers.models.BPE())


def nemo_file() -> bytes:
    """A tar archive as NeMo writes it: a configuration, and last the checkpoint, which is a zip file."""
    import torch

    weights = io.BytesIO()
    torch.save({"w": torch.ones(3)}, weights)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("./model_config.yaml", b"a: 1\n"), ("./model_weights.ckpt", weights.getvalue())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()
